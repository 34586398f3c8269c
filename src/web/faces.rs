//! The projects that are shown, each a line to its loop, and what is to be known to show them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    clock::{self, Steady},
    hooks::{Desk, Follows, Hooks},
    metrics::Metrics,
    token::Tokens,
};
use crate::{
    controller::watch::Handle,
    sync::{Phase, Status},
};

/// A loop that waits comes round this much later than it said, at most.
const LATE: Duration = Duration::from_mins(2);
/// A loop that is at something says so again within this time. Images of many gigabytes are the longest there is.
const BUSY: Duration = Duration::from_mins(45);

/// All that is shown. Cheap to clone; projects come and go while it is.
#[derive(Clone)]
pub struct Faces(pub(super) Arc<Room>);

/// What all requests share.
pub(super) struct Room {
    pub(super) shelf: Arc<Shelf>,
    pub(super) desk: Desk,
    pub(super) tokens: Option<Arc<Tokens>>,
    pub(super) hosts: Vec<String>,
    pub(super) metrics: Metrics,
}

/// The projects by name, and which one is the main one.
#[derive(Default)]
pub(super) struct Shelf(RwLock<Placed>);

#[derive(Default)]
struct Placed {
    main: Option<String>,
    all: BTreeMap<String, Arc<Face>>,
}

/// One project.
pub struct Face {
    name: String,
    handle: Handle,
    follows: Follows,
    is_shown: bool,
    pulse: Arc<Mutex<Pulse>>,
    /// Ends the task that follows the loop.
    follower: CancellationToken,
    _ends: DropGuard,
}

/// When a loop must be heard of again.
#[derive(Debug, Default)]
struct Pulse {
    clock: Option<Steady>,
    within: Option<Duration>,
    has_ended: bool,
}

impl Face {
    /// Makes the face of a project. `name` is how it is addressed, in `/p/NAME/`.
    pub fn new(name: impl Into<String>, handle: Handle) -> Self {
        let follower = CancellationToken::new();
        let ends = follower.clone().drop_guard();
        Self {
            name: name.into(),
            handle,
            follows: Follows::default(),
            is_shown: true,
            pulse: Arc::default(),
            follower,
            _ends: ends,
        }
    }

    /// Says which pushes it follows; all of them unless this is said.
    #[must_use]
    pub fn following(self, follows: Follows) -> Self {
        Self { follows, ..self }
    }

    /// Makes it one that hears webhooks and is not shown: what looks after previews, which come and go.
    #[must_use]
    pub fn unseen(self) -> Self {
        Self { is_shown: false, ..self }
    }

    /// Returns how it is addressed.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(super) fn follows(&self) -> &Follows {
        &self.follows
    }

    pub(super) fn status(&self) -> Arc<Status> {
        self.handle.status()
    }

    /// Returns whether its loop comes round, or why not.
    pub(super) fn is_alive(&self) -> Result<(), &'static str> {
        let pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        if pulse.has_ended {
            return Err("its loop has ended");
        }
        match (pulse.clock, pulse.within) {
            (Some(clock), Some(within)) if clock.read() > within => {
                Err("its loop has not come round for too long")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Face").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Faces {
    /// Makes a room without projects. `hosts` are the names under which browsers may reach it, besides addresses,
    /// `localhost` and names without a dot; without `tokens` the network can ask for nothing.
    pub fn new(hooks: Hooks, tokens: Option<Tokens>, hosts: Vec<String>) -> Self {
        let shelf = Arc::<Shelf>::default();
        let metrics = Metrics::new(Arc::clone(&shelf));
        let tokens = tokens.map(Arc::new);
        Self(Arc::new(Room { shelf, desk: Desk::new(hooks), tokens, hosts, metrics }))
    }

    /// Shows the project that stands at `/`. To be called within the runtime.
    pub fn put_main(&self, face: Face) {
        self.0.shelf.write(|main, _| *main = Some(face.name.clone()));
        self.put(face);
    }

    /// Shows a project at `/p/NAME/`, in the place of one of the same name. To be called within the runtime.
    pub fn put(&self, face: Face) {
        let face = Arc::new(face);
        if face.is_shown {
            tokio::spawn(follow(
                face.handle.clone(),
                Arc::clone(&face.pulse),
                face.name.clone(),
                self.0.metrics.clone(),
                face.follower.clone(),
            ));
        }
        self.0.shelf.write(|_, all| all.insert(face.name.clone(), face));
    }

    /// Shows a project no longer.
    pub fn remove(&self, name: &str) {
        self.0.shelf.write(|main, all| {
            main.take_if(|main| main == name);
            all.remove(name)
        });
        self.0.metrics.forget(name);
    }
}

impl Shelf {
    fn write<T>(
        &self,
        work: impl FnOnce(&mut Option<String>, &mut BTreeMap<String, Arc<Face>>) -> T,
    ) -> T {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Placed { main, all } = &mut *held;
        work(main, all)
    }

    /// Returns the project at `/`: the main one, or the only one.
    pub(super) fn main(&self) -> Option<Arc<Face>> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Placed { main, all } = &*held;
        if let Some(main) = main {
            return all.get(main).cloned();
        }
        let mut shown = all.values().filter(|face| face.is_shown);
        shown.next().filter(|_| shown.next().is_none()).cloned()
    }

    /// Returns a project that is shown.
    pub(super) fn get(&self, name: &str) -> Option<Arc<Face>> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.all.get(name).filter(|face| face.is_shown).cloned()
    }

    /// Returns all that are shown.
    pub(super) fn shown(&self) -> Vec<Arc<Face>> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.all.values().filter(|face| face.is_shown).cloned().collect()
    }

    /// Returns all that hear webhooks.
    pub(super) fn hearing(&self) -> Vec<Arc<Face>> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.all.values().cloned().collect()
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(held.all.keys()).finish()
    }
}

/// Notes each change of how a project is, until its loop ends or it is shown no longer.
async fn follow(
    handle: Handle,
    pulse: Arc<Mutex<Pulse>>,
    name: String,
    metrics: Metrics,
    end: CancellationToken,
) {
    let mut changes = handle.follow();
    let mut passes = None;
    loop {
        let status = Arc::clone(&changes.borrow_and_update());
        if !end.is_cancelled() {
            metrics.note(&name, &status, passes);
        }
        passes = Some(status.passes);
        {
            let mut pulse = pulse.lock().unwrap_or_else(PoisonError::into_inner);
            *pulse = Pulse {
                clock: Some(Steady::start()),
                within: bound(&status, clock::now()),
                has_ended: false,
            };
        }
        drop(status);
        let changed = tokio::select! {
            changed = changes.changed() => changed.is_ok(),
            () = end.cancelled() => return,
        };
        if !changed {
            pulse.lock().unwrap_or_else(PoisonError::into_inner).has_ended = true;
            return;
        }
    }
}

/// Returns within which time something must be heard of a loop that is like this; nothing where it may sleep for
/// ever.
fn bound(status: &Status, now: u64) -> Option<Duration> {
    match status.phase {
        Phase::Waiting => {
            status.next.map(|next| Duration::from_millis(next.saturating_sub(now)) + LATE)
        }
        Phase::Starting | Phase::Fetching | Phase::Looking | Phase::Applying | Phase::Stopping => {
            Some(BUSY)
        }
    }
}
