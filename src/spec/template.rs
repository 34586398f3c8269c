//! Texts with references in them: `postgres://${postgres.host}/app`.

use crate::model::{
    Diagnostic, Origin, SecretName, ServiceName,
    decode::{Decode, Node, NodeValue, Shape},
};

/// A text with references; `$$` is a plain dollar sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The pieces. Variables are already put in.
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
    Variable(String),
    /// `${project.name}`, `${project.domain}`.
    Project(String),
}

impl Decode for Template {
    fn shape() -> Shape {
        Shape::Either(vec![Shape::Text("text, with references"), Shape::Number, Shape::Boolean])
    }

    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = match &node.value {
            NodeValue::String(text) => text.clone(),
            NodeValue::Integer(number) => number.to_string(),
            NodeValue::Float(number) => number.to_string(),
            NodeValue::Boolean(value) => value.to_string(),
            _ => return node.mismatch("text, a number or a boolean", problems),
        };
        Some(Self { parts: vec![TemplatePart::Plain(text)], origin: node.origin.clone() })
    }
}
