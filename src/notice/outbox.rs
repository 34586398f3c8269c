//! What is still to be told: a queue and a task for each receiver, so that one that is slow holds up nobody.

use std::{
    collections::VecDeque,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Error, Pace, Receivers,
    error::Again,
    forge::{Report, Statuses},
    receiver::Ready,
};
use crate::sync::{Backoff, CommitId, CommitState, Notice, Revision};

/// So many wait for one receiver; of more the oldest are dropped.
const LONGEST: usize = 64;
/// How often one is tried.
const TRIES: u32 = 3;
/// Of so many commits it is remembered what the repository was told.
const REMEMBERED: usize = 64;

/// Where notices and states are left. Leaving one never waits. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    notices: Vec<Arc<Lane<Arc<Notice>>>>,
    states: Option<Arc<Lane<Report>>>,
    told: Arc<Mutex<VecDeque<(CommitId, CommitState)>>>,
    figures: Arc<Counts>,
    tasks: TaskTracker,
}

/// How much was told since the start, over all receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// So many were delivered.
    pub delivered: u64,
    /// So many were given up.
    pub failed: u64,
    /// So many were dropped before they were tried, since too many waited.
    pub dropped: u64,
    /// So many wait.
    pub waiting: u64,
}

#[derive(Debug, Default)]
struct Counts {
    delivered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Outbox {
    /// Begins to deliver. At `end` what is left is tried for a moment more; see [`Outbox::finished`].
    pub fn new(receivers: Receivers, statuses: Option<Statuses>, end: &CancellationToken) -> Self {
        let (figures, tasks) = (Arc::new(Counts::default()), TaskTracker::new());
        let told = Arc::new(Mutex::new(VecDeque::new()));
        let pace = receivers.pace;
        let mut notices = Vec::new();
        for ready in receivers.all {
            let lane = Arc::new(Lane::new(Arc::clone(&figures)));
            tasks.spawn(Arc::clone(&lane).run(Teller(ready), pace, end.clone()));
            notices.push(lane);
        }
        let states = statuses.map(|statuses| {
            let lane = Arc::new(Lane::new(Arc::clone(&figures)));
            let writer = Writer { statuses, told: Arc::clone(&told) };
            tasks.spawn(Arc::clone(&lane).run(writer, pace, end.clone()));
            lane
        });
        Self { notices, states, told, figures, tasks }
    }

    /// Leaves a notice for everybody.
    pub fn send(&self, notice: Notice) {
        let notice = Arc::new(notice);
        for lane in &self.notices {
            lane.push(Arc::clone(&notice), |_| true);
        }
    }

    /// Leaves the state of a commit for its repository, unless that was told the same of it before.
    pub fn send_state(&self, revision: &Revision, state: CommitState, description: &str) {
        let Some(lane) = &self.states else { return };
        let commit = revision.commit.clone();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.contains(&(commit.clone(), state)) {
            return;
        }
        told.retain(|(other, _)| *other != commit);
        told.push_back((commit.clone(), state));
        if told.len() > REMEMBERED {
            told.pop_front();
        }
        drop(told);
        let report = Report { commit, state, description: description.to_owned() };
        // One that still waits says what is no longer so.
        lane.push(report, |other| other.commit != revision.commit);
    }

    /// Returns how much was told.
    pub fn figures(&self) -> Figures {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let notices = self.notices.iter().map(|lane| lane.waiting());
        let states = self.states.iter().map(|lane| lane.waiting());
        Figures {
            delivered: read(&self.figures.delivered),
            failed: read(&self.figures.failed),
            dropped: read(&self.figures.dropped),
            waiting: notices.chain(states).sum(),
        }
    }

    /// Waits until the end has come and what was left is delivered or given up.
    pub async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// What a lane leads to.
trait Door: Send + Sync + 'static {
    type Item: Send + Sync + 'static;

    /// Delivers one, with one try.
    fn deliver(&self, item: &Self::Item) -> impl Future<Output = Result<(), Error>> + Send;

    /// Is told that one was given up.
    fn give_up(&self, item: &Self::Item, error: &Error);
}

struct Teller(Ready);

impl Door for Teller {
    type Item = Arc<Notice>;

    async fn deliver(&self, notice: &Arc<Notice>) -> Result<(), Error> {
        self.0.deliver(notice).await
    }

    fn give_up(&self, notice: &Arc<Notice>, error: &Error) {
        tracing::warn!("{error}; it was: {}", notice.title);
    }
}

struct Writer {
    statuses: Statuses,
    told: Arc<Mutex<VecDeque<(CommitId, CommitState)>>>,
}

impl Door for Writer {
    type Item = Report;

    async fn deliver(&self, report: &Report) -> Result<(), Error> {
        self.statuses.write(report).await
    }

    fn give_up(&self, report: &Report, error: &Error) {
        tracing::warn!("{error}; it was the state of {}", report.commit.short());
        // What may pass is tried again with the next word of that commit; what was refused is not.
        if error.again != Again::Never {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.retain(|one| *one != (report.commit.clone(), report.state));
        }
    }
}

/// What waits for one receiver.
#[derive(Debug)]
struct Lane<T> {
    queue: Mutex<VecDeque<T>>,
    bell: Notify,
    figures: Arc<Counts>,
}

impl<T: Send + Sync + 'static> Lane<T> {
    fn new(figures: Arc<Counts>) -> Self {
        Self { queue: Mutex::new(VecDeque::new()), bell: Notify::new(), figures }
    }

    /// Adds one, and takes away those that wait and are not to be kept.
    fn push(&self, item: T, keeps: impl Fn(&T) -> bool) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.retain(keeps);
        if queue.len() >= LONGEST {
            queue.pop_front();
            self.figures.dropped.fetch_add(1, Ordering::Relaxed);
        }
        queue.push_back(item);
        drop(queue);
        self.bell.notify_one();
    }

    fn pop(&self) -> Option<T> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn waiting(&self) -> u64 {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    async fn run(self: Arc<Self>, door: impl Door<Item = T>, pace: Pace, end: CancellationToken) {
        let work = async {
            loop {
                match self.pop() {
                    Some(item) => self.deliver(&door, &item, pace, &end).await,
                    None if end.is_cancelled() => break,
                    None => tokio::select! {
                        () = self.bell.notified() => {}
                        () = end.cancelled() => {}
                    },
                }
            }
        };
        let limit = async {
            end.cancelled().await;
            let _ = tokio::time::timeout(pace.farewell, std::future::pending::<()>()).await;
        };
        tokio::select! {
            () = work => {}
            () = limit => {
                // The one that was on its way, and those behind it.
                let lost = self.waiting() + 1;
                self.figures.failed.fetch_add(lost, Ordering::Relaxed);
                tracing::warn!("the end came before {lost} notices were delivered");
            }
        }
    }

    async fn deliver(
        &self,
        door: &impl Door<Item = T>,
        item: &T,
        pace: Pace,
        end: &CancellationToken,
    ) {
        let mut backoff = Backoff::default();
        loop {
            let is_last_chance = end.is_cancelled();
            let Err(error) = door.deliver(item).await else {
                self.figures.delivered.fetch_add(1, Ordering::Relaxed);
                return;
            };
            let own = Duration::from_millis(backoff.failed(rand::random()).0);
            let is_spent = backoff.failures() >= TRIES || is_last_chance;
            let wait = match error.again {
                Again::Soon if !is_spent => own,
                Again::After(wait) if !is_spent => wait,
                Again::Never | Again::Soon | Again::After(_) => {
                    self.figures.failed.fetch_add(1, Ordering::Relaxed);
                    door.give_up(item, &error);
                    return;
                }
            };
            tracing::debug!("{error}; again in {} s", wait.as_secs());
            let wait = pace.second.mul_f64(wait.as_secs_f64());
            // Ends early when the end has come: then there is one more try.
            let _ = tokio::time::timeout(wait, end.cancelled()).await;
        }
    }
}
