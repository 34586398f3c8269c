//! What every engine owes: the same obligations for each, so that a simulated one cannot drift from the
//! truth. An engine that is missing is a failure, not a skip.

pub(crate) mod companion;
mod containers;
mod docker;
mod elsewhere;
mod facts;
mod fields;
mod files;
mod images;
mod locks;
mod make;
mod networks;
mod podman;
mod ready;
mod refusals;
mod ssh;
mod tls;
mod volumes;

use std::{collections::BTreeMap, future::Future, pin::Pin};

use nself::{
    engine::{Engine, Error, Lock, Refusal, docker::Docker, sim::Sim},
    model::{ImageRef, Keyring, ResourceId, SecretName, Sensitive},
    observed::{Observed, Request, SeenContainer, label},
    plan::{Op, Target},
};

/// The one image that the machine has.
const IMAGE: &str = "debian:bookworm-slim";
/// The value of the secret `password`.
const PASSWORD: &str = "correct-horse-battery";

/// One of the contract, on an engine that is spoken to.
type Obligation = fn(Docker, String) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Declares obligations, runs each against the engines at hand, and makes a list of all for the others.
macro_rules! contract {
    (everywhere: $($room:ident { $($name:ident)+ })+;
     for_real: $($real:ident { $($really:ident)+ })+;) => {
        contract!(@ on_sim sim_engine $($room { $($name)+ })+);
        contract!(@ on_docker docker_engine $($room { $($name)+ })+);
        contract!(@ for_real_on_docker docker_engine $($real { $($really)+ })+);
        fn contract() -> Vec<(&'static str, Obligation)> {
            vec![
                $($(contract!(# $room $name),)+)+
                $($(contract!(# $real $really),)+)+
            ]
        }
    };
    (# $room:ident $name:ident) => {
        (concat!(stringify!($room), "::", stringify!($name)), |engine, prefix| {
            Box::pin(async move { $room::$name(&engine, &prefix).await })
        })
    };
    (@ $module:ident $engine:ident $($room:ident { $($name:ident)+ })+) => {
        mod $module {
            $(mod $room {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let engine = super::super::$engine().await;
                    super::super::with_prefix(engine, |engine, prefix| async move {
                        super::super::$room::$name(&engine, &prefix).await;
                    })
                    .await;
                })+
            })+
        }
    };
}

contract! {
    everywhere:
    fields {
        every_field_reads_back
        a_plain_container_reads_back
        labels_of_ours_are_not_fields
    }
    containers {
        making_one_twice_keeps_it
        one_with_other_labels_is_replaced
        a_name_of_somebody_else_is_refused
        starting_and_stopping_twice_is_once
        what_is_gone_is_removed
        renaming_is_done_once
        limits_change_in_place_or_are_refused
        ports_of_others_are_seen_and_refused
        a_missing_secret_is_named
        a_foreign_one_is_seen_only_when_named
        a_missing_container_is_not_found
    }
    networks {
        making_one_twice_keeps_it
        a_name_of_somebody_else_is_refused
        one_with_containers_is_removed
        places_are_taken_and_left
        fixed_subnets_are_seen_and_others_are_not
        a_missing_network_is_refused
        several_are_there_before_the_first_start
    }
    volumes {
        making_one_twice_keeps_it
        other_options_are_refused
        one_in_use_is_refused
        a_name_of_somebody_else_is_refused
        the_memory_is_the_latest
        projects_called_alike_remember_apart
    }
    files {
        a_set_is_written_switched_and_seen
        a_set_that_was_not_written_is_not_switched_to
        there_is_nothing_to_see_before_the_first_set
    }
    images {
        a_missing_image_is_refused
    }
    ready {
        one_never_started_is_not_waited_for
        an_image_without_a_check_is_ready_at_once
    }
    locks {
        one_holds_it
        the_dead_hold_nothing
        giving_back_twice_is_once
        it_is_taken_from_the_one_who_has_it
    };
    // What these ask for is a process that runs, or an image with something in it.
    for_real:
    fields {
        what_an_image_declares_is_its_own
    }
    containers {
        secrets_arrive_and_are_not_told
        nameless_volumes_are_carried_over
        a_signal_arrives
        a_user_writes_where_memory_is_mounted
    }
    networks {
        a_name_leads_to_its_container
    }
    files {
        old_sets_go_and_the_last_stays
        a_check_runs_inside
    }
    images {
        a_build_is_labelled_and_used
        a_failed_build_says_where
    }
    ready {
        a_command_that_succeeds_is_ready
        a_port_that_answers_is_ready
        a_job_is_ready_when_done
        a_job_that_fails_is_told_with_its_log
        a_crash_loop_is_not_waited_for
        time_runs_out
        the_check_of_an_image_is_asked_at_once
        without_a_shell_the_own_check_is_asked
    };
}

/// Everything the contract asks of an engine.
trait Tested: Engine + Lock + Clone + Send + Sync + 'static {}
impl<E: Engine + Lock + Clone + Send + Sync + 'static> Tested for E {}

fn keyring() -> Keyring {
    let name = SecretName::new("password").unwrap();
    let values = BTreeMap::from([(name, Sensitive::new(PASSWORD))]);
    Keyring::new(Some(Sensitive::new("key")), values)
}

async fn docker_engine() -> Docker {
    Docker::connect("unix:///var/run/docker.sock", keyring()).await.expect("a Docker engine")
}

async fn sim_engine() -> Sim {
    let sim = Sim::new(keyring());
    let image: ImageRef = IMAGE.parse().unwrap();
    run(&sim, Op::Pull { image: image.clone(), from: image }).await;
    sim
}

/// Runs an obligation under names of its own and removes whatever it made, also when it failed.
async fn with_prefix<E: Tested, F: Future<Output = ()> + Send + 'static>(
    engine: E,
    obligation: impl FnOnce(E, String) -> F,
) {
    let number = std::time::SystemTime::now();
    let number = number.duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    let prefix = format!("nct{:x}{:x}", std::process::id(), number);
    let outcome = tokio::spawn(obligation(engine.clone(), prefix.clone())).await;
    for project in [prefix.clone(), other_project(&prefix)] {
        clean(&engine, &prefix, &project).await;
    }
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure.into_panic());
    }
}

async fn clean<E: Tested>(engine: &E, prefix: &str, project: &str) {
    let request = Request { project_id: project.to_owned(), ..Request::default() };
    let seen = engine.observe(&request).await.unwrap();
    for container in &seen.containers {
        let target = Target::Id { id: container.id.clone(), name: container.name.clone() };
        engine.execute(&Op::RemoveContainer(target)).await.unwrap();
        for volume in container.anonymous.values() {
            engine.execute(&Op::RemoveVolume { name: volume.clone() }).await.unwrap();
        }
    }
    for network in &seen.networks {
        engine.execute(&Op::RemoveNetwork { id: network.id.clone() }).await.unwrap();
    }
    for volume in &seen.volumes {
        engine.execute(&Op::RemoveVolume { name: volume.name.clone() }).await.unwrap();
    }
    engine.execute(&forgetting(prefix, project)).await.unwrap();
}

/// What makes a project forget.
fn forgetting(prefix: &str, project: &str) -> Op {
    let labels = BTreeMap::from([(label::PROJECT.to_owned(), project.to_owned())]);
    Op::RemoveRecord { prefix: prefix.to_owned(), labels }
}

/// The project id of somebody else's objects.
fn other_project(prefix: &str) -> String {
    format!("{prefix}-other")
}

/// The labels of an object of ours.
fn labels(prefix: &str, resource: &ResourceId) -> BTreeMap<String, String> {
    BTreeMap::from([
        (label::PROJECT.to_owned(), prefix.to_owned()),
        (label::RESOURCE.to_owned(), resource.to_string()),
    ])
}

async fn run<E: Engine>(engine: &E, op: Op) {
    if let Err(error) = engine.execute(&op).await {
        use std::error::Error as _;
        panic!("{op:?}\n{error}: {:?}\n{error:?}", error.source().map(ToString::to_string));
    }
}

async fn twice<E: Engine>(engine: &E, op: Op) {
    run(engine, op.clone()).await;
    run(engine, op).await;
}

/// Does what must be refused and returns how.
async fn refused<E: Engine>(engine: &E, op: Op) -> Refusal {
    match engine.execute(&op).await {
        Err(Error::Refused { kind, .. }) => kind,
        other => panic!("{op:?} should be refused, and is {other:?}"),
    }
}

fn request(prefix: &str) -> Request {
    Request {
        project_id: prefix.to_owned(),
        prefix: prefix.to_owned(),
        images: [IMAGE.parse().unwrap()].into(),
        built_images: true,
        ..Request::default()
    }
}

async fn look<E: Engine>(engine: &E, prefix: &str) -> Observed {
    engine.observe(&request(prefix)).await.unwrap()
}

async fn look_at<E: Engine>(engine: &E, prefix: &str, name: &str) -> SeenContainer {
    let seen = look(engine, prefix).await;
    let found = seen.containers.into_iter().find(|container| container.name == name);
    found.unwrap_or_else(|| panic!("no container {name}"))
}

fn named(name: &str) -> Target {
    Target::Name(name.to_owned())
}
