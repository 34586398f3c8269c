//! The loop, over the simulated engine and a repository that is a list.

mod rig;

use nself::{
    desired::Field,
    observed::State,
    sync::{CommitState, Phase, Result, Subject, Sync, Turn},
};

use self::rig::{Act, Rig};

#[test]
fn a_push_is_brought_about_and_a_second_one_too() {
    Rig::default().run(async |rig| {
        rig.push("web:1").await;
        let status = rig.settle().await;
        assert_eq!(status.sync, Sync::InSync);
        assert_eq!(status.applied, status.head);
        assert_eq!(rig.image("web").as_deref(), Some("web:1"));
        rig.push("web:2").await;
        let status = rig.settle().await;
        assert_eq!(rig.image("web").as_deref(), Some("web:2"));
        assert_eq!(status.applied.unwrap().subject, "web:2");
        assert_eq!(
            rig.commits(),
            [("web:1", CommitState::Success), ("web:2", CommitState::Success)]
        );
    });
}

#[test]
fn what_it_does_itself_does_not_wake_it() {
    Rig::default().run(async |rig| {
        rig.push("web:1").await;
        let passes = rig.settle().await.passes;
        // A minute of quiet, in which it neither asks nor looks.
        rig.wait(50).await;
        assert_eq!(rig.status().passes, passes);
    });
}

#[test]
fn drift_is_healed_as_soon_as_it_is_heard_of() {
    Rig::default().run(async |rig| {
        rig.push("web:1").await;
        rig.settle().await;
        rig.tamper("web", State::Exited { code: 137, oom: false });
        rig.until("it runs again", |rig, _| rig.state("web") == Some(State::Running)).await;
        let status = rig.settle().await;
        assert_eq!((status.sync, status.last.unwrap().result), (Sync::InSync, Result::Nothing));
    });
}

#[test]
fn a_commit_that_does_not_become_ready_is_undone_and_stays_undone() {
    Rig::default().run(async |rig| {
        rig.push("web:1").await;
        rig.settle().await;
        rig.breaks("web:bad");
        rig.push("web:bad").await;
        let status = rig.until("it is condemned", |_, status| status.quarantine.is_some()).await;
        assert_eq!(status.quarantine.unwrap().revision.subject, "web:bad");
        let status = rig.settle().await;
        assert_eq!(status.sync, Sync::LastGood);
        assert_eq!(rig.image("web").as_deref(), Some("web:1"));
        assert!(rig.told(Subject::Quarantine), "{:?}", rig.notices());

        // It is not tried again, and what worked is looked after meanwhile.
        rig.tamper("web", State::Exited { code: 137, oom: false });
        rig.until("it runs again", |rig, _| rig.state("web") == Some(State::Running)).await;
        rig.wait(400).await;
        assert_eq!(rig.image("web").as_deref(), Some("web:1"));
        assert_eq!(rig.tries("web:bad"), 1);

        rig.push("web:2").await;
        let status = rig.settle().await;
        assert_eq!((status.quarantine, status.sync), (None, Sync::InSync));
        assert_eq!(rig.image("web").as_deref(), Some("web:2"));
    });
}

#[test]
fn a_person_may_have_it_tried_again() {
    Rig::default().run(async |rig| {
        rig.push("web:1").await;
        rig.settle().await;
        rig.breaks("web:bad");
        rig.push("web:bad").await;
        rig.until("it is condemned", |_, status| status.quarantine.is_some()).await;
        rig.mends("web:bad");
        rig.ask(Act::Retry);
        rig.until("it runs", |rig, _| rig.image("web").as_deref() == Some("web:bad")).await;
        assert_eq!(rig.settle().await.sync, Sync::InSync);
    });
}

#[test]
fn a_first_commit_that_fails_is_tried_three_times() {
    Rig::default().run(async |rig| {
        rig.breaks("web:bad");
        rig.push("web:bad").await;
        let status = rig.until("it is condemned", |_, status| status.quarantine.is_some()).await;
        assert_eq!(status.applied, None);
        assert_eq!(rig.waits(), 3);
    });
}

#[test]
fn a_file_that_is_wrong_touches_nothing() {
    Rig::default().run(async |rig| {
        rig.push("web:1").await;
        rig.settle().await;
        rig.push("web: no image").await;
        let status = rig.until("it is condemned", |_, status| status.quarantine.is_some()).await;
        assert!(status.quarantine.unwrap().why.starts_with("nself.toml:5: "));
        assert_eq!(rig.switched().last().map(String::as_str), Some("web:1"));
        rig.settle().await;
        assert_eq!(rig.image("web").as_deref(), Some("web:1"));
    });
}

#[test]
fn a_repository_that_is_away_stops_no_healing() {
    Rig::default().run(async |rig| {
        rig.push("web:1").await;
        rig.settle().await;
        rig.repository_is_away(true);
        rig.ask(Act::Look);
        let status = rig.until("it is in the way", |_, status| !status.trouble.is_empty()).await;
        assert!(status.trouble[0].contains("does not answer"), "{:?}", status.trouble);
        rig.tamper("web", State::Exited { code: 137, oom: false });
        rig.until("it runs again", |rig, _| rig.state("web") == Some(State::Running)).await;
        rig.repository_is_away(false);
        rig.until("it is over", |_, status| status.trouble.is_empty()).await;
        assert!(
            rig.notices()
                .iter()
                .any(|notice| notice.turn == Turn::Over && notice.subject == Subject::Trouble)
        );
    });
}

#[test]
fn an_engine_that_goes_away_and_comes_back_is_found_again() {
    Rig::default().run(async |rig| {
        rig.push("web:1").await;
        rig.settle().await;
        rig.engine_is_down(true);
        rig.until("it is in the way", |_, status| !status.trouble.is_empty()).await;
        rig.push("web:2").await;
        rig.wait(60).await;
        rig.engine_is_down(false);
        rig.until("it is there", |rig, _| rig.image("web").as_deref() == Some("web:2")).await;
        let status = rig.settle().await;
        assert_eq!((status.sync, status.quarantine), (Sync::InSync, None));
    });
}

#[test]
fn while_it_is_paused_it_reports_and_changes_nothing() {
    Rig::default().run(async |rig| {
        rig.push("web:1").await;
        rig.settle().await;
        rig.ask(Act::Pause);
        rig.until("it is paused", |_, status| status.pause.is_some()).await;
        rig.tamper_field("web", &Field::Memory.path(), "1073741824");
        rig.push("web:2").await;
        let status = rig.until("it is seen", |_, status| status.sync == Sync::OutOfSync).await;
        assert_eq!(status.pause.unwrap().why, "a demonstration");
        rig.wait(700).await;
        assert_eq!(rig.image("web").as_deref(), Some("web:1"));
        rig.ask(Act::Resume);
        rig.until("it goes on", |rig, _| rig.image("web").as_deref() == Some("web:2")).await;
    });
}

#[test]
fn where_it_only_reports_it_changes_nothing_and_says_what_moved_once() {
    Rig::default().run(async |rig| {
        rig.push("web:1").await;
        rig.settle().await;
        rig.push("web:1 only reported").await;
        rig.settle().await;
        for _ in 0..3 {
            rig.tamper("web", State::Exited { code: 137, oom: false });
            rig.wait(60).await;
        }
        let status = rig.status();
        assert_eq!(status.sync, Sync::OutOfSync);
        assert!(status.differences[0].is_drift, "{:?}", status.differences);
        assert_ne!(rig.state("web"), Some(State::Running));
        assert!(rig.told(Subject::Drift), "{:?}", rig.notices());
        // A commit is reported, too, and not said to run.
        rig.push("web:2 only reported").await;
        rig.wait(700).await;
        assert_eq!(rig.image("web").as_deref(), Some("web:1"));
        let status = rig.status();
        assert_eq!(
            status.applied.as_ref().map(|it| it.subject.as_str()),
            Some("web:1 only reported")
        );
        assert_eq!(status.last.as_ref().map(|last| last.result), Some(Result::Left));
        let told = rig.commits().last().copied();
        assert_eq!(told, Some(("web:2 only reported", CommitState::Pending)));
        // Until the file says that it may.
        rig.push("web:3").await;
        rig.until("it goes on", |rig, _| rig.image("web").as_deref() == Some("web:3")).await;
    });
}

#[test]
fn what_is_held_waits_for_a_word() {
    Rig::default().run(async |rig| {
        rig.push("web:1 with data").await;
        rig.settle().await;
        rig.push("web:1").await;
        let status = rig.until("it is held", |_, status| !status.held.is_empty()).await;
        rig.wait(700).await;
        assert!(rig.has_volume());
        let told = rig.notices();
        let held = told.iter().filter(|notice| notice.subject == Subject::Held).count();
        assert_eq!(held, status.held.len(), "{told:?}");
        assert_ne!(rig.status().applied, rig.status().head);
        for held in status.held {
            rig.ask(Act::Approve(held.release));
        }
        rig.until("it is gone", |rig, _| !rig.has_volume()).await;
        assert_eq!(rig.settle().await.sync, Sync::InSync);
    });
}

#[test]
fn a_death_at_any_call_is_gone_on_from() {
    for call in 0.. {
        let done = Rig::default().run(async |rig| {
            rig.push("web:1").await;
            rig.settle().await;
            rig.dies_at(call);
            rig.push("web:2").await;
            let died = rig.dead_or_settled().await;
            if died {
                rig.revive();
            }
            let status = rig.settle().await;
            assert_eq!(rig.image("web").as_deref(), Some("web:2"), "after a death at call {call}");
            assert_eq!((status.sync, status.quarantine), (Sync::InSync, None));
            !died
        });
        if done {
            assert!(call > 5, "there were calls to die at");
            return;
        }
    }
}

#[test]
fn asked_to_end_at_any_call_it_says_of_no_commit_that_it_runs_before_it_does() {
    for call in 0.. {
        let done = Rig::default().run(async |rig| {
            rig.push("web:1").await;
            rig.settle().await;
            rig.ends_at(call);
            rig.push("web:2").await;
            let ended = rig.ended_or_settled().await;
            if ended {
                let runs = rig.image("web").as_deref() == Some("web:2") && rig.is_alone("web");
                assert!(
                    runs || rig.remembered().as_deref() == Some("web:1"),
                    "ended at call {call}"
                );
                rig.revive();
            }
            let status = rig.settle().await;
            assert_eq!(rig.image("web").as_deref(), Some("web:2"));
            assert_eq!((status.sync, status.quarantine), (Sync::InSync, None));
            !ended
        });
        if done {
            assert!(call > 5, "there were calls to end at");
            return;
        }
    }
}

#[test]
fn five_hundred_pushes_in_a_minute_are_a_few_passes_and_the_last_one_wins() {
    Rig::default().run(async |rig| {
        rig.push("web:1").await;
        let before = rig.settle().await.passes;
        for number in 2..502 {
            rig.push(&format!("web:{number}")).await;
            rig.wait_ms(120).await;
        }
        let status = rig.settle().await;
        assert_eq!(rig.image("web").as_deref(), Some("web:501"));
        assert_eq!(status.sync, Sync::InSync);
        // Each second one that applies, and one that looks at what came of it.
        assert!(status.passes - before <= 2 * 62, "{} passes", status.passes - before);
    });
}

#[test]
fn it_ends_when_it_is_asked_to() {
    Rig::default().run(async |rig| {
        rig.push("web:1").await;
        rig.settle().await;
        rig.end().await;
        assert_eq!(rig.status().phase, Phase::Stopping);
    });
}
