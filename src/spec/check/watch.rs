//! Mistakes in `[watch]`.

use std::ops::RangeInclusive;

use crate::{
    model::{
        Diagnostic, Millis, Origin, WatchMode,
        decode::{Sourced, suggest},
    },
    spec::{NotifyRule, Reference, SecretSource, Spec, Template, TemplatePart},
};

/// More often costs more than it tells; less often is a mistake of units.
const INTERVAL: RangeInclusive<Millis> = Millis(10_000)..=Millis(24 * 3_600_000);
/// Shorter than a pass nothing comes of it; longer than a week says the same as no window.
const LENGTH: RangeInclusive<Millis> = Millis(60_000)..=Millis(7 * 24 * 3_600_000);

/// Adds what is wrong with `[watch]`.
pub(super) fn check(spec: &Spec, problems: &mut Vec<Diagnostic>) {
    let watch = &spec.watch;
    for duration in watch.every.iter().chain(&watch.poll) {
        range(duration, &INTERVAL, "an interval", problems);
    }
    for window in &watch.windows {
        range(&window.r#for, &LENGTH, "the length of a window", problems);
    }
    if let Some(window) = watch.windows.first()
        && spec.reach().mode == WatchMode::Detect
    {
        let problem = Diagnostic::warning("no-effect", "windows mean nothing: nothing is healed")
            .at(&window.cron.origin, "");
        problems.push(match &watch.mode {
            Some(mode) => problem.at(&mode.origin, "differences are only reported"),
            None => problem,
        });
    }
    for rule in &watch.notify {
        channel(rule, problems);
        values(spec, rule, problems);
    }
}

fn range(
    duration: &Sourced<Millis>,
    good: &RangeInclusive<Millis>,
    what: &str,
    problems: &mut Vec<Diagnostic>,
) {
    if !good.contains(&duration.value) {
        let message = format!("{what} is {} to {}", good.start(), good.end());
        problems.push(Diagnostic::error("out-of-range", message).at(&duration.origin, ""));
    }
}

/// The keys that say what kind of channel it is, with those that go with each.
const KINDS: [(&str, &[&str]); 3] =
    [("slack", &[]), ("webhook", &["secret"]), ("mail", &["server", "from", "user", "password"])];

/// Finds out whether a rule is one channel, and has what that needs.
fn channel(rule: &NotifyRule, problems: &mut Vec<Diagnostic>) {
    let place =
        |key: &str| rule.values().find(|(name, _)| *name == key).map(|(_, value)| &value.origin);
    let said: Vec<(&str, &[&str], &Origin)> =
        KINDS.iter().filter_map(|(key, own)| Some((*key, *own, place(key)?))).collect();
    let (kind, own, here) = match said.as_slice() {
        [] => {
            let problem = Diagnostic::error("no-channel", "nobody is told by this");
            // An empty table has no value to point at.
            let problem = match rule.values().next() {
                Some((_, value)) => problem.at(&value.origin, ""),
                None => problem,
            };
            problems.push(problem.help("say one of slack, webhook and mail"));
            return;
        }
        [one] => *one,
        [(first, _, here), (second, _, other), ..] => {
            let message = format!("this says both `{first}` and `{second}`");
            let problem = Diagnostic::error("two-channels", message).at(other, "").at(here, "");
            problems.push(problem.help("make two of it, each in { }"));
            return;
        }
    };
    for (key, value) in rule.values() {
        if key != kind && !own.contains(&key) {
            let message = format!("`{key}` means nothing beside `{kind}`");
            let problem = Diagnostic::error("not-of-channel", message).at(&value.origin, "");
            problems.push(problem.at(here, ""));
        }
    }
    let mut want = |key: &str, help: &str, beside: &Origin| {
        if place(key).is_none() {
            let problem = Diagnostic::error("missing-key", format!("missing key `{key}`"));
            problems.push(problem.at(beside, format!("wants `{key}`")).help(help));
        }
    };
    if kind == "mail" {
        want("server", "such as server = \"smtp://mail.example.com:587\"", here);
        want("from", "such as from = \"nself@example.com\"", here);
        if let Some(user) = place("user") {
            want("password", "such as password = \"${secret.smtp_password}\"", user);
        }
        if let Some(password) = place("password") {
            want("user", "the login that the password is of", password);
        }
    }
}

/// Looks at each value by itself.
fn values(spec: &Spec, rule: &NotifyRule, problems: &mut Vec<Diagnostic>) {
    for (key, value) in rule.values() {
        references(spec, &value.value, problems);
        form(key, value, problems);
        let is_plain =
            |part: &TemplatePart| matches!(part, TemplatePart::Plain(text) if !text.is_empty());
        if value.value.parts.iter().all(is_plain) && matches!(key, "slack" | "secret" | "password")
        {
            let message = format!("the value of `{key}` can be read by whoever reads this file");
            let problem = Diagnostic::warning("plain-secret", message).at(&value.origin, "");
            let name = match key {
                "slack" => "slack_url",
                "secret" => "webhook_secret",
                _ => "smtp_password",
            };
            let help =
                format!("write {key} = \"${{secret.{name}}}\", and once: nself secret set {name}");
            problems.push(problem.help(help));
        }
    }
}

fn references(spec: &Spec, template: &Template, problems: &mut Vec<Diagnostic>) {
    for (reference, place) in template.references() {
        match reference {
            Reference::Offer { .. } => {
                let message = "here only secrets, variables and the project can be referred to";
                problems.push(Diagnostic::error("reference-not-here", message).at(place, ""));
            }
            Reference::Secret(name) => {
                let source = spec.secrets.get(name).and_then(|rule| rule.source.as_ref());
                let Some(source) = source.filter(|it| it.value == SecretSource::Generate) else {
                    continue;
                };
                let message =
                    format!("the secret `{name}` is generated, so the other side has another");
                problems.push(
                    Diagnostic::error("generated-secret", message)
                        .at(place, "nobody is shown its value")
                        .at(&source.origin, "")
                        .help(format!("say source = \"set\", and once: nself secret set {name}")),
                );
            }
            Reference::Variable(_) | Reference::ProjectName | Reference::ProjectDomain => {}
        }
    }
}

/// Finds out whether a value has the right form, as far as it is not a secret.
fn form(key: &str, value: &Sourced<Template>, problems: &mut Vec<Diagnostic>) {
    let mut bad = |message: String, note: String, help: &str| {
        let problem = Diagnostic::error("bad-value", message).at(&value.origin, note);
        problems.push(problem.help(help));
    };
    let parts = &value.value.parts;
    let first = match parts.first() {
        Some(TemplatePart::Plain(text)) => text.as_str(),
        Some(TemplatePart::Reference(..)) | None => return,
    };
    let is_whole = parts.len() == 1;
    match key {
        "slack" | "webhook" => {
            let rest = first.strip_prefix("https://").or_else(|| first.strip_prefix("http://"));
            if rest.is_none_or(|rest| is_whole && rest.is_empty()) {
                let help = "such as https://hooks.example.com/services/T0/B0";
                bad(format!("`{key}` is no web address"), String::new(), help);
            }
        }
        "server" => {
            let scheme = first.split_once("://").map_or(first, |(scheme, _)| scheme);
            let rest = first.strip_prefix("smtp://").or_else(|| first.strip_prefix("smtps://"));
            if rest.is_none_or(|rest| is_whole && rest.is_empty()) {
                let near = suggest(scheme, ["smtp", "smtps"]);
                let note = near.map_or_else(String::new, |near| format!("did you mean {near}://?"));
                let help = "such as smtp://mail.example.com:587 or smtps://mail.example.com";
                bad("`server` is no address of a mail server".to_owned(), note, help);
            }
        }
        "mail" | "from" if is_whole => {
            let is_address = |one: &str| {
                let one = one.trim();
                // `Name <address>` is one, too.
                let inner = one.split_once('<').and_then(|(_, rest)| rest.strip_suffix('>'));
                let halves = inner.unwrap_or(one).split_once('@');
                halves.is_some_and(|(user, host)| {
                    !user.is_empty() && !host.is_empty() && !host.contains(['@', ' '])
                })
            };
            let all: Vec<&str> =
                if key == "mail" { first.split(',').collect() } else { vec![first] };
            if !all.into_iter().all(is_address) {
                let message = format!("`{key}` is no mail address");
                bad(message, String::new(), "such as ops@example.com");
            }
        }
        "secret" | "user" | "password" if is_whole && first.is_empty() => {
            bad(format!("`{key}` is empty"), String::new(), "take it out, or say what it is");
        }
        _ => {}
    }
}
