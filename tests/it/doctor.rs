//! What `doctor` finds: each rule is shown a world in which all is well, then one with its fault in it.

use std::collections::BTreeSet;

use nself::{
    controller::pass::{self, Brief, Goal},
    desired::{Desired, Facts as CompileFacts, Field},
    doctor::{
        self, CertificateFact, EngineFact, Facts, Finding, Fix, Git, Kind, Level, Lookup, NameFact,
        PathFact, ProjectFact, ProjectState, RULES, Trust, Verdict,
    },
    engine::{Engine as _, sim::Sim},
    model::{Keyring, Origin, SecretName, Sensitive},
    observed::{
        Checkup, Disk, Health, Host, OwnImage, PortHolder, PortUser, SeenContainer, SeenTool,
        State, ToolPurpose,
    },
    plan::Policy,
    report::{self, Detail, Style},
    spec::{Input, Source, parse},
};
use tokio_util::sync::CancellationToken;

const NOW: u64 = 1_795_392_000_000;
const DAY: u64 = 24 * 60 * 60 * 1000;

const FILE: &str = r#"
[project]
name = "shop"

[services.web]
image = "acme/web:1"
port = 8000
route = "@"
publish = ["8080:80"]
needs = ["db"]
env = { LEVEL = "info", TOKEN = "${secret.token}" }
limits = { memory = "256M" }

[services.db]
image = "acme/db:1"
volumes = { data = "/data" }
"#;

/// Returns the facts of a shop that runs as it should.
async fn well() -> Facts {
    let sim = Sim::default();
    let mut desired = compile(FILE);
    let value = |name: &SecretName| (name.clone(), Sensitive::new(format!("value of {name}")));
    let values = desired.secrets.keys().map(value).collect();
    let keyring = Keyring::new(Some(Sensitive::new("key")), values);
    sim.unlock(&keyring);
    let policy = Policy::default();
    let brief = Brief::new(&Goal::Converge, &keyring, &policy);
    let (_, plan) = pass::look(&sim, &mut desired, &brief).await.unwrap();
    let cancel = CancellationToken::new();
    pass::converge(&sim, &mut desired, plan, &brief, &|_, _| {}, &cancel).await.unwrap();
    let seen = pass::look(&sim, &mut desired, &brief).await.unwrap();
    assert!(seen.1.is_empty(), "{:#?}", seen.1.changes);
    let room = Disk { free: 50 << 30, total: 100 << 30 };
    let host = Host { memory_free: Some(4 << 30), disk: Some(room), networks_left: Some(20) };
    let path = |path: &str, kind, mode| PathFact { path: path.into(), kind, mode, changed: NOW };
    let here = Lookup::Leads { to: ["127.0.0.1".parse().unwrap()].into(), here: true };
    Facts {
        now: NOW,
        engine: EngineFact::Answers {
            address: "unix:///var/run/docker.sock".into(),
            checkup: Checkup {
                kind: "docker".into(),
                version: "20.10.24+dfsg1".into(),
                api: "1.41".into(),
                clock_ahead: Some(3),
                warnings: Vec::new(),
                memory: 8 << 30,
                host,
            },
        },
        project: ProjectFact::Read(Box::new(ProjectState {
            file: "nself.toml".into(),
            desired,
            has_vault: true,
            seen: Some(seen),
            unseen: String::new(),
        })),
        folder_disk: Some(room),
        paths: vec![
            path("nself.toml", Kind::Configuration, 0o644),
            path(".nself", Kind::PrivateFolder, 0o700),
            path(".nself/secrets.toml", Kind::PrivateFile, 0o600),
        ],
        git: Some(Git { secrets: ".nself".into(), ignored: true, tracked: false }),
        names: vec![NameFact { host: "shop.localhost".into(), lookup: here }],
        certificates: vec![CertificateFact {
            wanted: vec!["shop.localhost".into()],
            hosts: Some(["shop.localhost".to_owned()].into()),
            expires: Some(NOW + 300 * DAY),
            trust: Trust::Trusted,
        }],
    }
}

fn compile(text: &str) -> Desired {
    let input = Input {
        main: Source::new("nself.toml", text.as_bytes().to_vec()),
        overlay: None,
        environment: None,
        process: std::collections::BTreeMap::new(),
    };
    let spec = parse(&input).unwrap_or_else(|problems| panic!("{problems:#?}")).spec;
    let facts = CompileFacts { now: NOW, ..CompileFacts::default() };
    nself::desired::compile(&spec, &facts).unwrap().desired
}

fn checkup(facts: &mut Facts) -> &mut Checkup {
    match &mut facts.engine {
        EngineFact::Answers { checkup, .. } => checkup,
        EngineFact::Silent { .. } => panic!("no engine"),
    }
}

fn state(facts: &mut Facts) -> &mut ProjectState {
    match &mut facts.project {
        ProjectFact::Read(state) => state,
        ProjectFact::None | ProjectFact::Broken { .. } => panic!("no project"),
    }
}

fn seen<'a>(facts: &'a mut Facts, name: &str) -> &'a mut SeenContainer {
    let (observed, _) = state(facts).seen.as_mut().unwrap();
    observed.containers.iter_mut().find(|seen| seen.name == name).unwrap()
}

fn tool(name: &str, purpose: ToolPurpose, abandoned: bool) -> SeenTool {
    let user = "process 7 of deploy on web1".to_owned();
    SeenTool { id: "c7".into(), name: name.into(), purpose, user, abandoned }
}

fn with_tool(facts: &mut Facts, tool: SeenTool) {
    state(facts).seen.as_mut().unwrap().0.tools.push(tool);
}

/// A fault: the rule that finds it, how bad it is, how it is made, and a piece of what is said of it.
struct Fault(&'static str, Level, fn(&mut Facts), &'static str);

const FAULTS: &[Fault] = &[
    Fault(
        "engine",
        Level::Error,
        |facts| {
            let chain = vec!["no engine answers at unix:///x".into(), "no such file".into()];
            facts.engine = EngineFact::Silent { chain, remedy: "start it".into() };
            state(facts).seen = None;
        },
        "no engine answers at unix:///x",
    ),
    Fault("api", Level::Error, |facts| checkup(facts).api = "1.40".into(), "speaks API 1.40"),
    Fault("api", Level::Warning, |facts| checkup(facts).api = "new".into(), "cannot be read"),
    Fault("version", Level::Warning, |f| checkup(f).version = "20.10.6".into(), "known fault"),
    Fault("version", Level::Warning, |f| checkup(f).version = "28.3.0-rc.1".into(), "28.3.0-rc.1"),
    Fault("clock", Level::Error, |f| checkup(f).clock_ahead = Some(-7_200_000), "2 h behind"),
    Fault("clock", Level::Warning, |f| checkup(f).clock_ahead = Some(5_000), "5 s ahead of"),
    Fault("clock", Level::Warning, |f| f.paths[0].changed = NOW + 3 * DAY, "from the future"),
    Fault(
        "kernel",
        Level::Error,
        |f| checkup(f).warnings = vec!["WARNING: No memory limit support".into()],
        "No memory limit support",
    ),
    Fault(
        "kernel",
        Level::Warning,
        |f| checkup(f).warnings = vec!["WARNING: No swap limit support".into()],
        "No swap limit support",
    ),
    Fault(
        "kernel",
        Level::Error,
        |f| {
            checkup(f).warnings =
                vec!["API is accessible on http://0.0.0.0:2375 without encryption.".into()];
        },
        "accessible on http://0.0.0.0:2375",
    ),
    Fault(
        "kernel",
        Level::Note,
        |f| checkup(f).warnings = vec!["WARNING: bridge-nf-call-iptables is disabled".into()],
        "bridge-nf-call-iptables",
    ),
    Fault(
        "disk",
        Level::Error,
        |f| checkup(f).host.disk = Some(Disk { free: 100 << 20, total: 100 << 30 }),
        "100 M free of 100 G",
    ),
    Fault(
        "disk",
        Level::Warning,
        |f| checkup(f).host.disk = Some(Disk { free: 3 << 30, total: 100 << 30 }),
        "3 G free of 100 G",
    ),
    Fault(
        "disk",
        Level::Error,
        |f| f.folder_disk = Some(Disk { free: 1 << 20, total: 1 << 30 }),
        "the disk of the project's folder has 1 M",
    ),
    Fault("memory", Level::Warning, |f| checkup(f).memory = 128 << 20, "add up to 256 M"),
    Fault(
        "memory",
        Level::Warning,
        |f| checkup(f).host.memory_free = Some(20 << 20),
        "only 20 M of 8 G",
    ),
    Fault(
        "memory",
        Level::Warning,
        |f| {
            let (_, plan) = state(f).seen.as_mut().unwrap();
            plan.capacity.memory_more = 2 << 30;
            plan.capacity.memory_free = Some(1 << 30);
        },
        "may take 1 G more than is free",
    ),
    Fault(
        "ports",
        Level::Error,
        |f| {
            let by = PortUser::Program { name: "node".into(), pid: 4711 };
            holder(f, 8080, by);
        },
        "port 8080 of 127.0.0.1 is taken by node (process 4711)",
    ),
    Fault(
        "ports",
        Level::Error,
        |f| holder(f, 443, PortUser::Container("blog-nginx".into())),
        "taken by the container blog-nginx",
    ),
    Fault("networks", Level::Error, |f| checkup(f).host.networks_left = Some(0), "for 0 more"),
    Fault("networks", Level::Warning, |f| checkup(f).host.networks_left = Some(2), "for 2 more"),
    Fault(
        "project",
        Level::Error,
        |facts| {
            let what = "2 mistakes".to_owned();
            facts.project = ProjectFact::Broken { file: "nself.toml".into(), what };
        },
        "nself.toml: 2 mistakes",
    ),
    Fault(
        "services",
        Level::Error,
        |f| seen(f, "shop-web").health = Some(Health::Unhealthy),
        "web runs and is unhealthy",
    ),
    Fault(
        "services",
        Level::Error,
        |f| seen(f, "shop-web").state = State::Restarting { code: 3 },
        "web keeps crashing, last with exit code 3",
    ),
    Fault(
        "services",
        Level::Error,
        |f| seen(f, "shop-db").state = State::Exited { code: 137, oom: true },
        "db was ended for want of memory",
    ),
    Fault(
        "services",
        Level::Error,
        |f| seen(f, "shop-db").state = State::Exited { code: 0, oom: false },
        "db is exited 0, and should run",
    ),
    Fault("services", Level::Warning, |f| seen(f, "shop-web").restarts = 9, "again 9 times"),
    Fault("orphans", Level::Warning, forget_db, "volume/shop-db-data is this project's"),
    Fault(
        "lock",
        Level::Warning,
        |f| with_tool(f, tool("shop.lock", ToolPurpose::Lock, true)),
        "left by process 7 of deploy on web1",
    ),
    Fault(
        "lock",
        Level::Note,
        |f| with_tool(f, tool("shop.lock", ToolPurpose::Lock, false)),
        "shop.lock is held by process 7",
    ),
    Fault(
        "helpers",
        Level::Warning,
        |f| {
            let purpose = ToolPurpose::Writer("shop-gateway-config".into());
            with_tool(f, tool("shop-gateway-config.writer", purpose, true));
        },
        "shop-gateway-config.writer was left",
    ),
    Fault(
        "images",
        Level::Warning,
        |facts| {
            let unnamed = OwnImage {
                id: "sha256:abc".into(),
                tags: Vec::new(),
                size: 3 << 30,
                created: 0,
                used: false,
            };
            let (observed, _) = state(facts).seen.as_mut().unwrap();
            observed.at = NOW;
            observed.own_images.push(unnamed);
        },
        "1 builds that nothing uses take up to 3 G",
    ),
    Fault("dns", Level::Note, |f| f.names[0].lookup = Lookup::Unknown, "does not know shop.local"),
    Fault("dns", Level::Error, |f| name(f, Lookup::Unknown), "there is no name shop.example"),
    Fault(
        "dns",
        Level::Note,
        |f| name(f, Lookup::Offline("Temporary failure in name resolution".into())),
        "shop.example could not be looked up",
    ),
    Fault(
        "dns",
        Level::Warning,
        |f| {
            let to: BTreeSet<_> = ["203.0.113.9".parse().unwrap()].into();
            name(f, Lookup::Leads { to, here: false });
        },
        "shop.example leads to 203.0.113.9, which is not",
    ),
    Fault(
        "certificate",
        Level::Error,
        |f| f.certificates[0].expires = Some(NOW - 3 * DAY),
        "expired 3 days ago",
    ),
    Fault(
        "certificate",
        Level::Warning,
        |f| f.certificates[0].expires = Some(NOW + 3 * DAY),
        "expires in 3 days",
    ),
    Fault("certificate", Level::Error, |f| f.certificates[0].expires = None, "cannot be read"),
    Fault(
        "certificate",
        Level::Error,
        |f| f.certificates[0].wanted.push("api.shop.localhost".into()),
        "not for api.shop.localhost",
    ),
    Fault(
        "certificate",
        Level::Note,
        |f| f.certificates[0].trust = Trust::Untrusted,
        "does not trust your local authority",
    ),
    Fault(
        "certificate",
        Level::Warning,
        |f| f.certificates[0].trust = Trust::Stranger,
        "of another authority than yours",
    ),
    Fault("vault", Level::Error, |f| state(f).has_vault = false, "its secrets are not here"),
    Fault("modes", Level::Error, |f| f.paths[1].mode = 0o755, "others may look into .nself"),
    Fault("modes", Level::Error, |f| f.paths[2].mode = 0o644, "others may read .nself/secrets"),
    Fault(
        "modes",
        Level::Warning,
        |f| {
            let text = FILE.replace("LEVEL = \"info\"", "DB_PASSWORD = \"hunter2\"");
            state(f).desired = compile(&text);
        },
        "gives DB_PASSWORD as plain text",
    ),
    Fault("git", Level::Error, |f| git(f).ignored = false, "git does not ignore .nself"),
    Fault("git", Level::Error, |f| git(f).tracked = true, ".nself is in the repository"),
];

fn holder(facts: &mut Facts, port: u16, by: PortUser) {
    let (observed, _) = state(facts).seen.as_mut().unwrap();
    let (address, protocol) = ("0.0.0.0".to_owned(), "tcp".to_owned());
    observed.ports.push(PortHolder { address, port, protocol, by });
}

fn name(facts: &mut Facts, lookup: Lookup) {
    facts.names = vec![NameFact { host: "shop.example".into(), lookup }];
}

fn git(facts: &mut Facts) -> &mut Git {
    facts.git.as_mut().unwrap()
}

/// Takes the database out of the file, so that its volume is nobody's.
fn forget_db(facts: &mut Facts) {
    let (observed, plan) = state(facts).seen.clone().unwrap();
    let mut desired = state(facts).desired.clone();
    let id = "volume/shop-db-data".parse().unwrap();
    desired.resources.remove(&id);
    let keyring = Keyring::new(Some(Sensitive::new("key")), std::collections::BTreeMap::new());
    let changes = nself::diff::diff(&desired, &observed, &keyring);
    assert!(changes.get(&id).is_some());
    let policy = Policy::default();
    let plan = nself::plan::Plan {
        held: nself::plan::plan(
            &desired,
            &observed,
            changes.clone(),
            &policy,
            &nself::plan::Past::default(),
            &keyring,
        )
        .held,
        changes,
        ..plan
    };
    state(facts).seen = Some((observed, plan));
}

fn findings(facts: &Facts) -> Vec<(&'static str, Finding)> {
    let all = doctor::examine(facts);
    let all = all.into_iter().flat_map(|one| {
        let findings = one.verdict.findings().to_vec();
        findings.into_iter().map(move |finding| (one.rule.name, finding))
    });
    all.collect()
}

#[tokio::test]
async fn every_rule_finds_its_faults_and_nothing_else() {
    let facts = well().await;
    assert_eq!(findings(&facts), []);
    for one in doctor::examine(&facts) {
        assert!(matches!(one.verdict, Verdict::Well(_)), "{}: {:?}", one.rule.name, one.verdict);
    }
    let mut missing: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    for Fault(rule, level, make, said) in FAULTS {
        let mut facts = facts.clone();
        make(&mut facts);
        let found = findings(&facts);
        let [(by, finding)] = found.as_slice() else { panic!("{said}: {found:#?}") };
        assert_eq!((by, finding.level), (rule, *level), "{finding:?}");
        assert!(finding.what.contains(said), "{said}: {finding:?}");
        assert!(!finding.why.is_empty() && !finding.remedy.is_empty(), "{finding:?}");
        missing.remove(rule);
    }
    assert!(missing.is_empty(), "no fault is made for {missing:?}");
}

#[tokio::test]
async fn what_is_not_known_is_not_found_wrong() {
    let mut facts = well().await;
    checkup(&mut facts).host = Host::default();
    checkup(&mut facts).memory = 0;
    checkup(&mut facts).clock_ahead = None;
    checkup(&mut facts).version = "master-dockerproject-2022".into();
    facts.folder_disk = None;
    facts.git = None;
    facts.names.clear();
    facts.certificates.clear();
    assert_eq!(findings(&facts), []);
    facts.project = ProjectFact::None;
    assert_eq!(findings(&facts), []);
}

#[tokio::test]
async fn only_what_can_do_no_harm_is_repaired() {
    let mut fixes = BTreeSet::new();
    let facts = well().await;
    for Fault(rule, _, make, _) in FAULTS {
        let mut facts = facts.clone();
        make(&mut facts);
        for (_, finding) in findings(&facts) {
            if let Some(fix) = finding.fix {
                fixes.insert(format!("{rule}: {fix}"));
                // Whoever may still be at work keeps what it has.
                assert!(!finding.what.contains("held by"), "{fix:?}");
                match fix {
                    Fix::Restrict { mode, .. } => assert_eq!(mode & 0o077, 0),
                    Fix::RemoveTool { .. } | Fix::IgnoreFolder { .. } => {}
                }
            }
        }
    }
    let expected = [
        "git: echo '*' > .nself/.gitignore",
        "helpers: docker rm shop-gateway-config.writer",
        "lock: docker rm shop.lock",
        "modes: chmod 600 .nself/secrets.toml",
        "modes: chmod 700 .nself",
    ];
    assert_eq!(fixes, expected.map(str::to_owned).into());
}

#[tokio::test]
async fn the_page_reads_like_this() {
    let mut facts = well().await;
    for Fault(_, _, make, said) in FAULTS {
        let wanted = ["process 4711", "others may look", "5 s ahead of", "does not know shop"];
        if wanted.iter().any(|part| said.contains(part)) {
            make(&mut facts);
        }
    }
    let examined = doctor::examine(&facts);
    let fixed = ["docker rm shop.lock".to_owned()];
    insta::assert_snapshot!(
        "doctor",
        report::doctor(&examined, &fixed, Detail::Brief, Style::plain())
    );
    insta::assert_snapshot!(
        "doctor-full",
        report::doctor(&examined, &[], Detail::Full, Style::plain())
    );
    let json: serde_json::Value =
        serde_json::from_str(&report::doctor_json(&examined, &fixed)).unwrap();
    assert_eq!(
        (&json["errors"], &json["warnings"], &json["notes"]),
        (&2.into(), &1.into(), &1.into())
    );
    assert_eq!(json["rules"].as_array().unwrap().len(), RULES.len());
}

#[test]
fn a_literal_is_told_by_where_it_is_written() {
    let desired = compile(&FILE.replace("LEVEL = \"info\"", "API_KEY = \"abc\""));
    let id = "container/shop-web".parse().unwrap();
    let origin = &desired.origins[&(id, Field::Env.key("API_KEY"))];
    assert!(matches!(origin, Origin::File { line: 11, .. }), "{origin:?}");
}
