//! What the file says anew is done, and nothing besides.

use std::collections::BTreeSet;

use nself::{
    controller::pass::{self, Brief, Goal},
    desired::Resource,
    model::{ResourceId, Text},
    plan::{Op, Outcome, Plan, Policy},
    report::{self, Style},
};
use tokio_util::sync::CancellationToken;

use super::{
    services::SERVE,
    stage::{Stage, docker, eventually, gist},
};

const FILE: &str = r#"
[services.postgres]
database = "app"
extensions = ["pg_trgm"]

[services.redis]
maxmemory = "64M"

[services.web]
image = "debian:bookworm-slim"
command = {serve}
port = 8000
route = "@"
health = { http = "/" }
env = { GREETING = "hello" }

[services.shop]
image = "debian:bookworm-slim"
command = {serve}
port = 8000
health = { http = "/" }
env = { GREETING = "welcome" }

[services.migrate]
kind = "job"
image = "debian:bookworm-slim"
command = ["echo", "first"]
needs = ["postgres"]
"#;

const SERVICES: [&str; 6] = ["postgres", "redis", "web", "shop", "migrate", "gateway"];

/// Plans, applies, and returns the plan after making sure that it touched the lives of `touched` only.
fn change(stage: &Stage, file: &str, touched: &[&str]) -> Plan {
    let lives = SERVICES.map(|service| stage.life(service));
    stage.write(file);
    let plan = stage.plan();
    stage.converge();
    for (service, life) in SERVICES.iter().zip(lives) {
        let is_as_before = stage.life(service) == life;
        assert!(is_as_before != touched.contains(service), "{service}: {}", gist(&plan));
    }
    plan
}

fn groups(plan: &Plan) -> BTreeSet<String> {
    plan.steps.iter().map(|step| step.group.to_string()).collect()
}

#[test]
fn only_what_the_file_says_anew_is_done() {
    let stage = Stage::new("changes");
    let mut file = FILE.replace("{serve}", SERVE);
    stage.write(&file);
    stage.converge();
    let name = stage.name.clone();

    let route = |file: &mut String| {
        let shop = file.find("[services.shop]").unwrap();
        let port = shop + file[shop..].find("health").unwrap();
        file.insert_str(port, "route = \"shop\"\n");
    };
    route(&mut file);
    let plan = change(&stage, &file, &[]);
    // The gateway answers to its public names inside the project, so it has one more alias.
    let gateway = ["container", "files"].map(|class| format!("{class}/{name}-gateway"));
    assert_eq!(groups(&plan), BTreeSet::from(gateway.clone()));
    assert_eq!(eventually("the new route", || stage.ask("shop")), "welcome");
    assert_eq!(eventually("the old route", || stage.ask("")), "hello");

    a_broken_configuration_is_not_used(&stage);

    file = file.replace("route = \"shop\"\n", "");
    let plan = change(&stage, &file, &[]);
    assert_eq!(groups(&plan), BTreeSet::from(gateway));
    eventually("the route is gone", || match stage.ask("shop") {
        Ok(page) => Err(page),
        Err(_) => Ok(()),
    });

    file = file.replace("[\"pg_trgm\"]", "[\"pg_trgm\", \"unaccent\"]");
    let plan = change(&stage, &file, &[]);
    assert_eq!(groups(&plan), BTreeSet::from(["postgres/app/extension/unaccent".to_owned()]));

    file = file.replace("64M", "96M");
    let redis = stage.container("redis");
    let id = Stage::inspect(&redis, "{{.Id}}");
    let plan = change(&stage, &file, &["redis"]);
    assert_eq!(groups(&plan), BTreeSet::from([format!("files/{name}-redis")]));
    let restarts = |step: &nself::plan::Step| matches!(step.op, Op::Restart(_));
    assert!(plan.steps.iter().any(restarts), "{}", gist(&plan));
    let page = report::plan(&plan, 1, Style::plain());
    assert!(page.contains("restart"), "{page}");
    assert_eq!(Stage::inspect(&redis, "{{.Id}}"), id);
    let script = "REDISCLI_AUTH=$(cat /etc/nself/current/password) redis-cli config get maxmemory";
    let answer = docker(&["exec", &redis, "sh", "-c", script]);
    assert_eq!(answer.lines().last(), Some("100663296"));

    file = file.replace("\"first\"", "\"second\"");
    let plan = change(&stage, &file, &["migrate"]);
    assert_eq!(groups(&plan), BTreeSet::from([format!("container/{name}-migrate")]));
    assert_eq!(docker(&["logs", &stage.container("migrate")]), "second");
}

/// A configuration that nginx refuses can hardly come from a file, so here one is put into what should
/// be; from there on everything goes its usual way.
fn a_broken_configuration_is_not_used(stage: &Stage) {
    let life = stage.life("gateway");
    let project = stage.load();
    let engine = stage.engine(&project);
    let mut desired = stage.pass().desired;
    // What it has is today's form, which would be kept.
    desired.forms.clear();
    let id = ResourceId::Files(stage.container("gateway"));
    let Some(Resource::Files(files)) = desired.resources.get_mut(&id) else { panic!("files") };
    files.files.get_mut("nginx.conf").unwrap().content = Text::plain("events {} nonsense;\n");

    let (keyring, policy) = (&project.keyring, &Policy::default());
    let brief = Brief::new(&Goal::Converge, keyring, policy);
    let (_, plan) = stage.block_on(pass::look(&engine, &mut desired, &brief)).unwrap();
    let cancel = CancellationToken::new();
    let converged = pass::converge(&engine, &mut desired, plan, &brief, &|_, _| {}, &cancel);
    let (passes, _) = stage.block_on(converged).unwrap();
    let (plan, applied) = &passes[0];
    let mut outcomes = plan.steps.iter().zip(applied.outcomes.values());
    let (_, check) = outcomes.find(|(step, _)| matches!(step.op, Op::CheckFiles { .. })).unwrap();
    let Outcome::Failed(failure) = check else { panic!("nginx takes nonsense") };
    assert!(format!("{failure:?}").contains("unknown directive \\\"nonsense\\\""), "{failure:?}");
    assert!(outcomes.all(|(_, outcome)| matches!(outcome, Outcome::Skipped(_))));

    assert_eq!(stage.life("gateway"), life);
    assert_eq!(stage.ask("shop").as_deref(), Ok("welcome"));
    // Nothing came of it, so there is nothing to do.
    let drift = stage.drift();
    assert!(drift.is_empty(), "{}", gist(&drift));
}
