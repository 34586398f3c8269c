//! A loop on a clock that stands still until everybody waits.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::stream::BoxStream;
use nself::{
    controller::{
        Place,
        watch::{self, Brief, Handle, Origin, Request, Settings, Told, Trouble},
    },
    engine::{
        Attempt, Cause as Words, Engine, Error, Happening, Held, Holder, Listen, Lock, Observe,
        sim::Sim,
    },
    model::Keyring,
    observed::{Observed, State},
    plan::Op,
    sync::{Cause, CommitId, CommitState, Notice, Phase, Revision, Status, Subject, Turn},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What persons do.
pub(super) enum Act {
    Look,
    Pause,
    Resume,
    Retry,
    Approve(String),
}

/// What everybody shares.
#[derive(Default)]
struct World {
    pushed: Mutex<Vec<Revision>>,
    switched: Mutex<Vec<String>>,
    is_away: AtomicBool,
    is_down: AtomicBool,
    /// Counts calls that change something; at this one the process dies.
    calls: AtomicUsize,
    dies_at: Mutex<Option<usize>>,
    /// At this one it is asked to end.
    ends_at: Mutex<Option<(usize, CancellationToken)>>,
    is_dead: AtomicBool,
    told: Mutex<Vec<Told>>,
    tries: Mutex<BTreeMap<String, usize>>,
    waits: AtomicUsize,
}

pub(super) struct Rig {
    world: Arc<World>,
    sim: Sim,
    folder: tempfile::TempDir,
    handle: Mutex<Option<Handle>>,
    cancel: Mutex<CancellationToken>,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Default for Rig {
    fn default() -> Self {
        Self {
            world: Arc::default(),
            sim: Sim::default(),
            folder: tempfile::tempdir().unwrap(),
            handle: Mutex::default(),
            cancel: Mutex::default(),
            task: Mutex::default(),
        }
    }
}

impl Rig {
    /// Runs a test beside the loop.
    pub(super) fn run<T>(self, test: impl AsyncFnOnce(&Self) -> T) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            self.start();
            let done = test(&self).await;
            self.cancel.lock().unwrap().cancel();
            done
        })
    }

    fn start(&self) {
        let status = tokio::sync::watch::Sender::new(Arc::new(Status::default()));
        let (ask, requests) = mpsc::channel(64);
        *self.handle.lock().unwrap() = Some(Handle::new(status.subscribe(), ask));
        let cancel = CancellationToken::new();
        *self.cancel.lock().unwrap() = cancel.clone();
        let origin =
            Pushed { world: Arc::clone(&self.world), folder: self.folder.path().to_owned() };
        let (world, sim) = (Arc::clone(&self.world), self.sim.clone());
        let folder = self.folder.path().join("state");
        let task = tokio::task::spawn_local(async move {
            let connect = async |_: &nself::controller::Project| {
                let engine = Mortal { sim: sim.clone(), world: Arc::clone(&world) };
                if world.is_down.load(Ordering::SeqCst) { Err(engine.away()) } else { Ok(engine) }
            };
            let settings = Settings::default();
            let brief =
                Brief { folder, settings, status, requests, read: &|_| {}, cancel: &cancel };
            let tell = |told| world.told.lock().unwrap().push(told);
            let run = watch::run(origin, connect, brief, &|_, _| {}, &tell);
            Box::pin(run).await.unwrap();
        });
        *self.task.lock().unwrap() = Some(task);
    }

    /// Pushes a commit whose message is what its file asks for: `IMAGE[ with data]`.
    pub(super) async fn push(&self, subject: &str) {
        {
            let mut pushed = self.world.pushed.lock().unwrap();
            let number = pushed.len() + 1;
            let commit: CommitId = format!("{number:040x}").parse().unwrap();
            pushed.push(Revision {
                commit,
                reference: "main".into(),
                subject: subject.into(),
                author: "Ada".into(),
                at: 0,
            });
        }
        self.ask(Act::Look);
        tokio::task::yield_now().await;
    }

    pub(super) fn ask(&self, act: Act) {
        let who = "ada".to_owned();
        let request = match act {
            Act::Look => Request::Look(Cause::Webhook),
            Act::Pause => Request::Pause { who, why: "a demonstration".into() },
            Act::Resume => Request::Resume { who },
            Act::Retry => Request::Retry { who },
            Act::Approve(release) => Request::Approve { who, release },
        };
        self.handle().ask(request).unwrap();
    }

    fn handle(&self) -> Handle {
        self.handle.lock().unwrap().clone().unwrap()
    }

    pub(super) fn status(&self) -> Arc<Status> {
        self.handle().status()
    }

    /// Waits until the loop waits, and has seen all that was pushed.
    pub(super) async fn settle(&self) -> Status {
        self.until("it settles", |rig, status| {
            let last =
                rig.world.pushed.lock().unwrap().last().map(|revision| revision.commit.clone());
            let seen = status.head.as_ref().map(|head| head.commit.clone());
            let is_settled = |status: &Status| {
                status.applied == status.head
                    || status.quarantine.is_some() && status.sync == nself::sync::Sync::LastGood
            };
            status.phase == Phase::Waiting && seen == last && is_settled(status)
        })
        .await;
        // What it is asked for already comes first.
        self.wait(3).await;
        (*self.status()).clone()
    }

    /// Waits until something is so, at most an hour of the loop's time.
    pub(super) async fn until(&self, what: &str, is_so: impl Fn(&Self, &Status) -> bool) -> Status {
        for _ in 0..36_000 {
            let status = self.status();
            if is_so(self, &status) {
                return (*status).clone();
            }
            self.wait_ms(100).await;
        }
        panic!("never: {what}; {:#?}; told {:#?}", self.status(), self.notices());
    }

    pub(super) async fn wait(&self, seconds: u64) {
        self.wait_ms(seconds * 1000).await;
    }

    pub(super) async fn wait_ms(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    pub(super) fn tamper(&self, service: &str, state: State) {
        self.sim.world().set_state(&format!("shop-{service}"), state);
        self.sim.tell(&format!("shop-{service}"), "die");
    }

    pub(super) fn tamper_field(&self, service: &str, path: &nself::desired::Path, value: &str) {
        self.sim.world().tamper(&format!("shop-{service}"), path.clone(), Some(value));
        self.sim.tell(&format!("shop-{service}"), "update");
    }

    pub(super) fn image(&self, service: &str) -> Option<String> {
        let world = self.sim.world();
        let found = world.find(&format!("shop-{service}"))?;
        match found.seen.fields.get(&nself::desired::Field::Image.path())? {
            nself::observed::Live::Text(text) => Some(text.expose().to_owned()),
            nself::observed::Live::Verifier(_) => None,
        }
    }

    /// Whether no other container of the service is there.
    pub(super) fn is_alone(&self, service: &str) -> bool {
        let name = format!("shop-{service}");
        let world = self.sim.world();
        world.containers.values().filter(|one| one.seen.name.starts_with(&name)).count() == 1
    }

    pub(super) fn state(&self, service: &str) -> Option<State> {
        self.sim.world().find(&format!("shop-{service}")).map(|found| found.seen.state)
    }

    pub(super) fn has_volume(&self) -> bool {
        self.sim.world().volumes.contains_key("shop-web-data")
    }

    pub(super) fn breaks(&self, image: &str) {
        self.sim.world().broken.insert(image.to_owned());
    }

    pub(super) fn mends(&self, image: &str) {
        self.sim.world().broken.remove(image);
    }

    pub(super) fn repository_is_away(&self, is_away: bool) {
        self.world.is_away.store(is_away, Ordering::SeqCst);
    }

    pub(super) fn engine_is_down(&self, is_down: bool) {
        self.world.is_down.store(is_down, Ordering::SeqCst);
        // The line breaks.
        self.sim.hang_up();
    }

    /// How often a container of an image was made.
    pub(super) fn tries(&self, image: &str) -> usize {
        self.world.tries.lock().unwrap().get(image).copied().unwrap_or_default()
    }

    /// How often it was waited for something to become ready.
    pub(super) fn waits(&self) -> usize {
        self.world.waits.load(Ordering::SeqCst)
    }

    pub(super) fn switched(&self) -> Vec<String> {
        self.world.switched.lock().unwrap().clone()
    }

    pub(super) fn notices(&self) -> Vec<Notice> {
        let told = self.world.told.lock().unwrap();
        let notices = told.iter().filter_map(|told| match told {
            Told::Notice(notice) => Some(notice.clone()),
            Told::Commit(..) => None,
        });
        notices.collect()
    }

    pub(super) fn told(&self, subject: Subject) -> bool {
        self.notices()
            .iter()
            .filter(|notice| notice.subject == subject && notice.turn == Turn::Begun)
            .count()
            == 1
    }

    /// What the repository was told, each thing once.
    pub(super) fn commits(&self) -> Vec<(&'static str, CommitState)> {
        let told = self.world.told.lock().unwrap();
        let mut all: Vec<(&'static str, CommitState)> = told
            .iter()
            .filter_map(|told| match told {
                Told::Commit(revision, state, _) => {
                    Some((&*revision.subject.clone().leak(), *state))
                }
                Told::Notice(_) => None,
            })
            .collect();
        all.dedup();
        all
    }

    /// Sees to it that the process dies at one of the calls to come that change something.
    pub(super) fn dies_at(&self, call: usize) {
        let calls = self.world.calls.load(Ordering::SeqCst);
        *self.world.dies_at.lock().unwrap() = Some(calls + call);
    }

    /// Sees to it that the loop is asked to end at one of the calls to come that change something.
    pub(super) fn ends_at(&self, call: usize) {
        let calls = self.world.calls.load(Ordering::SeqCst);
        let cancel = self.cancel.lock().unwrap().clone();
        *self.world.ends_at.lock().unwrap() = Some((calls + call, cancel));
    }

    /// Waits until the loop has ended by itself or has settled. Returns which.
    pub(super) async fn ended_or_settled(&self) -> bool {
        loop {
            let task = self.task.lock().unwrap().take_if(|task| task.is_finished());
            if let Some(task) = task {
                task.await.unwrap();
                return true;
            }
            if self.has_settled() {
                return false;
            }
            self.wait_ms(10).await;
        }
    }

    fn has_settled(&self) -> bool {
        let status = self.status();
        status.phase == Phase::Waiting
            && status.applied == status.head
            && status.head.as_ref().is_some_and(|it| it.subject == "web:2")
    }

    /// What the loop remembers on disk to be applied.
    pub(super) fn remembered(&self) -> Option<String> {
        let ledger = nself::history::read_ledger(&self.folder.path().join("state")).unwrap();
        ledger.applied.map(|revision| revision.subject)
    }

    /// Waits until the process is dead or the loop has settled. Returns which.
    pub(super) async fn dead_or_settled(&self) -> bool {
        loop {
            if self.world.is_dead.load(Ordering::SeqCst) {
                self.task.lock().unwrap().take().unwrap().abort();
                return true;
            }
            let status = self.status();
            if status.applied == status.head
                && status.head.as_ref().is_some_and(|it| it.subject == "web:2")
            {
                return false;
            }
            self.wait_ms(10).await;
        }
    }

    /// Starts another process where the dead one was.
    pub(super) fn revive(&self) {
        *self.world.dies_at.lock().unwrap() = None;
        *self.world.ends_at.lock().unwrap() = None;
        self.world.is_dead.store(false, Ordering::SeqCst);
        self.sim.world().locks.clear();
        self.start();
    }

    pub(super) async fn end(&self) {
        self.cancel.lock().unwrap().cancel();
        let task: Pin<Box<_>> = Box::pin(self.task.lock().unwrap().take().unwrap());
        task.await.unwrap();
    }
}

/// A repository that is a list.
struct Pushed {
    world: Arc<World>,
    folder: PathBuf,
}

impl Pushed {
    fn write(&self, to: &str, revision: &Revision) -> Place {
        let folder = self.folder.join(to);
        std::fs::create_dir_all(&folder).unwrap();
        let (subject, watch) = match revision.subject.split_once(" only reported") {
            Some((subject, _)) => (subject, "[watch]\nmode = \"detect\"\n\n"),
            None => (revision.subject.as_str(), ""),
        };
        let (image, data) = match subject.split_once(" with ") {
            Some((image, _)) => (image, "volumes = { data = \"/data\" }"),
            None => (subject, ""),
        };
        let text = format!(
            "[project]\nname = \"shop\"\n\n{watch}[services.web]\nimage = \"{image}\"\n{data}\n"
        );
        std::fs::write(folder.join("nself.toml"), text).unwrap();
        self.place_in(&folder)
    }

    fn place_in(&self, folder: &Path) -> Place {
        Place {
            file: folder.join("nself.toml"),
            environment: None,
            variables: BTreeMap::new(),
            authority: self.folder.join("ca"),
        }
    }
}

impl Origin for Pushed {
    fn words(&self) -> String {
        "a list".into()
    }

    async fn head(&mut self) -> Result<Option<Revision>, Trouble> {
        if self.world.is_away.load(Ordering::SeqCst) {
            return Err(Trouble { what: "the repository does not answer".into(), is_final: false });
        }
        let head = self.world.pushed.lock().unwrap().last().cloned();
        let empty = Trouble { what: "the repository is empty".into(), is_final: false };
        head.map(Some).ok_or(empty)
    }

    async fn stage(&mut self, revision: &Revision) -> Result<Place, Trouble> {
        Ok(self.write("staged", revision))
    }

    async fn switch(&mut self, revision: &Revision) -> Result<(), Trouble> {
        self.write("tree", revision);
        self.world.switched.lock().unwrap().push(revision.subject.clone());
        Ok(())
    }

    fn place(&self) -> Place {
        self.place_in(&self.folder.join("tree"))
    }

    fn learn(&mut self, _: &nself::controller::Project) {}

    async fn changed(&mut self) {
        std::future::pending::<()>().await;
    }
}

/// An engine that can be down, and a process that can die.
struct Mortal {
    sim: Sim,
    world: Arc<World>,
}

impl Mortal {
    fn away(&self) -> Error {
        Error::Unreachable { address: "sim".into(), cause: Words("it is down".into()) }
    }

    async fn live<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if self.world.is_dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.world.is_down.load(Ordering::SeqCst) { Err(self.away()) } else { call.await }
    }

    async fn write<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let number = self.world.calls.fetch_add(1, Ordering::SeqCst);
        if let Some((at, cancel)) = &*self.world.ends_at.lock().unwrap()
            && *at == number
        {
            cancel.cancel();
        }
        if *self.world.dies_at.lock().unwrap() == Some(number) {
            self.world.is_dead.store(true, Ordering::SeqCst);
        }
        self.live(call).await
    }
}

impl Observe for Mortal {
    async fn observe(&self, request: &nself::observed::Request) -> Result<Observed, Error> {
        self.live(self.sim.observe(request)).await
    }
}

impl Engine for Mortal {
    fn unlock(&self, keyring: &Keyring) {
        self.sim.unlock(keyring);
    }

    async fn execute(&self, op: &Op) -> Result<(), Error> {
        if let Op::CreateContainer { container, .. } = op {
            *self.world.tries.lock().unwrap().entry(container.image.to_string()).or_default() += 1;
        }
        if let Op::AwaitReady { .. } = op {
            self.world.waits.fetch_add(1, Ordering::SeqCst);
        }
        self.write(self.sim.execute(op)).await
    }
}

impl Lock for Mortal {
    async fn acquire(&self, prefix: &str, holder: &Holder) -> Result<Attempt, Error> {
        self.write(self.sim.acquire(prefix, holder)).await
    }

    async fn release(&self, held: Held) -> Result<(), Error> {
        self.write(self.sim.release(held)).await
    }

    async fn holder(&self, prefix: &str) -> Result<Option<Holder>, Error> {
        self.live(self.sim.holder(prefix)).await
    }

    async fn take_away(&self, prefix: &str, holder: &Holder) -> Result<bool, Error> {
        self.write(self.sim.take_away(prefix, holder)).await
    }

    async fn given_back(&self, prefix: &str) {
        self.sim.given_back(prefix).await;
    }
}

impl Listen for Mortal {
    fn listen(&self, prefix: &str) -> BoxStream<'static, Result<Happening, Error>> {
        self.sim.listen(prefix)
    }
}
