//! One pass: from the file to the engine and back. `plan` stops before applying; `apply` goes on.
//!
//! This is where the effect rooms meet: the file, the vault, the engine and its lock. What is decided
//! is decided in the pure rooms.

pub mod checkup;
mod error;
mod forget;
mod load;
pub mod pass;

pub use error::Error;
pub use forget::{forget_secrets, secrets_to_forget};
pub use load::{Place, Project, load};
pub use pass::Goal;

use std::time::{Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use crate::{
    cert,
    desired::{Compiled, Desired},
    engine::{self, Attempt, Engine, Holder, Lock, Observe},
    model::Diagnostic,
    observed::Observed,
    plan::{Applied, Event, Plan, Policy},
    secret::Vault,
};

/// One pass up to the plan.
#[derive(Debug, Clone)]
pub struct Pass {
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
    policy: &Policy,
    without_vault: bool,
) -> Result<Pass, Error> {
    let options = Options { policy: policy.clone(), ..Options::default() };
    let pass = look(engine, project, &options).await?;
    if !without_vault {
        insist_on_vault(project, &pass)?;
    }
    Ok(pass)
}

/// Looks, asks, takes the lock, looks again, and makes it so.
///
/// `agree` is shown what would be done. When the world moved between its answer and the lock, it is
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
    let needs_secrets = !options.destroy && options.goal.is_about_content();
    let mut agreed = look(engine, project, options).await?;
    if needs_secrets {
        insist_on_vault(project, &agreed)?;
    }
    if !agree(&agreed).await {
        return Ok(None);
    }
    loop {
        let held = match engine.acquire(&agreed.desired.prefix(), &Holder::this_process()?).await? {
            Attempt::Held(held) => held,
            Attempt::Busy(holder) => {
                let project = agreed.desired.prefix();
                return Err(Error::Locked { project, holder });
            }
        };
        let locked = under_lock(engine, project, options, &agreed, events, cancel).await;
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
    agreed: &Pass,
    events: &(dyn Fn(&Plan, Event) + Sync),
    cancel: &CancellationToken,
) -> Result<Locked, Error> {
    let Options { goal, destroy, policy } = options;
    let needs_secrets = !destroy && goal.is_about_content();
    if needs_secrets {
        ensure_secrets(project, &agreed.desired)?;
    }
    engine.unlock(&project.keyring);
    let pass = look(engine, project, options).await?;
    if needs_secrets {
        insist_on_vault(project, &pass)?;
    }
    if !is_alike(&agreed.plan, &pass.plan) {
        return Ok(Locked::Moved(Box::new(pass)));
    }
    let Pass { mut desired, plan, .. } = pass;
    let contents = needs_secrets;
    let brief = pass::Brief { goal, keyring: &project.keyring, policy, contents };
    let (passes, rest) = pass::converge(engine, &mut desired, plan, &brief, events, cancel).await?;
    Ok(Locked::Done(Box::new(Report { passes, rest, desired })))
}

/// Returns whether both plans do the same to the same resources. Steps do not count: those that put in
/// secrets are only known once these have been generated.
fn is_alike(agreed: &Plan, now: &Plan) -> bool {
    let gist = |plan: &Plan| {
        let held: Vec<_> = plan.held.iter().map(|held| held.release.clone()).collect();
        let actions: Vec<_> =
            plan.changes.changes.iter().map(|change| (change.id.clone(), change.action)).collect();
        (held, actions)
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
    let Compiled { mut desired, warnings } = project.compile(milliseconds())?;
    if options.destroy {
        desired = desired.emptied();
    }
    let Options { goal, destroy, policy } = options;
    if *goal == Goal::Clean {
        // It starts nothing, so there is nothing to click on.
        desired.urls.clear();
    }
    let contents = !destroy && goal.is_about_content();
    let brief = pass::Brief { goal, keyring: &project.keyring, policy, contents };
    let (observed, plan) = pass::look(engine, &mut desired, &brief).await?;
    let looked_ms = u64::try_from(now().duration_since(begin).as_millis()).unwrap_or(u64::MAX);
    Ok(Pass { desired, observed, plan, looked_ms, warnings })
}

/// Refuses to go on without the secrets of what runs: inventing others over data that knows these would
/// lock everybody out.
fn insist_on_vault(project: &Project, pass: &Pass) -> Result<(), Error> {
    let Observed { containers, volumes, .. } = &pass.observed;
    let is_there = containers.iter().any(|seen| seen.owner.is_ours())
        || volumes.iter().any(|seen| seen.owner.is_ours() && !seen.disposable);
    if !is_there || project.keyring.is_present() || pass.desired.secrets.is_empty() {
        return Ok(());
    }
    let (project, vault) = (pass.desired.prefix(), project.vault_folder());
    Err(Error::VaultMissing { project, vault })
}

/// Makes the secrets that are generated and not there, and the certificates that are missing or due.
fn ensure_secrets(project: &mut Project, desired: &Desired) -> Result<(), Error> {
    if desired.secrets.is_empty() && project.keyring.is_present() {
        return Ok(());
    }
    let now = milliseconds();
    let mut vault = Vault::open(&project.vault_folder())?;
    let folder = &project.place.authority;
    // The authority is made when the first certificate is asked for, not before.
    vault.ensure(&desired.secrets, |hosts, there| {
        let authority = cert::Authority::open(folder, now)?;
        Ok(authority.renew(hosts, there, now)?)
    })?;
    project.keyring = vault.keyring();
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
