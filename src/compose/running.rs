//! How a service runs: what it may take, when it is started again, how one sees that it is well.

use toml_edit::Value as Toml;

use super::{
    service::{Shared, UNKNOWN},
    sheet::Sheet,
    words,
    yaml::{Node, Value},
};
use crate::model::{ByteSize, Millis, Origin, ServiceName};

/// Writes limits, from the keys of old and those below `deploy`.
pub(super) fn limits(
    shared: &mut Shared<'_, '_>,
    sheet: &mut Sheet,
    name: &ServiceName,
    node: &mut Node,
) {
    let deploy = node.get("deploy").and_then(|deploy| deploy.get("resources")).cloned();
    let of = |part: &str, key: &str| {
        let part = deploy.as_ref()?.get(part)?.get(key)?;
        Some(part.clone())
    };
    let mut pick = |own: &str, part: &str, key: &str| {
        let own = node.take(own).map(|(_, value)| value);
        own.or_else(|| of(part, key))
    };
    let memory = pick("mem_limit", "limits", "memory");
    let reservation = pick("mem_reservation", "reservations", "memory");
    let cpus = pick("cpus", "limits", "cpus");
    let pids = pick("pids_limit", "limits", "pids");
    let shares = pick("cpu_shares", "", "");
    let set = pick("cpuset", "", "");
    let mut values: Vec<(String, Toml)> = Vec::new();
    let mut wrong = Vec::new();
    let sizes = [("memory", memory.as_ref()), ("reservation", reservation.as_ref())];
    for (key, node) in sizes {
        let Some(node) = node else { continue };
        match node.text().and_then(words::size) {
            Some(ByteSize(0)) => {}
            Some(size) => values.push((key.to_owned(), size.to_string().into())),
            None => wrong.push((node.at.clone(), key)),
        }
    }
    if let Some(node) = cpus {
        match node.text().and_then(|text| text.parse::<f64>().ok()) {
            Some(number) if number > 0.0 => values.push(("cpus".to_owned(), number.into())),
            Some(_) => {}
            None => wrong.push((node.at.clone(), "cpus")),
        }
    }
    for (key, node) in [("cpu_shares", shares), ("pids", pids)] {
        let number = node.as_ref().and_then(Node::text).and_then(|text| text.parse::<i64>().ok());
        if let Some(number) = number.filter(|number| *number > 0) {
            values.push((key.to_owned(), number.into()));
        }
    }
    if let Some(text) = set.as_ref().and_then(Node::text) {
        values.push(("cpuset".to_owned(), text.into()));
    }
    for (at, key) in wrong {
        shared.lost(sheet, &at, key, "it cannot be read");
    }
    // Swap is limited to as much again by both, so that this much needs no word.
    let swap = node.get("memswap_limit").and_then(Node::text).and_then(words::size);
    let memory = memory.as_ref().and_then(Node::text).and_then(words::size);
    if swap.zip(memory).is_some_and(|(swap, memory)| swap.0 == memory.0 * 2) {
        node.take("memswap_limit");
    }
    let devices = deploy.as_ref().and_then(|d| d.get("reservations")?.get("devices"));
    if let Some(devices) = devices {
        let at = devices.at.clone();
        shared.lost(sheet, &at, "deploy.resources.reservations.devices", UNKNOWN);
        shared.ignore(name, "engine.DeviceRequests", "deploy.resources.reservations.devices");
    }
    sheet.values("limits", values);
}

/// Writes when it is started again.
pub(super) fn restart(
    shared: &mut Shared<'_, '_>,
    sheet: &mut Sheet,
    is_job: bool,
    node: &mut Node,
) {
    let own = node.take("restart");
    let own = own.as_ref().and_then(|(_, value)| value.text());
    let policy = node.get("deploy").and_then(|deploy| deploy.get("restart_policy"));
    let word = match (own, policy) {
        (Some(word), _) => word.to_owned(),
        (None, Some(policy)) => {
            let text = |key: &str| policy.get(key).and_then(Node::text);
            match (text("condition").unwrap_or("any"), text("max_attempts")) {
                ("none", _) => "no".to_owned(),
                ("on-failure", Some(times)) => format!("on-failure:{times}"),
                ("on-failure", None) => "on-failure".to_owned(),
                _ => "always".to_owned(),
            }
        }
        (None, None) => "no".to_owned(),
    };
    let (word, forever) = match word.as_str() {
        "false" => ("no".to_owned(), false),
        "always" | "unless-stopped" => (word, true),
        _ => (word, false),
    };
    if is_job && forever {
        let at = node.at.clone();
        shared.lost(sheet, &at, "restart", "what others wait for to end is not started again");
        return;
    }
    // Without a word, nself starts it again and Compose does not.
    if !(is_job && word == "no") {
        sheet.set("restart", word);
    }
}

/// Writes its health check.
pub(super) fn health(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, node: &mut Node) {
    let Some((key, health)) = node.take("healthcheck") else { return };
    let disabled = health.get("disable").is_some_and(Node::flag);
    let words = health.get("test").map(|test| match &test.value {
        Value::List(_) => test.texts(),
        _ => vec!["CMD-SHELL".to_owned(), test.text().unwrap_or_default().to_owned()],
    });
    let words = words.unwrap_or_default();
    let mut values: Vec<(String, Toml)> = Vec::new();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["NONE", ..] => return disable(shared, sheet, &key.at),
        _ if disabled => return disable(shared, sheet, &key.at),
        ["CMD", rest @ ..] => {
            values.push((
                "command".to_owned(),
                rest.iter().copied().collect::<toml_edit::Array>().into(),
            ));
        }
        ["CMD-SHELL", rest @ ..] => {
            let line = rest.join(" ");
            let words = ["/bin/sh", "-c", &line];
            values.push(("command".to_owned(), toml_edit::Array::from_iter(words).into()));
        }
        [] => {}
        _ => {
            shared.lost(
                sheet,
                &key.at,
                "healthcheck.test",
                "it begins with none of CMD and CMD-SHELL",
            );
            return;
        }
    }
    // Compose takes the engine's half minute where nothing is said, and nself does not.
    let own = !words.is_empty();
    for (from, default) in
        [("interval", Some(PAUSE)), ("timeout", Some(PAUSE)), ("start_period", None)]
    {
        let written = health.get(from).and_then(Node::text).and_then(words::duration);
        if let Some(time) = written.or(default.filter(|_| own)).filter(|time| time.0 > 0) {
            values.push((from.to_owned(), time.to_string().into()));
        }
    }
    let retries = health.get("retries").and_then(Node::text).and_then(|text| text.parse().ok());
    if let Some(retries) = retries.or(own.then_some(3_i64)) {
        values.push(("retries".to_owned(), retries.into()));
    }
    if let Some(interval) = health.get("start_interval") {
        let at = interval.at.clone();
        shared.lost(sheet, &at, "healthcheck.start_interval", UNKNOWN);
    }
    sheet.values("health", values);
}

const PAUSE: Millis = Millis(30_000);

fn disable(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, at: &Origin) {
    let why = "nself cannot switch off the health check that an image declares";
    shared.lost(sheet, at, "healthcheck.disable", why);
}
