//! Exit codes: the one list of them.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Something failed.
    Failed,
    /// Changes are pending.
    Pending,
    /// The configuration is invalid.
    Invalid,
    /// Something is held; all else is done.
    Held,
    /// The world is not as it was when the plan was saved.
    Stale,
    /// Somebody else is applying.
    Locked,
    /// The command line is wrong.
    Usage,
    /// A mistake in nself itself.
    Internal,
    /// Left at once, on the person's word.
    Interrupted,
    /// The code of the command that `nself exec` ran.
    Passed(u8),
}

impl Exit {
    /// All of ours, in order.
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
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Pending => 2,
            Self::Invalid => 3,
            Self::Held => 4,
            Self::Stale => 5,
            Self::Locked => 6,
            Self::Usage => 64,
            Self::Internal => 70,
            Self::Interrupted => 130,
            Self::Passed(code) => code,
        }
    }

    /// Returns what it means, for the help page.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Failed => {
                "something failed, and what does not depend on it was still done; doctor found an error"
            }
            Self::Pending => "changes are pending (plan and drift, with --exit-code)",
            Self::Invalid => "the configuration is invalid; nothing was touched",
            Self::Held => {
                "something is held until you allow it, and all else is done; or a policy refuses, and nothing \
                 is (plan: with --exit-code)"
            }
            Self::Stale => "the saved plan does not fit any more; nothing was touched",
            Self::Locked => "somebody else is applying to this project; nothing was touched",
            Self::Usage => "the command line is wrong",
            Self::Internal => "a mistake in nself itself; please report it",
            Self::Passed(_) => "the code of the command that was run (exec)",
            Self::Interrupted => "left at once after Ctrl-C; nself apply goes on from there",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
