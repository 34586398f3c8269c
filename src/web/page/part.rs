//! The parts of the page, in the order of what a person wants to know first.

use super::{
    html::Html,
    mark,
    moment::{time, took, word},
};
use crate::sync::{Mode, Phase, Result as Outcome, Revision, Status, Sync};

/// Returns the project's name, or what stands for it.
pub(super) fn name(status: &Status) -> &str {
    if status.project.is_empty() { "nself" } else { &status.project }
}

/// Returns all parts. Each has an id, by which the script finds what is to be replaced.
pub(super) fn parts(status: &Status, now: u64) -> Html {
    let mut page = Html::default();
    head(&mut page, status, now);
    trouble(&mut page, status);
    quarantine(&mut page, status, now);
    pause(&mut page, status, now);
    held(&mut page, status);
    services(&mut page, status);
    differences(&mut page, status);
    last(&mut page, status, now);
    page
}

fn head(page: &mut Html, status: &Status, now: u64) {
    let tone = match status.sync {
        Sync::InSync => "good",
        Sync::Unknown => "dim",
        Sync::LastGood | Sync::OutOfSync => "warn",
    };
    page.tag("<section id=\"head\">\n<h1>").text(name(status)).tag("</h1>\n");
    page.tag("<p class=\"state ").tag(tone).tag("\"><span aria-hidden=\"true\">");
    page.tag(mark(status.sync)).tag("</span> ").text(status.sync.words()).tag("</p>\n<dl>\n");
    if let Some(head) = &status.head {
        page.tag("<dt>Head</dt><dd>");
        revision(page, head, now);
        page.tag("</dd>\n");
    }
    let is_other =
        |applied: &&Revision| status.head.as_ref().is_none_or(|head| head.commit != applied.commit);
    if let Some(applied) = status.applied.as_ref().filter(is_other) {
        page.tag("<dt>Runs</dt><dd>");
        revision(page, applied, now);
        page.tag("</dd>\n");
    }
    if !status.source.is_empty() {
        page.tag("<dt>Source</dt><dd>").text(&status.source).tag("</dd>\n");
    }
    page.tag("<dt>Generation</dt><dd>").number(status.generation).tag("</dd>\n<dt>Mode</dt><dd>");
    page.tag(match status.mode {
        Mode::Heal => "heal: differences are put right",
        Mode::Detect => "detect: differences are reported, and left",
    });
    page.tag("</dd>\n");
    if let Some(window) = status.window {
        page.tag("<dt>Window</dt><dd>closed; opens ");
        time(page, window, now);
        page.tag("</dd>\n");
    }
    page.tag("<dt>Now</dt><dd>").tag(match status.phase {
        Phase::Starting => "starting",
        Phase::Fetching => "asking the repository",
        Phase::Looking => "looking at the engine",
        Phase::Applying => "changing things",
        Phase::Waiting => "waiting",
        Phase::Stopping => "stopping",
    });
    if let Some(next) = status.next {
        page.tag("; next look ");
        time(page, next, now);
    }
    page.tag("</dd>\n</dl>\n</section>\n");
}

fn revision(page: &mut Html, revision: &Revision, now: u64) {
    page.tag("<code>").text(&revision.label()).tag("</code> ").text(&revision.subject);
    page.tag(" <span class=\"quiet\">").text(&revision.author).tag(", ");
    time(page, revision.at, now);
    page.tag("</span>");
}

fn trouble(page: &mut Html, status: &Status) {
    if status.trouble.is_empty() {
        return;
    }
    page.tag("<section id=\"trouble\" class=\"note bad\">\n<h2>In the way</h2>\n<ul>\n");
    for one in &status.trouble {
        page.tag("<li>").text(one).tag("</li>\n");
    }
    page.tag("</ul>\n</section>\n");
}

fn quarantine(page: &mut Html, status: &Status, now: u64) {
    let Some(bad) = &status.quarantine else { return };
    page.tag("<section id=\"quarantine\" class=\"note bad\">\n<h2>Quarantined</h2>\n<p>");
    revision(page, &bad.revision, now);
    page.tag("</p>\n<p>It failed and was undone ");
    time(page, bad.since, now);
    page.tag(": ").text(&bad.why).tag("</p>\n<p>It is tried again when the head moves, or with ");
    page.tag("<code>nself retry</code></p>\n</section>\n");
}

fn pause(page: &mut Html, status: &Status, now: u64) {
    let Some(pause) = &status.pause else { return };
    page.tag("<section id=\"pause\" class=\"note warn\">\n<h2>Paused</h2>\n<p>By ");
    page.text(&pause.who).tag(" ");
    time(page, pause.since, now);
    page.tag(": ").text(&pause.why);
    page.tag("</p>\n<p>Go on with <code>nself watch resume</code></p>\n</section>\n");
}

fn held(page: &mut Html, status: &Status) {
    if status.held.is_empty() {
        return;
    }
    page.tag(
        "<section id=\"held\" class=\"note warn\">\n<h2>Held: waits for a person</h2>\n<ul>\n",
    );
    for held in &status.held {
        page.tag("<li><b>").text(&held.id).tag("</b> ").text(&held.what).tag("<br><code>");
        page.text(&format!("nself approve {}", word(&held.release))).tag("</code></li>\n");
    }
    page.tag("</ul>\n</section>\n");
}

fn services(page: &mut Html, status: &Status) {
    page.tag("<section id=\"services\">\n<h2>Services</h2>\n");
    if status.services.is_empty() {
        page.tag("<p class=\"quiet\">None are known yet.</p>\n</section>\n");
        return;
    }
    page.tag("<table>\n<thead><tr><th scope=\"col\">Service</th><th scope=\"col\">State</th>");
    page.tag("<th scope=\"col\" class=\"number\">Restarts</th><th scope=\"col\">URL</th></tr></thead>\n<tbody>\n");
    for service in &status.services {
        page.tag("<tr><th scope=\"row\">")
            .text(&service.name)
            .tag("</th><td data-label=\"State\">");
        page.tag(if service.is_well {
            "<span class=\"good\"><span aria-hidden=\"true\">✓</span> "
        } else {
            "<span class=\"bad\"><span aria-hidden=\"true\">✗</span> "
        });
        page.text(&service.state).tag("</span></td><td data-label=\"Restarts\" class=\"number\">");
        page.number(service.restarts).tag("</td><td data-label=\"URL\">");
        match &service.url {
            // Other schemes are shown, and not led to.
            Some(url) if url.starts_with("https://") || url.starts_with("http://") => {
                page.tag("<a rel=\"noreferrer\" href=\"").text(url).tag("\">").text(url).tag("</a>")
            }
            Some(url) => page.text(url),
            None => page.tag("<span class=\"quiet\">–</span>"),
        };
        page.tag("</td></tr>\n");
    }
    page.tag("</tbody>\n</table>\n</section>\n");
}

fn differences(page: &mut Html, status: &Status) {
    page.tag("<section id=\"differences\">\n<h2>Differences</h2>\n");
    if status.differences.is_empty() {
        page.tag(match status.sync {
            Sync::Unknown => "<p class=\"quiet\">Not known.</p>\n</section>\n",
            _ => "<p class=\"quiet\">None.</p>\n</section>\n",
        });
        return;
    }
    page.tag("<table>\n<thead><tr><th scope=\"col\">Resource</th><th scope=\"col\">To do</th>");
    page.tag("<th scope=\"col\">Because</th></tr></thead>\n<tbody>\n");
    for one in &status.differences {
        page.tag("<tr><th scope=\"row\">").text(&one.id).tag("</th><td data-label=\"To do\">");
        page.text(&one.what).tag("</td><td data-label=\"Because\">");
        page.tag(if one.is_drift { "<b class=\"warn\">drift</b> " } else { "" });
        page.text(&one.reason);
        if !one.fields.is_empty() {
            page.tag("<ul class=\"fields\">\n");
            for field in &one.fields {
                page.tag("<li><code>").text(field).tag("</code></li>\n");
            }
            page.tag("</ul>");
        }
        page.tag("</td></tr>\n");
    }
    page.tag("</tbody>\n</table>\n</section>\n");
}

fn last(page: &mut Html, status: &Status, now: u64) {
    page.tag("<section id=\"last\">\n<h2>Last pass</h2>\n");
    let Some(last) = &status.last else {
        page.tag("<p class=\"quiet\">None yet.</p>\n</section>\n");
        return;
    };
    let (tone, sign, result) = match last.result {
        Outcome::Nothing => ("good", "✓", "nothing to do"),
        Outcome::Done => ("good", "✓", "done"),
        Outcome::Left => ("warn", "…", "left for a person or a window"),
        Outcome::Returned => ("bad", "↩", "failed, and what was before is back"),
        Outcome::Failed => ("bad", "✗", "failed"),
    };
    page.tag("<p><span class=\"").tag(tone).tag("\"><span aria-hidden=\"true\">").tag(sign);
    page.tag("</span> ").tag(result).tag("</span>: ").text(&last.line).tag("</p>\n");
    page.tag("<p class=\"quiet\">");
    time(page, last.at, now);
    page.tag(", took ").text(&took(last.took_ms)).tag("; woken by ");
    let causes: Vec<&str> = last.causes.iter().map(|cause| cause.word()).collect();
    page.text(&causes.join(", ")).tag("; pass ").number(status.passes).tag(" since ");
    time(page, status.since, now);
    page.tag("</p>\n</section>\n");
}
