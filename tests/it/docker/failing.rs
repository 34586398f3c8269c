//! What does not become ready: the reason is told, what worked before comes back, others are spared.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use nself::{
    controller::Report,
    model::ResourceId,
    plan::{Failure, Outcome},
};

use super::{
    services::SERVE,
    stage::{Stage, docker, gist, try_docker},
};

/// Returns the failures of an apply: of which resource, and what is said of it.
fn failures(report: &Report) -> Vec<(ResourceId, Failure)> {
    let steps = report.passes.iter().flat_map(|(plan, applied)| {
        applied.outcomes.iter().map(|(step, outcome)| (&plan.steps[*step].group, outcome))
    });
    let failed = steps.filter_map(|(group, outcome)| match outcome {
        Outcome::Failed(failure) => Some((group.clone(), failure.clone())),
        Outcome::Done | Outcome::Skipped(_) => None,
    });
    failed.collect()
}

fn fact<'a>(failure: &'a Failure, name: &str) -> &'a str {
    let fact = failure.facts.iter().find(|(key, _)| *key == name);
    fact.map_or("", |(_, text)| text)
}

#[test]
fn a_failing_job_says_why_and_spares_what_needs_it() {
    let stage = Stage::new("failing-job");
    let file = r#"
[services.migrate]
kind = "job"
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo no such table; exit 3"]

[services.web]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
needs = ["migrate"]

[services.other]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
"#;
    stage.write(file);
    let report = stage.apply();
    let failures = failures(&report);
    let [(id, failure)] = failures.as_slice() else { panic!("{failures:?}") };
    assert_eq!(*id, ResourceId::Container(stage.container("migrate")));
    assert!(fact(failure, "process").contains("exit 3"), "{failure:?}");
    assert_eq!(fact(failure, "log"), "no such table");
    let state = try_docker(&["inspect", "-f", "{{.State.Status}}", &stage.container("web")]);
    assert!(!matches!(state.as_deref(), Ok("running" | "exited")), "web was started: {state:?}");
    assert_eq!(Stage::inspect(&stage.container("other"), "{{.State.Status}}"), "running");

    stage.write(&file.replace("exit 3", "exit 0"));
    stage.converge();
    let migrated = stage.life("migrate");
    stage.converge();
    assert_eq!(stage.life("migrate"), migrated, "a job that is done is left alone");
}

#[test]
fn a_first_one_that_does_not_become_ready_stays_to_be_looked_at() {
    let stage = Stage::new("not-ready");
    stage.write(
        r#"
[services.crashes]
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo no configuration; exit 7"]
restart = "no"
port = 8000
health = { tcp = true }
ready_within = "3s"

[services.idles]
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo waiting; exec sleep 1000"]
init = true
port = 8000
health = { tcp = true }
ready_within = "2s"

[services.sick]
image = "debian:bookworm-slim"
command = ["sleep", "1000"]
init = true
health = { command = ["sh", "-c", "echo no pulse; exit 1"], interval = "1s" }
ready_within = "3s"
"#,
    );
    let report = stage.apply();
    let failures = failures(&report);
    let of = |service: &str| {
        let id = ResourceId::Container(stage.container(service));
        let failure = failures.iter().find(|(failed, _)| *failed == id);
        failure.unwrap_or_else(|| panic!("{service} is ready: {failures:?}")).1.clone()
    };
    let crashes = of("crashes");
    assert!(fact(&crashes, "process").contains("exit 7"), "{crashes:?}");
    assert_eq!(fact(&crashes, "log"), "no configuration");
    assert_eq!(Stage::inspect(&stage.container("crashes"), "{{.State.ExitCode}}"), "7");
    let idles = of("idles");
    assert!(fact(&idles, "probe").contains("8000"), "{idles:?}");
    assert_eq!(fact(&idles, "log"), "waiting");
    assert_eq!(Stage::inspect(&stage.container("idles"), "{{.State.Status}}"), "running");
    let sick = of("sick");
    assert!(format!("{:?}", sick.facts).contains("no pulse"), "{sick:?}");
    assert!(!stage.plan().is_empty(), "what never was ready is not forgotten");
}

#[test]
fn a_replacement_that_does_not_become_ready_makes_way_for_the_old_one() {
    let stage = Stage::new("goes-back");
    let [port, _] = stage.ports;
    let file = r#"
[services.web]
image = "debian:bookworm-slim"
command = {serve}
port = 8000
health = { http = "/" }
publish = ["{port}:8000"]
ready_within = "2s"
env = { GREETING = "hello" }
"#;
    // The gateway has no route and does not come, so its port is free.
    let file = file.replace("{serve}", SERVE).replace("{port}", &port.to_string());
    stage.write(&file);
    stage.converge();
    let web = stage.container("web");
    let id = Stage::inspect(&web, "{{.Id}}");

    stage.write(&file.replace("LocalPort => 8000", "LocalPort => 8001"));
    let is_over = AtomicBool::new(false);
    let (report, away) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| longest_silence(port, &is_over));
        let report = stage.apply();
        is_over.store(true, Ordering::Relaxed);
        (report, watch.join().unwrap())
    });
    let failures = failures(&report);
    let [(failed, failure)] = failures.as_slice() else { panic!("{failures:?}") };
    assert_eq!(*failed, ResourceId::Container(web.clone()));
    assert!(fact(failure, "probe").contains("8000"), "{failure:?}");
    let (_, applied) = &report.passes[0];
    assert_eq!(applied.returned.get(failed), Some(&None), "it did not come back");
    assert_eq!(Stage::inspect(&web, "{{.Id}} {{.State.Status}}"), format!("{id} running"));
    assert_eq!(get(port).as_deref(), Ok("hello"));
    // Half of what it had to become ready by default.
    assert!(away < Duration::from_secs(30), "away for {away:?}, with 2 s to become ready");
    let all = docker(&["ps", "-aq", "--filter", &format!("name={web}")]);
    assert_eq!(all.lines().count(), 1, "the failed one is gone");
    let plan = stage.plan();
    assert_eq!(plan.changes.changes.len(), 1, "{}", gist(&plan));
    assert!(!plan.changes.changes[0].is_drift(), "{}", gist(&plan));

    stage.write(&file);
    let plan = stage.plan();
    assert!(plan.is_empty(), "{}", gist(&plan));
}

fn get(port: u16) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error| error.to_string())?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    Ok(body.to_owned())
}

/// Returns the longest time in which nobody answered.
fn longest_silence(port: u16, is_over: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    let mut last = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        if get(port).is_ok() {
            last = Instant::now();
        }
        longest = longest.max(last.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    longest
}
