//! The half of a container's configuration that an image can declare too.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Object, list};
use crate::{
    desired::{Field, Fields, NAMELESS_VOLUME, Path, Value},
    observed::{LiveFields, label},
};

/// The engine counts health checks in billionths of a second.
const NANOS_A_MILLI: i64 = 1_000_000;
/// What every engine takes where a health check does not say, in milliseconds and times.
const HEALTH_PAUSE: i64 = 30_000;
const HEALTH_RETRIES: i64 = 3;
/// Digits of an id that the engine uses as host name and alias.
pub(super) const SHORT: usize = 12;

/// Returns what an image declares, in the same texts as a container's fields.
pub(in super::super) fn image_fields(json: Json) -> Fields {
    let mut config = Object::new(json).object("Config");
    let labels = config.map("Labels");
    let mut fields = Fields::default();
    shared(&mut config, &labels, &mut |path, text| fields.insert(path, Value::Plain(text)));
    fields
}

/// Reads a container's own configuration, declared by its image or not.
pub(super) fn container_fields(
    config: &mut Object,
    labels: &BTreeMap<String, String>,
    id: &str,
    fields: &mut LiveFields,
) {
    shared(config, labels, &mut |path, text| fields.insert(path, text));
    if let Some(image) = config.text("Image") {
        fields.insert(Field::Image.path(), image);
    }
    // Without a host name of its own a container is called by the first digits of its id.
    let short = id.get(..SHORT).unwrap_or(id);
    if let Some(hostname) = config.text("Hostname").filter(|name| name != short) {
        fields.insert(Field::Hostname.path(), hostname);
    }
    if let Some(seconds) = config.count("StopTimeout") {
        fields.insert(Field::StopGrace.path(), seconds);
    }
    for key in ["Tty", "OpenStdin", "StdinOnce", "NetworkDisabled"] {
        if config.flag(key) {
            fields.insert(Field::Other.key(key), true);
        }
    }
    for key in ["Domainname", "MacAddress"] {
        if let Some(text) = config.text(key) {
            fields.insert(Field::Other.key(key), text);
        }
    }
}

fn shared(
    config: &mut Object,
    labels: &BTreeMap<String, String>,
    add: &mut impl FnMut(Path, String),
) {
    for (key, value) in environment(config.texts("Env")) {
        add(Field::Env.key(key), value);
    }
    for (key, field) in [("Cmd", Field::Command), ("Entrypoint", Field::Entrypoint)] {
        let words = config.texts(key);
        if !words.is_empty() {
            add(field.path(), list(words));
        }
    }
    for (key, field) in
        [("User", Field::User), ("WorkingDir", Field::Workdir), ("StopSignal", Field::StopSignal)]
    {
        if let Some(text) = config.text(key) {
            add(field.path(), text);
        }
    }
    // Volumes asked for without a name. Where something else is mounted, that is read later.
    for (path, _) in config.object("Volumes").0 {
        add(Field::Mount.key(path), NAMELESS_VOLUME.to_owned());
    }
    for (key, value) in labels.iter().filter(|(key, _)| !key.starts_with(label::PREFIX)) {
        add(Field::Label.key(key), value.clone());
    }
    let shell = config.texts("Shell");
    health(config.object("Healthcheck"), &shell, add);
}

/// An unset part of a health check is the engine's own default, and a shell is its shell, whether one asks
/// for them in so many words or not.
fn health(mut check: Object, shell: &[String], add: &mut impl FnMut(Path, String)) {
    let test = check.texts("Test");
    let is_run = test.first().is_some_and(|first| first != "NONE");
    match test.as_slice() {
        [] => {}
        [first, line] if first == "CMD-SHELL" && shell.is_empty() => {
            let words = ["CMD", "/bin/sh", "-c", line];
            add(Field::HealthTest.path(), list(words.map(str::to_owned)));
        }
        _ => add(Field::HealthTest.path(), list(test)),
    }
    for (key, field, default) in [
        ("Interval", Field::HealthInterval, Some(HEALTH_PAUSE)),
        ("Timeout", Field::HealthTimeout, Some(HEALTH_PAUSE)),
        ("StartPeriod", Field::HealthStartPeriod, None),
    ] {
        let millis = check.number(key).map(|nanos| nanos / NANOS_A_MILLI);
        if let Some(millis) = millis.or(default.filter(|_| is_run)) {
            add(field.path(), millis.to_string());
        }
    }
    if let Some(retries) = check.number("Retries").or(is_run.then_some(HEALTH_RETRIES)) {
        add(Field::HealthRetries.path(), retries.to_string());
    }
    if let Some(nanos) = check.number("StartInterval") {
        add(Field::Other.key("HealthStartInterval"), (nanos / NANOS_A_MILLI).to_string());
    }
}

/// The last of several values wins, as it does for the process.
fn environment(entries: Vec<String>) -> BTreeMap<String, String> {
    let pairs = entries.into_iter().filter_map(|entry| {
        // An entry without `=` unset an inherited variable when the container was created.
        let (key, value) = entry.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    });
    pairs.collect()
}
