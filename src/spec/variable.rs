//! Declared variables: their values, and putting them into texts.
//!
//! This is the one way in which the process environment gets in, so it is also where a plan can see
//! what it depended on.

use std::collections::BTreeMap;

use super::{Reference, Template, TemplatePart, Variable, template::within};
use crate::model::{
    Diagnostic, Origin, VariableName,
    decode::{Entry, Node, NodeValue, Sourced, Table, suggest},
};

/// The values of variables.
pub(super) type Values = BTreeMap<VariableName, Sourced<String>>;

/// Finds the value of each variable. One without a value gets an empty one, so that only its
/// declaration is blamed and not every use.
pub(super) fn values(
    rules: &BTreeMap<VariableName, (Origin, Variable)>,
    process: &BTreeMap<String, String>,
    problems: &mut Vec<Diagnostic>,
) -> Values {
    let mut values = Values::new();
    for (name, (origin, Variable { from_env, default, value })) in rules {
        let form = |message: String| {
            let help = "write { value = \"…\" } or { from_env = \"…\", default = \"…\" }";
            Diagnostic::error("bad-variable", message).at(origin, "").help(help)
        };
        let found = match (from_env, default, value) {
            (None, None, Some(value)) => Some(value.clone()),
            (Some(from), default, None) => {
                let given = process.get(from.value.as_str());
                let given = given.map(|value| {
                    let origin = Origin::Computed(format!("environment variable {}", from.value));
                    Sourced { value: value.clone(), origin }
                });
                if given.is_none() && default.is_none() {
                    let message = format!("variable `{name}` has no value");
                    problems.push(
                        Diagnostic::error("missing-variable", message)
                            .at(&from.origin, format!("`{}` is not set", from.value))
                            .help("set it, or give the variable a `default`"),
                    );
                }
                given.or_else(|| default.clone())
            }
            (Some(_), _, Some(_)) => {
                problems.push(form(format!("variable `{name}` has both `value` and `from_env`")));
                None
            }
            (None, Some(_), _) => {
                let message = format!("variable `{name}` has a `default` and no `from_env`");
                problems.push(form(message));
                None
            }
            (None, None, None) => {
                problems.push(form(format!("variable `{name}` says nothing")));
                None
            }
        };
        let nothing = || Sourced { value: String::new(), origin: origin.clone() };
        values.insert(name.clone(), found.unwrap_or_else(nothing));
    }
    values
}

/// Returns what the declared variables read from the process environment.
pub(super) fn read(
    rules: &BTreeMap<VariableName, (Origin, Variable)>,
    process: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let names = rules.values().filter_map(|(_, rule)| rule.from_env.as_ref());
    let pair = |name: &str| Some((name.to_owned(), process.get(name)?.clone()));
    names.filter_map(|name| pair(name.value.as_str())).collect()
}

/// Puts variables into every text of the file but the templates, which keep their references, and
/// refuses references that would not be read.
pub(super) fn expand(
    root: &mut Table,
    values: &Values,
    room: &mut Room,
    problems: &mut Vec<Diagnostic>,
) {
    let mut expander = Expander { values, room, problems };
    for (name, entry) in root {
        match (name.as_str(), &mut entry.node.value) {
            ("variables", _) => {}
            ("watch", NodeValue::Table(keys)) => {
                // Whom to tell is written in templates, too.
                for (_, entry) in keys.iter_mut().filter(|(key, _)| *key != "notify") {
                    expander.node(&mut entry.node, Where::Elsewhere);
                }
            }
            ("services", NodeValue::Table(services)) => {
                for service in services.values_mut() {
                    expander.service(service);
                }
            }
            _ => expander.node(&mut entry.node, Where::Elsewhere),
        }
    }
}

/// Says that `name` is no declared variable.
pub(super) fn unknown(name: &VariableName, place: &Origin, values: &Values) -> Diagnostic {
    let near = suggest(name.as_str(), values.keys().map(VariableName::as_str));
    let note = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "not declared".to_owned(),
    };
    Diagnostic::error("unknown-variable", format!("there is no variable `{name}`"))
        .at(place, note)
        .help(format!("declare it: [variables] {name} = {{ from_env = \"…\" }}"))
}

/// How many bytes may yet be put in. A long value that is referred to often is more than the memory of
/// any machine.
pub(super) struct Room(usize);

/// Four times as much as a file can have.
const LARGEST: usize = 16 << 20;

impl Room {
    /// Returns all of it.
    pub(super) fn whole() -> Self {
        Self(LARGEST)
    }

    /// Returns whether there is room for `value`; when it ends, that is said once.
    fn fits(&mut self, value: &str, place: &Origin, problems: &mut Vec<Diagnostic>) -> bool {
        let left = self.0.checked_sub(value.len());
        if left.is_none() && self.0 > 0 {
            let message = format!("variables unfold to more than {} MB here", LARGEST >> 20);
            let help = "put long texts into files of their own";
            problems.push(Diagnostic::error("too-large", message).at(place, "").help(help));
        }
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

struct Expander<'a> {
    values: &'a Values,
    room: &'a mut Room,
    problems: &'a mut Vec<Diagnostic>,
}

/// Where a text stands, as far as references are concerned.
#[derive(Clone, Copy, PartialEq)]
enum Where {
    /// In a command, which everybody on the machine can read.
    Command,
    /// Anywhere else.
    Elsewhere,
}

impl Expander<'_> {
    fn service(&mut self, service: &mut Entry) {
        let NodeValue::Table(keys) = &mut service.node.value else { return };
        for (key, entry) in keys {
            match key.as_str() {
                // Templates: their references are read, and variables put in, when they are decoded.
                "env" | "url" => {}
                "command" | "entrypoint" | "health" => self.node(&mut entry.node, Where::Command),
                _ => self.node(&mut entry.node, Where::Elsewhere),
            }
        }
    }

    fn node(&mut self, node: &mut Node, place: Where) {
        match &mut node.value {
            NodeValue::String(text) if text.contains("${") => {
                *text = self.text(text, &node.origin, place);
            }
            NodeValue::Array(items) => {
                for item in items {
                    self.node(item, place);
                }
            }
            NodeValue::Table(table) => {
                for entry in table.values_mut() {
                    self.node(&mut entry.node, place);
                }
            }
            NodeValue::String(_)
            | NodeValue::Integer(_)
            | NodeValue::Float(_)
            | NodeValue::Boolean(_)
            | NodeValue::Datetime(_) => {}
        }
    }

    /// Returns `text` with its variables put in. What is no reference of ours, such as `${HOME}` in a
    /// shell command, stays as it is.
    fn text(&mut self, text: &str, origin: &Origin, place: Where) -> String {
        let mut out = String::new();
        let mut at = 0;
        while let Some(start) = text[at..].find("${").map(|found| at + found + 2) {
            let Some(end) = text[start..].find('}').map(|length| start + length) else { break };
            out.push_str(&text[at..start - 2]);
            at = end + 1;
            let here = || within(origin, text, start..end);
            match text[start..end].parse::<Reference>() {
                Ok(Reference::Variable(name)) => match self.values.get(&name) {
                    Some(value) if self.room.fits(&value.value, &here(), self.problems) => {
                        out.push_str(&value.value);
                    }
                    Some(_) => {}
                    None => self.problems.push(unknown(&name, &here(), self.values)),
                },
                Ok(reference) => self.problems.push(refused(&reference, &here(), place)),
                Err(_) => out.push_str(&text[start - 2..at]),
            }
        }
        out.push_str(&text[at..]);
        out
    }
}

fn refused(reference: &Reference, here: &Origin, place: Where) -> Diagnostic {
    match (reference, place) {
        (Reference::Secret(name), Where::Command) => {
            let message = format!("the secret `{name}` would be visible in the list of processes");
            Diagnostic::error("secret-in-command", message)
                .at(here, "in a command")
                .help("hand it over in `env` and let the command read it from there")
        }
        (reference, place) => {
            let message = match reference {
                Reference::Secret(_) => {
                    "a secret can be referred to in `env`, `url` and `notify` only"
                }
                Reference::Offer { .. }
                | Reference::Variable(_)
                | Reference::ProjectName
                | Reference::ProjectDomain => "here only variables can be referred to",
            };
            let problem = Diagnostic::error("reference-not-here", message).at(here, "");
            if place == Where::Command {
                problem.help("put it in `env` and let the command read it from there")
            } else {
                problem
            }
        }
    }
}

/// Puts variables and the project's properties into a template.
pub(super) fn resolve(
    template: &mut Template,
    values: &Values,
    (name, domain): (&str, &str),
    room: &mut Room,
    problems: &mut Vec<Diagnostic>,
) {
    for part in &mut template.parts {
        let TemplatePart::Reference(reference, place) = part else { continue };
        let text = match reference {
            Reference::Offer { .. } | Reference::Secret(_) => continue,
            Reference::ProjectName => name.to_owned(),
            Reference::ProjectDomain => domain.to_owned(),
            Reference::Variable(name) => {
                let Some(value) = values.get(name) else {
                    problems.push(unknown(name, place, values));
                    continue;
                };
                value.value.clone()
            }
        };
        let text = if room.fits(&text, place, problems) { text } else { String::new() };
        *part = TemplatePart::Plain(text);
    }
}
