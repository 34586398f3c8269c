//! Stories that went wrong once, each as short as it gets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::Config;
use proptest_state_machine::StateMachineTest as _;

use super::{
    Machine,
    file::{Edit, File, Keeps, Name, Service, Tag},
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

#[test]
fn the_volume_of_what_is_stopped_is_not_removed() {
    let keeps = Service { keeps: Some(Keeps::Data), ..service(false) };
    let lets_go = || Transition::Edit(Edit::Keeps(Name::Web, None));
    let stop = || pass(Aim::Stop(BTreeSet::new()));
    let released = |aim| Transition::Pass(Way { aim, release: true, fate: Fate::Lives });
    tell(keeps.clone(), vec![pass(Aim::Apply), lets_go(), stop(), released(Aim::Apply)]);
    let start = released(Aim::Start(BTreeSet::new()));
    tell(keeps, vec![pass(Aim::Apply), stop(), lets_go(), start]);
}

#[test]
fn a_lock_is_left_to_those_who_have_something_to_do() {
    // Until one of these calls is that which gives it back.
    for call in 0..40 {
        let fate = Fate::LosesEngine { call, done: false };
        let lost = Transition::Pass(Way { aim: Aim::Apply, release: false, fate });
        tell(service(false), vec![lost, pass(Aim::Apply)]);
    }
}

#[test]
fn a_job_that_is_done_was_ended_by_nobody() {
    let is_a_service = Transition::Edit(Edit::Job(Name::Web, false));
    tell(service(true), vec![pass(Aim::Apply), is_a_service, Transition::Plan]);
}

#[test]
fn of_what_is_destroyed_nothing_is_remembered() {
    tell(service(false), vec![pass(Aim::Restart(BTreeSet::new())), pass(Aim::Destroy)]);
}

#[test]
fn a_job_that_is_adopted_while_it_runs_is_waited_for() {
    let start = Transition::Act(Act::Start(Name::Web));
    let unlabel = Transition::Act(Act::Unlabel(Name::Web));
    let adopt = Transition::Pass(Way { aim: Aim::Apply, release: true, fate: Fate::Lives });
    tell(service(true), vec![pass(Aim::Apply), start, unlabel, adopt]);
}

#[test]
fn of_two_tags_of_one_image_either_will_do() {
    let tag = Transition::Act(Act::MoveTag(Tag::One, 1));
    let two = Transition::Edit(Edit::Tag(Name::Web, Tag::Two));
    tell(service(false), vec![tag, pass(Aim::Apply), two]);
}

#[test]
fn a_restart_puts_nothing_else_right() {
    let memory = Transition::Edit(Edit::Memory(Name::Web, Some(0)));
    let restart = pass(Aim::Restart(BTreeSet::new()));
    tell(service(false), vec![pass(Aim::Apply), memory, restart, Transition::Plan]);
}

#[test]
fn what_is_paused_hands_over_its_port() {
    let api = Service { needs: BTreeSet::from([Name::Web]), ..service(false) };
    let web = Service { port: Some(1), needs: BTreeSet::from([Name::Api]), ..service(false) };
    let file = File(BTreeMap::from([(Name::Api, api), (Name::Web, web)]));
    let pause = Transition::Act(Act::Pause(Name::Web));
    let port = Transition::Edit(Edit::Port(Name::Api, Some(1)));
    let events = vec![pass(Aim::Apply), pause, port];
    Machine::<OnSim>::test_sequential(Config::default(), State { file, down: false }, events, None);
}

#[test]
fn stopping_takes_nobody_elses_place() {
    let stranger = Transition::Act(Act::Stranger(Stranger::AtName(Name::Web)));
    let aim = Aim::Stop(BTreeSet::new());
    let stop = Transition::Pass(Way { aim, release: true, fate: Fate::Lives });
    tell(service(false), vec![stranger, stop]);
}
