//! What the loop decides and tells, over whole stories.

use proptest::prelude::*;

use super::*;

const MINUTE: u64 = 60_000;
const START: u64 = 1_000 * MINUTE;

fn revision(digit: char) -> Revision {
    Revision {
        commit: digit.to_string().repeat(40).parse().unwrap(),
        reference: "main".to_owned(),
        subject: format!("Change {digit}"),
        author: "Ada".to_owned(),
        at: 0,
    }
}

fn seen() -> Status {
    Status {
        project: "shop".to_owned(),
        sync: Sync::InSync,
        phase: Phase::Waiting,
        ..Status::default()
    }
}

fn service(name: &str, is_well: bool) -> ServiceState {
    let state = if is_well { "healthy" } else { "unhealthy" }.to_owned();
    ServiceState { name: name.to_owned(), state, is_well, restarts: 0, url: None }
}

fn web(is_well: bool) -> Status {
    Status { services: vec![service("web", is_well)], ..seen() }
}

fn told(notices: &[Notice]) -> Vec<(Turn, &str)> {
    notices.iter().map(|notice| (notice.turn, notice.title.as_str())).collect()
}

fn tell(ledger: &mut Ledger, status: &Status, now: u64) -> Vec<(Turn, String)> {
    let all = notices(ledger, status, now);
    told(&all).into_iter().map(|(turn, title)| (turn, title.to_owned())).collect()
}

#[test]
fn each_thing_is_told_once_and_once_more_when_it_is_over() {
    let mut ledger = Ledger::default();
    let begun = notices(&mut ledger, &web(false), START);
    assert_eq!(told(&begun), [(Turn::Begun, "shop: web is unhealthy")]);
    assert_eq!(begun[0].lines, ["nself logs web"]);
    for later in 1..100 {
        assert!(notices(&mut ledger, &web(false), START + later * MINUTE).is_empty());
    }
    let over = notices(&mut ledger, &web(true), START + 100 * MINUTE);
    assert_eq!(told(&over), [(Turn::Over, "shop: over: web is unhealthy")]);
    assert_eq!((over[0].since, over[0].at), (START, START + 100 * MINUTE));
    assert!(notices(&mut ledger, &web(true), START + 101 * MINUTE).is_empty());
    assert!(notices(&mut ledger, &web(true), START + 111 * MINUTE).is_empty());
    assert!(ledger.told.is_empty(), "what is over is forgotten");
}

#[test]
fn nothing_is_called_over_while_it_cannot_be_seen() {
    let mut ledger = Ledger::default();
    notices(&mut ledger, &web(false), START);
    let away = Status { trouble: vec!["the engine does not answer".to_owned()], ..seen() };
    assert_eq!(
        tell(&mut ledger, &away, START + 1),
        [(Turn::Begun, "shop: the engine does not answer".to_owned())]
    );
    // A loop that has just started has no trouble, and has not looked either.
    assert!(notices(&mut ledger, &Status::default(), START + 2).is_empty());
    let other = Status { trouble: vec!["the repository is away".to_owned()], ..Status::default() };
    assert_eq!(
        notices(&mut ledger, &other, START + 3).iter().map(|one| one.turn).collect::<Vec<_>>(),
        [Turn::Begun, Turn::Over]
    );
    let back = tell(&mut ledger, &web(false), START + 4);
    assert_eq!(back, [(Turn::Over, "shop: over: the repository is away".to_owned())]);
    let well = tell(&mut ledger, &web(true), START + 5);
    assert_eq!(well, [(Turn::Over, "shop: over: web is unhealthy".to_owned())]);
}

#[test]
fn a_pause_and_a_quarantine_end_whatever_can_be_seen() {
    let pause = Pause { who: "Ada".to_owned(), why: "moving".to_owned(), since: 7 };
    let mut ledger = Ledger { pause: Some(pause.clone()), ..Ledger::default() };
    ledger.condemn(&revision('b'), "web did not become ready", START);
    let mut status = Status {
        pause: Some(pause),
        quarantine: ledger.quarantine.clone(),
        head: Some(revision('b')),
        ..seen()
    };
    assert_eq!(
        tell(&mut ledger, &status, START),
        [
            (
                Turn::Begun,
                "shop: main@bbbbbbb failed and was undone: web did not become ready".to_owned()
            ),
            (Turn::Begun, "shop: paused by Ada: moving".to_owned()),
        ]
    );
    let trouble = Status { trouble: vec!["away".to_owned()], ..Status::default() };
    assert_eq!(tell(&mut ledger, &trouble, START).len(), 1, "both are in the ledger still");
    ledger.pause = None;
    ledger.find(&revision('c'));
    status.head = Some(revision('c'));
    (status.pause, status.quarantine, status.trouble) = (None, None, trouble.trouble);
    let turns: Vec<_> =
        tell(&mut ledger, &status, START).into_iter().map(|(turn, _)| turn).collect();
    assert_eq!(turns, [Turn::Over, Turn::Over]);
}

#[test]
fn what_comes_and_goes_is_said_to_once() {
    let mut ledger = Ledger::default();
    let (mut all, mut now) = (Vec::new(), START);
    for _ in 0..50 {
        all.extend(tell(&mut ledger, &web(false), now));
        all.extend(tell(&mut ledger, &web(true), now + 5_000));
        now += 10_000;
    }
    let (begun, over) =
        ("shop: web is unhealthy".to_owned(), "shop: over: web is unhealthy".to_owned());
    let once = [(Turn::Begun, begun.clone()), (Turn::Over, over.clone())];
    let flaps = "shop: comes and goes, 4 times in 10 min: web is unhealthy".to_owned();
    let mut expected: Vec<_> = once.iter().cloned().cycle().take(6).collect();
    expected.push((Turn::Flapping, flaps));
    assert_eq!(all, expected);
    // Its end is told once it has been quiet for long enough, though nothing happens then.
    let last = now - 5_000;
    assert_eq!(due(&ledger), Some(last + 10 * MINUTE));
    assert!(notices(&mut ledger, &web(true), last + 10 * MINUTE - 1).is_empty());
    assert_eq!(tell(&mut ledger, &web(true), last + 10 * MINUTE), [(Turn::Over, over)]);
    assert_eq!((due(&ledger), ledger.told.is_empty()), (None, true));
    let again = tell(&mut ledger, &web(false), last + 11 * MINUTE);
    assert_eq!(again, [(Turn::Begun, begun)]);
}

#[test]
fn what_came_and_went_and_then_stays_is_told() {
    let mut ledger = Ledger::default();
    for step in 0..9 {
        notices(&mut ledger, &web(step % 2 == 1), START + step * 1_000);
    }
    let last = START + 8_000;
    assert!(notices(&mut ledger, &web(false), last + 9 * MINUTE).is_empty());
    let stays = tell(&mut ledger, &web(false), last + 10 * MINUTE);
    assert_eq!(stays, [(Turn::Begun, "shop: web is unhealthy".to_owned())]);
    assert!(notices(&mut ledger, &web(false), last + 99 * MINUTE).is_empty());
}

#[test]
fn a_clock_that_is_moved_back_makes_no_endless_silence() {
    let mut ledger = Ledger::default();
    for step in 0..9 {
        notices(&mut ledger, &web(step % 2 == 1), START + step);
    }
    let back = START - 900 * MINUTE;
    assert!(notices(&mut ledger, &web(false), back).is_empty());
    assert_eq!(due(&ledger), Some(back + 10 * MINUTE));
    assert_eq!(tell(&mut ledger, &web(false), back + 10 * MINUTE).len(), 1);
    assert_eq!(
        tell(&mut ledger, &web(true), 0),
        [(Turn::Over, "shop: over: web is unhealthy".to_owned())]
    );
}

#[test]
fn many_of_one_kind_are_one_notice() {
    let mut ledger = Ledger::default();
    let all = |is_well| {
        let services = (0..200).map(|index| service(&format!("s{index}"), is_well)).collect();
        Status { services, ..seen() }
    };
    let down = notices(&mut ledger, &all(false), START);
    assert_eq!(told(&down), [(Turn::Begun, "shop: 200 services not well")]);
    assert_eq!((down[0].lines.len(), down[0].lines[0].as_str()), (200, "s0 is unhealthy"));
    assert!(notices(&mut ledger, &all(false), START).is_empty());
    let up = notices(&mut ledger, &all(true), START);
    assert_eq!(told(&up), [(Turn::Over, "shop: over: 200 services not well")]);
}

#[test]
fn a_revision_is_announced_once_also_over_a_restart() {
    let mut ledger = Ledger::default();
    let runs = |digit| Status { applied: Some(revision(digit)), ..seen() };
    let first = tell(&mut ledger, &runs('a'), START);
    assert_eq!(first, [(Turn::Begun, "shop: runs main@aaaaaaa: Change a".to_owned())]);
    let mut ledger = Ledger::read(&ledger.to_text()).unwrap();
    assert!(notices(&mut ledger, &runs('a'), START).is_empty());
    assert_eq!(notices(&mut ledger, &runs('b'), START).len(), 1);
    assert_eq!(notices(&mut ledger, &runs('a'), START).len(), 1, "somebody went back");
}

#[test]
fn a_quarantine_is_about_one_commit() {
    let mut ledger = Ledger::default();
    let (good, bad, fix) = (revision('a'), revision('b'), revision('c'));
    assert_eq!(aim(&ledger, &bad), Aim::Head(bad.clone()));
    ledger.condemn(&bad, "why", 1);
    assert_eq!(aim(&ledger, &bad), Aim::Nothing);
    ledger.succeed(&good);
    assert_eq!(aim(&ledger, &bad), Aim::LastGood(good.clone()));
    assert!(ledger.is_quarantined(&bad.commit), "the last good one runs, which mends nothing");
    assert_eq!(aim(&ledger, &fix), Aim::Head(fix.clone()));
    assert_eq!(aim(&ledger, &good), Aim::Head(good.clone()), "a push of the one before");
    ledger.find(&bad);
    assert!(ledger.quarantine.is_some());
    ledger.find(&fix);
    assert_eq!(ledger.quarantine, None);
    // What was good once fails now: there is nothing to go back to.
    ledger.condemn(&good, "why", 1);
    assert_eq!(aim(&ledger, &good), Aim::Nothing);
}

#[test]
fn trials_of_one_revision_are_counted() {
    let mut ledger = Ledger::default();
    assert_eq!((ledger.begin(&revision('a')), ledger.begin(&revision('a'))), (1, 2));
    assert_eq!(ledger.begin(&revision('b')), 1);
    ledger.succeed(&revision('b'));
    assert_eq!(ledger.begin(&revision('b')), 1);
}

#[test]
fn leave_is_given_by_person_mode_and_window_in_this_order() {
    let free = Ledger::default();
    let pause = Pause { who: "Ada".to_owned(), why: String::new(), since: 0 };
    let paused = Ledger { pause: Some(pause), ..Ledger::default() };
    assert_eq!(leave(&free, Mode::Heal, None), Leave::Given);
    assert_eq!(leave(&free, Mode::Heal, Some(Ok(()))), Leave::Given);
    assert_eq!(leave(&free, Mode::Heal, Some(Err(Some(9)))), Leave::Closed(Some(9)));
    assert_eq!(leave(&free, Mode::Detect, Some(Ok(()))), Leave::Detect);
    assert_eq!(leave(&paused, Mode::Detect, None), Leave::Paused);
}

#[test]
fn what_a_newer_nself_wrote_is_refused_by_its_form() {
    let newer = Ledger::read(r#"{"form": 2, "told": ["in another shape"]}"#).unwrap_err();
    assert!(matches!(newer, Unreadable::Newer { found: 2 }));
    assert!(matches!(Ledger::read("{\"form\": 1"), Err(Unreadable::Damaged(_))));
    assert!(matches!(Ledger::read("{}"), Err(Unreadable::Damaged(_))));
    let mut ledger = Ledger::default();
    notices(&mut ledger, &web(false), START);
    ledger.condemn(&revision('a'), "why", 3);
    assert_eq!(Ledger::read(&ledger.to_text()).unwrap(), ledger);
}

#[test]
fn a_commit_is_told_of_what_is_known_of_it() {
    let head = Some(revision('b'));
    let state = |status: Status| commit_state(&status).map(|(_, state, _)| state);
    let last = |result| {
        let line = "line".to_owned();
        Some(LastPass { causes: Vec::new(), at: 0, took_ms: 0, result, line })
    };
    assert_eq!(state(Status { last: last(Result::Failed), ..seen() }), None);
    let failed = Status { head: head.clone(), last: last(Result::Failed), ..seen() };
    assert_eq!(state(failed.clone()), Some(CommitState::Failure));
    // The head has moved since, and the pass was over the one before.
    assert_eq!(state(Status { phase: Phase::Looking, ..failed.clone() }), None);
    let applying = Status { phase: Phase::Applying, ..failed };
    assert_eq!(state(applying), Some(CommitState::Pending));
    let good = Status { head: head.clone(), applied: head.clone(), ..seen() };
    assert_eq!(state(good.clone()), Some(CommitState::Success));
    let mut ledger = Ledger::default();
    ledger.condemn(&revision('b'), "why", 3);
    let bad = Status { quarantine: ledger.quarantine, ..good };
    assert_eq!(state(bad), Some(CommitState::Failure));
    assert_eq!(
        state(Status { head, last: last(Result::Left), ..seen() }),
        Some(CommitState::Pending)
    );
}

proptest! {
    #[test]
    fn delays_grow_to_the_longest_and_chance_takes_at_most_a_fifth(
        chances in prop::collection::vec(any::<u8>(), 1..80),
    ) {
        let (mut backoff, mut full) = (Backoff::default(), 2_000_u64);
        for (index, chance) in chances.iter().enumerate() {
            let delay = backoff.failed(*chance).0;
            prop_assert!(delay <= full && delay >= full - full / 5, "{index}: {delay} of {full}");
            full = (full * 3).min(300_000);
        }
        prop_assert_eq!(backoff.failures() as usize, chances.len());
        backoff.succeeded();
        prop_assert_eq!(backoff.failed(0).0, 2_000);
    }

    /// Whatever happens and whatever the clock does: what persons were told last of a thing is so, once it has
    /// been quiet for long enough; no thing is told twice in a row; and one that comes and goes makes few notices.
    #[test]
    fn notices_are_true_in_the_end(
        steps in prop::collection::vec((any::<bool>(), any::<bool>(), -20_i64..20), 1..120),
        is_well in any::<bool>(),
    ) {
        let mut ledger = Ledger::default();
        let (mut last, mut now, mut count) = (None, START, 0);
        let mut hear = |ledger: &mut Ledger, status: &Status, now| {
            for notice in notices(ledger, status, now) {
                if notice.key == "health:web" {
                    assert_ne!(last, Some(notice.turn));
                    last = Some(notice.turn);
                    count += 1;
                }
            }
            last
        };
        for (is_well, is_seen, minutes) in &steps {
            now = now.saturating_add_signed(minutes * 1_000);
            let mut status = web(*is_well);
            if !is_seen {
                status.services.clear();
                status.trouble.push("away".to_owned());
            }
            hear(&mut ledger, &status, now);
        }
        hear(&mut ledger, &web(is_well), now);
        let end = hear(&mut ledger, &web(is_well), now + 10 * MINUTE);
        let expected = if is_well { [None, Some(Turn::Over)] } else { [Some(Turn::Begun); 2] };
        prop_assert!(expected.contains(&end), "{end:?}");
        prop_assert_eq!(due(&ledger), None);
        prop_assert!(count < 40, "{count} notices");
    }
}
