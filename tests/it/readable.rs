//! What nself writes is read by others: by our own schemas, by the official one of SARIF, by an independent
//! reader of Terraform's plans, and by Graphviz.
//!
//! The readers are fetched by `tests/run`; without `NSELF_TEST_READERS` only our own schemas are asked.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use jsonschema::Validator;
use nself::{
    controller::Pass,
    diff::{Action, Change, Condition, FieldChange, Mover, Shown},
    model::{Diagnostic, ResourceId},
    plan::{Event, Failure, Held, Plan, Release, Verb},
    report::{self, ServiceStatus, Status, Style, Verdict},
};
use serde_json::Value;

use crate::{
    case, plan,
    report::world::{self, busy, desired, id, pass, plain, settled},
};

/// Where the readers are; `None` where they are not asked for.
fn readers() -> Option<PathBuf> {
    std::env::var_os("NSELF_TEST_READERS").map(PathBuf::from)
}

fn schema_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"))
}

#[track_caller]
fn is_valid(what: &str, validator: &Validator, value: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{} {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{value:#}");
}

/// Checks one output against the committed schema of its name.
#[track_caller]
pub(crate) fn is(name: &str, text: &str) {
    let schema = fs::read_to_string(schema_file(name)).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    is_valid(name, &jsonschema::draft202012::new(&schema).unwrap(), &value);
    assert!(value["format_version"].is_string(), "{name} says no version");
}

/// Checks everything that a command printed on its output, whatever became of it.
#[track_caller]
pub(crate) fn is_known(words: &str, out: &str) {
    let streams = ["apply", "start", "up", "stop", "restart", "destroy", "down", "logs"];
    let command = |name: &&str| words.split_whitespace().any(|word| word == *name);
    let pieces: Vec<&str> =
        if streams.iter().any(command) { out.lines().collect() } else { vec![out] };
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        let value: Value = serde_json::from_str(piece).unwrap();
        let name = match () {
            () if value.get("error").is_some_and(Value::is_object) => "error",
            () if value.get("diagnostics").is_some() => "check",
            () if value.get("event").is_some() => "event",
            () if command(&"logs") => "log",
            () if command(&"secret") => "secrets",
            () => {
                let names = report::json::OUTPUTS.iter().map(|output| output.name);
                names.into_iter().find(|name| command(name)).unwrap()
            }
        };
        is(name, piece);
    }
}

#[test]
fn schemas_of_outputs_are_up_to_date() {
    for output in report::json::OUTPUTS {
        let schema = serde_json::to_string_pretty(&output.schema()).unwrap() + "\n";
        let path = schema_file(output.name);
        if std::env::var_os("NSELF_UPDATE").is_some() {
            fs::write(&path, &schema).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == schema, "{} is old: NSELF_UPDATE=1 cargo test", path.display());
        jsonschema::draft202012::meta::validate(&output.schema()).unwrap();
    }
    let known: BTreeSet<PathBuf> =
        report::json::OUTPUTS.iter().map(|output| schema_file(output.name)).collect();
    for entry in fs::read_dir(schema_file("plan").parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert!(path == schema_file("nself") || known.contains(&path), "{}", path.display());
    }
}

#[test]
fn a_schema_refuses_what_is_no_such_output() {
    for output in report::json::OUTPUTS {
        let validator = jsonschema::draft202012::new(&output.schema()).unwrap();
        assert!(!validator.is_valid(&serde_json::json!({})), "{}", output.name);
        assert!(!validator.is_valid(&serde_json::json!({ "format_version": 1 })));
    }
    let event = serde_json::json!({ "format_version": "1.0", "event": "stared", "step": 0 });
    let schema = report::json::OUTPUTS.iter().find(|output| output.name == "event").unwrap();
    assert!(!jsonschema::is_valid(&schema.schema(), &event));
}

/// Every plan there is in the tests, by name.
async fn passes() -> Vec<(String, Pass)> {
    let mut passes = plan::passes().await;
    passes.push(("busy".into(), pass(busy())));
    passes.push(("settled".into(), pass(settled())));
    let mut to_come = settled();
    let token = world::field(
        nself::desired::Field::Env.key("TOKEN"),
        Shown::Absent,
        Shown::SecretToCome,
        Mover::You,
    );
    to_come.changes.push(Change::of_fields(&id("container/shop-api"), vec![token], "it differs"));
    passes.push(("to-come".into(), pass(to_come)));
    passes.push(("start-first".into(), pass(start_first())));
    passes
}

/// A plan in which the new container is there before the old one goes.
fn start_first() -> Plan {
    let mut plan = busy();
    plan.steps.swap(1, 2);
    plan
}

#[tokio::test]
async fn outputs_follow_their_schemas() {
    for (_, pass) in passes().await {
        is("plan", &report::json::plan(&pass));
        is("drift", &report::json::drift(&pass));
        is("graph", &report::json::graph(&pass.desired));
        is("urls", &report::json::urls(&pass.desired));
    }
    let failure = Failure { chain: vec!["no such image".into()], ..Failure::default() };
    let group = || id("container/shop-api");
    let events = [
        Event::Started { step: 0 },
        Event::Finished { step: 0, took: world::took(9) },
        Event::Failed { step: 2, took: world::took(30), failure: failure.clone() },
        Event::Skipped { step: 3, because: None },
        Event::GoingBack { generation: 12 },
        Event::Returned { group: group(), failure: Some(failure) },
    ];
    for event in &events {
        is("event", &report::json::event(&busy(), event));
    }
    is("event", &report::json::applied(&world::failed(), 1));
    is("event", &report::json::applied(&world::done(), 0));
    is("error", &report::json::failure(&["it failed".into()], Some("nself plan"), 1));
    let service = ServiceStatus {
        service: "api".parse().unwrap(),
        replicas: 2,
        condition: Condition::Other("exit 1".into()),
        for_ms: Some(41),
        restarts: 3,
        memory: None,
        memory_limit: Some(1 << 29),
        url: Some("https://api.shop.localhost".into()),
    };
    let status = Status { services: vec![service], pending: 1 };
    is("status", &report::json::status(&status, &busy()));
    let line = report::LogLine { service: "api", at: None, stream: "stdout", text: "hello" };
    is("log", &report::json::log(&line));
}

#[test]
fn mistakes_follow_their_schema() {
    case::each_input("spec", |input| {
        let found = found(input);
        is("check", &report::json::check(&found, &case::sources(input)));
    });
}

fn found(input: &nself::spec::Input) -> Vec<Diagnostic> {
    match nself::spec::parse(input) {
        Ok(parsed) => parsed.warnings,
        Err(problems) => problems,
    }
}

#[tokio::test]
async fn sarif_follows_the_official_schema() {
    let Some(readers) = readers() else { return };
    let schema = fs::read_to_string(readers.join("sarif.schema.json")).unwrap();
    // Two of its patterns, of languages, are no regular expressions; the brackets of a third letter class
    // are missing. We say no language.
    let schema = schema.replace("-[a-zA-Z]{2}]?$", "-[a-zA-Z]{2}$");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let check = |name: &str, text: String| {
        let value: Value = serde_json::from_str(&text).unwrap();
        is_valid(name, &validator, &value);
        let run = &value["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let mut fingerprints = BTreeSet::new();
        for result in run["results"].as_array().unwrap() {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"], "{name}");
            let print = result["partialFingerprints"]["nself/v1"].to_string();
            assert!(fingerprints.insert(print), "{name}: two results are one:\n{result:#}");
        }
    };
    for (name, pass) in passes().await {
        check(&name, report::sarif::plan(&pass, Style::plain()));
        check(&name, report::sarif::drift(&pass, Style::plain()));
    }
    check("failure", report::sarif::failure("plan", &["no engine".into()], None, Style::plain()));
    case::each_input("spec", |input| {
        check("mistakes", report::sarif::check("check", &found(input), &case::sources(input)));
    });
    // The validator is awake.
    assert!(!validator.is_valid(&serde_json::json!({ "version": "2.1.0", "runs": [{}] })));
}

/// What the independent reader should list of a plan.
fn expected(name: &str, pass: &Pass) -> BTreeSet<String> {
    let Pass { plan, desired, .. } = pass;
    let mut lines = BTreeSet::new();
    for change in &plan.changes.changes {
        let verdict = Verdict::of(plan, change);
        let (list, verb) = listed(change, verdict);
        let mut line = format!("{name} {list} {} {verb}", change.id);
        if verdict == Verdict::Remove {
            line += " delete_because_no_resource_config";
        }
        if verb.contains('-') && verb != "no-op" {
            line += " replace_because_cannot_update";
            for field in change.fields.iter().filter(|field| forces(field)) {
                line.push(' ');
                line += &field.path.to_string();
            }
        }
        lines.insert(line);
        if change.is_drift() {
            let verb = match change.action {
                Action::Create => "delete",
                Action::Remove | Action::Conflict => "create",
                _ => "update",
            };
            lines.insert(format!("{name} drift {} {verb}", change.id));
        }
    }
    for id in &plan.changes.unchanged {
        lines.insert(format!("{name} change {id} no-op"));
    }
    for id in desired.resources.keys() {
        lines.insert(format!("{name} planned {id}"));
        let needs = desired.after.get(id).map_or(0, std::collections::BTreeMap::len);
        lines.insert(format!("{name} configured {id} {needs}"));
    }
    lines
}

fn forces(field: &FieldChange) -> bool {
    field.effect >= nself::diff::Effect::Recreate
}

fn listed(change: &Change, verdict: Verdict) -> (&'static str, &'static str) {
    match (verdict, change.action) {
        (Verdict::Held, Action::Remove) => ("deferred:held", "delete"),
        (Verdict::Held, Action::Create) => ("deferred:held", "create"),
        (Verdict::Held, _) => ("deferred:held", "delete-create"),
        (Verdict::Blocked, Action::Create) => ("deferred:blocked", "create"),
        (Verdict::Blocked, Action::Remove) => ("deferred:blocked", "delete"),
        (Verdict::Blocked, _) => ("deferred:blocked", "update"),
        (Verdict::Deferred, _) => ("deferred:absent_prereq", "update"),
        (Verdict::NotChecked, _) => ("deferred:unknown", "no-op"),
        (Verdict::Recreate | Verdict::Replace, _) => ("change", "delete-create"),
        (Verdict::Remove, _) => ("change", "delete"),
        (_, Action::Create) => ("change", "create"),
        _ => ("change", "update"),
    }
}

#[tokio::test]
async fn an_independent_reader_of_terraforms_plans_lists_our_changes() {
    let Some(readers) = readers() else { return };
    let folder = tempfile::tempdir().unwrap();
    let passes = passes().await;
    let mut all = BTreeSet::new();
    for (name, pass) in &passes {
        fs::write(folder.path().join(name), report::json::plan(pass)).unwrap();
        all.extend(expected(name, pass));
    }
    let files = passes.iter().map(|(name, _)| folder.path().join(name));
    let output = Command::new(readers.join("terraform")).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let of = |kinds: &[&str]| -> BTreeSet<String> {
        let kind = |line: &str| line.split(' ').nth(1).unwrap().to_owned();
        let asked = |line: &&str| kinds.iter().any(|one| kind(line).starts_with(one));
        listed.lines().filter(asked).map(str::to_owned).collect()
    };
    let order = |line: String| line.replace("create-delete", "delete-create");
    let seen: BTreeSet<String> =
        of(&["change", "drift", "deferred", "configured"]).into_iter().map(order).collect();
    let planned = |line: &&String| line.split(' ').nth(1) == Some("planned");
    let wanted: BTreeSet<String> =
        all.iter().filter(|line| !planned(line)).map(|line| order(line.clone())).collect();
    let diff = similar::TextDiff::from_slices(
        &wanted.iter().map(String::as_str).collect::<Vec<_>>(),
        &seen.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .iter_all_changes()
    .filter(|change| change.tag() != similar::ChangeTag::Equal)
    .map(|change| format!("{} {}\n", change.tag(), change.value()))
    .collect::<String>();
    assert!(diff.is_empty(), "what we say (-) and what it reads (+):\n{diff}");
    let planned: BTreeSet<String> = all.iter().filter(planned).cloned().collect();
    let typeless = |line: &String| line.rsplit_once(' ').unwrap().0.to_owned();
    assert_eq!(of(&["planned"]).iter().map(typeless).collect::<BTreeSet<_>>(), planned);
    // Which of the two comes first is read as it is planned.
    for (name, pass) in &passes {
        let text = report::plan(&pass.plan, 0, Style::plain());
        let first = |line: &&String| {
            line.starts_with(&format!("{name} change ")) && line.contains(" create-delete ")
        };
        let read = of(&["change"]).iter().filter(first).count();
        assert_eq!(text.matches("start-first").count(), read, "{name}\n{text}");
    }
    // Each kind of change was there to be read.
    for verb in ["no-op", "create", "update", "delete", "delete-create", "create-delete"] {
        let there = listed.lines().any(|line| line.split(' ').nth(3) == Some(verb));
        assert!(there, "no plan of the tests has {verb}:\n{listed}");
    }
    assert!(!of(&["prior"]).is_empty() && !of(&["relevant"]).is_empty());
    // What a first apply makes is not there before it.
    assert!(!of(&["prior"]).iter().any(|line| line.starts_with("first-apply ")));
}

#[test]
fn what_only_apply_makes_is_unknown_before() {
    let mut plan = settled();
    let path = nself::desired::Field::Env.key("TOKEN");
    let token = world::field(path, Shown::Absent, Shown::SecretToCome, Mover::You);
    plan.changes.push(Change::of_fields(&id("container/shop-api"), vec![token], "it differs"));
    let json: Value = serde_json::from_str(&report::json::plan(&pass(plan))).unwrap();
    let changes = json["resource_changes"].as_array().unwrap();
    let change = &changes.iter().find(|one| one["name"] == "shop-api").unwrap()["change"];
    assert_eq!(change["after_unknown"]["env"]["TOKEN"], true);
    assert_eq!(change["after_sensitive"]["env"]["TOKEN"], true);
    assert_eq!(change["after"].get("env"), None);
}

#[test]
fn sarif_of_everything() {
    let findings = |text: String| {
        let log: Value = serde_json::from_str(&text).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        let line = |one: &Value| {
            let place = &one["locations"][0]["physicalLocation"];
            let file = place["artifactLocation"]["uri"].as_str().unwrap().to_owned();
            let (level, rule) = (one["level"].as_str().unwrap(), one["ruleId"].as_str().unwrap());
            let text = one["message"]["text"].as_str().unwrap();
            format!("{level} {rule} {file}:{} {text}\n", place["region"]["startLine"])
        };
        results.iter().map(line).collect::<String>()
    };
    let pass = pass(busy());
    let plan = findings(report::sarif::plan(&pass, Style::plain()));
    let drift = findings(report::sarif::drift(&pass, Style::plain()));
    insta::assert_snapshot!(format!("plan\n{plan}\ndrift\n{drift}"));
}

#[test]
fn a_finding_stays_itself_when_lines_and_values_move() {
    let prints = |line, value: &str| {
        let mut plan = settled();
        let memory = nself::desired::Field::Memory.path();
        let field = FieldChange {
            origin: Some(world::line(line)),
            ..world::field(memory, plain("268435456"), plain(value), Mover::Drift)
        };
        plan.changes.push(Change::of_fields(&id("container/shop-api"), vec![field], "it differs"));
        let log = report::sarif::plan(&pass(plan), Style::plain());
        let log: Value = serde_json::from_str(&log).unwrap();
        log["runs"][0]["results"][0]["partialFingerprints"].clone()
    };
    assert_eq!(prints(3, "1"), prints(44, "2"));
    assert!(prints(3, "1")["nself/v1"].is_string());
}

#[test]
fn markdown_of_everything() {
    let pass = pass(busy());
    let plan = report::markdown::plan(&pass, Style::plain());
    let drift = report::markdown::drift(&pass, Style::plain());
    insta::assert_snapshot!(format!("{plan}\n\n{drift}"));
    let settled = report::markdown::plan(&world::pass(settled()), Style::plain());
    assert!(settled.starts_with("<!-- nself plan shop prod -->\n"), "{settled}");
    assert!(settled.contains("**nothing to do** · 31 resources"), "{settled}");
}

#[test]
fn a_comment_fits_into_its_limit_and_says_what_it_leaves_out() {
    let mut plan = settled();
    for number in 0..3_000 {
        let name = format!("container/shop-service-number-{number}");
        let value = plain(&format!("{number}\n```\n{}", "long and longer ".repeat(20)));
        let path = nself::desired::Field::Env.key("TEXT");
        let field = world::field(path, plain("a\nb"), value, Mover::Drift);
        plan.changes.push(Change::of_fields(&id(&name), vec![field], "it differs"));
        let volume = id(&format!("volume/v{number}"));
        let release = Release::Change { verb: Verb::Remove, id: volume.clone() };
        plan.held.push(Held { id: volume, what: "would delete it".into(), release });
    }
    let pass = pass(plan);
    for page in [
        report::markdown::plan(&pass, Style::plain()),
        report::markdown::drift(&pass, Style::plain()),
    ] {
        let length = page.chars().count();
        assert!((60_000..=65_536).contains(&length), "{length}");
        assert!(page.contains("**Left out**, because a comment has its limit: "));
    }
}

#[test]
fn hostile_values_do_nothing_in_markdown() {
    let odd = "</details>\n```\n<img src=x onerror=alert(1)> @everyone | `x` #1\n-->";
    let mut plan = settled();
    let path = nself::desired::Field::Env.key("ODD|`KEY`");
    let field = world::field(path, plain("calm"), plain(odd), Mover::You);
    plan.changes.push(Change::of_fields(&id("container/shop-api"), vec![field], "it differs"));
    plan.blocked.insert(id("container/shop-web"), odd.into());
    plan.changes.push(Change::new(&id("container/shop-web"), Action::Create, odd));
    let page = report::markdown::plan(&pass(plan), Style::plain());
    let mut fence: Option<String> = None;
    let mut depth = 0_i32;
    for line in page.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() && line == ticks => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 && !line[ticks.len()..].contains('`') => fence = Some(ticks),
            None => {
                let opens = line.matches("<details>").count();
                let closes = line.matches("</details>").count();
                depth += i32::try_from(opens).unwrap() - i32::try_from(closes).unwrap();
                assert!((0..=1).contains(&depth), "{page}");
                assert!(!line.contains("@everyone"), "{line}");
                assert!(!line.contains("<img") || line.contains("\\<img"), "{line}");
                let bars = line.replace("\\|", "").matches('|').count();
                assert!(bars == 0 || bars == 4, "{line}");
            }
        }
    }
    assert_eq!((fence, depth), (None, 0), "{page}");
}

#[test]
fn graphviz_draws_the_graph_and_its_colours() {
    let mut desired = desired();
    world::needs(&mut desired, "container/shop-api", "container/shop-postgres", "needs postgres");
    world::needs(
        &mut desired,
        "container/shop-api",
        "volume/odd \"name\\n\" <b>",
        "a \"why\"\n\\l",
    );
    let marks = report::graph::marks(&busy());
    let dot = report::graph::dot(&desired, &marks);
    if readers().is_none() {
        return;
    }
    let mut child = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), dot.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaint.is_empty(), "{complaint}\n{dot}");
    let svg = String::from_utf8(output.stdout).unwrap();
    let titles: BTreeSet<String> = svg
        .lines()
        .filter_map(|line| Some(line.strip_prefix("<title>")?.strip_suffix("</title>")?.to_owned()))
        .collect();
    // A title is the name as the file has it, in which a backslash stands as two.
    let escaped = |id: &ResourceId| {
        let text = id.to_string().replace('\\', "\\\\").replace('&', "&amp;");
        let text = text.replace('<', "&lt;").replace('>', "&gt;");
        text.replace('"', "&quot;").replace('-', "&#45;")
    };
    for id in desired.resources.keys().chain(marks.keys()) {
        assert!(titles.contains(&escaped(id)), "{id} is not drawn: {titles:#?}");
    }
    // What is read by a person has one.
    assert!(svg.contains(">volume/odd &quot;name\\n&quot; &lt;b&gt;</text>"), "{svg}");
    assert!(svg.contains("plum") && svg.contains("! held"), "what is held has its colour");
}
