//! Exit codes: the one list of them.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Something failed.
    Failed = 1,
    /// Changes are pending.
    Pending = 2,
    /// The configuration is invalid.
    Invalid = 3,
    /// Something is held; all else is done.
    Held = 4,
    /// The engine has moved on since the plan was made.
    Stale = 5,
    /// Somebody else is applying.
    Locked = 6,
    /// The command line is wrong.
    Usage = 64,
    /// A mistake in nself itself.
    Internal = 70,
    /// Left at once, on the person's word.
    Interrupted = 130,
}

impl Exit {
    /// All of them, in order.
    pub(super) const ALL: [Self; 10] = [
        Self::Done,
        Self::Failed,
        Self::Pending,
        Self::Invalid,
        Self::Held,
        Self::Stale,
        Self::Locked,
        Self::Usage,
        Self::Internal,
        Self::Interrupted,
    ];

    /// Returns the number.
    pub(super) fn code(self) -> u8 {
        self as u8
    }

    /// Returns what it means, for the help page.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Failed => "something failed; what does not depend on it was still done",
            Self::Pending => "changes are pending (plan and drift, with --exit-code)",
            Self::Invalid => "the configuration is invalid; nothing was touched",
            Self::Held => {
                "something is held until you allow it (apply: all else is done; plan: with \
                 --exit-code). A failure wins over a hold"
            }
            Self::Stale => "the engine has moved on since the plan was made; nothing was touched",
            Self::Locked => "somebody else is applying to this project; nothing was touched",
            Self::Usage => "the command line is wrong",
            Self::Internal => "a mistake in nself itself; please report it",
            Self::Interrupted => "left at once after Ctrl-C; nself apply goes on from there",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
