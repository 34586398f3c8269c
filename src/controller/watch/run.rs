//! Waiting for something to happen, and then one turn.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::BoxStream};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Origin, Request};
use crate::{
    controller::{Project, milliseconds},
    engine::{self, Engine, Happening, Listen, Lock},
    history::{self, read_ledger, write_ledger},
    model::Millis,
    plan::{Event, Plan},
    sync::{
        Approval, Backoff, Cause, CommitState, Ledger, Notice, Pause, Pending, Phase, Revision,
        Status, commit_state, due, notices,
    },
};

/// What happens on an engine comes in bunches; a bunch is one reason to look.
const BUNCH: Duration = Duration::from_millis(30);
/// A bunch that does not end is looked at all the same.
const LONGEST_BUNCH: Duration = Duration::from_millis(150);
/// They are never further apart than this, since somebody may be at work.
const RESTFUL: Duration = Duration::from_secs(5);
/// Looks because of the engine that follow each other faster than this are ever further apart: a container that
/// keeps crashing is no news.
const RESTLESS: Duration = Duration::from_secs(10);

/// Repositories are asked no oftener than this because of webhooks: the first push is answered at once, and those
/// that follow on its heels together.
const PUSHES: Duration = Duration::from_secs(1);

/// What a loop is given.
pub struct Brief<'a> {
    /// Where it keeps what it remembers.
    pub folder: PathBuf,
    /// How often it looks and asks, where the project's file does not say.
    pub settings: Settings,
    /// Where it publishes how things are.
    pub status: watch::Sender<Arc<Status>>,
    /// What it is asked for.
    pub requests: mpsc::Receiver<Request>,
    /// Hears of the project whenever its file was read.
    pub read: &'a (dyn Fn(&Project) + Sync),
    /// What ends it, once what it is at is finished.
    pub cancel: &'a CancellationToken,
}

/// How often the loop looks and asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// After how long it looks although nothing was heard.
    pub every: Millis,
    /// After how long it asks the repository.
    pub poll: Millis,
}

impl Default for Settings {
    fn default() -> Self {
        Self { every: Millis(300_000), poll: Millis(60_000) }
    }
}

/// What others are to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Persons.
    Notice(Notice),
    /// The repository, how a commit fares, in a line.
    Commit(Revision, CommitState, String),
}

/// Runs until it is cancelled.
///
/// `connect` is asked for an engine whenever there is none that answers. `events` hears of each step, and `tell` is
/// what others are to be told.
///
/// # Errors
/// A ledger that cannot be read. Nothing that happens later ends the loop: it is shown, and tried again.
pub async fn run<O: Origin, E: Engine + Lock + Listen>(
    origin: O,
    connect: impl AsyncFn(&Project) -> Result<E, engine::Error>,
    brief: Brief<'_>,
    events: &(dyn Fn(&Plan, Event) + Sync),
    tell: &(dyn Fn(Told) + Sync),
) -> Result<(), history::Error> {
    let Brief { folder, settings, status, mut requests, read, cancel } = brief;
    let ledger = read_ledger(&folder)?;
    let now = Instant::now();
    let mut watch = Watch {
        origin,
        settings,
        status,
        ledger,
        folder,
        engine: None,
        head: None,
        tree: None,
        failures: Backoff::default(),
        asked: Backoff::default(),
    };
    let mut clocks = Clocks { look: now, poll: now, retry: None, window: None, tell: None };
    let mut happenings: Option<BoxStream<'static, Result<Happening, engine::Error>>> = None;
    let mut restless = Restless::default();
    let mut asked_at: Option<Instant> = None;
    let mut pending = Pending::default();
    pending.add(Cause::Start);
    watch.publish(|status| status.since = milliseconds());
    loop {
        if pending.is_only(Cause::Webhook)
            && let Some(asked_at) = asked_at
        {
            tokio::select! {
                () = sleep_until(asked_at + PUSHES) => {}
                () = cancel.cancelled() => {}
            }
            while let Ok(request) = requests.try_recv() {
                watch.heed(request, &mut pending);
            }
        }
        let causes = pending.take();
        if causes.asks_repository() {
            asked_at = Some(Instant::now());
        }
        let turn = watch.turn(&causes, &connect, read, events, cancel).await;
        if cancel.is_cancelled() {
            watch.publish(|status| status.phase = Phase::Stopping);
            return Ok(());
        }
        clocks.after(&watch, &turn);
        watch.conclude(&causes, &mut clocks, tell);
        match (&watch.engine, &happenings) {
            // Whoever begins to listen has missed what was before; the next look is not far.
            (Some(engine), None) => {
                happenings = Some(engine.listen(&watch.status.borrow().project));
                pending.add(Cause::Engine);
                continue;
            }
            (None, Some(_)) => happenings = None,
            (Some(_), Some(_)) | (None, None) => {}
        }
        // Most of it the turn did itself; what somebody did at its very end shows in one more look, which causes
        // nothing to be heard of.
        if turn.has_applied && drain(&mut happenings) {
            pending.add(Cause::Engine);
        }
        while pending.is_empty() {
            let heard = async {
                match &mut happenings {
                    Some(stream) => stream.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = cancel.cancelled() => {
                    watch.publish(|status| status.phase = Phase::Stopping);
                    return Ok(());
                }
                request = requests.recv() => match request {
                    Some(request) => watch.heed(request, &mut pending),
                    // Nobody is left who could ask for anything, and the loop goes on all the same.
                    None => requests.close(),
                },
                heard = heard => if let Some(Ok(_)) = heard {
                    restless.wait(&mut happenings, cancel).await;
                    pending.add(Cause::Engine);
                } else {
                    happenings = None;
                    watch.engine = None;
                    pending.add(Cause::Engine);
                },
                () = watch.origin.changed() => pending.add(Cause::File),
                () = sleep_until(clocks.look) => pending.add(Cause::Timer),
                () = sleep_until(clocks.poll) => pending.add(Cause::Poll),
                () = until(clocks.retry) => pending.add(Cause::Retry),
                () = until(clocks.window) => pending.add(Cause::Timer),
                () = until(clocks.tell) => pending.add(Cause::Timer),
            }
            // Whatever else is asked for already is part of the same turn.
            while let Ok(request) = requests.try_recv() {
                watch.heed(request, &mut pending);
            }
        }
    }
}

/// The loop between two turns.
pub(super) struct Watch<O, E> {
    pub(super) origin: O,
    pub(super) settings: Settings,
    pub(super) status: watch::Sender<Arc<Status>>,
    pub(super) ledger: Ledger,
    folder: PathBuf,
    pub(super) engine: Option<E>,
    /// The head of the source, as far as it is known.
    pub(super) head: Option<Revision>,
    /// The revision whose files are in use, as far as this process knows.
    pub(super) tree: Option<Revision>,
    /// Failures in a row of what is to be brought about.
    pub(super) failures: Backoff,
    /// Failures in a row to ask the repository.
    pub(super) asked: Backoff,
}

/// What came of a turn, as far as it matters when the next one is.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Whether something was changed.
    pub(super) has_applied: bool,
    /// Whether to go on at once.
    pub(super) again: bool,
    /// How long to wait before it is tried again.
    pub(super) retry: Option<Millis>,
    /// When a window opens that was waited for, in milliseconds since 1970.
    pub(super) opens: Option<u64>,
}

impl<O, E> Watch<O, E> {
    /// Changes what is published.
    pub(super) fn publish(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(|status| change(Arc::make_mut(status)));
    }

    /// Writes down what is remembered. That the disk is full is trouble, and no reason to end.
    pub(super) fn write_down(&mut self) -> Option<String> {
        write_ledger(&self.folder, &self.ledger)
            .err()
            .map(|error| super::super::back::causes(&error))
    }

    /// Does what is asked, as far as it is about what is remembered.
    fn heed(&mut self, request: Request, pending: &mut Pending) {
        let now = milliseconds();
        match request {
            Request::Look(cause) => return pending.add(cause),
            Request::Pause { who, why } => self.ledger.pause = Some(Pause { who, why, since: now }),
            Request::Resume { .. } => self.ledger.pause = None,
            Request::Retry { .. } => {
                self.ledger.quarantine = None;
                self.failures.succeeded();
            }
            Request::Approve { who, release } => {
                self.ledger.approvals.retain(|approval| approval.release != release);
                self.ledger.approvals.push(Approval { release, who, at: now });
            }
        }
        let trouble = self.write_down();
        self.publish(|status| status.trouble.extend(trouble));
        pending.add(Cause::Request);
    }

    /// Publishes what is known after a turn, and tells whom it concerns.
    fn conclude(&mut self, causes: &Pending, clocks: &mut Clocks, tell: &(dyn Fn(Told) + Sync)) {
        let next = clocks.next().saturating_duration_since(Instant::now());
        let now = milliseconds();
        let next = now.saturating_add(u64::try_from(next.as_millis()).unwrap_or(u64::MAX));
        let ledger = &self.ledger;
        self.publish(|status| {
            status.phase = Phase::Waiting;
            status.next = Some(next);
            status.applied.clone_from(&ledger.applied);
            status.quarantine.clone_from(&ledger.quarantine);
            status.pause.clone_from(&ledger.pause);
        });
        tracing::debug!(causes = ?causes.causes().collect::<Vec<_>>(), "turn");
        let after = self.status.borrow().clone();
        let told = self.ledger.told.clone();
        for notice in notices(&mut self.ledger, &after, now) {
            tell(Told::Notice(notice));
        }
        // Something may be over because nothing happened for a while.
        let due = due(&self.ledger).map(|due| Duration::from_millis(due.saturating_sub(now)));
        clocks.tell = due.map(|due| Instant::now() + due.max(Duration::from_secs(1)));
        if told != self.ledger.told {
            let trouble = self.write_down();
            self.publish(|status| status.trouble.extend(trouble));
        }
        if let Some((revision, state, line)) = commit_state(&after) {
            tell(Told::Commit(revision, state, line));
        }
    }
}

/// When to wake although nothing happens.
struct Clocks {
    look: Instant,
    poll: Instant,
    retry: Option<Instant>,
    window: Option<Instant>,
    tell: Option<Instant>,
}

impl Clocks {
    fn after<O, E>(&mut self, watch: &Watch<O, E>, turn: &Turn) {
        let now = Instant::now();
        self.look = now + watch.settings.every.duration();
        if self.poll <= now {
            self.poll = now + watch.settings.poll.duration();
        }
        self.retry = match (turn.again, turn.retry) {
            (true, _) => Some(now),
            (false, retry) => retry.map(|delay| now + delay.duration()),
        };
        // The clock on the wall may be set meanwhile, so it is looked at each minute.
        self.window = turn.opens.map(|opens| {
            let left = Duration::from_millis(opens.saturating_sub(milliseconds()));
            now + left.min(Duration::from_mins(1))
        });
    }

    fn next(&self) -> Instant {
        let all = [Some(self.look), Some(self.poll), self.retry, self.window];
        all.into_iter().flatten().min().unwrap_or(self.look)
    }
}

/// How often the engine was heard of lately.
#[derive(Debug, Default)]
struct Restless {
    last: Option<Instant>,
    backoff: Backoff,
}

impl Restless {
    /// Waits until a bunch of happenings is over, and longer when they do not cease.
    async fn wait<S>(&mut self, happenings: &mut Option<S>, cancel: &CancellationToken)
    where
        S: futures_util::Stream + Unpin,
    {
        let begin = Instant::now();
        let is_restless = self.last.is_some_and(|last| begin.duration_since(last) < RESTLESS);
        let mut until = begin + LONGEST_BUNCH;
        if is_restless {
            // The first few are looked at at once: somebody may be at work.
            let delay = self.backoff.failed(0).duration();
            if self.backoff.failures() > 5 {
                until = begin + delay.min(RESTFUL);
            }
        } else {
            self.backoff.succeeded();
        }
        loop {
            let quiet =
                if self.backoff.failures() > 5 { until } else { until.min(Instant::now() + BUNCH) };
            let next = async {
                match happenings {
                    Some(stream) => stream.next().await,
                    None => None,
                }
            };
            tokio::select! {
                () = sleep_until(quiet) => break,
                () = cancel.cancelled() => break,
                more = next => if more.is_none() { break },
            }
        }
        self.last = Some(Instant::now());
    }
}

/// Throws away what was heard so far. Returns whether there was anything.
fn drain<S: futures_util::Stream + Unpin>(happenings: &mut Option<S>) -> bool {
    use futures_util::FutureExt as _;
    let mut heard = false;
    if let Some(stream) = happenings {
        while let Some(Some(_)) = stream.next().now_or_never() {
            heard = true;
        }
    }
    heard
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
