//! Metrics; their names are in the table of the room's documentation.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, text},
    metrics::{
        MetricType, counter::Counter, family::Family, gauge::Gauge, histogram::Histogram,
        info::Info,
    },
    registry::Registry,
};

use super::faces::Shelf;
use crate::sync::{Result as Outcome, Status, Sync};

/// Bounds of the time that a pass takes, in seconds: from a look at a small project to a download.
const SECONDS: [f64; 12] = [0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0];

type Project = Vec<(&'static str, String)>;

/// What is counted. Cheap to clone.
#[derive(Clone)]
pub(super) struct Metrics {
    registry: Arc<Registry>,
    passes: Family<Project, Counter>,
    seconds: Family<Project, Histogram, fn() -> Histogram>,
    success: Family<Project, Gauge>,
    webhooks: Family<Project, Counter>,
}

impl Metrics {
    pub(super) fn new(shelf: Arc<Shelf>) -> Self {
        let seconds: Family<Project, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(SECONDS));
        let mut registry = Registry::default();
        let (passes, success, webhooks) = (Family::default(), Family::default(), Family::default());
        registry.register("nself_passes", "Passes, by what came of them", passes.clone());
        registry.register("nself_pass_seconds", "How long passes took", seconds.clone());
        registry.register(
            "nself_last_success_timestamp_seconds",
            "When the last pass ended well, in seconds since 1970",
            success.clone(),
        );
        registry.register(
            "nself_webhooks",
            "Webhooks, by sender and what came of them",
            webhooks.clone(),
        );
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("nself_build", "Which nself this is", build);
        registry.register_collector(Box::new(Now(shelf)));
        Self { registry: Arc::new(registry), passes, seconds, success, webhooks }
    }

    /// Notes how a project is, given how many passes there were when this was last asked.
    pub(super) fn note(&self, name: &str, status: &Status, before: Option<u64>) {
        let Some(last) = &status.last else { return };
        // A loop that began anew counts from the start.
        let new = match before {
            Some(before) if status.passes >= before => status.passes - before,
            Some(_) => status.passes,
            // Of those before, nobody knows what came of them.
            None => status.passes.min(1),
        };
        if new == 0 {
            return;
        }
        let mut labels = project(name);
        self.seconds.get_or_create(&labels).observe(seconds(last.took_ms));
        if matches!(last.result, Outcome::Nothing | Outcome::Done) {
            let ended = (last.at + last.took_ms) / 1000;
            self.success.get_or_create(&labels).set(i64::try_from(ended).unwrap_or(i64::MAX));
        }
        labels.push(("result", word(last.result).to_owned()));
        self.passes.get_or_create(&labels).inc_by(new);
    }

    /// Counts a webhook.
    pub(super) fn webhook(&self, provider: &'static str, result: &'static str) {
        let labels = vec![("provider", provider.to_owned()), ("result", result.to_owned())];
        self.webhooks.get_or_create(&labels).inc();
    }

    /// Forgets what was counted of a project.
    pub(super) fn forget(&self, name: &str) {
        let mut labels = project(name);
        self.seconds.remove(&labels);
        self.success.remove(&labels);
        for result in RESULTS {
            labels.truncate(1);
            labels.push(("result", word(result).to_owned()));
            self.passes.remove(&labels);
        }
    }

    /// Returns all of it as `OpenMetrics` has it.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("writing to a String cannot fail");
        out
    }
}

/// What can come of a pass.
const RESULTS: [Outcome; 5] =
    [Outcome::Nothing, Outcome::Done, Outcome::Left, Outcome::Returned, Outcome::Failed];

fn word(result: Outcome) -> &'static str {
    match result {
        Outcome::Nothing => "nothing",
        Outcome::Done => "done",
        Outcome::Left => "left",
        Outcome::Returned => "returned",
        Outcome::Failed => "failed",
    }
}

fn state(sync: Sync) -> &'static str {
    match sync {
        Sync::Unknown => "unknown",
        Sync::InSync => "in_sync",
        Sync::LastGood => "last_good",
        Sync::OutOfSync => "out_of_sync",
    }
}

fn project(name: &str) -> Project {
    vec![("project", name.to_owned())]
}

#[expect(clippy::cast_precision_loss, reason = "a pass is shorter than 2^53 milliseconds")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// What is read off how the projects are when it is asked for: nothing is left of a service that is gone.
struct Now(Arc<Shelf>);

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let all: Vec<_> = self.0.shown();
        let all: Vec<_> = all.iter().map(|face| (face.name().to_owned(), face.status())).collect();
        let each = |value: fn(&Status) -> u64| -> Vec<(Project, u64)> {
            all.iter().map(|(name, status)| (project(name), value(status))).collect()
        };
        let states = [Sync::Unknown, Sync::InSync, Sync::LastGood, Sync::OutOfSync];
        let sync = all.iter().flat_map(|(name, status)| {
            states.iter().map(move |one| {
                let labels = vec![("project", name.clone()), ("state", state(*one).to_owned())];
                (labels, u64::from(status.sync == *one))
            })
        });
        let services = all.iter().flat_map(|(name, status)| {
            status.services.iter().map(move |service| {
                let labels = vec![("project", name.clone()), ("service", service.name.clone())];
                (labels, u64::from(service.is_well))
            })
        });
        let restarts = all.iter().flat_map(|(name, status)| {
            status.services.iter().map(move |service| {
                let labels = vec![("project", name.clone()), ("service", service.name.clone())];
                (labels, service.restarts)
            })
        });
        let mut gauge =
            |name, help, values: Vec<(Project, u64)>| gauges(&mut encoder, name, help, &values);
        gauge("nself_sync_state", "1 at the state that holds", sync.collect())?;
        gauge(
            "nself_drift_resources",
            "Resources that were changed behind our back",
            each(|status| count(status.differences.iter().filter(|one| one.is_drift).count())),
        )?;
        gauge(
            "nself_different_resources",
            "Resources that are not as they should be",
            each(|status| count(status.differences.len())),
        )?;
        gauge("nself_held", "Changes that wait for a person", each(|s| count(s.held.len())))?;
        gauge("nself_service_up", "Whether a service is as it should be", services.collect())?;
        gauge("nself_service_restarts", "How often its containers began anew", restarts.collect())?;
        gauge(
            "nself_quarantined",
            "Whether the head failed and is not tried again",
            each(|status| u64::from(status.quarantine.is_some())),
        )?;
        gauge(
            "nself_paused",
            "Whether a person paused it",
            each(|status| u64::from(status.pause.is_some())),
        )?;
        gauge(
            "nself_trouble",
            "What is in the way for now",
            each(|status| count(status.trouble.len())),
        )?;
        gauge("nself_generation", "The generation that stands", each(|s| s.generation))?;
        gauge(
            "nself_started_timestamp_seconds",
            "Since when the loop runs, in seconds since 1970",
            each(|status| status.since / 1000),
        )
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn gauges<S: EncodeLabelSet, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    values: &[(S, V)],
) -> Result<(), fmt::Error> {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        metric.encode_family(labels)?.encode_gauge(value)?;
    }
    Ok(())
}
