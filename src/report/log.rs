//! Lines of logs, each with the name of where it comes from.

use super::style::{Style, Tone, pad};

/// One line of a service's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// The service; with a number behind it for a further replica.
    pub service: &'a str,
    /// When it was written, as the engine says.
    pub at: Option<&'a str>,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// The line.
    pub text: &'a str,
}

/// Returns a line with the service's name in front, in a column of `width`. The text is left as it is:
/// services colour their own logs.
pub fn log(line: &LogLine<'_>, width: usize, style: Style) -> String {
    // The colour follows from the name, so that it is the same in every call.
    let sum: usize = line.service.bytes().map(usize::from).sum();
    let tone = [Tone::Good, Tone::Change, Tone::Strong, Tone::Dim][sum % 4];
    let name = style.paint(tone, &pad(line.service, width));
    let at = line.at.map(|at| format!("{at} ")).unwrap_or_default();
    format!("{name} │ {at}{}\n", line.text)
}
