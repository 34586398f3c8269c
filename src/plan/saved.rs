//! A plan in a file: what was shown, and enough to tell whether the world is still as it was.
//!
//! The steps themselves are not in it. They are worked out anew from what is there when the file is applied,
//! and taken only if they come out the same: so a file can neither be out of date without that being
//! noticed, nor do anything that its configuration does not say, and it holds no secret.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Op, Plan, Step, Target};
use crate::{
    desired::{Path, Resource},
    diff::{Change, Shown},
    model::{Digest, Keyring, ResourceId},
    observed::{Applied, label},
};

/// The form of the file that this nself writes.
const FORM: u32 = 1;

/// A plan as it is kept in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The project's id.
    pub project: String,
    /// The environment it was made for, as given with `-e`.
    pub environment: Option<String>,
    /// The engine's own id.
    pub engine: String,
    /// The engine, for people.
    pub engine_name: String,
    /// When it was made, in milliseconds since 1970.
    pub at: u64,
    /// Who made it, as `user@host`.
    pub by: String,
    /// The version of nself that made it.
    pub nself: String,
    /// What was released, each as with `--allow`.
    pub allow: Vec<String>,
    /// The services it is about; all when empty.
    #[serde(default)]
    pub targets: Vec<String>,
    /// The share of what is there that may be removed, as with `--refuse-over`.
    #[serde(default)]
    pub refuse_over: Option<String>,
    /// What it does to what.
    pub gist: Gist,
    /// The plan as text, with colours.
    pub text: String,
    /// The plan as Markdown.
    #[serde(default)]
    pub markdown: String,
    /// The plan as JSON text.
    pub json: String,
}

/// What a plan does to what, so that two plans can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gist {
    /// The resources that differ.
    pub changes: BTreeMap<String, ChangeGist>,
    /// What would release what is held.
    pub held: BTreeSet<String>,
    /// What cannot be done, with why.
    pub blocked: BTreeMap<String, String>,
    /// The steps in order.
    pub steps: Vec<StepGist>,
}

/// One resource that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeGist {
    /// What is to be done.
    pub action: String,
    /// The id of the live object.
    pub subject: Option<String>,
    /// How each field that differs is, and should be.
    pub fields: BTreeMap<String, (String, String)>,
    /// The ids of further live objects.
    pub leftovers: BTreeSet<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepGist {
    /// The resource.
    pub id: String,
    /// The call and what it is made on.
    pub call: String,
    /// The digest of what is put there; empty when nothing is, or when it has secrets that are not
    /// generated yet.
    pub with: String,
}

/// Something that is not as it was when a plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// A value on the engine.
    Live {
        /// The resource.
        id: String,
        /// The field.
        path: String,
        /// How it was.
        then: Shown,
        /// How it is.
        now: Shown,
    },
    /// A value that is wanted.
    Wanted {
        /// The resource.
        id: String,
        /// The field.
        path: String,
        /// What it was to be.
        then: Shown,
        /// What it is to be.
        now: Shown,
    },
    /// A whole resource: what was to be done about it, and what is.
    Object {
        /// The resource.
        id: String,
        /// What was to be done.
        then: String,
        /// What is to be done.
        now: String,
    },
}

/// Why a file holds no plan that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Some other file.
    #[error("it is not a plan that nself saved")]
    Foreign,
    /// A newer nself wrote it.
    #[error("a newer nself wrote it: it has form {found}, and this nself knows forms up to {FORM}")]
    Newer {
        /// Its form.
        found: u64,
    },
    /// Not as it was written.
    #[error("it was changed or cut short since it was written: its checksum does not fit")]
    Damaged,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    nself_plan: u32,
    checksum: String,
    plan: serde_json::Value,
}

impl Saved {
    /// Writes the file.
    pub fn to_text(&self) -> String {
        let plan = serde_json::to_value(self).expect("a saved plan has text keys only");
        let envelope = Envelope { nself_plan: FORM, checksum: checksum(&plan), plan };
        serde_json::to_string_pretty(&envelope).expect("a saved plan has text keys only") + "\n"
    }

    /// Reads a file.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|_| Unreadable::Foreign)?;
        let form = value.get("nself_plan").and_then(serde_json::Value::as_u64);
        match form.map(|found| (found, u32::try_from(found))) {
            Some((_, Ok(FORM))) => {}
            None | Some((_, Ok(0))) => return Err(Unreadable::Foreign),
            Some((found, _)) => return Err(Unreadable::Newer { found }),
        }
        let envelope: Envelope = serde_json::from_value(value).map_err(|_| Unreadable::Damaged)?;
        if checksum(&envelope.plan) != envelope.checksum {
            return Err(Unreadable::Damaged);
        }
        serde_json::from_value(envelope.plan).map_err(|_| Unreadable::Damaged)
    }
}

fn checksum(plan: &serde_json::Value) -> String {
    format!("sha256:{}", Digest::of(plan.to_string().as_bytes()))
}

impl Gist {
    /// Returns the gist of a plan.
    pub fn of(plan: &Plan, keyring: &Keyring) -> Self {
        let changes = &plan.changes.changes;
        let blocked = plan.blocked.iter();
        Self {
            changes: changes.iter().map(|c| (c.id.to_string(), ChangeGist::of(c))).collect(),
            held: plan.held.iter().map(|held| held.release.to_string()).collect(),
            blocked: blocked.map(|(id, why)| (id.to_string(), why.clone())).collect(),
            steps: plan.steps.iter().map(|step| StepGist::of(step, keyring)).collect(),
        }
    }

    /// Returns what keeps a plan that reads `now` from being the one that was saved; nothing when it is.
    pub fn moved(&self, now: &Self) -> Vec<Moved> {
        let mut moved = Vec::new();
        let ids: BTreeSet<&String> = self.changes.keys().chain(now.changes.keys()).collect();
        for id in ids {
            compare(id, self.changes.get(id), now.changes.get(id), &mut moved);
        }
        let object = |id: &str, then: &str, now: &str| Moved::Object {
            id: id.to_owned(),
            then: then.to_owned(),
            now: now.to_owned(),
        };
        for release in self.held.symmetric_difference(&now.held) {
            let word = |is_held: bool| if is_held { "held" } else { "not held" };
            let then = self.held.contains(release);
            moved.push(object(release, word(then), word(!then)));
        }
        let blocked: BTreeSet<&String> = self.blocked.keys().chain(now.blocked.keys()).collect();
        for id in blocked {
            let word = |gist: &Self| match gist.blocked.get(id) {
                Some(why) => format!("blocked: {why}"),
                None => "not blocked".to_owned(),
            };
            let (then, now) = (word(self), word(now));
            if then != now {
                moved.push(object(id, &then, &now));
            }
        }
        if moved.is_empty() {
            let steps = self.steps.iter().map(Some).chain(std::iter::repeat(None));
            let pairs = steps.zip(now.steps.iter().map(Some).chain(std::iter::repeat(None)));
            let different = pairs
                .take(self.steps.len().max(now.steps.len()))
                .find(|(then, now)| !same_step(*then, *now));
            if let Some((then, now)) = different {
                let id = then.or(now).map_or("", |step| step.id.as_str());
                let word = |step: Option<&StepGist>| match step {
                    None => "nothing".to_owned(),
                    Some(step) if step.with.is_empty() => step.call.clone(),
                    Some(step) => format!("{} ({})", step.call, short(&step.with)),
                };
                moved.push(object(id, &word(then), &word(now)));
            }
        }
        moved
    }
}

/// A digest that is not there is one of secrets that were yet to be generated.
fn same_step(then: Option<&StepGist>, now: Option<&StepGist>) -> bool {
    match (then, now) {
        (Some(then), Some(now)) => {
            let same = then.with == now.with || then.with.is_empty() || now.with.is_empty();
            then.id == now.id && then.call == now.call && same
        }
        (then, now) => then == now,
    }
}

fn compare(id: &str, then: Option<&ChangeGist>, now: Option<&ChangeGist>, moved: &mut Vec<Moved>) {
    let before = moved.len();
    let fields =
        |gist: Option<&ChangeGist>| gist.map(|gist| gist.fields.clone()).unwrap_or_default();
    let (then_fields, now_fields) = (fields(then), fields(now));
    let paths: BTreeSet<&String> = then_fields.keys().chain(now_fields.keys()).collect();
    for path in paths {
        let (then, now) = (then_fields.get(path), now_fields.get(path));
        let (id, path) = (id.to_owned(), path.clone());
        // Where a field does not differ, it is as it is wanted.
        let live = match (then, now) {
            (Some((then, _)), Some((now, _))) => (then, now),
            (Some((then, wanted)), None) => (then, wanted),
            (None, Some((now, wanted))) => (wanted, now),
            (None, None) => continue,
        };
        if !same_value(live.0, live.1) {
            moved.push(Moved::Live {
                id,
                path,
                then: Shown::parse(live.0),
                now: Shown::parse(live.1),
            });
        } else if let (Some((_, then)), Some((_, now))) = (then, now)
            && !same_value(then, now)
        {
            moved.push(Moved::Wanted {
                id,
                path,
                then: Shown::parse(then),
                now: Shown::parse(now),
            });
        }
    }
    if moved.len() > before {
        return;
    }
    let word = |gist: Option<&ChangeGist>| match gist {
        None => "nothing".to_owned(),
        Some(ChangeGist { action, subject, leftovers, fields: _ }) => {
            let of = subject.as_ref().map(|id| format!(" of {}", short(id))).unwrap_or_default();
            let beside: Vec<&str> = leftovers.iter().map(|id| short(id)).collect();
            let beside = if beside.is_empty() {
                String::new()
            } else {
                format!(" beside {}", beside.join(", "))
            };
            format!("{action}{of}{beside}")
        }
    };
    let (then, now) = (word(then), word(now));
    if then != now {
        moved.push(Moved::Object { id: id.to_owned(), then, now });
    }
}

/// Returns enough of an engine's id to tell one from another.
fn short(id: &str) -> &str {
    let is_digest = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest { &id[..12] } else { id }
}

impl ChangeGist {
    fn of(change: &Change) -> Self {
        let fields = change.fields.iter();
        Self {
            action: change.action.word().to_owned(),
            subject: change.subject.as_ref().map(|subject| subject.id.clone()),
            fields: fields
                .map(|f| (f.path.to_string(), (f.before.to_text(), f.after.to_text())))
                .collect(),
            leftovers: change.leftovers.iter().map(|leftover| leftover.id.clone()).collect(),
        }
    }
}

/// A secret that was yet to be generated may have been since.
fn same_value(then: &str, now: &str) -> bool {
    then == now || (then == "?" && now.starts_with('*'))
}

impl StepGist {
    fn of(step: &Step, keyring: &Keyring) -> Self {
        let (call, with) = gist(&step.op, &step.group, keyring);
        Self { id: step.group.to_string(), call, with: with.unwrap_or_default() }
    }
}

/// Returns the call with what it is made on, and the digest of what it puts there.
fn gist(op: &Op, group: &ResourceId, keyring: &Keyring) -> (String, Option<String>) {
    let on = |target: &Target| match target {
        Target::Id { id, .. } => short(id).to_owned(),
        Target::Name(name) => name.clone(),
    };
    let digest = |text: &str| Some(Digest::of(text.as_bytes()).as_str().to_owned());
    let made = |labels: &BTreeMap<String, String>| {
        labels.get(label::APPLIED).and_then(|applied| digest(applied))
    };
    match op {
        Op::Pull { image, from } => (format!("pull {image} from {from}"), None),
        Op::Build { image, build } => {
            (format!("build {image}"), Some(build.digest.as_str().to_owned()))
        }
        Op::RemoveImage { image } => (format!("remove image {image}"), None),
        Op::CreateNetwork { network, labels } => {
            (format!("create network {}", network.name), made(labels))
        }
        Op::RemoveNetwork { id } => (format!("remove network {}", short(id)), None),
        Op::CreateVolume { volume, labels } => {
            (format!("create volume {}", volume.name), made(labels))
        }
        Op::RemoveVolume { name } => (format!("remove volume {name}"), None),
        Op::WriteFiles { files, .. } => {
            let known = files.digest(keyring).map(|digest| digest.as_str().to_owned());
            (format!("write files to {}", files.volume), known)
        }
        Op::CheckFiles { container, .. } => (format!("check files in {}", on(container)), None),
        Op::SwitchFiles { volume, .. } => (format!("switch files in {volume}"), None),
        Op::Signal { container, signal } => (format!("signal {signal} to {}", on(container)), None),
        Op::CreateContainer { container, name, labels: _, anonymous } => {
            let carried: Vec<String> =
                anonymous.iter().map(|(path, volume)| format!("{path}={volume}")).collect();
            let carried = carried.join(";");
            // What an ignore rule protects is in the container and not in its label.
            let fields = Resource::Container(container.clone()).fields();
            let known = Applied::of(&fields, keyring);
            let is_known = known.0.len() == fields.0.len();
            let with = is_known.then(|| format!("{}{carried}", known.to_text()));
            (format!("create container {name}"), with.and_then(|with| digest(&with)))
        }
        Op::Start(container) => (format!("start {}", on(container)), None),
        Op::Stop { container, .. } => (format!("stop {}", on(container)), None),
        Op::Restart(container) => (format!("restart {}", on(container)), None),
        Op::Unpause(container) => (format!("unpause {}", on(container)), None),
        Op::Rename { container, to } => (format!("rename {} to {to}", on(container)), None),
        Op::RemoveContainer(container) => (format!("remove {}", on(container)), None),
        Op::Update { container, .. } => (format!("update {}", on(container)), None),
        Op::Connect { container, network, .. } => {
            (format!("connect {} to {network}", on(container)), None)
        }
        Op::Disconnect { container, network } => {
            (format!("disconnect {} from {network}", on(container)), None)
        }
        Op::AwaitReady { container, .. } => (format!("await {}", on(container)), None),
        Op::Ensure { inner, .. } => {
            let fields = Resource::Inner(inner.clone()).fields();
            let known = Applied::of(&fields, keyring);
            let with = (known.0.len() == fields.0.len()).then(|| known.to_text());
            (format!("ensure {group}"), with.and_then(|text| digest(&text)))
        }
        Op::DropInner { .. } => (format!("drop {group}"), None),
        Op::WriteRecord { prefix, .. } => (format!("remember {prefix}"), None),
        Op::RemoveRecord { prefix, .. } => (format!("forget {prefix}"), None),
    }
}

impl Moved {
    /// Returns the field it is about.
    pub fn path(&self) -> Option<Path> {
        match self {
            Self::Live { path, .. } | Self::Wanted { path, .. } => Path::parse(path),
            Self::Object { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(gist: Gist) -> Saved {
        Saved {
            project: "shop".into(),
            environment: None,
            engine: "E".into(),
            engine_name: "docker".into(),
            at: 1,
            by: "ann@desk".into(),
            nself: "0.1.0".into(),
            allow: Vec::new(),
            targets: Vec::new(),
            refuse_over: None,
            gist,
            text: "a plan\n".into(),
            markdown: String::new(),
            json: "{}".into(),
        }
    }

    fn change(action: &str, fields: &[(&str, &str, &str)]) -> ChangeGist {
        let field = |(path, before, after): &(&str, &str, &str)| {
            ((*path).to_owned(), ((*before).to_owned(), (*after).to_owned()))
        };
        ChangeGist {
            action: action.to_owned(),
            subject: Some("1".into()),
            fields: fields.iter().map(field).collect(),
            leftovers: BTreeSet::new(),
        }
    }

    fn gist(changes: &[(&str, ChangeGist)]) -> Gist {
        let changes = changes.iter().map(|(id, change)| ((*id).to_owned(), change.clone()));
        Gist { changes: changes.collect(), ..Gist::default() }
    }

    #[test]
    fn a_file_reads_back_and_shows_what_was_done_to_it() {
        let plan = saved(gist(&[("container/a", change("create", &[("env.A", "-", "=1")]))]));
        let text = plan.to_text();
        assert_eq!(Saved::parse(&text), Ok(plan));
        assert_eq!(Saved::parse(&text.replace("=1", "=2")), Err(Unreadable::Damaged));
        assert_eq!(Saved::parse(&text.replace("ann", "bob")), Err(Unreadable::Damaged));
        assert_eq!(Saved::parse(&text[..text.len() / 2]), Err(Unreadable::Foreign));
        assert_eq!(Saved::parse("{}"), Err(Unreadable::Foreign));
        assert_eq!(Saved::parse(r#"{"nself_plan":1}"#), Err(Unreadable::Damaged));
        assert_eq!(Saved::parse(r#"{"nself_plan":2}"#), Err(Unreadable::Newer { found: 2 }));
    }

    #[test]
    fn what_moved_is_named() {
        let then = gist(&[("container/a", change("recreate", &[("env.A", "=1", "=2")]))]);
        assert!(then.moved(&then).is_empty());
        let plain = |text: &str| Shown::Plain(text.to_owned());
        let field = |then: &str, now: &str| Moved::Live {
            id: "container/a".into(),
            path: "env.A".into(),
            then: plain(then),
            now: plain(now),
        };
        // Somebody set another value.
        let now = gist(&[("container/a", change("recreate", &[("env.A", "=3", "=2")]))]);
        assert_eq!(then.moved(&now), [field("1", "3")]);
        // Somebody made the change already.
        assert_eq!(then.moved(&Gist::default()), [field("1", "2")]);
        // What was right is not any more.
        assert_eq!(Gist::default().moved(&then), [field("2", "1")]);
        // The file says something else.
        let now = gist(&[("container/a", change("recreate", &[("env.A", "=1", "=4")]))]);
        let wanted = Moved::Wanted {
            id: "container/a".into(),
            path: "env.A".into(),
            then: plain("2"),
            now: plain("4"),
        };
        assert_eq!(then.moved(&now), [wanted]);
        // It is another container.
        let mut other = then.clone();
        other.changes.get_mut("container/a").unwrap().subject = Some("2".into());
        let object = |then: &str, now: &str| Moved::Object {
            id: "container/a".into(),
            then: then.into(),
            now: now.into(),
        };
        assert_eq!(then.moved(&other), [object("recreate of 1", "recreate of 2")]);
        // It is gone.
        let gone = gist(&[("container/a", change("create", &[]))]);
        assert_eq!(Gist::default().moved(&gone), [object("nothing", "create of 1")]);
    }

    #[test]
    fn a_secret_may_be_generated_in_between_but_not_changed() {
        let with =
            |after: &str| gist(&[("container/a", change("create", &[("env.A", "-", after)]))]);
        assert!(with("?").moved(&with("*abc")).is_empty());
        assert_eq!(with("*abc").moved(&with("*def")).len(), 1);
        assert_eq!(with("*abc").moved(&with("?")).len(), 1);
    }

    #[test]
    fn a_digest_that_is_none_is_shown_as_it_is() {
        let step = |with: &str| StepGist { id: "a".into(), call: "b".into(), with: with.into() };
        let steps = |with| Gist { steps: vec![step(with)], ..Gist::default() };
        for odd in ["x", "€€€€€€"] {
            let moved = steps(odd).moved(&steps("y"));
            let then = format!("b ({odd})");
            let now = "b (y)".to_owned();
            assert_eq!(moved, [Moved::Object { id: "a".into(), then, now }]);
        }
    }

    #[test]
    fn other_steps_are_another_plan() {
        let steps = |with: &str, call: &str| Gist {
            steps: vec![StepGist {
                id: "container/a".into(),
                call: call.into(),
                with: with.into(),
            }],
            ..Gist::default()
        };
        let a = "a".repeat(64);
        assert!(steps(&a, "create").moved(&steps("", "create")).is_empty());
        assert_eq!(steps(&a, "create").moved(&steps(&"b".repeat(64), "create")).len(), 1);
        assert_eq!(steps("", "create").moved(&steps("", "start")).len(), 1);
        assert_eq!(steps("", "create").moved(&Gist::default()).len(), 1);
    }
}
