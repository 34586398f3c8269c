//! Text that may contain secrets, without containing them.

use std::{borrow::Cow, fmt::Write as _};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::SecretName;

/// A text made of plain pieces and references to secrets. What it reads as is known only to a
/// [`Keyring`](super::Keyring); a `Text` itself can be printed, stored and compared freely.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(pub Vec<Part>);

/// A piece of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Text as it is.
    Plain(String),
    /// The value of a secret, put in with an encoding.
    Secret(SecretName, Encoding),
}

/// How a secret's value is written into the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// As it is.
    Raw,
    /// Percent-encoded, for a part of a URL.
    Url,
    /// With backslashes before `"` and `\` and for control characters, for a place between double quotes.
    Quoted,
}

/// What is written as it is in a part of a URL.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Encoding {
    /// Returns `value` as it is written into the text around it.
    pub fn apply(self, value: &str) -> Cow<'_, str> {
        match self {
            Self::Raw => value.into(),
            Self::Url => utf8_percent_encode(value, UNRESERVED).into(),
            Self::Quoted => {
                let mut out = String::with_capacity(value.len());
                for c in value.chars() {
                    match c {
                        '"' | '\\' => out.extend(['\\', c]),
                        c if c.is_ascii_control() => write!(out, "\\x{:02x}", u32::from(c))
                            .expect("writing to a String cannot fail"),
                        c => out.push(c),
                    }
                }
                out.into()
            }
        }
    }
}

impl Text {
    /// Returns a text without secrets.
    pub fn plain(text: impl Into<String>) -> Self {
        Self(vec![Part::Plain(text.into())])
    }

    /// Returns a text that is one secret.
    pub fn secret(name: SecretName) -> Self {
        Self(vec![Part::Secret(name, Encoding::Raw)])
    }

    /// Returns the text, if there is no secret in it.
    pub fn as_plain(&self) -> Option<String> {
        self.0
            .iter()
            .map(|part| match part {
                Part::Plain(text) => Some(text.as_str()),
                Part::Secret(..) => None,
            })
            .collect()
    }

    /// Returns the secrets in it, in the order of their appearance.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        self.0.iter().filter_map(|part| match part {
            Part::Plain(_) => None,
            Part::Secret(name, _) => Some(name),
        })
    }

    /// Returns the same text with neighbouring plain pieces joined, so that equal texts are equal.
    #[must_use]
    pub fn joined(self) -> Self {
        let mut parts: Vec<Part> = Vec::with_capacity(self.0.len());
        for part in self.0 {
            match (parts.last_mut(), part) {
                (Some(Part::Plain(last)), Part::Plain(text)) => last.push_str(&text),
                (_, part) => parts.push(part),
            }
        }
        Self(parts)
    }

    /// Adds `other` behind this text.
    pub fn push(&mut self, other: Text) {
        self.0.extend(other.0);
    }

    /// Adds plain text behind this text.
    pub fn push_str(&mut self, text: &str) {
        self.0.push(Part::Plain(text.to_owned()));
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}
