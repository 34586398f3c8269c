//! How text is set: whether there is colour, and how wide the screen is.

use anstyle::{AnsiColor, Style as Ansi};

use super::diagnostic::Colour;
use crate::plan::Release;

/// How text is set. Colour only adds; nothing is said by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour.
    pub colour: bool,
    /// How many columns there are.
    pub width: usize,
    /// How the person called the program, options for all commands included, so that every command that
    /// is suggested can be typed as it stands.
    pub program: &'static str,
    /// The command that carries a plan out.
    pub command: &'static str,
}

/// What a piece of text is, as far as its colour goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Change,
    Bad,
    Risk,
    Dim,
    Strong,
}

impl Style {
    /// The width where none is known.
    pub const WIDTH: usize = 100;

    /// Returns plain text of the usual width.
    pub fn plain() -> Self {
        Self { colour: false, width: Self::WIDTH, program: "nself", command: "apply" }
    }

    /// Returns what releases a held change.
    pub(super) fn release(self, release: &Release) -> String {
        format!("{} {} --allow {release}", self.program, self.command)
    }

    /// Returns a suggestion with the program called as the person did.
    pub(super) fn suggest(self, command: &str) -> String {
        match command.strip_prefix("nself ") {
            Some(rest) => format!("{} {rest}", self.program),
            None => command.to_owned(),
        }
    }

    /// Returns whether diagnostics are to be coloured.
    pub fn colours(self) -> Colour {
        if self.colour { Colour::Ansi } else { Colour::Plain }
    }

    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let ansi = match tone {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Change => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Risk => AnsiColor::Red.on_default().bold(),
            Tone::Dim => Ansi::new().dimmed(),
            Tone::Strong => Ansi::new().bold(),
        };
        format!("{ansi}{text}{ansi:#}")
    }
}

/// Returns `text` without the control characters that would move a terminal's cursor or change its
/// colours. Names, values and log lines come from elsewhere and are not to be trusted with that.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // A colour sequence goes as a whole: escape, bracket, parameters, one letter.
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                for c in chars.by_ref() {
                    if c.is_ascii_alphabetic() || c == '~' {
                        break;
                    }
                }
            }
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Returns how many columns a text takes, counting a character as one.
pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Returns `text` in lines of at most `width` columns, broken at spaces; a longer word stays whole.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                *line += &format!(" {word}");
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns the parts with ` · ` between them, on further lines where one is not wide enough.
pub(super) fn dotted(parts: &[String], width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if columns(&clean(line)) + 3 + columns(&clean(part)) <= width => {
                *line += &format!(" · {part}");
            }
            None => lines.push(part.clone()),
            Some(_) => lines.push(format!("  {part}")),
        }
    }
    lines.join("\n")
}

/// Returns `text` with spaces behind it up to `width` columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(columns(text));
    format!("{text}{}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_drive_the_terminal() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m\r\u{7}\tend\n"), "red\tend\n");
    }

    #[test]
    fn colour_is_only_around_the_text() {
        let style = Style { colour: true, ..Style::plain() };
        assert_eq!(clean(&style.paint(Tone::Risk, "HELD")), "HELD");
        assert_eq!(Style::plain().paint(Tone::Risk, "HELD"), "HELD");
    }
}
