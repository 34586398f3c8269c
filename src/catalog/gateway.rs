//! The gateway: nginx with a configuration made from the project's routes.
//!
//! The configuration names every included file relative to itself, so that a new set can be checked in
//! its own folder before it takes the place of the old one.

use std::collections::BTreeMap;

use super::{
    Blueprint, Check, Context, Earlier, File, Generated, HealthCheck, Kind, Probe, Recipe, Release, Reload,
    Site,
};
use crate::{
    model::{ByteSize, Diagnostic, Millis, Text},
    table,
};

/// The kind.
pub const KIND: Kind = Kind {
    name: "gateway",
    summary: "nginx, which serves every route of the project over HTTPS.",
    image: Some("nginx"),
    releases: &[
        Release { version: "1.31", tag: "1.31.4" },
        Release { version: "1.22", tag: "1.22.1" },
    ],
    recipe: Some(Recipe {
        version: "1.22",
        files: &[("Dockerfile", include_str!("gateway/Dockerfile"))],
        effort: "about 10 s, 3 MB to download",
    }),
    port: Some(HTTPS),
    offers: &[],
    route: None,
    is_job: false,
};

table! {
    /// What a person can say of the gateway.
    pub struct Options {
        /// The largest request body. Default: "100M".
        pub body_limit: Option<ByteSize>,
    }
}

/// Ports inside the container: above 1024, since nothing in it is root.
const HTTP: u16 = 8080;
const HTTPS: u16 = 8443;
const HEALTH: u16 = 8081;

/// The unprivileged user of the official image.
const UID: u32 = 101;

/// Draws up the gateway.
pub fn blueprint(options: &Options, context: &Context<'_>) -> Blueprint {
    // The images have no HTTP client in common, but both have bash.
    let ask = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{HEALTH} && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 \
         && grep -q '^ok' <&3"
    );
    let nginx = |configuration: &str| {
        vec!["nginx".to_owned(), "-c".to_owned(), configuration.to_owned()]
    };
    let mut check = nginx("{dir}/nginx.conf");
    check.insert(1, "-t".into());
    let configuration = format!("{}/current/nginx.conf", Generated::MOUNT);
    let start = ["sh", "-c", include_str!("gateway/start").trim_end(), "sh", &configuration];
    Blueprint {
        command: Some(start.map(str::to_owned).into()),
        user: Some(format!("{UID}:{UID}")),
        generated: Some(Generated {
            files: files(options, context),
            owner: (UID, UID),
            check: Some(Check(check)),
            reload: Reload::Signal("SIGHUP".into()),
        }),
        publish: BTreeMap::from([(HTTP, context.http_port), (HTTPS, context.https_port)]),
        probe: Some(Probe::Http { port: HEALTH, path: "/healthz".into() }),
        health: Some(HealthCheck {
            test: vec!["bash".into(), "-c".into(), ask],
            interval: Millis(15_000),
            timeout: Millis(5_000),
            retries: 3,
            start_period: Millis(10_000),
        }),
        // Lets running requests end.
        stop_signal: Some("SIGQUIT".into()),
        stop_grace: Some(Millis(15_000)),
        capabilities: Some(Vec::new()),
        read_only: true,
        tmpfs: BTreeMap::from([("/tmp".into(), "mode=1777".into())]),
        earlier: vec![by_name(options, context, nginx(&configuration))],
        ..Blueprint::default()
    }
}

/// Returns the form that knew the address of Docker's name server, and ran on Docker only.
fn by_name(options: &Options, context: &Context<'_>, mut command: Vec<String>) -> Earlier {
    command.extend(["-g".into(), "daemon off;".into()]);
    let mut files = files(options, context);
    if let Some(main) = files.get_mut(MAIN) {
        let text = main.content.as_plain().unwrap_or_default();
        main.content = Text::plain(text.replace(RESOLVER, include_str!("gateway/resolver.conf")));
    }
    let main = files.remove_entry(MAIN).into_iter().map(|(path, file)| (path, Some(file)));
    Earlier { command: Some(command), files: main.collect() }
}

/// The file that the gateway is started with.
const MAIN: &str = "nginx.conf";
/// How it says where names are looked up.
const RESOLVER: &str = include_str!("gateway/include.conf");

fn files(options: &Options, context: &Context<'_>) -> BTreeMap<String, File> {
    let open = |text: String| File { content: Text::plain(text), mode: 0o444 };
    let body_limit = options.body_limit.map_or(100 << 20, |limit| limit.0);
    let mut files = BTreeMap::from([
        (MAIN.to_owned(), open(main_configuration(context, body_limit))),
        ("proxy.conf".to_owned(), open(proxy_configuration(context))),
    ]);
    let Some(certificate) = context.certificate else { return files };
    for (name, content) in [("chain", &certificate.chain), ("key", &certificate.key)] {
        files.insert(format!("tls/{name}.pem"), File { content: content.clone(), mode: 0o400 });
    }
    for site in context.sites {
        let text = site_configuration(site, context);
        files.insert(site_file(&site.host), open(text));
    }
    files
}

/// Returns the path of the file that serves `host`.
pub fn site_file(host: &str) -> String {
    format!("conf.d/{host}.conf")
}

fn main_configuration(context: &Context<'_>, body_limit: u64) -> String {
    let include = if context.certificate.is_some() { "include conf.d/*.conf;" } else { "" };
    let refuse = if context.certificate.is_some() {
        "server {\n        listen 8443 ssl default_server;\n        ssl_reject_handshake on;\n    }"
    } else {
        ""
    };
    // Who comes without TLS once must not do so again, but only where the certificate is for good.
    let strict = if context.production { "max-age=31536000" } else { "" };
    include_str!("gateway/nginx.conf")
        .replace("@BODY_LIMIT@", &body_limit.to_string())
        .replace("@STRICT@", strict)
        .replace("@REFUSE@", refuse)
        .replace("@SITES@", include)
}

fn proxy_configuration(context: &Context<'_>) -> String {
    include_str!("gateway/proxy.conf").replace("@PORT@", &context.https_port.to_string())
}

fn site_configuration(site: &Site, context: &Context<'_>) -> String {
    let Site { host, upstream, port, body_limit } = site;
    let https_port = match context.https_port {
        443 => String::new(),
        other => format!(":{other}"),
    };
    let (listen, http2) =
        if knows_http2_directive(context.version) { ("", "http2 on;") } else { (" http2", "") };
    let body_limit =
        body_limit.map_or(String::new(), |limit| format!("client_max_body_size {limit};"));
    include_str!("gateway/site.conf")
        .replace("@HOST@", host)
        .replace("@UPSTREAM@", upstream)
        .replace("@UPSTREAM_PORT@", &port.to_string())
        .replace("@HTTPS_PORT@", &https_port)
        .replace("@LISTEN@", listen)
        .replace("@HTTP2@", http2)
        .replace("@BODY_LIMIT@", &body_limit)
        .lines()
        .filter(|line| line.is_empty() || !line.trim().is_empty())
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Returns whether HTTP/2 is a directive of its own, as from nginx 1.25.1 on.
fn knows_http2_directive(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) > (1, 25)
}

/// Offers nothing: what is behind it has names of its own.
pub fn offers(_: &Options, _: &Context<'_>) -> Vec<(&'static str, Text)> {
    Vec::new()
}

/// Finds nothing wrong: routes are checked where they are written.
pub fn check(_: &Options, _: &Context<'_>) -> Vec<Diagnostic> {
    Vec::new()
}
