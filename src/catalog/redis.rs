//! Redis: a cache and message broker that survives a restart.

use std::collections::BTreeMap;

use super::{
    Blueprint, Context, DataVolume, File, Generated, HealthCheck, Kind, Offer, Probe, Recipe,
    Release, Reload,
};
use crate::{
    model::{
        ByteSize, Diagnostic, Encoding, Millis, Part, SecretName, Text, decode::Sourced,
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
    let password = Text::secret(SecretName::password(context.service, None));
    Blueprint {
        command: Some(vec!["redis-server".into(), format!("{current}/redis.conf")]),
        user: Some("999:999".into()),
        volumes: vec![DataVolume { what: "data", target: "/data".into() }],
        generated: Some(Generated {
            files: BTreeMap::from([
                ("redis.conf".into(), File { content: configuration(options, context), mode: 0o400 }),
                ("password".into(), File { content: password, mode: 0o400 }),
            ]),
            owner: (999, 999),
            check: None,
            reload: Reload::Restart,
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
        ..Blueprint::default()
    }
}

fn configuration(options: &Options, context: &Context<'_>) -> Text {
    let Options { maxmemory, eviction, persistence, databases } = options;
    let mut text = Text::plain("bind * -::*\nprotected-mode yes\ndir /data\nrequirepass \"");
    text.0.push(Part::Secret(SecretName::password(context.service, None), Encoding::Quoted));
    text.push_str("\"\n");
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
