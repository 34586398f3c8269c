//! Adoption remembered, and drift written into the file.

use std::collections::BTreeMap;

use nself::{
    controller::pass::{self, Brief, Goal},
    desired::{Field, Path},
    diff::Action,
    edit::{self, Wish},
    engine::{Observe as _, sim::Sim},
    model::ResourceId,
    observed::Request,
    plan::Policy,
    spec::{Input, Source, parse},
};

use crate::plan::{Asked, apply, compile, converge, keyring, look};

const FILE: &str = r#"# the shop
[project]
name = "shop"

[services.web]
image = "acme/web:1"
restart = "always"   # it has to
env = { LEVEL = "info", TOKEN = "${secret.token}", HOST = "${db.host}" }

[services.web.limits]
memory = "256M"      # measured

[services.db]
image = "acme/db:1"

[environments.prod]
services.web.limits.memory = "1G"
"#;

fn input(text: &str, environment: Option<&str>) -> Input {
    Input {
        main: Source::new("nself.toml", text),
        overlay: None,
        environment: environment.map(|name| name.parse().unwrap()),
        process: BTreeMap::new(),
    }
}

fn allow(releases: &[&str]) -> Policy {
    Policy { allow: releases.iter().map(|release| release.parse().unwrap()).collect() }
}

#[tokio::test]
async fn what_was_adopted_is_that_one_and_no_other() {
    let (sim, input) = (Sim::default(), input(FILE, None));
    apply(&sim, &input).await;
    sim.world().find_mut("shop-db").unwrap().labels.clear();
    let mut desired = compile(&input);
    let keyring = keyring(&desired);
    let id = ResourceId::Container("shop-db".into());

    let policy = allow(&["adopt:container/shop-db"]);
    let (_, plan) = look(&sim, &mut desired, &keyring, &Asked::allowing(&policy)).await;
    assert!(plan.steps.is_empty() && plan.adopts(&id) && !plan.is_empty());
    let rest = converge(&sim, &mut desired, plan, &keyring, &Asked::allowing(&policy)).await;
    assert!(rest.is_empty(), "{:#?}", rest.changes);
    // Seen without being wanted, it is ours to remove; that is what destroy needs.
    let request = Request { names: [].into(), ..Request::of(&desired, false) };
    let seen = sim.observe(&request).await.unwrap();
    assert!(seen.containers.iter().any(|seen| seen.name == "shop-db" && seen.owner.is_ours()));

    // Who moved it is known as of anything of ours.
    sim.world().tamper("shop-db", Field::Env.key("X"), Some("y"));
    let (_, plan) = look(&sim, &mut desired, &keyring, &Asked::default()).await;
    let change = plan.changes.get(&id).unwrap();
    assert_eq!(change.fields[0].mover, nself::diff::Mover::Drift);

    // Somebody else's container of the same name is not what was adopted.
    {
        let mut world = sim.world();
        let mut other = world.find("shop-db").unwrap().clone();
        world.containers.remove(&other.seen.id);
        other.seen.id = "c99999999".into();
        world.containers.insert(other.seen.id.clone(), other);
    }
    let (_, plan) = look(&sim, &mut desired, &keyring, &Asked::default()).await;
    assert_eq!(plan.changes.get(&id).unwrap().action, Action::Conflict);
    assert_eq!(plan.held[0].release.to_string(), "replace:container/shop-db");
    let policy = allow(&["replace:container/shop-db"]);
    let (_, plan) = look(&sim, &mut desired, &keyring, &Asked::allowing(&policy)).await;
    let rest = converge(&sim, &mut desired, plan, &keyring, &Asked::allowing(&policy)).await;
    assert!(rest.is_empty() && !rest.intent.adopted.contains_key(&id), "ours by its label");
}

/// Applies, tampers, and returns what accepting all makes of the file, and what it refuses.
async fn accepted(
    environment: Option<&str>,
    tampered: &[(&str, &str, Option<&str>)],
) -> (String, String) {
    let (sim, input) = (Sim::default(), input(FILE, environment));
    apply(&sim, &input).await;
    for (name, path, value) in tampered {
        sim.world().tamper(name, Path::parse(path).unwrap(), *value);
    }
    let mut desired = compile(&input);
    let keyring = keyring(&desired);
    let policy = Policy::default();
    let brief = Brief::new(&Goal::Converge, &keyring, &policy);
    let (observed, plan) = pass::look(&sim, &mut desired, &brief).await.unwrap();
    let spec = parse(&input).unwrap().spec;
    let sources = [input.main.clone()];
    let accepted = edit::accept(&spec, &sources, &desired, &observed, &plan.changes, &Wish::All);
    let text = accepted.files.first().map_or(FILE.to_owned(), |file| file.after.clone());
    let refused: Vec<_> =
        accepted.refused.iter().map(|one| format!("{}: {}", one.path, one.why)).collect();
    // What was taken is not seen as different any more.
    let now = Input { main: Source::new("nself.toml", text.clone()), ..input };
    let (_, plan) = look(&sim, &mut compile(&now), &keyring, &Asked::allowing(&policy)).await;
    for change in &plan.changes.changes {
        for field in &change.fields {
            let path = format!("{}.{}", change.id, field.path);
            assert!(!accepted.taken.contains(&path), "{path} was taken and differs");
        }
    }
    (text, refused.join("\n"))
}

#[tokio::test]
async fn drift_is_written_where_the_value_stands() {
    let moved = [
        ("shop-web", "restart", Some("on-failure:3")),
        ("shop-web", "limits.memory", Some("536870912")),
        ("shop-web", "limits.swap", Some("1073741824")),
        ("shop-web", "env.LEVEL", Some("a$b")),
        ("shop-web", "env.ADDED", Some("x")),
        ("shop-db", "limits.pids", Some("50")),
    ];
    let (text, refused) = accepted(None, &moved).await;
    let wanted = FILE
        .replace("\"always\"   # it", "\"on-failure:3\"   # it")
        .replace("\"256M\" ", "\"512M\" ")
        .replace("LEVEL = \"info\"", "LEVEL = \"a$$b\"")
        .replace("\"${db.host}\" }", "\"${db.host}\" , ADDED = \"x\" }")
        .replace("\"acme/db:1\"\n", "\"acme/db:1\"\nlimits = { pids = 50 }\n");
    let squeezed = |text: &str| text.replace("\" ,", "\",");
    assert_eq!(squeezed(&text), squeezed(&wanted));
    assert_eq!(refused, "container/shop-web.limits.swap: it follows from limits.memory");

    let (text, _) = accepted(Some("prod"), &moved[1..3]).await;
    assert_eq!(text, FILE.replace("\"1G\"", "\"512M\""));
}

#[tokio::test]
async fn what_cannot_be_written_says_why() {
    let moved = [
        ("shop-web", "env.TOKEN", Some("another")),
        ("shop-web", "env.HOST", Some("elsewhere")),
        ("shop-web", "env.API_KEY", Some("k-1234567")),
        ("shop-web", "engine.Tty", Some("true")),
        ("shop-web", "image", Some("acme/web:1")),
    ];
    let (text, refused) = accepted(None, &moved).await;
    assert_eq!(text, FILE);
    for why in
        ["nself secret set", "it comes from `${db.host}`", "looks like a secret", "[[ignore]]"]
    {
        assert!(refused.contains(why), "{why}: {refused}");
    }
}
