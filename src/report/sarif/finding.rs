//! One finding: its rule, its place, and what makes it the same finding in the next run.

use std::sync::Arc;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::log::{
    Artifact, Configuration, Described, Fingerprints, Found, Level, Location, Logical, Message,
    Physical, Region,
};
use crate::{
    controller::Pass,
    diff::{Change, FieldChange},
    model::{Digest, Origin, ResourceId},
    report::{
        diagnostic::{LabelJson, Position},
        style::clean,
    },
};

/// What a finding is about. Its id never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    Blocked,
    Change,
    Conflict,
    DriftedField,
    Held,
    Leftover,
    /// A mistake in the configuration, by its code.
    Mistake(&'static str),
    Missing,
    Unseen,
    Unwanted,
}

/// Something found.
pub(super) struct Finding {
    pub(super) rule: Rule,
    pub(super) level: Level,
    /// The resource, where it is about one.
    pub(super) address: Option<String>,
    /// What it is about beside its rule and address, without anything that moves from run to run.
    pub(super) subject: String,
    pub(super) message: String,
    /// The main place first.
    pub(super) places: Vec<Place>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    file: String,
    region: Region,
    note: String,
}

impl Rule {
    fn id(self) -> String {
        match self {
            Self::Blocked => "blocked".to_owned(),
            Self::Change => "change".to_owned(),
            Self::Conflict => "conflict".to_owned(),
            Self::DriftedField => "drift.field".to_owned(),
            Self::Held => "held".to_owned(),
            Self::Leftover => "drift.leftover".to_owned(),
            Self::Mistake(code) => format!("config.{code}"),
            Self::Missing => "drift.missing".to_owned(),
            Self::Unseen => "unseen".to_owned(),
            Self::Unwanted => "drift.unwanted".to_owned(),
        }
    }

    pub(super) fn level(self) -> Level {
        match self {
            Self::Blocked | Self::Conflict | Self::Mistake(_) => Level::Error,
            Self::DriftedField | Self::Held | Self::Leftover | Self::Missing | Self::Unwanted => {
                Level::Warning
            }
            Self::Change | Self::Unseen => Level::Note,
        }
    }

    /// Returns a sentence on what it is, and one on what to do about it.
    fn words(self) -> (String, &'static str) {
        let (what, help) = match self {
            Self::Blocked => (
                "A change cannot be made for now",
                "What it needs is held, or a port is somebody else's. The message says which.",
            ),
            Self::Change => (
                "A change of the file that apply would make",
                "Nothing is wrong. `nself plan` shows it with all others, `nself apply` makes it.",
            ),
            Self::Conflict => (
                "Something that is not this project's has the name of a resource",
                "Rename one of the two, or allow by name what the message says.",
            ),
            Self::DriftedField => (
                "A value on the engine was changed behind nself's back",
                "`nself apply` puts it back. To keep it, write it into nself.toml.",
            ),
            Self::Held => (
                "A change would destroy data or cut something off, and waits for a person",
                "Read what would go. If that is meant, allow it by name as the message says.",
            ),
            Self::Leftover => (
                "Something that is not as it was left stands beside a resource",
                "`nself apply` takes it away.",
            ),
            Self::Mistake(code) => {
                let words = format!("Configuration: {}", code.replace('-', " "));
                return (words, "Put the line right; `nself check` shows all mistakes at once.");
            }
            Self::Missing => (
                "A resource was removed behind nself's back",
                "`nself apply` makes it again. What was in it may be gone.",
            ),
            Self::Unseen => (
                "Something could not be compared",
                "It is seen once its service runs, or cannot be compared here. It may have drifted.",
            ),
            Self::Unwanted => (
                "A resource that nobody asked for carries this project's mark",
                "`nself apply` removes it. To keep it, write it into nself.toml.",
            ),
        };
        (what.to_owned(), help)
    }

    /// Returns the rule as it stands in the table of rules.
    pub(super) fn described(self) -> Described {
        let (what, help) = self.words();
        let name = match self {
            Self::Mistake(code) => code,
            Self::Blocked => "Blocked",
            Self::Change => "Change",
            Self::Conflict => "Conflict",
            Self::DriftedField => "DriftedField",
            Self::Held => "Held",
            Self::Leftover => "Leftover",
            Self::Missing => "Missing",
            Self::Unseen => "Unseen",
            Self::Unwanted => "Unwanted",
        };
        Described {
            id: self.id(),
            name: name.to_owned(),
            short_description: Message::new(what),
            help: Message::new(help),
            default_configuration: Configuration { level: self.level() },
        }
    }
}

impl Finding {
    /// Returns a finding about a resource, or something of it.
    pub(super) fn new(
        rule: Rule,
        id: &ResourceId,
        subject: &str,
        message: String,
        place: &Place,
    ) -> Self {
        Self {
            rule,
            level: rule.level(),
            address: Some(id.to_string()),
            subject: subject.to_owned(),
            message,
            places: vec![place.clone()],
        }
    }

    /// Returns what makes it the same finding over runs: neither its line nor its values do.
    pub(super) fn key(&self) -> String {
        let rule = self.rule.id();
        let parts = [rule.as_str(), self.address.as_deref().unwrap_or_default(), &self.subject];
        Digest::of_parts(parts.map(str::as_bytes)).as_str().to_owned()
    }

    /// Returns it as a result. `number` counts those that are otherwise the same, from 1.
    pub(super) fn result(self, rule_index: usize, number: usize) -> Found {
        let ours = format!("{}:{number}", self.key());
        let Self { rule, level, address, message, places, .. } = self;
        let named =
            |name: &String| Logical { fully_qualified_name: name.clone(), kind: "resource" };
        let mut locations = places.into_iter().enumerate().map(|(place, one)| {
            let note = (place > 0 && !one.note.is_empty()).then(|| Message::new(one.note.clone()));
            let logical = address.iter().filter(|_| place == 0).map(named).collect();
            Location {
                id: (place > 0).then_some(place),
                physical: one.physical(),
                logical,
                message: note,
            }
        });
        Found {
            rule_id: rule.id(),
            rule_index,
            level,
            message: Message::new(clean(&message)),
            locations: locations.next().into_iter().collect(),
            related_locations: locations.collect(),
            partial_fingerprints: Fingerprints { ours },
        }
    }
}

impl Place {
    /// Returns the line that a wanted value is written in, or else that of its resource.
    pub(super) fn of_field(pass: &Pass, change: &Change, field: &FieldChange) -> Self {
        let written = field.origin.as_ref().and_then(Self::of_origin);
        written.unwrap_or_else(|| Self::of_resource(pass, &change.id))
    }

    /// Returns the first line that says something of a resource. What the file says nothing of is put at
    /// the file's beginning: findings without a place are not shown anywhere.
    pub(super) fn of_resource(pass: &Pass, id: &ResourceId) -> Self {
        let all = || {
            let origins = pass.desired.origins.iter();
            origins.filter_map(|((owner, _), origin)| Some((owner, Self::of_origin(origin)?)))
        };
        let first = |places: &mut dyn Iterator<Item = Self>| {
            places.min_by_key(|place| (place.file.clone(), place.region.start_line))
        };
        let own = first(&mut all().filter(|(owner, _)| *owner == id).map(|(_, place)| place));
        own.unwrap_or_else(|| {
            let file = all().next().map_or_else(|| "nself.toml".to_owned(), |(_, one)| one.file);
            Self { file, region: Region::line(1), note: String::new() }
        })
    }

    fn of_origin(origin: &Origin) -> Option<Self> {
        let Origin::File { file, line, .. } = origin else { return None };
        let file: &Arc<str> = file;
        Some(Self { file: file.to_string(), region: Region::line(*line), note: String::new() })
    }

    /// Returns the place of a diagnostic's label.
    pub(super) fn of_label(label: &LabelJson) -> Self {
        let start = label.start.unwrap_or(Position { line: 1, column: 1 });
        let end = label.end.unwrap_or(start);
        let region = Region {
            start_line: start.line,
            start_column: Some(start.column),
            end_line: Some(end.line),
            end_column: Some(end.column),
        };
        Self { file: label.file.clone(), region, note: label.note.clone() }
    }

    fn physical(&self) -> Physical {
        Physical { artifact_location: Artifact { uri: uri(&self.file) }, region: self.region }
    }
}

impl Region {
    fn line(line: usize) -> Self {
        Self { start_line: line.max(1), start_column: None, end_line: None, end_column: None }
    }
}

/// What a path may hold as it is.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Returns a path as a relative URI, so that it means the same in every clone; one from the root as a whole
/// URI.
fn uri(path: &str) -> String {
    let relative = path.trim_start_matches("./");
    let encoded = utf8_percent_encode(relative, PATH).to_string();
    if relative.starts_with('/') {
        return format!("file://{encoded}");
    }
    // A colon in the first part would read as a scheme.
    match encoded.split_once('/') {
        Some((first, rest)) => format!("{}/{rest}", first.replace(':', "%3A")),
        None => encoded.replace(':', "%3A"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_uris() {
        let check = |path: &str, expected: &str| assert_eq!(uri(path), expected);
        check("nself.toml", "nself.toml");
        check("./deploy/my shop #1/nself.toml", "deploy/my%20shop%20%231/nself.toml");
        check("a:b.toml", "a%3Ab.toml");
        check("/srv/shöp/nself.toml", "file:///srv/sh%C3%B6p/nself.toml");
    }
}
