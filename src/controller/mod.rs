//! One pass: from the file to the engine and back. `plan` stops before applying; `apply` goes on.
//!
//! This is where the effect rooms meet: the file, the vault, the engine and its lock. What is decided
//! is decided in the pure rooms.

mod back;
pub mod checkup;
mod error;
mod forget;
mod load;
pub mod pass;
mod queue;
mod recover;
mod remember;
mod rotation;
mod settled;
pub mod watch;

pub use back::{Returned, earlier};
pub use error::Error;
pub use forget::{forget_secrets, secrets_to_forget};
pub use load::{Place, Project, Recalled, load, recall};
pub use pass::Goal;
pub use queue::Wait;
pub use recover::{Recovery, recover};
pub use rotation::Rotation;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Instant, SystemTime},
};

use tokio_util::sync::CancellationToken;

use self::{queue::Queue, remember::Memory};
use crate::{
    cert,
    desired::{Compiled, Desired, Facts},
    engine::{self, Attempt, Engine, Holder, Lock, Observe},
    model::{Diagnostic, ServiceName, Share},
    observed::{Observed, Request, SeenTool, ToolPurpose},
    plan::{self, Applied, Event, Gist, Op, Plan, Policy, Target},
};

/// One pass up to the plan.
#[derive(Debug, Clone)]
pub struct Pass {
    /// What it was made from beside the file.
    pub facts: Facts,
    /// What should be.
    pub desired: Desired,
    /// What is.
    pub observed: Observed,
    /// What would be done.
    pub plan: Plan,
    /// How long looking took, in milliseconds.
    pub looked_ms: u64,
    /// What is probably not meant, of what only shows now: an ignore rule that has expired.
    pub warnings: Vec<Diagnostic>,
}

/// What came of an apply.
#[derive(Debug, Clone)]
pub struct Report {
    /// Each pass with what came of its plan; mostly one.
    pub passes: Vec<(Plan, Applied)>,
    /// What is left to do or held after the last pass.
    pub rest: Plan,
    /// What should be, for URLs.
    pub desired: Desired,
    /// What became of going back, where that was asked for and something failed.
    pub returned: Option<Returned>,
    /// What became of new values of secrets.
    pub rotation: Rotation,
    /// What a person should know that is about none of the steps.
    pub remarks: Vec<String>,
}

impl Report {
    fn of(passes: Vec<(Plan, Applied)>, rest: Plan, desired: Desired) -> Self {
        let rotation = Rotation::default();
        Self { passes, rest, desired, returned: None, rotation, remarks: Vec::new() }
    }
}

/// What a person wants of an apply.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What it is for.
    pub goal: Goal,
    /// Whether everything of the project is to go.
    pub destroy: bool,
    /// What may be destroyed or replaced.
    pub policy: Policy,
    /// How long to wait while somebody else applies; not at all when absent.
    pub wait: Option<Wait>,
    /// The plan that it has to come out as: nothing is done when it does not.
    pub saved: Option<SavedPlan>,
    /// Whether everything goes back to the last good generation when something fails.
    pub back_on_failure: bool,
    /// The services it is for, with what they need; none is all of the project.
    pub targets: BTreeSet<ServiceName>,
    /// The services that are left as they are, also where others need them.
    pub spared: BTreeSet<ServiceName>,
    /// The share of what is there that may be removed without a word, instead of what the file says.
    pub refuse_over: Option<Share>,
    /// The commit it brings about, for the history.
    pub revision: Option<String>,
    /// Whether to look for images that were built and are not of use any more, beside what it is for.
    pub built_images: bool,
}

/// A plan that was saved, as far as it matters whether it still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedPlan {
    /// The id of the engine it was made for.
    pub engine: String,
    /// What it does to what.
    pub gist: Gist,
}

impl Options {
    /// Returns whether the secrets are needed, and what generated files read as.
    fn is_about_content(&self) -> bool {
        !self.destroy && self.goal.is_about_content()
    }

    fn brief<'a>(&'a self, project: &'a Project) -> pass::Brief<'a> {
        let Self { goal, policy, targets, spared, .. } = self;
        let (keyring, past) = (&project.keyring, &project.past);
        let built_images = self.built_images || *goal == Goal::Clean;
        let contents = self.is_about_content();
        pass::Brief { goal, keyring, policy, targets, spared, past, contents, built_images }
    }
}

/// Looks and plans; writes nothing, and could not.
///
/// It looks as closely as `apply` does, so that one never finds what the other did not. With
/// `without_vault`, secrets that are not known here are left unchecked instead of being an error: this
/// is what `drift` wants in a clone.
///
/// # Errors
/// The configuration's mistakes, or whatever the engine says.
pub async fn plan<E: Observe>(
    engine: &E,
    project: &Project,
    options: &Options,
    without_vault: bool,
) -> Result<Pass, Error> {
    let pass = look(engine, project, options).await?;
    if !without_vault {
        insist_on_vault(project, &pass)?;
    }
    Ok(pass)
}

/// Looks, asks, takes the lock, looks again, and makes it so.
///
/// While somebody else has the lock it waits as long as the options say; `cancel` ends the waiting too, as
/// a no does.
///
/// `agree` is shown what would be done; what a policy refuses is not begun whatever it says. When the world
/// moved between its answer and the lock, it is
/// asked again. `None` is its no; nothing was changed then.
///
/// # Errors
/// The configuration's mistakes, somebody else's lock, or whatever the engine says while nself looks or
/// remembers. Failures of steps are in the report.
pub async fn apply<E: Engine + Lock>(
    engine: &E,
    project: &mut Project,
    options: &Options,
    agree: impl AsyncFn(&Pass) -> bool,
    events: &(dyn Fn(&Plan, Event) + Sync),
    cancel: &CancellationToken,
) -> Result<Option<Report>, Error> {
    let needs_secrets = options.is_about_content();
    // What is looked at while somebody else applies is out of date when they have.
    let mut queue = Queue::new(project.spec.prefix(), options.wait.as_ref());
    if !queue.is_free(engine, cancel).await? {
        return Ok(None);
    }
    let mut agreed = look(engine, project, options).await?;
    if needs_secrets {
        insist_on_vault(project, &agreed)?;
    }
    insist_on_saved(project, options, &agreed)?;
    back::insist_on_possible(project, &agreed)?;
    if !agree(&agreed).await {
        return Ok(None);
    }
    if settled::is_settled(project, options, &agreed)? {
        let Pass { plan, desired, .. } = agreed;
        let passes = vec![(plan.clone(), Applied::default())];
        return Ok(Some(Report::of(passes, plan, desired)));
    }
    loop {
        if agreed.plan.is_refused() {
            let (rest, desired) = (agreed.plan, agreed.desired);
            return Ok(Some(Report::of(Vec::new(), rest, desired)));
        }
        let held = match engine.acquire(&agreed.desired.prefix(), &Holder::this_process()?).await? {
            Attempt::Held(held) => held,
            Attempt::Busy(holder) => {
                if queue.outlasts(engine, *holder, cancel).await? {
                    continue;
                }
                return Ok(None);
            }
        };
        let mut locked = under_lock(engine, project, options, Some(&agreed), events, cancel).await;
        if let Ok(Locked::Done(report)) = &mut locked
            && options.back_on_failure
            && !cancel.is_cancelled()
            && report.passes.iter().any(|(_, applied)| applied.counts().1 > 0)
        {
            let back = back::after_failure(engine, project, &report.rest, events, cancel).await;
            report.returned = Some(back);
        }
        let released = engine.release(held).await;
        match locked? {
            Locked::Done(report) => {
                released?;
                return Ok(Some(*report));
            }
            Locked::Moved(pass) => {
                released?;
                if !agree(&pass).await {
                    return Ok(None);
                }
                agreed = *pass;
            }
        }
    }
}

enum Locked {
    Done(Box<Report>),
    /// The world is not any more what the person agreed on.
    Moved(Box<Pass>),
}

async fn under_lock<E: Engine + Lock>(
    engine: &E,
    project: &mut Project,
    options: &Options,
    agreed: Option<&Pass>,
    events: &(dyn Fn(&Plan, Event) + Sync),
    cancel: &CancellationToken,
) -> Result<Locked, Error> {
    let needs_secrets = options.is_about_content();
    if needs_secrets {
        let desired = match agreed {
            Some(agreed) => &agreed.desired,
            None => &project.compile(milliseconds())?.desired,
        };
        ensure_secrets(project, desired)?;
        restore_secrets(project)?;
    }
    engine.unlock(&project.keyring);
    let pass = look(engine, project, options).await?;
    if needs_secrets {
        insist_on_vault(project, &pass)?;
    }
    insist_on_saved(project, options, &pass)?;
    if agreed.is_some_and(|agreed| !is_alike(&agreed.plan, &pass.plan)) {
        return Ok(Locked::Moved(Box::new(pass)));
    }
    let mut remarks = take_away_helpers(engine, &pass.observed).await;
    remarks.extend(take_away_older_record(engine, &pass).await);
    let unwritten = |error| format!("this apply is not in the history: {}", back::causes(&error));
    let memory = Memory::begin(project, options, &pass).unwrap_or_else(|error| {
        remarks.push(unwritten(error));
        None
    });
    let Pass { mut desired, plan, .. } = pass;
    let (mut passes, mut rest) =
        pass::converge(engine, &mut desired, plan, &options.brief(project), events, cancel).await?;
    let mut rotation = Rotation::default();
    if needs_secrets {
        rotation = rotation::conclude(project, &desired, &passes, &rest)?;
    }
    if !rotation.returned.is_empty() {
        engine.unlock(&project.keyring);
        let pass = look(engine, project, options).await?;
        desired = pass.desired;
        let brief = options.brief(project);
        let (back, left) =
            pass::converge(engine, &mut desired, pass.plan, &brief, events, cancel).await?;
        passes.extend(back);
        rest = left;
    }
    let written = memory.map_or(Ok(()), |memory| memory.end(project, &passes, &rest));
    remarks.extend(written.err().map(unwritten));
    let report = Report { rotation, remarks, ..Report::of(passes, rest, desired) };
    Ok(Locked::Done(Box::new(report)))
}

/// Takes away the helpers of an apply that died while it put files in: whoever has the lock is the only one
/// who puts any in. Returns what could not be taken away; it is in nobody's way.
async fn take_away_helpers<E: Engine>(engine: &E, observed: &Observed) -> Vec<String> {
    let mut left = Vec::new();
    let is_writer = |tool: &&SeenTool| matches!(tool.purpose, ToolPurpose::Writer(_));
    for tool in observed.tools.iter().filter(|tool| tool.abandoned).filter(is_writer) {
        let helper = Target::Id { id: tool.id.clone(), name: tool.name.clone() };
        if let Err(error) = engine.execute(&Op::RemoveContainer(helper)).await {
            left.push(format!("{} is left over: {}", tool.name, back::causes(&error)));
        }
    }
    left
}

/// Takes away the record of before an apply that died once it had written its own. Returns why it could not;
/// it is in nobody's way.
async fn take_away_older_record<E: Engine>(engine: &E, pass: &Pass) -> Option<String> {
    let record = pass.observed.record.clone().filter(|_| pass.observed.has_older_record)?;
    let (prefix, labels) = (pass.desired.prefix(), plan::ownership_labels(&pass.desired));
    // To write what is there already leaves it as the only one.
    let written = engine.execute(&Op::WriteRecord { prefix, labels, record }).await;
    let why = |error| format!("an older record is left over: {}", back::causes(&error));
    written.err().map(why)
}

/// Refuses to do anything else than what was saved.
fn insist_on_saved(project: &Project, options: &Options, pass: &Pass) -> Result<(), Error> {
    let Some(saved) = &options.saved else { return Ok(()) };
    let there = &pass.plan.engine;
    if saved.engine != there.id {
        return Err(Error::OtherEngine { there: there.address.clone() });
    }
    let moved = saved.gist.moved(&Gist::of(&pass.plan, &project.keyring));
    if moved.is_empty() { Ok(()) } else { Err(Error::Stale { moved }) }
}

/// Returns whether both plans do the same to the same resources. Steps do not count: those that put in
/// secrets are only known once these have been generated.
fn is_alike(agreed: &Plan, now: &Plan) -> bool {
    let gist = |plan: &Plan| {
        let held: Vec<_> = plan.held.iter().map(|held| held.release.clone()).collect();
        let actions: Vec<_> =
            plan.changes.changes.iter().map(|change| (change.id.clone(), change.action)).collect();
        let findings: Vec<_> =
            plan.findings.iter().map(|one| (one.policy.clone(), one.id.clone())).collect();
        (held, actions, findings)
    };
    gist(agreed) == gist(now)
}

/// Looks and plans what `options` are about; writes nothing, and could not.
///
/// # Errors
/// The configuration's mistakes, or whatever the engine says.
pub async fn look<E: Observe>(
    engine: &E,
    project: &Project,
    options: &Options,
) -> Result<Pass, Error> {
    let begin = now();
    let facts = project.facts(milliseconds())?;
    let Compiled { mut desired, warnings } = project.compile_from(&facts)?;
    if let Some(share) = options.refuse_over {
        desired.refuse_over(share);
    }
    if options.destroy {
        desired = desired.emptied();
    }
    if options.goal == Goal::Clean {
        // It starts nothing, so there is nothing to click on.
        desired.urls.clear();
    }
    let brief = options.brief(project);
    let (observed, plan) = pass::look(engine, &mut desired, &brief).await?;
    let looked_ms = u64::try_from(now().duration_since(begin).as_millis()).unwrap_or(u64::MAX);
    Ok(Pass { facts, desired, observed, plan, looked_ms, warnings })
}

/// Refuses to go on without the secrets of what runs: inventing others over data that knows these would
/// lock everybody out.
fn insist_on_vault(project: &Project, pass: &Pass) -> Result<(), Error> {
    if let Some(locked) = &project.locked
        && !pass.desired.secrets.is_empty()
    {
        return Err(Error::VaultLocked(Arc::clone(locked)));
    }
    if !is_there(&pass.observed) || project.keyring.is_present() || pass.desired.secrets.is_empty()
    {
        return Ok(());
    }
    let (project, vault) = (pass.desired.prefix(), project.vault_folder());
    Err(Error::VaultMissing { project, vault })
}

/// Refuses to begin a vault for a project that is there with the secrets of another vault.
///
/// # Errors
/// [`Error::VaultMissing`], the configuration's mistakes, or whatever the engine says.
pub async fn insist_on_nothing<E: Observe>(
    engine: &E,
    project: &Project,
    now: u64,
) -> Result<(), Error> {
    let desired = project.draw(now)?.desired;
    let request = Request { inner: Vec::new(), ..Request::of(&desired, false) };
    if !is_there(&engine.observe(&request).await?) {
        return Ok(());
    }
    Err(Error::VaultMissing { project: desired.prefix(), vault: project.vault_folder() })
}

/// Returns whether something of ours is there that may know secrets.
fn is_there(observed: &Observed) -> bool {
    let Observed { containers, volumes, .. } = observed;
    containers.iter().any(|seen| seen.owner.is_ours())
        || volumes.iter().any(|seen| seen.owner.is_ours() && !seen.disposable)
}

/// Makes the secrets that are generated and not there, and the certificates that are missing or due.
fn ensure_secrets(project: &mut Project, desired: &Desired) -> Result<(), Error> {
    if desired.secrets.is_empty() && project.keyring.is_present() {
        return Ok(());
    }
    let now = milliseconds();
    let mut vault = project.vault()?;
    let folder = &project.place.authority;
    // The authority is made when the first certificate is asked for, not before.
    vault.ensure(&desired.secrets, now, |hosts, there| {
        let authority = cert::Authority::open(folder, now)?;
        Ok(authority.renew(hosts, there, now)?)
    })?;
    project.keyring = vault.keyring();
    Ok(())
}

/// Makes the secrets of a project as it was those of today.
fn restore_secrets(project: &mut Project) -> Result<(), Error> {
    if let Some(recalled) = &project.recalled {
        let mut vault = project.vault()?;
        vault.restore(&recalled.secrets, milliseconds())?;
        project.keyring = vault.keyring();
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "how long looking took is shown")]
fn now() -> Instant {
    Instant::now()
}

/// Returns the time in milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "certificates and ignore rules expire")]
fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        Self::Engine(error)
    }
}
