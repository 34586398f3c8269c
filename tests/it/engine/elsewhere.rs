//! The contract on engines that are reached by another way, and on one that is not Docker.
//!
//! Of each is asked every time what its way or its dialect could break; all of it with
//! `NSELF_TEST_ENGINES=all`.

use futures_util::{StreamExt as _, stream};
use nself::engine::docker::Docker;

use super::{contract, podman, ssh, tls, with_prefix};

/// Requests with bodies, streams both ways, answers that take their time.
const WAY: [&str; 6] = [
    "networks::making_one_twice_keeps_it",
    "files::a_set_is_written_switched_and_seen",
    "files::a_check_runs_inside",
    "images::a_failed_build_says_where",
    "locks::one_holds_it",
    "ready::a_job_that_fails_is_told_with_its_log",
];

/// What Podman says and does in its own manner.
const DIALECT: [&str; 16] = [
    "fields::every_field_reads_back",
    "fields::a_plain_container_reads_back",
    "fields::what_an_image_declares_is_its_own",
    "containers::one_with_other_labels_is_replaced",
    "containers::starting_and_stopping_twice_is_once",
    "containers::limits_change_in_place_or_are_refused",
    "containers::a_user_writes_where_memory_is_mounted",
    "networks::one_with_containers_is_removed",
    "networks::places_are_taken_and_left",
    "networks::a_name_leads_to_its_container",
    "volumes::the_memory_is_the_latest",
    "files::a_set_is_written_switched_and_seen",
    "ready::a_port_that_answers_is_ready",
    "ready::a_crash_loop_is_not_waited_for",
    "ready::without_a_shell_the_own_check_is_asked",
    "locks::one_holds_it",
];

/// Obligations under way at once.
const AT_ONCE: usize = 4;

async fn owes(engine: Docker, always: &[&str]) {
    let all = std::env::var("NSELF_TEST_ENGINES").is_ok_and(|which| which == "all");
    let mut obligations = contract();
    for name in always {
        assert!(obligations.iter().any(|(it, _)| it == name), "{name} is no obligation");
    }
    obligations.retain(|(name, _)| all || always.contains(name));
    let failed = stream::iter(obligations).map(|(name, obligation)| {
        let engine = engine.clone();
        async move {
            let kept = tokio::spawn(with_prefix(engine, obligation)).await;
            kept.err().map(|_| name)
        }
    });
    let failed = failed.buffer_unordered(AT_ONCE).filter_map(std::future::ready);
    let failed: Vec<&str> = failed.collect().await;
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_behind_a_port_owes_the_same() {
    owes(tls::plain_engine().await, &WAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_behind_tls_owes_the_same() {
    owes(tls::engine().await, &WAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_of_another_machine_owes_the_same() {
    owes(ssh::engine().await, &WAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn podman_owes_the_same() {
    owes(podman::engine().await, &DIALECT).await;
}
