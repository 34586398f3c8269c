//! Progress: a tree that moves on a terminal, a line a step elsewhere, a line of JSON for programs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{
    engine,
    model::ResourceId,
    plan::{Event, Op, Plan},
    report,
};

use super::ui::Ui;

/// Shows events as they come.
pub(super) struct Progress {
    ui: Ui,
    live: Option<Arc<Mutex<Live>>>,
}

/// The lines that are drawn: one a resource that is being worked on, and one that counts.
struct Live {
    bars: MultiProgress,
    groups: BTreeMap<ResourceId, ProgressBar>,
    count: ProgressBar,
}

/// Fast enough to look alive, slow enough to cost nothing.
const TICK: Duration = Duration::from_millis(100);

impl Progress {
    pub(super) fn new(ui: Ui) -> Self {
        let live = ui.is_live().then(|| {
            let bars = MultiProgress::new();
            let count = bars.add(ProgressBar::new(0));
            count.set_style(template("  {pos} of {len} steps · {elapsed}"));
            Arc::new(Mutex::new(Live { bars, groups: BTreeMap::new(), count }))
        });
        Self { ui, live }
    }

    pub(super) fn show(&self, plan: &Plan, event: &Event) {
        if self.ui.json {
            return self.ui.data(&report::json::event(plan, event));
        }
        match &self.live {
            None => {
                if let Some(line) = report::line(plan, event, self.ui.out) {
                    self.ui.print(&line);
                }
            }
            Some(live) => {
                let mut live = live.lock().expect("no holder of this lock can panic");
                live.show(plan, event);
            }
        }
    }

    /// Returns where the engine tells how far its builds and pulls are.
    pub(super) fn listener(&self) -> UnboundedSender<engine::Progress> {
        let (sender, mut receiver) = unbounded_channel::<engine::Progress>();
        let live = self.live.clone();
        tokio::spawn(async move {
            while let Some(told) = receiver.recv().await {
                if let Some(live) = &live {
                    live.lock().expect("no holder of this lock can panic").tell(&told);
                }
            }
        });
        sender
    }

    /// Leaves the finished lines on the screen and takes the rest away.
    pub(super) fn end(&self) {
        if let Some(live) = &self.live {
            let live = live.lock().expect("no holder of this lock can panic");
            live.count.finish_and_clear();
            for bar in live.groups.values().filter(|bar| !bar.is_finished()) {
                bar.abandon();
            }
        }
    }
}

impl Live {
    fn show(&mut self, plan: &Plan, event: &Event) {
        self.count.set_length(u64::try_from(plan.steps.len()).unwrap_or(u64::MAX));
        let step = |place: usize| plan.steps.get(place);
        match event {
            Event::Started { step: place } => {
                let Some(one) = step(*place) else { return };
                if !matches!(one.op, Op::WriteRecord { .. } | Op::RemoveRecord { .. }) {
                    self.bar(&one.group).set_message(report::step(one));
                }
            }
            Event::Finished { step: place, .. } => {
                self.count.inc(1);
                let last = |group: &ResourceId| plan.steps.iter().rposition(|s| s.group == *group);
                if let Some(one) = step(*place)
                    && last(&one.group) == Some(*place)
                    && let Some(bar) = self.groups.get(&one.group)
                {
                    let verb =
                        if matches!(one.op, Op::AwaitReady { .. }) { "ready" } else { "done" };
                    end(bar, "✓", verb);
                }
            }
            Event::Failed { step: place, failure, .. } => {
                if let Some(one) = step(*place) {
                    end(&self.bar(&one.group), "✗", &report::brief(failure));
                }
            }
            Event::Skipped { step: place, because } => {
                if let Some(one) = step(*place) {
                    let cause = because.and_then(step).filter(|cause| cause.group != one.group);
                    if let Some(cause) = cause {
                        let message = format!("not started: needs {}", cause.group);
                        end(&self.bar(&one.group), "·", &message);
                    }
                }
            }
            Event::GoingBack { generation } => {
                // A resource that comes twice has a line for each time.
                self.groups.clear();
                let line = format!("going back to generation {generation}");
                // A terminal that has gone away shows nothing.
                let _ = self.bars.println(line);
            }
            Event::Returned { group, failure: None } => {
                let message = format!("failed; {}", report::back(plan, group));
                end(&self.bar(group), "✗", &message);
            }
            Event::Returned { group, failure: Some(failure) } => {
                let message = format!("failed; could not go back: {}", report::brief(failure));
                end(&self.bar(group), "✗", &message);
            }
        }
    }

    fn tell(&self, told: &engine::Progress) {
        let image = ResourceId::Image(told.subject.clone());
        if let Some(bar) = self.groups.get(&image).filter(|bar| !bar.is_finished()) {
            bar.set_message(told.line.clone());
        }
    }

    fn bar(&mut self, group: &ResourceId) -> ProgressBar {
        let bar = self.groups.entry(group.clone()).or_insert_with(|| {
            let bar = self.bars.insert_before(&self.count, ProgressBar::new_spinner());
            bar.set_style(running());
            bar.set_prefix(group.to_string());
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.clone()
    }
}

fn running() -> ProgressStyle {
    template("  {spinner} {prefix:30}  {wide_msg} {elapsed}").tick_chars("◐◓◑◒·")
}

fn end(bar: &ProgressBar, sign: &str, message: &str) {
    // What failed is said to the end, below its resource where it does not fit beside it.
    let beside = 2 + 2 + bar.prefix().chars().count().max(30) + 2 + message.chars().count();
    let columns = rustix::termios::tcgetwinsize(std::io::stderr())
        .map_or(80, |size| usize::from(size.ws_col));
    let style = match sign {
        "✗" if beside >= columns => format!("  {sign} {{prefix:30}}\n      {{msg}}"),
        _ => format!("  {sign} {{prefix:30}}  {{wide_msg}}"),
    };
    bar.set_style(template(&style));
    bar.finish_with_message(message.to_owned());
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).expect("the templates of this file are good")
}
