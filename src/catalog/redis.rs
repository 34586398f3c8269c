//! Redis: a cache and message broker that survives a restart.

pub(super) mod acl;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Blueprint, Context, DataVolume, Earlier, File, Generated, HealthCheck, InnerDriver, InnerSpec, Kind,
    Offer, Probe, Recipe, Release, Reload,
};
use crate::{
    model::{
        ByteSize, Diagnostic, Encoding, InnerKind, Millis, Part, SecretName, Text, decode::Sourced,
    },
    table, words,
};

/// The kind.
pub const KIND: Kind = Kind {
    name: "redis",
    summary: "Redis, the in-memory store for caches, queues and sessions.",
    image: Some("redis"),
    releases: &[
        Release { version: "8", tag: "8.10.1" },
        Release { version: "7", tag: "7.4.5" },
    ],
    recipe: Some(Recipe {
        version: "7",
        files: &[("Dockerfile", include_str!("redis/Dockerfile"))],
        effort: "about 10 s, 3 MB to download",
    }),
    port: Some(PORT),
    offers: &[
        Offer { key: "url", doc: "redis://:PASSWORD@HOST:6379, percent-encoded" },
        Offer { key: "host", doc: "host name on the project's network" },
        Offer { key: "port", doc: "the port, 6379" },
        Offer { key: "password", doc: "the password" },
    ],
    route: None,
    is_job: false,
};

words! {
    /// What Redis writes to its volume.
    pub enum Persistence {
        /// Every change, synced each second.
        Log = "log",
        /// A snapshot now and then.
        Snapshot = "snapshot",
        /// Nothing.
        Nothing = "none",
    }
}

words! {
    /// What Redis throws away when its memory is full.
    pub enum Eviction {
        /// Nothing: writes fail.
        Nothing = "noeviction",
        /// The keys not used for longest.
        LeastRecent = "allkeys-lru",
        /// The keys used least often.
        LeastFrequent = "allkeys-lfu",
        /// Any keys.
        Random = "allkeys-random",
        /// Of the keys that expire, those not used for longest.
        VolatileLeastRecent = "volatile-lru",
        /// Of the keys that expire, those used least often.
        VolatileLeastFrequent = "volatile-lfu",
        /// Of the keys that expire, any.
        VolatileRandom = "volatile-random",
        /// The keys that expire soonest.
        Soonest = "volatile-ttl",
    }
}

table! {
    /// What a person can say of a Redis.
    pub struct Options {
        /// The memory its data may take, such as "256M". Default: no limit of its own.
        pub maxmemory: Option<Sourced<ByteSize>>,
        /// What it throws away when that is full. Default: "noeviction".
        pub eviction: Option<Eviction>,
        /// What it writes to its volume: "log" (every change), "snapshot" or "none". Default: "log".
        pub persistence: Option<Persistence>,
        /// How many numbered databases it has. Default: 16.
        pub databases: Option<u16>,
    }
}

const PORT: u16 = 6379;

/// Draws up the server.
pub fn blueprint(options: &Options, context: &Context<'_>) -> Blueprint {
    let current = format!("{}/current", Generated::MOUNT);
    // The password goes by the environment of one process, never by its arguments, which engines publish.
    let ask: Vec<String> = [
        "sh",
        "-c",
        &format!("REDISCLI_AUTH=\"$(cat {current}/password)\" exec redis-cli -e ping > /dev/null"),
    ]
    .map(String::from)
    .to_vec();
    let secret = SecretName::password(context.service, None);
    let password = Text::secret(secret.clone());
    let is_shared = context.turn(&secret) > 0;
    Blueprint {
        command: Some(vec!["redis-server".into(), format!("{current}/{CONFIGURATION}")]),
        user: Some("999:999".into()),
        volumes: vec![DataVolume { what: "data", target: "/data".into() }],
        generated: Some(Generated {
            files: BTreeMap::from([
                (CONFIGURATION.into(), File { content: configuration(options), mode: 0o400 }),
                (LOGIN.into(), File { content: login(secret.clone()), mode: 0o400 }),
                ("password".into(), File { content: password.clone(), mode: 0o400 }),
            ]),
            owner: (999, 999),
            check: None,
            // Of another password it is told while it runs, once one has changed. Until then nobody looks
            // which one it takes, so that a file that somebody edited asks for a restart.
            reload: if is_shared {
                Reload::RestartFor(BTreeSet::from([CONFIGURATION.into()]))
            } else {
                Reload::Restart
            },
        }),
        probe: Some(Probe::Exec(ask.clone())),
        health: Some(HealthCheck {
            test: ask,
            interval: Millis(10_000),
            timeout: Millis(5_000),
            retries: 3,
            start_period: Millis(30_000),
        }),
        // It writes its data before it goes.
        stop_grace: Some(Millis(30_000)),
        capabilities: Some(Vec::new()),
        read_only: true,
        tmpfs: BTreeMap::from([("/tmp".into(), "mode=1777".into())]),
        inner: if is_shared { inner(&password) } else { Vec::new() },
        earlier: if is_shared { Vec::new() } else { vec![in_one_file(options, secret)] },
        driver: is_shared.then(|| InnerDriver::Redis { folder: Generated::MOUNT.into() }),
        ..Blueprint::default()
    }
}

/// What is taken up by a restart only.
const CONFIGURATION: &str = "redis.conf";
/// The password as the server reads it when it starts.
const LOGIN: &str = "login.conf";

/// Returns what keeps two passwords valid while one takes the place of another: the new one is taken
/// beside the old one, and once everybody has it, alone.
fn inner(password: &Text) -> Vec<InnerSpec> {
    let spec = |kind| InnerSpec {
        kind,
        database: None,
        name: acl::USER.to_owned(),
        attributes: BTreeMap::from([(acl::PASSWORD.to_owned(), password.clone())]),
    };
    vec![spec(InnerKind::Role), spec(InnerKind::Login)]
}

/// Returns the form that had the password among the other settings, and no second one beside it.
fn in_one_file(options: &Options, secret: SecretName) -> Earlier {
    let content = settings(options, login(secret));
    let files = [
        (CONFIGURATION.to_owned(), Some(File { content, mode: 0o400 })),
        (LOGIN.to_owned(), None),
    ];
    Earlier { command: None, files: files.into() }
}

fn login(secret: SecretName) -> Text {
    Text(vec![
        Part::Plain("requirepass \"".into()),
        Part::Secret(secret, Encoding::Quoted),
        Part::Plain("\"\n".into()),
    ])
}

fn configuration(options: &Options) -> Text {
    let folder = Generated::MOUNT;
    settings(options, Text::plain(format!("include {folder}/current/{LOGIN}\n")))
}

/// Returns the settings, with what says how to log in among them.
fn settings(options: &Options, login: Text) -> Text {
    let Options { maxmemory, eviction, persistence, databases } = options;
    let mut text = Text::plain("bind * -::*\nprotected-mode yes\ndir /data\n");
    text.0.extend(login.0);
    text.push_str(match persistence.unwrap_or(Persistence::Log) {
        Persistence::Log => "appendonly yes\nappendfsync everysec\n",
        Persistence::Snapshot => "appendonly no\nsave 3600 1 300 100 60 10000\n",
        Persistence::Nothing => "appendonly no\nsave \"\"\n",
    });
    if let Some(maxmemory) = maxmemory {
        text.push_str(&format!("maxmemory {}\n", maxmemory.value.0));
    }
    let eviction = eviction.unwrap_or(Eviction::Nothing).word();
    text.push_str(&format!("maxmemory-policy {eviction}\n"));
    if let Some(databases) = databases {
        text.push_str(&format!("databases {databases}\n"));
    }
    text
}

/// Returns where it answers.
pub fn offers(_: &Options, context: &Context<'_>) -> Vec<(&'static str, Text)> {
    let host = context.service.as_str();
    let secret = SecretName::password(context.service, None);
    let url = Text(vec![
        Part::Plain("redis://:".into()),
        Part::Secret(secret.clone(), Encoding::Url),
        Part::Plain(format!("@{host}:{PORT}")),
    ]);
    vec![
        ("url", url),
        ("host", host.into()),
        ("port", PORT.to_string().into()),
        ("password", Text::secret(secret)),
    ]
}

/// Returns what is wrong with the options.
pub fn check(options: &Options, _: &Context<'_>) -> Vec<Diagnostic> {
    let smallest = 1 << 20;
    let too_small = options.maxmemory.iter().filter(|memory| memory.value.0 < smallest);
    too_small
        .map(|memory| {
            let message = format!("{} is too little memory for a Redis", memory.value);
            Diagnostic::error("out-of-range", message).at(&memory.origin, "wants 1M or more")
        })
        .collect()
}
