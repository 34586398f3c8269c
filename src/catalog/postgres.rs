//! Postgres, with the databases, roles, schemas, extensions and grants inside it.

mod check;
mod extension;
pub(super) mod scram;
mod script;
pub(super) mod sql;

pub use check::check;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Blueprint, Context, DataVolume, File, Generated, HealthCheck, InnerDriver, InnerSpec, Kind,
    Offer, Probe, Recipe, Release, Reload,
};
use crate::{
    model::{
        ByteSize, Diagnostic, Encoding, InnerKind, Millis, Part, SecretName, Text,
        decode::{Decode, Node, NodeValue, Shape, Sourced},
    },
    table,
};

/// The kind.
pub const KIND: Kind = Kind {
    name: "postgres",
    summary: "PostgreSQL, the relational database.",
    image: Some("postgres"),
    releases: &[
        Release { version: "17", tag: "17.6" },
        Release { version: "18", tag: "18.6" },
        Release { version: "16", tag: "16.10" },
        Release { version: "15", tag: "15.14" },
    ],
    recipe: Some(Recipe {
        version: "15",
        files: &[
            ("Dockerfile", include_str!("postgres/Dockerfile")),
            ("entrypoint", include_str!("postgres/entrypoint")),
        ],
        effort: "about 90 s, 300 MB to download",
    }),
    port: Some(PORT),
    offers: &[
        Offer { key: "url", doc: "postgres://USER:PASSWORD@HOST:5432/DATABASE, percent-encoded" },
        Offer { key: "host", doc: "host name on the project's network" },
        Offer { key: "port", doc: "the port, 5432" },
        Offer { key: "user", doc: "the role that owns the main database; not a superuser" },
        Offer { key: "password", doc: "the password of that role" },
        Offer { key: "database", doc: "the main database" },
    ],
    route: None,
    is_job: false,
};

table! {
    /// What a person can say of a Postgres.
    pub struct Options {
        /// The main database. Default: the project's name, with `_` for `-`.
        pub database: Option<Sourced<String>>,
        /// Further databases, owned by the same role.
        pub databases: Vec<Sourced<String>>,
        /// Extensions of the main database, such as `"pg_trgm"`.
        pub extensions: Vec<Sourced<String>>,
        /// Schemas of the main database.
        pub schemas: Vec<Sourced<String>>,
        /// Further roles, by name. Those that may log in have a generated password, `${secret.SERVICE_ROLE_password}`.
        pub roles: BTreeMap<String, Sourced<Role>>,
        /// Server settings, such as `max_connections = 200`.
        pub settings: BTreeMap<String, Sourced<Setting>>,
    }
}

table! {
    /// A role of a Postgres.
    pub struct Role {
        /// Whether it may log in. Default: true.
        pub login: Option<bool>,
        /// Whether it may make databases. Default: false.
        pub createdb: Option<bool>,
        /// Whether it may make roles. Default: false.
        pub createrole: Option<bool>,
        /// Whether it may replicate the server. Default: false.
        pub replication: Option<bool>,
        /// How many connections it may have at once; -1 is any number. Default: -1.
        pub connection_limit: Option<i32>,
        /// Roles it is a member of: others of this file, or one of the server's own, such as `"pg_read_all_data"`.
        pub member_of: Vec<Sourced<String>>,
        /// Privileges by object: "database:NAME" or "schema:NAME" (of the main database) → a list such as `["CONNECT"]`.
        pub grants: BTreeMap<String, Sourced<Vec<String>>>,
    }
}

/// A value of a server setting: text, a number or a boolean.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting(pub String);

impl Decode for Setting {
    fn shape() -> Shape {
        Shape::Either(vec![Shape::Text("text, such as \"256MB\""), Shape::Number, Shape::Boolean])
    }

    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        Some(Self(match &node.value {
            NodeValue::String(text) => text.clone(),
            NodeValue::Integer(number) => number.to_string(),
            NodeValue::Float(number) => number.to_string(),
            NodeValue::Boolean(true) => "on".into(),
            NodeValue::Boolean(false) => "off".into(),
            NodeValue::Datetime(_) | NodeValue::Array(_) | NodeValue::Table(_) => {
                return node.mismatch("text, a number or a boolean", problems);
            }
        }))
    }
}

const PORT: u16 = 5432;

/// The role that administrates the server, and the database that is always there.
const ADMIN: &str = "postgres";

/// Databases that every server has.
const OWN_DATABASES: [&str; 3] = ["postgres", "template0", "template1"];

/// Draws up the server and what is in it.
pub fn blueprint(options: &Options, context: &Context<'_>) -> Blueprint {
    let ask: Vec<String> = ["pg_isready", "-q", "-h", "127.0.0.1", "-U", ADMIN]
        .map(String::from)
        .to_vec();
    let password = Text::secret(SecretName::password(context.service, None));
    Blueprint {
        command: Some(command(options, context)),
        env: BTreeMap::from([
            ("POSTGRES_USER".into(), ADMIN.into()),
            ("POSTGRES_PASSWORD_FILE".into(), format!("{}/current/password", Generated::MOUNT).into()),
        ]),
        user: Some("999:999".into()),
        volumes: vec![DataVolume { what: "data", target: data_path(context.version).into() }],
        generated: Some(Generated {
            files: BTreeMap::from([("password".into(), File { content: password, mode: 0o400 })]),
            owner: (999, 999),
            check: None,
            // It is read once, when the cluster is made.
            reload: Reload::RestartFor(BTreeSet::new()),
        }),
        // Over TCP: while the official image prepares a new cluster, its temporary server listens on
        // the socket only, and must not pass for the real one.
        probe: Some(Probe::Exec(ask.clone())),
        health: Some(HealthCheck {
            test: ask,
            interval: Millis(10_000),
            timeout: Millis(5_000),
            retries: 5,
            start_period: Millis(60_000),
        }),
        // Parallel queries need more than the 64 MiB that engines give.
        shm: Some(ByteSize(128 << 20)),
        // SIGTERM would wait for every client to leave by itself.
        stop_signal: Some("SIGINT".into()),
        stop_grace: Some(Millis(30_000)),
        capabilities: Some(Vec::new()),
        read_only: true,
        tmpfs: BTreeMap::from([
            ("/tmp".into(), "mode=1777".into()),
            ("/var/run/postgresql".into(), "mode=1777".into()),
        ]),
        inner: inner(options, context),
        driver: Some(InnerDriver::Postgres { role: ADMIN.into(), database: ADMIN.into() }),
        ..Blueprint::default()
    }
}

/// Returns where it answers, and as whom.
pub fn offers(options: &Options, context: &Context<'_>) -> Vec<(&'static str, Text)> {
    let host = context.service.as_str();
    let database = main_database(options, context);
    let secret = SecretName::password(context.service, Some(&database));
    let user = Logins::of(options, context).open;
    let url = Text(vec![
        Part::Plain(format!("postgres://{}:", Encoding::Url.apply(&user))),
        Part::Secret(secret.clone(), Encoding::Url),
        Part::Plain(format!("@{host}:{PORT}/{}", Encoding::Url.apply(&database))),
    ]);
    vec![
        ("url", url),
        ("host", host.into()),
        ("port", PORT.to_string().into()),
        ("user", user.into()),
        ("password", Text::secret(secret)),
        ("database", database.into()),
    ]
}

/// The roles with which the services of the project log in. There is one until its password is changed for
/// the first time; from then on there are two, and each change goes over to the other one. Whatever they
/// make belongs to the main role, since both act as it.
struct Logins {
    /// The one that is in use.
    open: String,
    /// The one that was, and will be at the next change.
    closed: Option<String>,
}

impl Logins {
    fn of(options: &Options, context: &Context<'_>) -> Self {
        let main = main_database(options, context);
        let second = sql::second(&main);
        let is_free = second.len() <= LONGEST_NAME && !options.roles.contains_key(&second);
        match context.turn(&SecretName::password(context.service, Some(&main))) {
            1.. if !is_free => Self { open: main, closed: None },
            0 => Self { open: main, closed: None },
            turn if turn % 2 == 1 => Self { open: second, closed: Some(main) },
            _ => Self { open: main, closed: Some(second) },
        }
    }

    /// Returns them, the main role first.
    fn all(&self) -> impl Iterator<Item = &String> {
        let mut all: Vec<&String> = std::iter::once(&self.open).chain(&self.closed).collect();
        all.sort_by_key(|name| name.len());
        all.into_iter()
    }
}

/// The longest name that Postgres does not silently cut.
const LONGEST_NAME: usize = 63;

/// Returns the main database, which is also the name of the role that owns it.
fn main_database(options: &Options, context: &Context<'_>) -> String {
    if let Some(database) = &options.database {
        return database.value.clone();
    }
    let name = context.project.as_str().replace('-', "_");
    if OWN_DATABASES.contains(&name.as_str()) { "app".into() } else { name }
}

/// Returns where the volume is mounted. From 18 on the official image keeps one folder for each major
/// release, and a volume at the old place would stay empty.
fn data_path(version: &str) -> &'static str {
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major >= 18 { "/var/lib/postgresql" } else { "/var/lib/postgresql/data" }
}

fn command(options: &Options, context: &Context<'_>) -> Vec<String> {
    let mut settings: BTreeMap<String, String> = options
        .settings
        .iter()
        .map(|(name, setting)| (name.clone(), setting.value.0.clone()))
        .collect();
    let extensions: Vec<_> =
        options.extensions.iter().filter_map(|name| extension::find(&name.value)).collect();
    let mut libraries: Vec<String> = settings
        .remove("shared_preload_libraries")
        .into_iter()
        .flat_map(|list| list.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>())
        .filter(|name| !name.is_empty())
        .collect();
    // Sorted, so that the order in which extensions are written down changes nothing.
    let needed: BTreeSet<&str> =
        extensions.iter().flat_map(|extension| extension.preload.iter().copied()).collect();
    for library in needed {
        if !libraries.iter().any(|there| there == library) {
            libraries.push(library.to_owned());
        }
    }
    // Others of its family hook into it, so it comes first.
    libraries.sort_by_key(|library| library != "pg_stat_statements");
    if !libraries.is_empty() {
        settings.insert("shared_preload_libraries".into(), libraries.join(","));
    }
    if extensions.iter().any(|extension| extension.name == "pg_cron") {
        let database = main_database(options, context);
        settings.entry("cron.database_name".into()).or_insert(database);
    }
    let mut command = vec!["postgres".to_owned()];
    for (name, value) in settings {
        command.extend(["-c".to_owned(), format!("{name}={value}")]);
    }
    command
}

fn inner(options: &Options, context: &Context<'_>) -> Vec<InnerSpec> {
    let main = main_database(options, context);
    let own = |name: &str| {
        BTreeMap::from([(sql::PASSWORD.to_owned(), Text::secret(SecretName::password(context.service, Some(name))))])
    };
    let plain = Role {
        login: None,
        createdb: None,
        createrole: None,
        replication: None,
        connection_limit: None,
        member_of: Vec::new(),
        grants: BTreeMap::new(),
    };
    let spec = |kind, database: Option<&str>, name: &str, attributes| InnerSpec {
        kind,
        database: database.map(str::to_owned),
        name: name.to_owned(),
        attributes,
    };
    let owned = || BTreeMap::from([(sql::OWNER.to_owned(), Text::plain(main.clone()))]);

    let mut admin = role_attributes(&plain, true);
    admin.insert(sql::PASSWORD.into(), Text::secret(SecretName::password(context.service, None)));
    let logins = Logins::of(options, context);
    let mut all = vec![
        spec(InnerKind::Role, None, ADMIN, admin),
        spec(InnerKind::Database, None, &main, owned()),
    ];
    for name in logins.all() {
        let mut attributes = role_attributes(&plain, false);
        if *name == logins.open {
            attributes.extend(own(&main));
        } else {
            // It goes on logging people in until all have gone over to the other one.
            attributes.remove(sql::LOGIN);
            let closed = BTreeMap::from([(sql::CLOSED.to_owned(), Text::plain(name))]);
            all.push(spec(InnerKind::Login, None, &main, closed));
        }
        if *name != main {
            attributes.insert(sql::MEMBER_OF.into(), sql::list(std::slice::from_ref(&main)).into());
            attributes.insert(sql::ACTS_AS.into(), main.clone().into());
        }
        all.push(spec(InnerKind::Role, None, name, attributes));
    }
    for (name, Sourced { value: role, .. }) in &options.roles {
        let mut attributes = role_attributes(role, false);
        if role.login.unwrap_or(true) {
            attributes.extend(own(name));
        }
        all.push(spec(InnerKind::Role, None, name, attributes));
        for (target, privileges) in &role.grants {
            let Some(grant) = sql::Target::parse(target) else { continue };
            let Ok(privileges) = grant.privileges(&privileges.value) else { continue };
            let database = match grant {
                sql::Target::Database(_) => None,
                sql::Target::Schema(_) => Some(main.as_str()),
            };
            let text = Text::plain(sql::list(&privileges));
            let attributes = BTreeMap::from([(sql::PRIVILEGES.to_owned(), text)]);
            all.push(spec(InnerKind::Grant, database, &format!("{name}@{target}"), attributes));
        }
    }
    for database in &options.databases {
        all.push(spec(InnerKind::Database, None, &database.value, owned()));
    }
    for schema in &options.schemas {
        all.push(spec(InnerKind::Schema, Some(&main), &schema.value, owned()));
    }
    for extension in &options.extensions {
        all.push(spec(InnerKind::Extension, Some(&main), &extension.value, BTreeMap::new()));
    }
    all.sort_by_key(|spec| spec.kind);
    all
}

/// Returns every attribute of a role but its password, so that whatever else somebody gave it shows.
fn role_attributes(role: &Role, is_admin: bool) -> BTreeMap<String, Text> {
    let Role { login, createdb, createrole, replication, connection_limit, member_of, grants: _ } =
        role;
    let member_of: Vec<_> = member_of.iter().map(|role| role.value.clone()).collect();
    let word = |value: bool| Text::plain(value.to_string());
    BTreeMap::from([
        (sql::LOGIN.into(), word(login.unwrap_or(true))),
        (sql::SUPERUSER.into(), word(is_admin)),
        (sql::CREATEDB.into(), word(is_admin || createdb.unwrap_or(false))),
        (sql::CREATEROLE.into(), word(is_admin || createrole.unwrap_or(false))),
        (sql::REPLICATION.into(), word(is_admin || replication.unwrap_or(false))),
        (sql::BYPASSRLS.into(), word(is_admin)),
        (sql::CONNECTION_LIMIT.into(), connection_limit.unwrap_or(-1).to_string().into()),
        (sql::MEMBER_OF.into(), sql::list(&member_of).into()),
    ])
}
