//! A project's life as one long story: a person edits its file, others meddle with its engine, passes run,
//! die and run at the same time, and after each event everything is true that has to be.
//!
//! A story is drawn together with a small model of what is known, and told to the simulated engine and, a
//! few dozen events long, to a real one. One that fails is cut down to the events that matter and printed
//! as sentences. `NSELF_TEST_STORIES` asks for more of them, and `NSELF_TEST_SEED` draws others. What they
//! found is told again in every run of the tests.

mod docker;
mod file;
mod found;
mod ground;
mod hand;
mod rig;
mod sim;
mod story;
mod system;

use std::marker::PhantomData;

use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::{Config, RngAlgorithm, RngSeed, TestRng, TestRunner},
};
use proptest_state_machine::{ReferenceStateMachine as _, StateMachineTest, prop_state_machine};

use docker::OnDocker;
use ground::Ground;
use sim::OnSim;
use story::{State, Story, Transition};
use system::System;

struct Machine<G>(PhantomData<G>);

impl<G: Ground> StateMachineTest for Machine<G> {
    type SystemUnderTest = System<G>;
    type Reference = Story;

    fn init_test(state: &State) -> System<G> {
        System::new(state)
    }

    fn apply(mut system: System<G>, state: &State, transition: Transition) -> System<G> {
        system.happen(state, &transition);
        system
    }

    fn check_invariants(system: &System<G>, _: &State) {
        system.check();
    }

    fn teardown(mut system: System<G>, _: State) {
        system.end();
    }
}

fn stories() -> Config {
    let cases = asked_for();
    let rng_seed = RngSeed::Fixed(seed());
    Config {
        cases,
        rng_seed,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    }
}

/// Returns how many stories are asked for.
fn asked_for() -> u32 {
    let number = std::env::var("NSELF_TEST_STORIES").ok();
    number.map_or(STORIES, |number| number.parse().expect("a number of stories"))
}

/// Returns the seed of all that is drawn.
fn seed() -> u64 {
    let seed = std::env::var("NSELF_TEST_SEED").ok();
    seed.map_or(SEED, |seed| seed.parse().expect("a number"))
}

prop_state_machine! {
    #![proptest_config(stories())]

    #[test]
    fn whatever_happens_a_pass_ends_where_the_file_says(sequential 1..20 => Machine<OnSim>);
}

/// What stories are drawn from.
const SEED: u64 = 1;
/// How many stories every run of the tests hears, in some fifteen seconds.
const STORIES: u32 = 350;
/// How many events long the one is that the real engine hears.
const EVENTS: usize = 30;

#[test]
fn a_real_engine_hears_the_same_stories() {
    let seed = seed();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let story = Story::sequential_strategy(EVENTS).new_tree(&mut runner).unwrap();
    let (state, events, _) = story.current();
    let told = format!("the story of seed {seed}: {state:?} {events:#?}");
    let happened = std::panic::catch_unwind(|| {
        Machine::<OnDocker>::test_sequential(Config::default(), state, events, None);
    });
    assert!(happened.is_ok(), "{told}");
}
