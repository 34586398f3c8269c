//! What people and machines read, built from values: these texts are the specification of the pages.

pub(crate) mod world;

use std::collections::BTreeMap;

use insta::assert_snapshot;
use nself::{
    desired::Field,
    diff::{Action, Change, Effect, Mover},
    plan::{Event, Failure, Held, Op, Plan, Release, Target, Verb},
    report::{self, Ending, Style},
};
use serde_json::Value;
use world::{busy, id, pass, plain, settled, took};

#[test]
fn a_plan_of_everything() {
    assert_snapshot!(report::plan(&busy(), 41, Style::plain()));
}

#[test]
fn a_narrow_screen_loses_nothing() {
    assert_snapshot!(report::plan(&busy(), 41, Style { width: 60, ..Style::plain() }));
}

#[test]
fn values_are_explained_in_columns() {
    let of = |path: &str, value: &str, origin: &str| nself::desired::Explained {
        path: path.into(),
        value: value.into(),
        origin: origin.into(),
        overridden: Vec::new(),
    };
    let tools = ["fetch", "unpack", "compile", "install", "verify", "publish"]
        .map(|tool| format!("\"/usr/local/bin/{tool} --quiet\""));
    let mut api = [
        of("api kind", "container", "nself.toml:4"),
        of("container/shop-api env.EMPTY", "", "nself.toml:9"),
        of("container/shop-api env.TOKEN", "(secret)", "nself.toml:8"),
        of("container/shop-api health.interval", "10s", "default"),
        of("container/shop-api command", r#"["serve","--log format"]"#, "nself.toml:7"),
    ]
    .to_vec();
    let list = format!("[{}]", tools.join(","));
    api.push(of("container/shop-api capabilities.add", &list, "nself.toml:12"));
    assert_snapshot!(report::explain(&api, Style::plain()));
}

#[test]
fn nothing_to_do_is_one_line() {
    let text = report::plan(&settled(), 41, Style::plain());
    assert_eq!(text, "shop · prod · 31 resources · nothing to do\n");
}

#[test]
fn what_cannot_be_seen_is_never_called_no_change() {
    let mut plan = settled();
    let vector = id("postgres/shop/extension/vector");
    plan.changes.push(Change::new(&vector, Action::Deferred, "seen when postgres runs"));
    let text = report::plan(&plan, 41, Style::plain());
    assert!(text.contains("deferred: seen when postgres runs"), "{text}");
    assert!(text.ends_with("nothing to do now · 1 deferred · 31 unchanged\n"), "{text}");
}

#[test]
fn a_conflict_and_what_waits_for_it() {
    let mut plan = settled();
    let database = id("container/shop-postgres");
    let api = id("container/shop-api");
    plan.changes.push(Change::new(&database, Action::Conflict, "not ours"));
    plan.changes.push(Change::new(&api, Action::Create, "not on this engine"));
    plan.held.push(Held {
        id: database.clone(),
        what: "a container that is not ours has this name".into(),
        release: Release::Change { verb: Verb::Replace, id: database.clone() },
    });
    plan.blocked.insert(api, format!("needs {database}, which is held"));
    assert_snapshot!(report::plan(&plan, 41, Style::plain()));
}

#[test]
fn data_at_risk_stands_in_capitals() {
    let mut plan = settled();
    let mut change = world::field(
        Field::DriverOption.key("device"),
        plain("tmpfs"),
        plain("/srv/data"),
        Mover::Both,
    );
    change.effect = Effect::DataAtRisk;
    plan.changes.push(Change::of_fields(&id("volume/shop-data"), vec![change], "it differs"));
    let text = report::plan(&plan, 41, Style::plain());
    assert!(text.contains("± volume/shop-data   recreate · DATA AT RISK"), "{text}");
}

#[test]
fn drift_says_what_moved_and_the_way_back() {
    assert_snapshot!(report::drift(&busy(), Some(11_000_000), Style::plain()));
    let none = report::drift(&settled(), None, Style::plain());
    assert_eq!(none, "shop · prod · 31 resources · no drift since generation 12\n");
}

#[test]
fn a_failure_says_why_and_what_next() {
    assert_snapshot!(report::outcome(&world::failed(), 1, Style::plain()));
    assert_eq!(report::ending(&world::failed()), Ending::Failed);
}

#[test]
fn what_did_not_run_is_not_said_to_run_again() {
    let mut report = world::failed();
    let new = Target::Name("shop-api.next".into());
    report.passes[0].0.steps[2].on_failure = vec![Op::RemoveContainer(new)];
    let text = report::outcome(&report, 1, Style::plain());
    let first = "✗ shop-api did not become ready in 30s; the new one was taken away; the old one was \
                 not running\n";
    assert!(text.starts_with(first), "{text}");
    let group = report.passes[0].0.steps[2].group.clone();
    let event = Event::Returned { group, failure: None };
    let line = report::line(&report.passes[0].0, &event, Style::plain()).unwrap();
    assert!(line.ends_with("the old one was not running\n"), "{line}");
}

#[test]
fn a_good_end_says_where_to_click() {
    assert_snapshot!(report::outcome(&world::done(), 0, Style::plain()));
}

#[test]
fn a_failure_is_worse_than_a_hold() {
    let mut report = world::done();
    report.rest = busy();
    report.rest.steps.clear();
    assert_eq!(report::ending(&report), Ending::Held);
    report.passes[0].1.outcomes = world::failed().passes[0].1.outcomes.clone();
    assert_eq!(report::ending(&report), Ending::Failed);
}

fn events() -> Vec<Event> {
    let failure = Failure { chain: vec!["no such image".into()], ..Failure::default() };
    vec![
        Event::Started { step: 0 },
        Event::Finished { step: 0, took: took(9_100) },
        Event::Started { step: 1 },
        Event::Finished { step: 1, took: took(300) },
        Event::Failed { step: 2, took: took(30_000), failure: failure.clone() },
        Event::Skipped { step: 3, because: Some(2) },
        Event::GoingBack { generation: 12 },
        Event::Returned { group: id("container/shop-api"), failure: Some(failure) },
    ]
}

#[test]
fn events_are_lines() {
    let plan = busy();
    let lines = |event: &Event| report::line(&plan, event, Style::plain());
    let text: String = events().iter().filter_map(lines).collect();
    assert_snapshot!(text);
}

#[test]
fn events_are_json_lines() {
    let plan = busy();
    let text: String = events().iter().map(|event| report::json::event(&plan, event)).collect();
    for line in text.lines() {
        assert!(serde_json::from_str::<Value>(line).unwrap()["event"].is_string());
    }
    assert_snapshot!(text + &report::json::applied(&world::failed(), 1));
}

/// The parts of a plan's JSON that readers of Terraform's plans use.
fn actions(plan: Plan) -> BTreeMap<String, String> {
    let json: Value = serde_json::from_str(&report::json::plan(&pass(plan))).unwrap();
    let changes = json["resource_changes"].as_array().unwrap().iter();
    changes
        .map(|one| (one["address"].as_str().unwrap().into(), one["change"]["actions"].to_string()))
        .filter(|(_, actions): &(String, String)| !actions.contains("no-op"))
        .collect()
}

#[test]
fn a_plan_reads_like_terraforms() {
    let text = actions(busy());
    let lines: Vec<String> = text.iter().map(|(id, actions)| format!("{id} {actions}")).collect();
    assert_snapshot!(lines.join("\n"));
}

#[test]
fn json_holds_what_text_holds() {
    let mut plan = busy();
    plan.changes.unchanged = world::set([id("network/shop")]);
    assert_snapshot!(report::json::plan(&pass(plan)));
}

#[test]
fn drift_as_json_goes_from_applied_to_live() {
    let json: Value = serde_json::from_str(&report::json::drift(&pass(busy()))).unwrap();
    let drift = json["resource_drift"].as_array().unwrap();
    let redis = drift.iter().find(|one| one["name"] == "shop-redis").unwrap();
    assert_eq!(redis["change"]["before"]["limits"]["memory"], 268_435_456);
    assert_eq!(redis["change"]["after"]["limits"]["memory"], 1_073_741_824);
    assert_eq!(json["drifted"], true);
    // The gateway's new route is the person's own, and the api has one field of which nobody knows.
    let changes = json["nself"]["changes"].as_object().unwrap();
    assert!(!changes.contains_key("files/shop-gateway"), "{changes:#?}");
    let fields = changes["container/shop-api"]["fields"].as_array().unwrap();
    assert_eq!(fields.len(), 1);
    assert_eq!(fields[0]["mover"], "unknown");
    assert_eq!(json["nself"]["held"].as_array().unwrap().len(), 0);
}

#[test]
fn the_graph_as_tree_and_dot() {
    let mut desired = world::desired();
    let edges = [
        ("container/shop-api", "container/shop-postgres", "needs postgres"),
        ("container/shop-api", "network/shop", "is on it"),
        ("container/shop-worker", "container/shop-postgres", "needs postgres"),
        ("container/shop-postgres", "network/shop", "is on it"),
        ("container/shop-postgres", "volume/shop-postgres-data", "keeps its data there"),
    ];
    for (from, to, why) in edges {
        world::needs(&mut desired, from, to, why);
    }
    let none = report::graph::Marks::new();
    let tree = report::graph::tree(&desired, &none, Style::plain());
    assert_snapshot!(tree + &report::graph::dot(&desired, &none));
}
