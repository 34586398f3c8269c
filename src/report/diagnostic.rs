//! Diagnostics: under the lines they are about, or as JSON.

use std::{fmt::Write as _, ops::Range, sync::Arc};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use schemars::JsonSchema;
use serde::Serialize;

use super::style::clean;
use crate::model::{Diagnostic, Label, Severity, Span};

/// The texts that diagnostics point into, by file name.
pub type Sources = [(Arc<str>, String)];

/// Whether text carries colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Only characters.
    Plain,
    /// With the terminal's escape sequences.
    Ansi,
}

/// So many are read; of thousands the first say what happened to the file.
const MOST: usize = 50;

/// Returns the diagnostics one below the other, each with the lines it is about, and a last line that
/// counts them. Empty without any.
pub fn text(diagnostics: &[Diagnostic], sources: &Sources, colour: Colour) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let renderer = match colour {
        Colour::Plain => Renderer::plain(),
        Colour::Ansi => Renderer::styled(),
    };
    let sources: Vec<_> = sources.iter().map(harmless).collect();
    let sheets: Vec<_> = sources.iter().map(Sheet::new).collect();
    let mut out = String::new();
    for diagnostic in &diagnostics[..diagnostics.len().min(MOST)] {
        out.push_str(renderer.render(&[group(diagnostic, &sheets)]).trim_end());
        out.push_str("\n\n");
    }
    if diagnostics.len() > MOST {
        writeln!(out, "… and {} more", diagnostics.len() - MOST)
            .expect("writing to a String cannot fail");
    }
    out.push_str(&clean(&tail(diagnostics)));
    out.push('\n');
    out
}

/// A mistake, for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct DiagnosticJson {
    /// `error` or `warning`.
    pub(super) severity: &'static str,
    /// A stable word, such as `unknown-key`.
    pub(super) code: &'static str,
    /// What is wrong.
    pub(super) message: String,
    /// The places, the main one first.
    pub(super) labels: Vec<LabelJson>,
    /// What to do about it.
    pub(super) help: Option<String>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct LabelJson {
    /// The file, as the person named it.
    pub(super) file: String,
    /// Where the place begins; `null` where the file is not at hand.
    pub(super) start: Option<Position>,
    /// Where it ends.
    pub(super) end: Option<Position>,
    /// What is to be seen there.
    pub(super) note: String,
}

/// A line and a column in characters, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Position {
    /// The line.
    pub(super) line: usize,
    /// The column.
    pub(super) column: usize,
}

/// Returns the diagnostics with lines and columns.
pub(super) fn twins(diagnostics: &[Diagnostic], sources: &Sources) -> Vec<DiagnosticJson> {
    let sheets: Vec<_> = sources.iter().map(Sheet::new).collect();
    let label = |label: &Label| {
        let position = |offset| {
            let sheet = sheets.iter().find(|sheet| *sheet.name == label.file)?;
            let (line, column) = sheet.position(offset);
            Some(Position { line, column })
        };
        let (start, end) = (position(label.span.start), position(label.span.end));
        LabelJson { file: label.file.to_string(), start, end, note: label.note.clone() }
    };
    let one = |diagnostic: &Diagnostic| {
        let Diagnostic { severity, code, message, labels, help } = diagnostic;
        DiagnosticJson {
            severity: match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            code,
            message: message.clone(),
            labels: labels.iter().map(label).collect(),
            help: help.clone(),
        }
    };
    diagnostics.iter().map(one).collect()
}

/// Returns a file whose lines drive no terminal, with every place where it was. The renderer shows signs
/// for the other control characters.
fn harmless((name, text): &(Arc<str>, String)) -> (Arc<str>, String) {
    (Arc::clone(name), text.replace(|c| ('\u{80}'..='\u{9f}').contains(&c), "·"))
}

/// Returns the last line: `2 errors in nself.toml; nothing was changed`.
fn tail(diagnostics: &[Diagnostic]) -> String {
    let count = |severity, word: &str| {
        let count = diagnostics.iter().filter(|one| one.severity == severity).count();
        let plural = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {word}{plural}"))
    };
    let errors = count(Severity::Error, "error");
    let warnings = count(Severity::Warning, "warning");
    let mut files: Vec<&str> = Vec::new();
    for label in diagnostics.iter().filter_map(|diagnostic| diagnostic.labels.first()) {
        if !files.contains(&&*label.file) {
            files.push(&label.file);
        }
    }
    let mut tail =
        [&errors, &warnings].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
    if !files.is_empty() {
        write!(tail, " in {}", files.join(" and ")).expect("writing to a String cannot fail");
    }
    if errors.is_some() {
        tail.push_str("; nothing was changed");
    }
    tail
}

fn group<'a>(diagnostic: &'a Diagnostic, sheets: &'a [Sheet<'a>]) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group =
        level.primary_title(clean(&diagnostic.message)).elements(snippets(diagnostic, sheets));
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(clean(help)));
    }
    group
}

/// Labels at most this many lines apart are shown in one piece of the file.
const NEAR: usize = 5;

/// Returns the pieces of files that a diagnostic is about. Only these lines are handed on: looking
/// through a whole file for every diagnostic would be slow for a large one with many.
fn snippets<'a>(
    diagnostic: &'a Diagnostic,
    sheets: &'a [Sheet<'a>],
) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for (index, label) in diagnostic.labels.iter().enumerate() {
        let Some(sheet) = sheets.iter().find(|sheet| *sheet.name == label.file) else { continue };
        let span = sheet.within(&label.span);
        let lines = sheet.position(span.start).0..sheet.position(span.end).0 + 1;
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let near = pieces.iter_mut().find(|piece| {
            piece.sheet.name == sheet.name
                && lines.start <= piece.lines.end + NEAR
                && piece.lines.start <= lines.end + NEAR
        });
        match near {
            Some(piece) => {
                piece.lines.start = piece.lines.start.min(lines.start);
                piece.lines.end = piece.lines.end.max(lines.end);
                piece.marks.push((kind, span, &label.note));
            }
            None => pieces.push(Piece { sheet, lines, marks: vec![(kind, span, &label.note)] }),
        }
    }
    pieces.into_iter().map(Piece::snippet).collect()
}

/// Some lines of a file with what is to be marked in them.
struct Piece<'a> {
    sheet: &'a Sheet<'a>,
    /// Numbers of lines, from 1.
    lines: Range<usize>,
    marks: Vec<(AnnotationKind, Span, &'a str)>,
}

impl<'a> Piece<'a> {
    fn snippet(self) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let Self { sheet, lines, marks } = self;
        let (start, end) = (sheet.start_of(lines.start), sheet.start_of(lines.end));
        let annotations = marks.into_iter().map(|(kind, span, note)| {
            let annotation = kind.span(span.start - start..span.end - start);
            if note.is_empty() { annotation } else { annotation.label(clean(note)) }
        });
        Snippet::source(&sheet.text[start..end])
            .line_start(lines.start)
            .path(clean(sheet.name))
            .annotations(annotations)
    }
}

/// A file with the places where its lines begin.
struct Sheet<'a> {
    name: &'a Arc<str>,
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> Sheet<'a> {
    fn new((name, text): &'a (Arc<str>, String)) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(index, _)| index + 1)).collect();
        Self { name, text, lines }
    }

    /// Returns a span of whole characters within the text, whatever it was asked for.
    fn within(&self, span: &Span) -> Span {
        let fit = |mut offset: usize| {
            offset = offset.min(self.text.len());
            while !self.text.is_char_boundary(offset) {
                offset -= 1;
            }
            offset
        };
        fit(span.start)..fit(span.end.max(span.start))
    }

    /// Returns line and column in characters, both from 1.
    fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.within(&(offset..offset)).start;
        let line = self.lines.partition_point(|start| *start <= offset);
        let column = self.text[self.lines[line - 1]..offset].chars().count() + 1;
        (line, column)
    }

    /// Returns where a line begins, or the end of the text.
    fn start_of(&self, line: usize) -> usize {
        self.lines.get(line - 1).copied().unwrap_or(self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Origin;

    fn sources() -> Vec<(Arc<str>, String)> {
        vec![("nself.toml".into(), "a = 1\nimagee = \"ü\"\n".into())]
    }

    fn problem(span: Span) -> Diagnostic {
        let origin = Origin::File { file: "nself.toml".into(), span, line: 2 };
        Diagnostic::error("unknown-key", "unknown key `imagee`")
            .at(&origin, "did you mean `image`?")
    }

    #[test]
    fn the_line_stands_above_its_carets() {
        let text = text(&[problem(6..12)], &sources(), Colour::Plain);
        insta::assert_snapshot!(text, @r#"
        error: unknown key `imagee`
         --> nself.toml:2:1
          |
        2 | imagee = "ü"
          | ^^^^^^ did you mean `image`?

        1 error in nself.toml; nothing was changed
        "#);
    }

    #[test]
    fn odd_spans_do_no_harm() {
        let backwards = Span { start: 18, end: 17 };
        for span in [0..0, 17..18, backwards, 19..999, 500..600] {
            text(&[problem(span.clone())], &sources(), Colour::Ansi);
            twins(&[problem(span)], &sources());
        }
        let elsewhere = problem(0..1);
        assert!(
            text(&[elsewhere], &[], Colour::Plain).starts_with("error: unknown key `imagee`\n")
        );
    }

    #[test]
    fn nothing_that_is_shown_drives_a_terminal() {
        let odd = "\u{1b}[31m\u{9b}2J\u{7}x";
        let sources: Vec<(Arc<str>, String)> = vec![("f\u{1b}".into(), format!("a = \"{odd}\""))];
        let origin = Origin::File { file: "f\u{1b}".into(), span: 4..8, line: 1 };
        let problem = Diagnostic::error("x", odd).at(&origin, odd).help(odd);
        let shown = text(&[problem], &sources, Colour::Plain);
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    }

    #[test]
    fn programs_get_lines_and_columns() {
        let twin = twins(&[problem(16..18)], &sources()).remove(0);
        assert_eq!(twin.labels[0].start, Some(Position { line: 2, column: 11 }));
        assert_eq!(twin.code, "unknown-key");
    }
}
