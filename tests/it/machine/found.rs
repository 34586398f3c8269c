//! Stories that went wrong once, each as short as it gets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::Config;
use proptest_state_machine::StateMachineTest as _;

use super::{
    Machine,
    file::{Edit, File, Name, Service, Tag},
    sim::OnSim,
    story::{Act, Aim, Fate, State, Stranger, Transition, Way},
};

fn service(job: bool) -> Service {
    let needs = BTreeSet::new();
    Service { tag: Tag::One, level: 0, memory: None, keeps: None, port: None, needs, job }
}

fn pass(aim: Aim) -> Transition {
    Transition::Pass(Way { aim, release: false, fate: Fate::Lives })
}

fn tell(service: Service, events: Vec<Transition>) {
    let file = File(BTreeMap::from([(Name::Web, service)]));
    let state = State { file, down: false };
    Machine::<OnSim>::test_sequential(Config::default(), state, events, None);
}

#[test]
fn stopping_does_no_job_that_is_due() {
    tell(service(true), vec![pass(Aim::Stop(BTreeSet::new()))]);
    let level = Transition::Edit(Edit::Level(Name::Web, 1));
    let stop = pass(Aim::Stop(BTreeSet::new()));
    tell(service(true), vec![pass(Aim::Apply), level, stop]);
}

#[test]
fn somebody_else_at_the_name_of_a_successor_stays() {
    let stranger = Transition::Act(Act::Stranger(Stranger::AtNext(Name::Web)));
    let level = Transition::Edit(Edit::Level(Name::Web, 1));
    let apply = || pass(Aim::Apply);
    tell(service(false), vec![apply(), stranger, level, apply()]);
}
