//! What goes, what stays, and what is somebody else's: removal, destruction, stopping, instances.

use std::collections::BTreeSet;

use nself::{controller::Goal, model::ServiceName, plan::Held};

use super::stage::{BASE, Stage, docker, gist, try_docker};

const POSTGRES: &str = r#"
[services.postgres]
database = "app"
"#;

const WEB: &str = r#"
[services.web]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
volumes = { data = "/data" }
"#;

fn sql(stage: &Stage, sql: &str) -> String {
    let postgres = stage.container("postgres");
    docker(&["exec", "-u", "postgres", &postgres, "psql", "-qAt", "-d", "app", "-c", sql])
}

fn is_there(class: &str, name: &str) -> bool {
    try_docker(&[class, "inspect", name]).is_ok()
}

fn releases(held: &[Held]) -> Vec<String> {
    held.iter().map(|held| held.release.to_string()).collect()
}

/// Returns every container, volume and network of the engine that is not the stage's, with its id.
/// Others are at work here: only what was there before and is to stay is compared.
fn others(stage: &Stage) -> BTreeSet<String> {
    let foreign = format!("{}x-foreign", stage.name);
    let lists: [&[&str]; 3] = [
        &["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}"],
        &["volume", "ls", "--format", "{{.Name}}"],
        &["network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}"],
    ];
    let all = lists.map(docker).join("\n");
    all.lines().filter(|line| line.contains(&foreign)).map(str::to_owned).collect()
}

#[test]
fn data_goes_only_by_name_and_nothing_of_others_goes() {
    let stage = Stage::new("removal");
    stage.write(&format!("{POSTGRES}{WEB}"));
    stage.converge();
    sql(&stage, "CREATE TABLE kept AS SELECT 42 AS answer");
    let foreign = format!("{}x-foreign", stage.name);
    docker(&["network", "create", &foreign]);
    docker(&["volume", "create", &foreign]);
    let mount = format!("{foreign}:/v");
    docker(&["create", "--name", &foreign, "--network", &foreign, "-v", &mount, BASE, "true"]);
    let before = others(&stage);
    assert_eq!(before.len(), 3);

    // Removed from the file: the service goes, and its data waits for a word.
    let data = format!("{}-postgres-data", stage.name);
    let release = format!("remove:volume/{data}");
    stage.write(WEB);
    let report = stage.apply();
    assert!(!is_there("container", &stage.container("postgres")));
    assert!(!is_there("volume", &format!("{}-postgres-config", stage.name)), "it holds no data");
    assert!(is_there("volume", &data));
    assert_eq!(releases(&report.rest.held), std::slice::from_ref(&release));
    assert!(report.rest.steps.is_empty(), "{}", gist(&report.rest));

    // Put back: the data is there.
    stage.write(&format!("{POSTGRES}{WEB}"));
    stage.converge();
    assert_eq!(sql(&stage, "SELECT answer FROM kept"), "42");

    // Removed by name.
    stage.write(WEB);
    let report = stage.apply_allowing(&[&release]);
    stage.is_converged(&report);
    assert!(!is_there("volume", &data));

    // Destroyed: nothing runs, and the data waits; then it goes, and with it every trace.
    let web = format!("{}-web-data", stage.name);
    let report = stage.destroy(&[]);
    assert_eq!(releases(&report.rest.held), [format!("remove:volume/{web}")]);
    assert!(!is_there("container", &stage.container("web")) && is_there("volume", &web));
    assert!(!is_there("network", &stage.name));
    let report = stage.destroy(&[&format!("remove:volume/{web}")]);
    assert!(report.rest.is_empty(), "{}", gist(&report.rest));
    let label = format!("label=dev.nself.project={}", stage.name);
    for list in [["ps", "-aq"], ["volume", "ls"], ["network", "ls"]] {
        let quiet: &[&str] = if list[0] == "ps" { &[] } else { &["-q"] };
        let left = docker(&[&list[..], quiet, &["--filter", &label]].concat());
        assert_eq!(left, "", "{list:?}");
    }

    assert_eq!(others(&stage), before);
}

#[test]
fn what_a_person_stopped_stays_stopped_until_it_is_started() {
    let stage = Stage::new("stopped");
    let services = |names: &[&str]| -> BTreeSet<ServiceName> {
        names.iter().map(|name| ServiceName::new(name).unwrap()).collect()
    };
    let state =
        |service: &str| Stage::inspect(&stage.container(service), "{{.State.Running}}") == "true";
    stage.write(&format!("{POSTGRES}{WEB}"));
    stage.converge();
    sql(&stage, "CREATE TABLE kept AS SELECT 42 AS answer");
    let postgres = Stage::inspect(&stage.container("postgres"), "{{.Id}}");
    let web = stage.life("web");

    stage.towards(Goal::Suspend(services(&["postgres"])));
    assert!(!state("postgres") && state("web"));
    let plan = stage.plan();
    assert!(plan.is_empty(), "{}", gist(&plan));
    let report = stage.apply();
    assert!(report.rest.is_empty(), "{}", gist(&report.rest));
    let drift = stage.drift();
    assert!(drift.is_empty(), "{}", gist(&drift));
    assert!(!state("postgres"));
    assert_eq!(stage.life("web"), web);

    let report = stage.towards(Goal::Resume(services(&["postgres"])));
    stage.is_converged(&report);
    assert_eq!(Stage::inspect(&stage.container("postgres"), "{{.Id}}"), postgres);
    assert_eq!(sql(&stage, "SELECT answer FROM kept"), "42");

    let database = stage.life("postgres");
    stage.towards(Goal::Restart(services(&["web"])));
    assert_ne!(stage.life("web"), web);
    assert_eq!(stage.life("postgres"), database);
    let plan = stage.plan();
    assert!(plan.is_empty(), "{}", gist(&plan));

    stage.towards(Goal::Suspend(BTreeSet::new()));
    assert!(!state("postgres") && !state("web"));
    assert!(stage.plan().is_empty());
    let report = stage.towards(Goal::Resume(BTreeSet::new()));
    stage.is_converged(&report);
    assert!(state("postgres") && state("web"));
}

#[test]
fn two_instances_of_one_project_do_not_touch_each_other() {
    let mut stage = Stage::new("instances");
    let overlay = r#"
[environments.preview]
project.instance = "preview"
services.web.env = { WHO = "preview" }
"#;
    stage.write(&format!("{WEB}env = {{ WHO = \"main\" }}\n{overlay}"));
    let who = |name: &str| docker(&["exec", name, "sh", "-c", "echo $WHO"]);
    let main = stage.container("web");
    let preview = format!("{}-preview-web", stage.name);

    stage.converge();
    let life = stage.life("web");
    stage.environment = Some("preview".into());
    let plan = stage.plan();
    assert!(plan.steps.iter().all(|step| step.group.to_string().contains("preview")
        || matches!(step.group, nself::model::ResourceId::Image(_))));
    stage.converge();
    assert_eq!((who(&main).as_str(), who(&preview).as_str()), ("main", "preview"));
    assert_eq!(stage.life("web"), life);

    // Neither sees the other as drift or as left over, and either can go alone.
    stage.environment = None;
    let drift = stage.drift();
    assert!(drift.is_empty(), "{}", gist(&drift));
    let before = Stage::inspect(&preview, "{{.Id}} {{.State.StartedAt}}");
    stage.destroy(&[&format!("remove:volume/{}-web-data", stage.name)]);
    assert!(!is_there("container", &main) && !is_there("network", &stage.name));
    assert_eq!(Stage::inspect(&preview, "{{.Id}} {{.State.StartedAt}}"), before);
    stage.environment = Some("preview".into());
    let drift = stage.drift();
    assert!(drift.is_empty(), "{}", gist(&drift));
}
