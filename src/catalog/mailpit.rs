//! Mailpit: takes every mail, delivers none, and shows them on a page.

use std::collections::BTreeMap;

use super::{
    Blueprint, Context, DataVolume, HealthCheck, Kind, Offer, Probe, Recipe, Release,
};
use crate::{
    model::{Diagnostic, Millis, Severity, Text},
    table,
};

/// The kind.
pub const KIND: Kind = Kind {
    name: "mailpit",
    summary: "Mailpit, which catches the mails of development and shows them.",
    image: Some("axllent/mailpit"),
    releases: &[
        Release { version: "1.30", tag: "v1.30.5" },
        Release { version: "1.22", tag: "v1.22.3" },
    ],
    recipe: Some(Recipe {
        version: "1.22",
        files: &[("Dockerfile", include_str!("mailpit/Dockerfile"))],
        effort: "about 90 s, 300 MB to download",
    }),
    port: Some(PORT),
    offers: &[
        Offer { key: "url", doc: "http://HOST:8025, its page and API" },
        Offer { key: "host", doc: "host name on the project's network" },
        Offer { key: "port", doc: "the port of its page and API, 8025" },
        Offer { key: "smtp_url", doc: "smtp://HOST:1025" },
        Offer { key: "smtp_port", doc: "the port that takes mails, 1025" },
    ],
    route: Some("mail"),
    is_job: false,
};

table! {
    /// What a person can say of a Mailpit.
    pub struct Options {
        /// How many mails it keeps. Default: 5000.
        pub max_messages: Option<u32>,
    }
}

const PORT: u16 = 8025;
const SMTP_PORT: u16 = 1025;

/// Draws up the catcher.
pub fn blueprint(options: &Options, _: &Context<'_>) -> Blueprint {
    let max_messages = options.max_messages.unwrap_or(5000).to_string();
    let env = [
        ("MP_DATABASE", "/data/mailpit.db"),
        ("MP_MAX_MESSAGES", max_messages.as_str()),
        // Programs that insist on a login may use any.
        ("MP_SMTP_AUTH_ACCEPT_ANY", "1"),
        ("MP_SMTP_AUTH_ALLOW_INSECURE", "1"),
        // It would ask its makers whether there is a newer release.
        ("MP_DISABLE_VERSION_CHECK", "1"),
    ];
    Blueprint {
        env: env.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect(),
        volumes: vec![DataVolume { what: "data", target: "/data".into() }],
        probe: Some(Probe::Http { port: PORT, path: "/readyz".into() }),
        health: Some(HealthCheck {
            test: vec!["/mailpit".into(), "readyz".into()],
            interval: Millis(15_000),
            timeout: Millis(5_000),
            retries: 3,
            start_period: Millis(10_000),
        }),
        capabilities: Some(Vec::new()),
        read_only: true,
        tmpfs: BTreeMap::from([("/tmp".into(), "mode=1777".into())]),
        ..Blueprint::default()
    }
}

/// Returns where it answers.
pub fn offers(_: &Options, context: &Context<'_>) -> Vec<(&'static str, Text)> {
    let host = context.service.as_str();
    vec![
        ("url", format!("http://{host}:{PORT}").into()),
        ("host", host.into()),
        ("port", PORT.to_string().into()),
        ("smtp_url", format!("smtp://{host}:{SMTP_PORT}").into()),
        ("smtp_port", SMTP_PORT.to_string().into()),
    ]
}

/// Warns where mails are meant to arrive.
pub fn check(_: &Options, context: &Context<'_>) -> Vec<Diagnostic> {
    if !context.production {
        return Vec::new();
    }
    let message = format!("`{}` catches mails: in production nobody receives one", context.service);
    let mut warning = Diagnostic::error("mail-is-caught", message)
        .help("send mails to a real server, and keep Mailpit to development");
    warning.severity = Severity::Warning;
    vec![warning]
}
