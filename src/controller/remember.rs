//! Writing an apply into the history, around the steps.
//!
//! An apply does not fail because it cannot be written down: that is said, and it goes on.

use std::collections::BTreeMap;

use crate::{
    desired::{Facts, SecretNeed},
    engine::Holder,
    history::{
        self, Begun, ChangeEntry, Command, Configuration, Ended, FieldEntry, Found, History, Ran,
        StepEntry, Text,
    },
    model::{self, Millis, ResourceId, SecretName},
    plan::{self, Absence, Applied, Gist, Outcome, Past, Plan},
    spec::Source,
};

use super::{Goal, Options, Pass, Project, milliseconds};

/// How many applies are looked back on for how long containers are away.
const LOOKED_BACK: usize = 50;

/// An apply that is being written down.
pub(super) struct Memory {
    history: History,
    number: i64,
}

impl Memory {
    /// Writes that an apply begins. Nothing is written when there is nothing to do.
    pub(super) fn begin(
        project: &Project,
        options: &Options,
        pass: &Pass,
    ) -> Result<Option<Self>, history::Error> {
        if pass.plan.steps.is_empty() && pass.plan.adopted() == 0 {
            return Ok(None);
        }
        let mut history = History::open(&project.vault_folder())?;
        let number = history.begin(&begun(project, options, pass))?;
        Ok(Some(Self { history, number }))
    }

    /// Writes how it ended.
    pub(super) fn end(
        mut self,
        project: &Project,
        passes: &[(Plan, Applied)],
        rest: &Plan,
    ) -> Result<(), history::Error> {
        let generation = passes.iter().map(|(plan, _)| plan.intent.generation).max();
        let ended = Ended {
            at: milliseconds(),
            generation: generation.unwrap_or_default(),
            found: found(passes, rest),
            steps: passes
                .iter()
                .flat_map(|(plan, applied)| steps(project, plan, applied))
                .collect(),
            away: passes.iter().flat_map(|(plan, applied)| away(plan, applied)).collect(),
        };
        self.history.end(self.number, &ended)
    }
}

/// Returns how long containers were away in past applies. What cannot be read tells nothing.
pub(super) fn past(project: &Project) -> Past {
    let runs = || {
        let history = History::read(&project.vault_folder()).ok()??;
        history.runs(project.place.environment.as_deref(), None, Some(LOOKED_BACK)).ok()
    };
    let mut past = Past::default();
    let ended = runs().unwrap_or_default().into_iter().rev().filter_map(|run| run.ended);
    for (id, away) in ended.flat_map(|ended| ended.away) {
        if let Ok(id) = id.parse::<ResourceId>() {
            past.0.entry(id).or_default().push(Millis(away));
        }
    }
    past
}

fn begun(project: &Project, options: &Options, pass: &Pass) -> Begun {
    let who = Holder::this_process().unwrap_or_default();
    let keyring = &project.keyring;
    let fingerprint =
        |name: &SecretName| keyring.fingerprint_of(&model::Text::secret(name.clone()));
    // A certificate of then has run out, or will soon: those of today stay.
    let secrets = pass.desired.secrets.iter().filter_map(|(name, need)| match need {
        SecretNeed::Random { .. } | SecretNeed::Given { .. } => Some(name),
        SecretNeed::CertificateChain { .. } | SecretNeed::CertificateKey => None,
    });
    Begun {
        at: milliseconds(),
        project: pass.desired.project_id.clone(),
        instance: pass.desired.instance.as_ref().map(ToString::to_string),
        engine: pass.plan.engine.id.clone(),
        generation: pass.plan.intent.generation,
        command: command(project, options),
        user: who.user,
        host: who.host,
        nself: env!("CARGO_PKG_VERSION").to_owned(),
        returns_to: project.recalled.as_ref().map(|recalled| recalled.from),
        revision: options.revision.clone().filter(|_| project.recalled.is_none()),
        configuration: configuration(project, &pass.facts),
        secrets: secrets
            .filter_map(|name| Some((name.to_string(), fingerprint(name)?.as_str().to_owned())))
            .collect(),
        changes: changes(&pass.plan),
    }
}

fn command(project: &Project, options: &Options) -> Command {
    match &options.goal {
        _ if options.destroy => Command::Destroy,
        Goal::Converge if project.recalled.is_some() => Command::Rollback,
        Goal::Converge => Command::Apply,
        Goal::Resume(_) => Command::Start,
        Goal::Suspend(_) => Command::Stop,
        Goal::Restart(_) => Command::Restart,
        Goal::Clean => Command::Clean,
        Goal::Adopt => Command::Adopt,
    }
}

/// Returns what a project is made from.
fn configuration(project: &Project, facts: &Facts) -> Configuration {
    let text = |source: &Source| Text::new(&*source.name, source.text());
    let mut sources = project.sources.iter();
    let bundle = &facts.ca_bundle;
    let contexts = facts.contexts.iter();
    Configuration {
        main: sources.next().map(text).unwrap_or_default(),
        overlay: sources.next().map(text),
        environment: project.spec.environment.as_ref().map(ToString::to_string),
        variables: project.spec.process.clone(),
        contexts: contexts
            .map(|(service, digest)| (service.to_string(), digest.as_str().to_owned()))
            .collect(),
        ca_bundle: (!bundle.is_empty()).then(|| Text::new("ca-bundle", bundle)),
    }
}

fn changes(plan: &Plan) -> Vec<ChangeEntry> {
    let changes = plan.changes.changes.iter();
    changes
        .map(|change| ChangeEntry {
            id: change.id.to_string(),
            what: change.action.word().to_owned(),
            reason: change.reason.clone(),
            fields: change
                .fields
                .iter()
                .map(|field| FieldEntry {
                    path: field.path.to_string(),
                    before: field.before.to_text(),
                    after: field.after.to_text(),
                    mover: field.mover.word().to_owned(),
                })
                .collect(),
        })
        .collect()
}

fn steps(project: &Project, plan: &Plan, applied: &Applied) -> Vec<StepEntry> {
    let gist = Gist::of(plan, &project.keyring).steps;
    let step = |(place, step): (usize, crate::plan::StepGist)| {
        let (ran, because) = match applied.outcomes.get(&place)? {
            Outcome::Done => (Ran::Done, Vec::new()),
            Outcome::Failed(failure) => (Ran::Failed, failure.chain.clone()),
            Outcome::Skipped(_) => (Ran::Skipped, Vec::new()),
        };
        Some(StepEntry { id: step.id, what: step.call, ran, because })
    };
    gist.into_iter().enumerate().filter_map(step).collect()
}

/// Returns how long each container was away until what was wanted was ready.
fn away(plan: &Plan, applied: &Applied) -> BTreeMap<String, u64> {
    let absences = plan::absences(plan, applied).into_iter();
    absences
        .filter_map(|(id, absence)| match absence {
            Absence::Over(millis) => Some((id.to_string(), millis.0)),
            // How long a return takes says nothing of how long a change does.
            Absence::Undone(_) => None,
        })
        .collect()
}

fn found(passes: &[(Plan, Applied)], rest: &Plan) -> Found {
    let any = |is: fn(&Applied) -> bool| passes.iter().any(|(_, applied)| is(applied));
    match () {
        () if any(|applied| applied.counts().1 > 0) => Found::Failed,
        () if any(|applied| applied.interrupted) || !rest.steps.is_empty() => Found::Interrupted,
        () if !rest.held.is_empty() || !rest.blocked.is_empty() => Found::Held,
        () => Found::Done,
    }
}
