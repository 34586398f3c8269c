//! Waiting for a container.

use std::{collections::BTreeMap, time::Instant};

use nself::{
    desired::{Build, BuildContext, Container, HealthCheck, Probe, Restart},
    engine::{Engine, Error, Evidence},
    model::{Digest, Millis},
    plan::Op,
};

use super::{IMAGE, make, named, run, twice};

fn wait(container: &Container, probe: Probe, within: u64) -> Op {
    Op::AwaitReady { container: named(&container.name), probe, within: Millis(within) }
}

async fn fails<E: Engine>(engine: &E, op: Op) -> Evidence {
    match engine.execute(&op).await {
        Err(Error::NotReady { evidence, .. }) => *evidence,
        other => panic!("{op:?} is {other:?}"),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub async fn a_command_that_succeeds_is_ready<E: Engine>(engine: &E, prefix: &str) {
    let script = "sleep 1; touch /ready; sleep 1000";
    let container = make::scripted(&format!("{prefix}-a"), script);
    make::up(engine, prefix, &container).await;
    let probe = Probe::Exec(words(&["test", "-e", "/ready"]));
    twice(engine, wait(&container, probe, 10_000)).await;
}

pub async fn a_port_that_answers_is_ready<E: Engine>(engine: &E, prefix: &str) {
    // Nothing in the image listens, so what is asked is refused to the end.
    let network = make::network(&format!("{prefix}-net"));
    run(engine, make::network_creation(prefix, &network)).await;
    let mut container = make::sleeper(&format!("{prefix}-a"));
    container.networks.insert(network.name, make::attached(&[]));
    make::up(engine, prefix, &container).await;
    let evidence = fails(engine, wait(&container, Probe::Tcp { port: 81 }, 1500)).await;
    assert!(evidence.probe.starts_with("connect to :81 → "), "{evidence:?}");
    assert!(evidence.tries > 1, "{evidence:?}");
    let http = Probe::Http { port: 81, path: "/healthz".into() };
    let evidence = fails(engine, wait(&container, http, 400)).await;
    assert!(evidence.probe.starts_with("GET :81/healthz → "), "{evidence:?}");
    assert_eq!(evidence.process, "running");
}

pub async fn a_job_is_ready_when_done<E: Engine>(engine: &E, prefix: &str) {
    let container = make::scripted(&format!("{prefix}-a"), "sleep 1");
    make::up(engine, prefix, &container).await;
    twice(engine, wait(&container, Probe::Exit, 10_000)).await;
}

pub async fn a_job_that_fails_is_told_with_its_log<E: Engine>(engine: &E, prefix: &str) {
    // The two streams are logged each at its own pace.
    let script =
        "for i in $(seq 30); do echo line $i; done; sleep 0.5; echo no database >&2; exit 7";
    let container = make::scripted(&format!("{prefix}-a"), script);
    make::up(engine, prefix, &container).await;
    let begun = Instant::now();
    let evidence = fails(engine, wait(&container, Probe::Exit, 60_000)).await;
    assert!(begun.elapsed().as_secs() < 20);
    assert_eq!(evidence.process, "exit 7, not out of memory");
    assert_eq!(evidence.log.len(), 20);
    assert!(evidence.log.contains(&"no database".to_owned()), "{evidence:?}");
}

pub async fn a_crash_loop_is_not_waited_for<E: Engine>(engine: &E, prefix: &str) {
    let mut container = make::scripted(&format!("{prefix}-a"), "echo crashed; exit 1");
    container.restart = Restart::Always;
    make::up(engine, prefix, &container).await;
    let begun = Instant::now();
    let probe = Probe::Exec(words(&["false"]));
    let evidence = fails(engine, wait(&container, probe, 120_000)).await;
    assert!(begun.elapsed().as_secs() < 40);
    assert!(evidence.process.contains("restarts"), "{evidence:?}");
    assert_eq!(evidence.log.last().unwrap(), "crashed");
}

pub async fn one_never_started_is_not_waited_for<E: Engine>(engine: &E, prefix: &str) {
    let container = make::sleeper(&format!("{prefix}-a"));
    run(engine, make::creation(prefix, &container)).await;
    let evidence = fails(engine, wait(&container, Probe::Image, 60_000)).await;
    assert_eq!((evidence.process.as_str(), evidence.tries), ("created", 1));
}

pub async fn time_runs_out<E: Engine>(engine: &E, prefix: &str) {
    let container = make::sleeper(&format!("{prefix}-a"));
    make::up(engine, prefix, &container).await;
    let probe = Probe::Exec(words(&["sh", "-c", "echo warming up; exit 4"]));
    let evidence = fails(engine, wait(&container, probe, 700)).await;
    assert_eq!(evidence.probe, "sh -c echo warming up; exit 4 → exit 4: warming up");
    let missing = Probe::Exec(words(&["no-such-program"]));
    let evidence = fails(engine, wait(&container, missing, 300)).await;
    assert!(evidence.probe.contains("no-such-program"), "{evidence:?}");
}

pub async fn an_image_without_a_check_is_ready_at_once<E: Engine>(engine: &E, prefix: &str) {
    let container = make::sleeper(&format!("{prefix}-a"));
    make::up(engine, prefix, &container).await;
    run(engine, wait(&container, Probe::Image, 1000)).await;
    let ended = make::scripted(&format!("{prefix}-b"), "exit 0");
    make::up(engine, prefix, &ended).await;
    run(engine, wait(&ended, Probe::Exit, 10_000)).await;
    let evidence = fails(engine, wait(&ended, Probe::Image, 60_000)).await;
    assert_eq!(evidence.process, "exit 0, not out of memory");
}

pub async fn the_check_of_an_image_is_asked_at_once<E: Engine>(engine: &E, prefix: &str) {
    let image = format!("{prefix}/checked:1");
    let recipe = format!(
        "FROM {IMAGE}\nHEALTHCHECK --interval=1h CMD test -e /ready || {{ echo not yet; false; }}\n"
    );
    let build = Build {
        context: BuildContext::Recipe([("Dockerfile".to_owned(), recipe)].into()),
        digest: Digest::of(b"checked"),
        args: BTreeMap::new(),
        effort: String::new(),
    };
    run(engine, Op::Build { image: image.parse().unwrap(), build }).await;
    let script = "sleep 1; touch /ready; sleep 1000";
    let mut container = make::scripted(&format!("{prefix}-a"), script);
    container.image = image.parse().unwrap();
    make::up(engine, prefix, &container).await;
    let evidence = fails(engine, wait(&container, Probe::Image, 100)).await;
    assert!(evidence.probe.ends_with("→ exit 1: not yet"), "{evidence:?}");
    run(engine, wait(&container, Probe::Image, 20_000)).await;
    run(engine, Op::RemoveContainer(named(&container.name))).await;
    super::docker::remove_image(&image).await;
}

pub async fn without_a_shell_the_own_check_is_asked<E: Engine>(engine: &E, prefix: &str) {
    let image = format!("{prefix}/bare:1");
    let build = Build {
        context: BuildContext::Recipe(
            [("Dockerfile".to_owned(), format!("FROM {IMAGE}\nRUN rm /bin/sh\n"))].into(),
        ),
        digest: Digest::of(b"bare"),
        args: BTreeMap::new(),
        effort: String::new(),
    };
    run(engine, Op::Build { image: image.parse().unwrap(), build }).await;
    let up = async |name: &str, check: Option<&str>| {
        let mut container = make::sleeper(&format!("{prefix}-{name}"));
        container.image = image.parse().unwrap();
        container.command = Some(words(&["sleep", "1000"]));
        container.health = check.map(|check| HealthCheck {
            test: words(&[check]),
            interval: Millis(3_600_000),
            timeout: Millis(5_000),
            retries: 3,
            start_period: Millis(0),
        });
        make::up(engine, prefix, &container).await;
        container
    };
    // It is on no network, so there is no other way to ask.
    let http = || Probe::Http { port: 81, path: "/healthz".into() };
    let (good, bad) = (up("good", Some("true")).await, up("bad", Some("false")).await);
    run(engine, wait(&good, http(), 10_000)).await;
    run(engine, wait(&good, Probe::Tcp { port: 81 }, 10_000)).await;
    let evidence = fails(engine, wait(&bad, http(), 500)).await;
    assert!(evidence.probe.starts_with("GET :81/healthz → exit 1"), "{evidence:?}");
    for container in [good, bad] {
        run(engine, Op::RemoveContainer(named(&container.name))).await;
    }
    super::docker::remove_image(&image).await;
}
