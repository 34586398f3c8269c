//! Texts with references in them: `postgres://${postgres.host}/app`.
//!
//! A reference is read here and judged elsewhere: whether there is such a service is not known yet.

use std::str::FromStr;

use crate::model::{
    Diagnostic, Origin, SecretName, ServiceName, Span, VariableName,
    decode::{Decode, Node, NodeValue, Shape},
};

/// A text with references; `$$` is a plain dollar sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The pieces. In a [`Spec`](super::Spec), variables and properties of the project are put in.
    pub parts: Vec<TemplatePart>,
    /// Where it stands.
    pub origin: Origin,
}

/// A piece of a [`Template`].
#[derive(Debug, Clone, PartialEq)]
pub enum TemplatePart {
    /// Text as it is.
    Plain(String),
    /// A reference, with its place.
    Reference(Reference, Origin),
}

/// What a reference points at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// `${postgres.url}`: what a service offers. Makes an edge.
    Offer {
        /// The service.
        service: ServiceName,
        /// The key.
        key: String,
    },
    /// `${secret.jwt_key}`.
    Secret(SecretName),
    /// `${var.release}`: a declared variable.
    Variable(VariableName),
    /// `${project.name}`.
    ProjectName,
    /// `${project.domain}`.
    ProjectDomain,
}

/// Words before the dot of a reference that are no services.
pub(super) const RESERVED: [&str; 3] = ["secret", "var", "project"];

impl Template {
    /// Returns the references in it, each with its place.
    pub fn references(&self) -> impl Iterator<Item = (&Reference, &Origin)> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Plain(_) => None,
            TemplatePart::Reference(reference, origin) => Some((reference, origin)),
        })
    }

    fn read(text: &str, origin: &Origin, problems: &mut Vec<Diagnostic>) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(dollar) = text[at..].find('$').map(|found| at + found) {
            plain.push_str(&text[at..dollar]);
            let rest = &text[dollar + 1..];
            if rest.starts_with('$') {
                plain.push('$');
                at = dollar + 2;
            } else if let Some(body) = rest.strip_prefix('{') {
                let start = dollar + 2;
                let Some(length) = body.find('}') else {
                    let problem = Diagnostic::error("bad-reference", "`${` without a `}`");
                    let place = within(origin, text, dollar..text.len());
                    problems.push(problem.at(&place, "").help("write `$${` for a plain `${`"));
                    at = text.len();
                    break;
                };
                let place = within(origin, text, start..start + length);
                match body[..length].parse() {
                    Ok(reference) => {
                        if !plain.is_empty() {
                            parts.push(TemplatePart::Plain(std::mem::take(&mut plain)));
                        }
                        parts.push(TemplatePart::Reference(reference, place));
                    }
                    Err(InvalidReference { message, note }) => {
                        let problem = Diagnostic::error("bad-reference", message);
                        let body = &body[..length];
                        problems.push(
                            problem
                                .at(&place, note)
                                .help(format!("write `$${{{body}}}` to hand it on as it is")),
                        );
                    }
                }
                at = start + length + 1;
            } else {
                plain.push('$');
                at = dollar + 1;
            }
        }
        plain.push_str(&text[at..]);
        if !plain.is_empty() || parts.is_empty() {
            parts.push(TemplatePart::Plain(plain));
        }
        Self { parts, origin: origin.clone() }
    }
}

/// Returns the place of a part of a string. Exact where the literal is the text and two quotes,
/// that is, where nothing in it is escaped; else the place of the whole literal.
pub(super) fn within(origin: &Origin, text: &str, part: Span) -> Origin {
    match origin {
        Origin::File { file, span, line } if span.len() == text.len() + 2 => Origin::File {
            file: file.clone(),
            span: span.start + 1 + part.start..span.start + 1 + part.end,
            line: *line,
        },
        _ => origin.clone(),
    }
}

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidReference {
    /// What is wrong.
    pub message: String,
    /// What stands under the carets.
    pub note: &'static str,
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let form = "such as ${postgres.url}, ${secret.jwt_key}, ${var.release}, ${project.domain}";
        let bad = |note| InvalidReference { message: format!("`{text}` is not a reference"), note };
        let (place, key) = text.split_once('.').ok_or_else(|| bad(form))?;
        match (place, key) {
            ("secret", name) => {
                let name = SecretName::new(name).map_err(|_| bad("not the name of a secret"))?;
                Ok(Self::Secret(name))
            }
            ("var", name) => {
                let name =
                    VariableName::new(name).map_err(|_| bad("not the name of a variable"))?;
                Ok(Self::Variable(name))
            }
            ("project", "name") => Ok(Self::ProjectName),
            ("project", "domain") => Ok(Self::ProjectDomain),
            ("project", _) => Err(bad("the project has `name` and `domain`")),
            (service, key) => {
                let service = ServiceName::new(service).map_err(|_| bad(form))?;
                let good = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_');
                if key.is_empty() || !key.chars().all(good) {
                    return Err(bad(form));
                }
                Ok(Self::Offer { service, key: key.to_owned() })
            }
        }
    }
}

impl Decode for Template {
    fn shape() -> Shape {
        Shape::Either(vec![Shape::Text("text, with references"), Shape::Number, Shape::Boolean])
    }

    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = match &node.value {
            // A bad reference is left out, so that the others in the same table are judged, too.
            NodeValue::String(text) => return Some(Self::read(text, &node.origin, problems)),
            NodeValue::Integer(number) => number.to_string(),
            NodeValue::Float(number) => number.to_string(),
            NodeValue::Boolean(value) => value.to_string(),
            _ => return node.mismatch("text, a number or a boolean", problems),
        };
        Some(Self { parts: vec![TemplatePart::Plain(text)], origin: node.origin.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let mut problems = Vec::new();
        let template = Template::read(text, &Origin::Default, &mut problems);
        let parts = template.parts.iter().map(|part| match part {
            TemplatePart::Plain(text) => text.clone(),
            TemplatePart::Reference(reference, _) => format!("{reference:?}"),
        });
        (parts.collect(), problems.into_iter().map(|problem| problem.message).collect())
    }

    #[test]
    fn references_and_dollars() {
        assert_eq!(read("a$$b$c$").0, ["a$b$c$"]);
        assert_eq!(read("").0, [""]);
        assert_eq!(read("$${x}").0, ["${x}"]);
        assert_eq!(
            read("x${project.name}${var.y}z").0,
            ["x", "ProjectName", "Variable(VariableName(\"y\"))", "z"]
        );
        for bad in ["${", "${}", "${HOME}", "${a.}", "${A.b}", "${project.x}", "${secret.X}"] {
            assert_eq!(read(bad).1.len(), 1, "{bad}");
        }
    }

    #[test]
    fn places_are_exact_without_escapes() {
        let origin = Origin::File { file: "f".into(), span: 10..22, line: 3 };
        let mut problems = Vec::new();
        Template::read("a ${b} cd.", &origin, &mut problems);
        assert_eq!(problems[0].labels[0].span, 15..16);
        problems.clear();
        Template::read("${b} cd.", &origin, &mut problems);
        assert_eq!(problems[0].labels[0].span, 10..22);
    }
}
