//! A small shop in the middle of everything that can happen to one.

use std::collections::{BTreeMap, BTreeSet};

use nself::{
    controller::{Pass, Report, Rotation},
    desired::{Desired, Facts, Field, Path, Url},
    diff::{Action, Change, Changes, FieldChange, Leftover, Mover, Shown},
    model::{Fingerprint, Millis, Origin, ProjectName, ResourceId, ServiceName},
    observed::{EngineFacts, Observed, Record},
    plan::{Applied, Capacity, Failure, Held, Op, Outcome, Plan, Release, Step, Target, Verb},
};

pub(crate) fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}

pub(crate) fn line(line: usize) -> Origin {
    Origin::File { file: "nself.toml".into(), span: 0..1, line }
}

pub(crate) fn plain(text: &str) -> Shown {
    Shown::Plain(text.to_owned())
}

pub(crate) fn secret(digits: &str) -> Shown {
    Shown::Secret(Fingerprint::stored(digits))
}

pub(crate) fn field(path: Path, before: Shown, after: Shown, mover: Mover) -> FieldChange {
    let effect = nself::diff::effect(path.field);
    FieldChange { path, before, after, last: None, mover, origin: None, effect }
}

pub(crate) fn empty() -> Plan {
    Plan {
        title: "shop · prod".into(),
        engine: EngineFacts {
            name: "docker 20.10".into(),
            api: "1.41".into(),
            address: "unix:///var/run/docker.sock".into(),
            ..EngineFacts::default()
        },
        changes: Changes::default(),
        steps: Vec::new(),
        held: Vec::new(),
        blocked: BTreeMap::new(),
        findings: Vec::new(),
        away: BTreeMap::new(),
        capacity: Capacity::default(),
        intent: Record::default(),
        recorded: Some(Record { generation: 12, ..Record::default() }),
    }
}

pub(crate) fn settled() -> Plan {
    let mut plan = empty();
    plan.changes.unchanged =
        (0..31).map(|number| id(&format!("container/shop-s{number}"))).collect();
    plan
}

fn api() -> Change {
    let level = FieldChange {
        origin: Some(line(31)),
        last: Some(plain("info")),
        ..field(Field::Env.key("LOG_LEVEL"), plain("info"), plain("debug"), Mover::You)
    };
    let url = FieldChange {
        origin: Some(Origin::Computed("rotated".into())),
        ..field(Field::Env.key("DATABASE_URL"), secret("4f2a00"), secret("91c000"), Mover::You)
    };
    let command = field(
        Field::Command.path(),
        plain(r#"["serve"]"#),
        plain(r#"["serve","--log format"]"#),
        Mover::Unknown,
    );
    Change::of_fields(&id("container/shop-api"), vec![level, url, command], "it differs")
        .about("4f2a", "shop-api")
}

fn redis() -> Change {
    let memory = FieldChange {
        origin: Some(line(22)),
        last: Some(plain("268435456")),
        ..field(Field::Memory.path(), plain("1073741824"), plain("268435456"), Mover::Drift)
    };
    Change::of_fields(&id("container/shop-redis"), vec![memory], "it differs")
}

fn gateway() -> Change {
    let before = "server {\n  listen 443;\n  location / { proxy_pass http://web; }\n}\n";
    let after = "server {\n  listen 443;\n  location / { proxy_pass http://web; }\n  \
                 location /v2/ { proxy_pass http://api-v2; }\n}\n";
    let content = FieldChange {
        origin: Some(Origin::Computed("routes".into())),
        ..field(Field::Content.key("conf.d/api.conf"), plain(before), plain(after), Mover::You)
    };
    Change::of_fields(&id("files/shop-gateway"), vec![content], "it differs")
}

/// One of everything.
pub(crate) fn busy() -> Plan {
    let mut plan = empty();
    let mut changes = Changes::default();
    changes.push(Change::new(&id("image/postgres:17.6"), Action::Create, "not on this engine"));
    changes.push(Change::new(&id("volume/shop-search-data"), Action::Remove, "not in the file"));
    changes.push(gateway());
    changes.push(api());
    changes.push(
        Change::new(&id("container/shop-mail"), Action::Create, "it was removed")
            .moved_by(Mover::Drift),
    );
    changes.push(redis());
    let mut web =
        Change::new(&id("container/shop-web"), Action::Settle, "another one is beside it");
    web.leftovers.push(Leftover {
        id: "77aa".into(),
        name: "shop-web.next".into(),
        mover: Mover::Drift,
    });
    changes.push(web);
    let later = "seen when postgres runs";
    changes.push(Change::new(&id("postgres/shop/extension/vector"), Action::Deferred, later));
    changes.note(&id("container/shop-api"), "`limits.pids` is not compared until 2027-03-31");
    changes.unchanged = (0..23).map(|number| id(&format!("network/n{number}"))).collect();
    plan.changes = changes;
    let volume = id("volume/shop-search-data");
    plan.held.push(Held {
        id: volume.clone(),
        what: "would delete it with all that is in it".into(),
        release: Release::Change { verb: Verb::Remove, id: volume },
    });
    let image = "postgres:17.6".parse::<nself::model::ImageRef>().unwrap();
    let pull = Op::Pull { from: image.through("registry.internal:5000"), image };
    let old = Target::Id { id: "4f2a".into(), name: "shop-api".into() };
    let new = Target::Name("shop-api".into());
    let steps = [
        ("image/postgres:17.6", pull, "not on this engine"),
        ("container/shop-api", Op::Stop { container: old, grace: None }, "env.LOG_LEVEL differs"),
        ("container/shop-api", Op::Start(new), "env.LOG_LEVEL differs"),
        (
            "container/shop-worker",
            Op::Restart(Target::Name("shop-worker".into())),
            "needs container/shop-api",
        ),
    ];
    plan.steps = steps
        .into_iter()
        .enumerate()
        .map(|(place, (group, op, why))| Step {
            group: id(group),
            op,
            why: why.into(),
            after: (place > 0).then(|| place - 1).into_iter().collect(),
            on_failure: Vec::new(),
        })
        .collect();
    plan
}

pub(crate) fn desired() -> Desired {
    Desired {
        named: std::collections::BTreeSet::new(),
        external: std::collections::BTreeSet::new(),
        project: ProjectName::new("shop").unwrap(),
        project_id: "k3v9".into(),
        instance: None,
        resources: BTreeMap::new(),
        after: BTreeMap::new(),
        origins: BTreeMap::new(),
        ignore: Vec::new(),
        rules: Vec::new(),
        forms: BTreeMap::new(),
        secrets: BTreeMap::new(),
        urls: vec![Url {
            service: ServiceName::new("mail").unwrap(),
            url: "https://mail.shop.localhost".into(),
        }],
    }
}

pub(crate) fn pass(plan: Plan) -> Pass {
    Pass {
        facts: Facts::default(),
        desired: desired(),
        observed: Observed::default(),
        plan,
        looked_ms: 41,
        warnings: Vec::new(),
    }
}

/// An apply in which the third of four steps fails.
pub(crate) fn failed() -> Report {
    let failure = Failure {
        chain: vec!["shop-api did not become ready in 30s".into(), "the process ended".into()],
        facts: vec![
            ("probe", "GET :8000/healthz → connection refused, 41 tries".into()),
            ("process", "exit 1 after 3 restarts, not out of memory".into()),
            ("log", "Traceback\n\u{1b}[31mKeyError: 'DATABASE_URL'\u{1b}[0m".into()),
        ],
        remedy: Some("nself logs api".into()),
    };
    let plan = busy();
    let group = plan.steps[2].group.clone();
    let applied = Applied {
        outcomes: BTreeMap::from([
            (0, Outcome::Done),
            (1, Outcome::Done),
            (2, Outcome::Failed(failure)),
            (3, Outcome::Skipped(Some(2))),
        ]),
        returned: BTreeMap::from([(group, None)]),
        ..Applied::default()
    };
    Report {
        passes: vec![(plan.clone(), applied)],
        rest: settled(),
        desired: desired(),
        returned: None,
        remarks: Vec::new(),
        rotation: Rotation::default(),
    }
}

/// An apply that did all it had to.
pub(crate) fn done() -> Report {
    let plan = busy();
    let outcomes = (0..plan.steps.len()).map(|place| (place, Outcome::Done)).collect();
    let applied = Applied { outcomes, ..Applied::default() };
    Report {
        passes: vec![(plan, applied)],
        rest: settled(),
        desired: desired(),
        returned: None,
        remarks: Vec::new(),
        rotation: Rotation::default(),
    }
}

pub(crate) fn took(millis: u64) -> Millis {
    Millis(millis)
}

pub(crate) fn needs(desired: &mut Desired, from: &str, to: &str, why: &str) {
    desired.after.entry(id(from)).or_default().insert(id(to), why.to_owned());
    for name in [from, to] {
        let network = nself::desired::Network {
            name: name.to_owned(),
            internal: false,
            options: BTreeMap::new(),
            subnet: None,
        };
        desired.resources.insert(id(name), nself::desired::Resource::Network(network));
    }
}

pub(crate) fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    items.into_iter().collect()
}
