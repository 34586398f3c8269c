//! The terminal's modes: raw while a command runs inside a container, silent while a secret is typed.

use std::io::{self, BufRead as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// A terminal in another mode, put back when this goes.
pub(super) struct Mode(Termios);

impl Mode {
    /// Hands every key on as it is pressed, Ctrl-C included.
    pub(super) fn raw() -> io::Result<Self> {
        Self::with(Termios::make_raw)
    }

    fn silent() -> io::Result<Self> {
        Self::with(|modes| modes.local_modes.remove(LocalModes::ECHO))
    }

    fn with(change: impl FnOnce(&mut Termios)) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut modes = before.clone();
        change(&mut modes);
        tcsetattr(io::stdin(), OptionalActions::Flush, &modes)?;
        Ok(Self(before))
    }
}

impl Drop for Mode {
    fn drop(&mut self) {
        // A terminal that is gone needs no mode.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Returns the columns and rows of the terminal.
pub(super) fn size() -> (u16, u16) {
    tcgetwinsize(io::stdin()).map_or((80, 24), |size| (size.ws_col, size.ws_row))
}

/// Asks for a line that is not shown while it is typed.
pub(super) fn unseen(question: &str, line: &mut String) -> io::Result<()> {
    let mut screen = io::stderr();
    screen.write_all(question.as_bytes())?;
    screen.flush()?;
    let mode = Mode::silent()?;
    let read = io::stdin().lock().read_line(line);
    drop(mode);
    screen.write_all(b"\n")?;
    read.map(drop)
}
