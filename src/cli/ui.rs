//! The only place that writes to the terminal and asks on it.
#![expect(
    clippy::disallowed_methods,
    reason = "whether there is a terminal, and how wide it is, is known to the process alone"
)]

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};

use crate::report::Style;

use super::{Error, Exit, Globals, When, format::Format};

/// How this run speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ui {
    /// The style of the output.
    pub out: Style,
    /// The style of the error output.
    pub err: Style,
    /// What the result is written as.
    pub format: Format,
    /// Whether that is JSON.
    pub json: bool,
    quiet: bool,
}

#[expect(clippy::unused_self, reason = "what speaks to a person goes through the one who speaks")]
impl Ui {
    /// Looks at the terminal, and at what the person asked for.
    pub(super) fn new(globals: &Globals, format: Option<Format>) -> Self {
        match globals.color {
            When::Auto => {}
            When::Always => ColorChoice::AlwaysAnsi.write_global(),
            When::Never => ColorChoice::Never.write_global(),
        }
        let format = format.unwrap_or(if globals.json { Format::Json } else { Format::Text });
        let width = width();
        let program = program(globals).leak();
        let style = |choice| Style {
            colour: choice != ColorChoice::Never,
            width,
            program,
            command: "apply",
        };
        Self {
            out: style(AutoStream::choice(&io::stdout())),
            err: style(AutoStream::choice(&io::stderr())),
            format,
            json: format == Format::Json,
            quiet: globals.quiet,
        }
    }

    /// Returns the same for a command that carries plans out in its own way.
    pub(super) fn of(self, command: &'static str) -> Self {
        let (out, err) = (Style { command, ..self.out }, Style { command, ..self.err });
        Self { out, err, ..self }
    }

    /// Writes text for people; nothing with `-q`, and nothing where data is wanted.
    pub(super) fn print(self, text: &str) {
        if !self.quiet && self.format == Format::Text {
            Self::write(io::stdout(), text);
        }
    }

    /// Writes data for programs, whatever else was asked for.
    pub(super) fn data(self, text: &str) {
        Self::write(io::stdout(), text);
    }

    /// Writes a remark beside the output; nothing with `-q`.
    pub(super) fn remark(self, text: &str) {
        if !self.quiet {
            Self::write(io::stderr(), text);
        }
    }

    /// Writes what went wrong.
    pub(super) fn complain(self, text: &str) {
        Self::write(io::stderr(), text);
    }

    /// Returns whether a person is there to answer.
    pub(super) fn can_ask(self) -> bool {
        !self.json && io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Returns whether progress can be drawn rather than listed.
    pub(super) fn is_live(self) -> bool {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        !self.quiet && !self.json && !dumb && io::stderr().is_terminal()
    }

    /// Asks a question that only `y` or `yes` agrees to.
    pub(super) fn ask(self, question: &str) -> Result<bool, Error> {
        let answer = self.answer(&format!("{question} [y/N]"))?;
        Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
    }

    /// Asks for a line.
    pub(super) fn answer(self, question: &str) -> Result<String, Error> {
        Self::write(io::stdout(), &format!("{question} "));
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.map_err(|error| Error::of(Exit::Failed, &error).attempting("cannot read the answer"))?;
        Ok(answer.trim().to_owned())
    }

    /// A reader that has gone away, such as `head`, is no error: the work goes on, and nobody listens.
    fn write<S>(stream: S, text: &str)
    where
        S: anstream::stream::RawStream,
        AutoStream<S>: io::Write,
    {
        let mut stream = AutoStream::auto(stream);
        let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    }
}

/// Returns how many columns the terminal has, within what reads well.
fn width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col);
    told.or_else(asked)
        .filter(|columns| *columns > 0)
        .map_or(Style::WIDTH, |columns| usize::from(columns).clamp(40, 120))
}

/// Returns a word as one can type it in a shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Returns how to call the program again in the same place.
fn program(globals: &Globals) -> String {
    let mut words = vec!["nself".to_owned()];
    let mut push = |option: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push(option.to_owned());
            words.push(quoted(&value));
        }
    };
    let text = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
    push("-C", globals.directory.as_ref().map(text));
    push("-f", globals.file.as_ref().map(text));
    push("-e", globals.environment.clone().filter(|name| !name.is_empty()));
    push("--engine", globals.engine.clone());
    words.join(" ")
}
