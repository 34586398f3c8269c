//! One turn of the loop: what should be is fetched, checked and put in its place; what is is looked at; and where
//! the loop has leave, the one is made the other.

use tokio_util::sync::CancellationToken;

use super::{
    Origin, Trouble, picture,
    run::{Settings, Turn, Watch},
};
use crate::{
    controller::{
        self, Error, Options, Pass, Project, Report, Returned, back::causes, load, milliseconds,
        now,
    },
    engine::{self, Engine, Lock},
    model::{Diagnostic, Millis},
    plan::{Event, Outcome, Plan, Policy},
    spec::{Reach, Source},
    sync::{self, Aim, LastPass, Leave, Pending, Phase, Result as CameOf, Revision, aim, leave},
};

/// A first revision has nothing to go back to. It is tried this often before it is given up.
const MOST_ATTEMPTS: u32 = 3;

/// What is said of differences that the loop is not to touch.
const ONLY_REPORTS: &str = "it only reports here: nself apply";

/// What a turn is to bring about.
#[derive(Debug, Clone)]
enum Wanted {
    /// The folder as it is.
    Folder,
    /// A revision that has yet to show that it works.
    Trial(Revision),
    /// A revision that worked.
    Known(Revision),
    /// Nothing, and why.
    Nothing(String),
}

impl Wanted {
    fn revision(&self) -> Option<&Revision> {
        match self {
            Self::Trial(revision) | Self::Known(revision) => Some(revision),
            Self::Folder | Self::Nothing(_) => None,
        }
    }
}

/// How a turn ended.
struct Ended {
    turn: Turn,
    came_of_it: CameOf,
    line: String,
    /// What is in the way.
    trouble: Option<String>,
}

impl Ended {
    fn new(came_of_it: CameOf, line: impl Into<String>) -> Self {
        Self { turn: Turn::default(), came_of_it, line: line.into(), trouble: None }
    }

    /// Something is in the way that has nothing to do with what is to be brought about.
    fn trouble(what: String) -> Self {
        Self { trouble: Some(what.clone()), ..Self::new(CameOf::Failed, what) }
    }
}

impl<O: Origin, E: Engine + Lock> Watch<O, E> {
    /// Takes one turn, and publishes what came of it.
    pub(super) async fn turn(
        &mut self,
        causes: &Pending,
        connect: &impl AsyncFn(&Project) -> Result<E, engine::Error>,
        read: &(dyn Fn(&Project) + Sync),
        events: &(dyn Fn(&Plan, Event) + Sync),
        cancel: &CancellationToken,
    ) -> Turn {
        let (at, begin) = (milliseconds(), now());
        let away = self.ask(causes).await;
        let wanted = self.wanted();
        let ended = self.bring_about(&wanted, connect, read, events, cancel).await;
        let took_ms = u64::try_from(now().duration_since(begin).as_millis()).unwrap_or(u64::MAX);
        let Ended { turn, came_of_it, line, trouble } = ended;
        let last = LastPass {
            causes: causes.causes().map(|(cause, _)| cause).collect(),
            at,
            took_ms,
            result: came_of_it,
            line,
        };
        let (source, head) = (self.origin.words(), self.head.clone());
        self.publish(|status| {
            status.source = source;
            status.head = head;
            status.window = turn.opens;
            status.trouble = away.into_iter().chain(trouble).collect();
            status.sync = match (&wanted, &status.trouble, status.differences.is_empty()) {
                (Wanted::Nothing(_), ..) => sync::Sync::Unknown,
                (_, trouble, _) if !trouble.is_empty() && came_of_it == CameOf::Failed => {
                    sync::Sync::Unknown
                }
                (_, _, false) => sync::Sync::OutOfSync,
                (Wanted::Known(_), _, true) if status.quarantine.is_some() => sync::Sync::LastGood,
                (_, _, true) => sync::Sync::InSync,
            };
            status.last = Some(last);
            status.passes += 1;
        });
        turn
    }

    /// Asks the repository for its head, where that is due. Returns why it could not be had.
    async fn ask(&mut self, causes: &Pending) -> Option<String> {
        if !(causes.asks_repository() || self.head.is_none()) {
            return None;
        }
        self.publish(|status| status.phase = Phase::Fetching);
        match self.origin.head().await {
            Ok(head) => {
                self.asked.succeeded();
                if let Some(head) = &head {
                    self.ledger.find(head);
                }
                self.head = head;
                // Bringing it about can take minutes, and whoever looks meanwhile sees what it is about.
                let (source, head) = (self.origin.words(), self.head.clone());
                self.publish(|status| {
                    status.source = source;
                    status.head = head;
                });
                None
            }
            Err(Trouble { what, .. }) => {
                self.asked.failed(rand::random());
                Some(what)
            }
        }
    }

    fn wanted(&self) -> Wanted {
        match (&self.head, &self.ledger.applied) {
            (Some(head), _) => match aim(&self.ledger, head) {
                Aim::Head(head) => match &self.ledger.applied {
                    Some(applied) if applied.commit == head.commit => Wanted::Known(head),
                    _ => Wanted::Trial(head),
                },
                Aim::LastGood(good) => Wanted::Known(good),
                Aim::Nothing => {
                    Wanted::Nothing(format!("{} failed, and none before it worked", head.label()))
                }
            },
            // The repository cannot be asked, and what it said last still holds.
            (None, Some(applied)) => Wanted::Known(applied.clone()),
            (None, None) if self.asked.failures() > 0 => {
                Wanted::Nothing("the source was never read".to_owned())
            }
            (None, None) => Wanted::Folder,
        }
    }

    async fn bring_about(
        &mut self,
        wanted: &Wanted,
        connect: &impl AsyncFn(&Project) -> Result<E, engine::Error>,
        read: &(dyn Fn(&Project) + Sync),
        events: &(dyn Fn(&Plan, Event) + Sync),
        cancel: &CancellationToken,
    ) -> Ended {
        if let Wanted::Nothing(why) = wanted {
            let mut ended = Ended::new(CameOf::Failed, why.clone());
            ended.turn.retry = (self.asked.failures() > 0).then(|| self.delay());
            return ended;
        }
        if let Err(ended) = self.check_out(wanted).await {
            return ended;
        }
        let mut project = match load(&self.origin.place()) {
            Ok(project) => project,
            Err(error) => return self.failed(wanted, error),
        };
        read(&project);
        self.origin.learn(&project);
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => match connect(&project).await {
                Ok(engine) => engine,
                Err(error) => return self.failed(wanted, error.into()),
            },
        };
        let watch = &project.spec.watch;
        self.settings = Settings { every: watch.every(), poll: watch.poll() };
        let mode = project.spec.reach().mode;
        self.publish(|status| {
            status.phase = Phase::Looking;
            status.mode = mode;
        });
        let ended = match self.look(&engine, &project).await {
            Ok(pass) => self.apply(wanted, &engine, &mut project, &pass, events, cancel).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(ended) => {
                self.engine = Some(engine);
                ended
            }
            Err(error) => {
                if !matches!(error, Error::Engine(_)) {
                    self.engine = Some(engine);
                }
                self.failed(wanted, error)
            }
        }
    }

    /// Puts the files of a revision in their place, once they have shown that they can be read.
    async fn check_out(&mut self, wanted: &Wanted) -> Result<(), Ended> {
        let Some(revision) = wanted.revision() else { return Ok(()) };
        if self.tree.as_ref().is_some_and(|tree| tree.commit == revision.commit) {
            return Ok(());
        }
        if let Wanted::Trial(revision) = wanted {
            let place = match self.origin.stage(revision).await {
                Ok(place) => place,
                Err(trouble) => return Err(self.unusable(revision, &trouble)),
            };
            // Secrets are not there, and what needs the engine shows later.
            let checked = load(&place).and_then(|project| project.draw(milliseconds()));
            if let Err(error) = checked {
                return Err(self.failed(wanted, error));
            }
        }
        match self.origin.switch(revision).await {
            Ok(()) => {
                self.tree = Some(revision.clone());
                Ok(())
            }
            Err(trouble) => Err(self.unusable(revision, &trouble)),
        }
    }

    async fn look(&self, engine: &E, project: &Project) -> Result<Pass, Error> {
        let pass = controller::plan(engine, project, &self.options(project), false).await?;
        self.publish(|status| picture::show(status, &pass));
        Ok(pass)
    }

    /// Returns what may be done beside what needs no word, and to which services.
    fn options(&self, project: &Project) -> Options {
        let Reach { targets, spared, .. } = project.spec.reach();
        let releases = self.ledger.approvals.iter();
        let allow = releases.filter_map(|approval| approval.release.parse().ok()).collect();
        Options { policy: Policy { allow }, targets, spared, ..Options::default() }
    }

    async fn apply(
        &mut self,
        wanted: &Wanted,
        engine: &E,
        project: &mut Project,
        pass: &Pass,
        events: &(dyn Fn(&Plan, Event) + Sync),
        cancel: &CancellationToken,
    ) -> Result<Ended, Error> {
        if pass.plan.steps.is_empty() && pass.plan.adopted() == 0 {
            return Ok(self.settled(wanted, &pass.plan));
        }
        let watch = &project.spec.watch;
        let window = sync::open(&watch.windows(), milliseconds());
        let leave = leave(&self.ledger, project.spec.reach().mode, window);
        let differ = differ(pass.plan.changes.changes.len());
        let left = |why: String| Ended::new(CameOf::Left, format!("{differ}; {why}"));
        match leave {
            Leave::Given => {}
            Leave::Paused => {
                let pause = self.ledger.pause.as_ref();
                let why = pause.map(|pause| format!("paused by {}: {}", pause.who, pause.why));
                return Ok(left(why.unwrap_or_default()));
            }
            Leave::Detect => return Ok(left(ONLY_REPORTS.to_owned())),
            Leave::Closed(opens) => {
                let mut ended = left("the window is closed".to_owned());
                ended.turn.opens = opens;
                return Ok(ended);
            }
        }
        let mut attempts = 0;
        if let Wanted::Trial(revision) = wanted {
            attempts = self.ledger.begin(revision);
            if let Some(trouble) = self.write_down() {
                // What is tried must be known before: or it would be tried for ever.
                let mut ended = Ended::trouble(trouble);
                ended.turn.retry = Some(self.delay());
                return Ok(ended);
            }
        }
        self.publish(|status| {
            status.phase = Phase::Applying;
            status.sync = sync::Sync::OutOfSync;
        });
        let options = Options {
            back_on_failure: matches!(wanted, Wanted::Trial(_)),
            revision: wanted.revision().map(|it| format!("{}: {}", it.label(), it.subject)),
            ..self.options(project)
        };
        let agree = async |_: &Pass| true;
        let report = controller::apply(engine, project, &options, agree, events, cancel).await?;
        let Some(report) = report else { return Ok(Ended::new(CameOf::Left, "it was stopped")) };
        let mut ended = self.applied(wanted, &report, attempts);
        ended.turn.has_applied = true;
        if let Ok(pass) = self.look(engine, project).await
            && matches!(ended.came_of_it, CameOf::Done)
            && !pass.plan.steps.is_empty()
        {
            // Something moved meanwhile, or did not settle: it is no reason to go round without a pause.
            ended.turn.retry = Some(self.delay());
        }
        Ok(ended)
    }

    /// Nothing is to be done, or nothing that may be.
    fn settled(&mut self, wanted: &Wanted, plan: &Plan) -> Ended {
        self.failures.succeeded();
        let mut trouble = None;
        // A revision of which something is held, or left to a person, is not brought about yet. What somebody moved
        // says nothing about it.
        let left = &plan.changes.left_out;
        let is_whole = plan.held.is_empty() && left.iter().all(|left| left.change.is_drift());
        if let Some(revision) = wanted.revision().filter(|_| is_whole) {
            let before = self.ledger.clone();
            self.ledger.succeed(revision);
            if before != self.ledger {
                trouble = self.write_down();
            }
        }
        let mut ended = match plan.held.len() {
            0 if !left.is_empty() => {
                let line = format!("{}; {ONLY_REPORTS}", differ(left.len()));
                Ended::new(CameOf::Left, line)
            }
            0 => Ended::new(CameOf::Nothing, "nothing to do"),
            1 => Ended::new(CameOf::Left, "1 change waits for a person's word"),
            many => Ended::new(CameOf::Left, format!("{many} changes wait for a person's word")),
        };
        ended.trouble = trouble;
        ended
    }

    /// Something was done: writes down what came of it.
    fn applied(&mut self, wanted: &Wanted, report: &Report, attempts: u32) -> Ended {
        let Some(why) = first_failure(report) else {
            let done: usize = report.passes.iter().map(|(_, applied)| applied.counts().0).sum();
            let is_cut_off = report.passes.iter().any(|(_, applied)| applied.interrupted);
            if is_cut_off || !report.rest.steps.is_empty() {
                // What was not waited for may yet fail, so it says nothing about the revision.
                let why = if is_cut_off { "it was stopped" } else { "it did not settle" };
                let mut ended = Ended::new(CameOf::Left, format!("{done} steps done; {why}"));
                ended.turn.retry = Some(self.delay());
                return ended;
            }
            // A word is about one thing, once.
            self.ledger.approvals.clear();
            let mut ended = self.settled(wanted, &report.rest);
            if ended.came_of_it == CameOf::Nothing {
                ended.came_of_it = CameOf::Done;
                ended.line =
                    if done == 1 { "1 step done".to_owned() } else { format!("{done} steps done") };
            }
            ended.trouble = ended.trouble.or_else(|| self.write_down());
            return ended;
        };
        let delay = self.delay();
        match (wanted, &report.returned) {
            (Wanted::Trial(revision), Some(Returned::To { generation, report: back }))
                if first_failure(back).is_none() =>
            {
                let line = format!("{why}; generation {generation} is back");
                self.condemn(revision, &why, CameOf::Returned, line)
            }
            (Wanted::Trial(revision), returned) if attempts >= MOST_ATTEMPTS => {
                let line = match returned {
                    Some(Returned::To { report: back, .. }) => {
                        let again = first_failure(back).unwrap_or_default();
                        format!("{why}; what was before did not come back: {again}")
                    }
                    Some(Returned::Not(because)) => format!("{why}; not undone: {because}"),
                    None => why.clone(),
                };
                self.condemn(revision, &why, CameOf::Failed, line)
            }
            _ => {
                let mut ended = Ended::new(CameOf::Failed, why);
                ended.turn.retry = Some(delay);
                ended
            }
        }
    }

    /// Something went wrong before anything was changed, or the engine went away.
    fn failed(&mut self, wanted: &Wanted, error: Error) -> Ended {
        let what = match &error {
            Error::Configuration { diagnostics, sources } => {
                let first = diagnostics.first().map(|first| placed(first, sources));
                let first = first.unwrap_or_else(|| "nself.toml has mistakes".to_owned());
                match diagnostics.len() {
                    0 | 1 => first,
                    2 => format!("{first}, and one more mistake"),
                    many => format!("{first}, and {} more mistakes", many - 1),
                }
            }
            error => causes(error),
        };
        if let Wanted::Trial(revision) = wanted
            && matches!(error, Error::Configuration { .. } | Error::File { .. })
        {
            return self.condemn(revision, &what, CameOf::Failed, what.clone());
        }
        let mut ended = Ended::trouble(what);
        ended.turn.retry = Some(self.delay());
        ended
    }

    fn unusable(&mut self, revision: &Revision, trouble: &Trouble) -> Ended {
        if trouble.is_final {
            return self.condemn(revision, &trouble.what, CameOf::Failed, trouble.what.clone());
        }
        let mut ended = Ended::trouble(trouble.what.clone());
        ended.turn.retry = Some(self.delay());
        ended
    }

    /// Puts a revision into quarantine. What worked before is looked after at once.
    fn condemn(
        &mut self,
        revision: &Revision,
        why: &str,
        came_of_it: CameOf,
        line: String,
    ) -> Ended {
        self.ledger.condemn(revision, why, milliseconds());
        self.failures.succeeded();
        let mut ended =
            Ended::new(came_of_it, format!("{} is quarantined: {line}", revision.label()));
        ended.trouble = self.write_down();
        ended.turn.again = self.ledger.applied.is_some();
        ended
    }

    fn delay(&mut self) -> Millis {
        self.failures.failed(rand::random())
    }
}

fn differ(count: usize) -> String {
    if count == 1 { "1 resource differs".to_owned() } else { format!("{count} resources differ") }
}

/// Returns what failed first, in a clause.
fn first_failure(report: &Report) -> Option<String> {
    report.passes.iter().find_map(|(plan, applied)| {
        applied.outcomes.iter().find_map(|(step, outcome)| match outcome {
            Outcome::Failed(failure) => {
                Some(format!("{}: {}", plan.steps[*step].group, failure.chain.join(": ")))
            }
            Outcome::Done | Outcome::Skipped(_) => None,
        })
    })
}

/// Returns a mistake in a line, with the line it is in.
fn placed(mistake: &Diagnostic, sources: &[Source]) -> String {
    let Some(label) = mistake.labels.first() else {
        return format!("nself.toml: {}", mistake.message);
    };
    let text = sources.iter().find(|source| source.name == label.file);
    let before = text.and_then(|text| text.bytes.get(..label.span.start));
    let line = before.map_or(1, |before| before.split(|byte| *byte == b'\n').count());
    let name = label.file.rsplit('/').next().unwrap_or_default();
    format!("{name}:{line}: {}", mistake.message)
}
