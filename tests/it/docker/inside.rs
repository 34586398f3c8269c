//! Whatever somebody changes inside a Postgres is found, named and put right, while it goes on serving.

use nself::{diff::Change, model::SecretName};

use super::stage::{Stage, gist, try_docker};

const FILE: &str = r#"
[services.postgres]
database = "app"
databases = ["reports"]
schemas = ["audit"]
extensions = ["pg_trgm"]

[services.postgres.roles.reader]
grants = { "database:reports" = ["CONNECT"], "schema:audit" = ["USAGE"] }
"#;

struct Case {
    what: &'static str,
    /// The database in which it happens.
    database: &'static str,
    /// What somebody types.
    sql: &'static str,
    /// The last part of the resource that must be named, and the attribute, if it is about one.
    names: (&'static str, &'static str),
}

const CASES: &[Case] = &[
    Case {
        what: "an extension dropped",
        database: "app",
        sql: "DROP EXTENSION pg_trgm",
        names: ("app/extension/pg_trgm", ""),
    },
    Case {
        what: "a role made a superuser",
        database: "postgres",
        sql: "ALTER ROLE reader SUPERUSER",
        names: ("role/reader", "superuser"),
    },
    Case {
        what: "a role locked out",
        database: "postgres",
        sql: "ALTER ROLE reader NOLOGIN",
        names: ("role/reader", "login"),
    },
    Case {
        what: "a role put into a group",
        database: "postgres",
        sql: "GRANT pg_read_all_data TO reader",
        names: ("role/reader", "member_of"),
    },
    Case {
        what: "a role's password changed",
        database: "postgres",
        sql: "ALTER ROLE reader PASSWORD 'guessed'",
        names: ("role/reader", "password"),
    },
    Case {
        what: "a role's password taken away",
        database: "postgres",
        sql: "ALTER ROLE reader PASSWORD NULL",
        names: ("role/reader", "password"),
    },
    Case {
        what: "the superuser's password changed",
        database: "postgres",
        sql: "ALTER ROLE postgres PASSWORD 'guessed'",
        names: ("role/postgres", "password"),
    },
    Case {
        what: "a privilege taken",
        database: "app",
        sql: "REVOKE USAGE ON SCHEMA audit FROM reader",
        names: ("app/grant/reader@schema:audit", ""),
    },
    Case {
        what: "a privilege more",
        database: "app",
        sql: "GRANT CREATE ON SCHEMA audit TO reader",
        names: ("app/grant/reader@schema:audit", "privileges"),
    },
    Case {
        what: "a privilege more on a database",
        database: "postgres",
        sql: "GRANT CREATE ON DATABASE reports TO reader",
        names: ("grant/reader@database:reports", "privileges"),
    },
    Case {
        what: "a schema dropped",
        database: "app",
        sql: "DROP SCHEMA audit",
        names: ("app/schema/audit", ""),
    },
    Case {
        what: "a schema's owner changed",
        database: "app",
        sql: "ALTER SCHEMA audit OWNER TO reader",
        names: ("app/schema/audit", "owner"),
    },
    Case {
        what: "a database's owner changed",
        database: "postgres",
        sql: "ALTER DATABASE reports OWNER TO reader",
        names: ("database/reports", "owner"),
    },
    Case {
        what: "a database dropped",
        database: "postgres",
        sql: "DROP DATABASE reports",
        names: ("database/reports", ""),
    },
    Case {
        what: "a database renamed",
        database: "postgres",
        sql: "ALTER DATABASE reports RENAME TO elsewhere",
        names: ("database/reports", ""),
    },
    Case {
        what: "a role renamed",
        database: "postgres",
        sql: "ALTER ROLE reader RENAME TO writer",
        names: ("role/reader", ""),
    },
];

#[test]
fn what_is_moved_inside_is_named_and_put_right() {
    let stage = Stage::new("inside");
    stage.write(FILE);
    stage.converge();
    let mut wrong = Vec::new();
    for case in CASES {
        if let Err(why) = try_case(&stage, case) {
            wrong.push(format!("{}: {why}", case.what));
            stage.apply();
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

fn try_case(stage: &Stage, case: &Case) -> Result<(), String> {
    let life = stage.life("postgres");
    by_hand(stage, case.database, case.sql)?;
    let drift = stage.drift();
    let report = stage.apply();
    for (look, plan) in [("drift", &drift), ("plan", &report.passes[0].0)] {
        let (name, attribute) = case.names;
        let is_named = |change: &Change| {
            let mut fields = change.fields.iter();
            change.is_drift()
                && change.id.to_string().ends_with(name)
                && (attribute.is_empty() || fields.any(|field| field.path.key == attribute))
        };
        if !plan.changes.changes.iter().any(is_named) {
            return Err(format!("{look} does not name it as {:?}: {}", case.names, gist(plan)));
        }
    }
    if !report.rest.is_empty() {
        return Err(format!("not put right: {}", gist(&report.rest)));
    }
    if stage.life("postgres") != life {
        return Err("the container was touched".to_owned());
    }
    if !case.names.0.starts_with("role/") {
        return Ok(());
    }
    log_in(stage, "reader", "reports").map_err(|error| format!("reader cannot log in: {error}"))
}

/// Does something as a person with all rights would.
fn by_hand(stage: &Stage, database: &str, sql: &str) -> Result<String, String> {
    let postgres = stage.container("postgres");
    let words = ["exec", "-u", "postgres", &postgres, "psql", "-qAt", "-d", database, "-c", sql];
    try_docker(&words)
}

/// Logs in over the network, as another service would, with the password from the vault.
fn log_in(stage: &Stage, role: &str, database: &str) -> Result<(), String> {
    let name = SecretName::new(&format!("postgres_{role}_password")).unwrap();
    let keyring = stage.load().keyring;
    let password = format!("PGPASSWORD={}", keyring.get(&name).unwrap().expose());
    let image = Stage::inspect(&stage.container("postgres"), "{{.Config.Image}}");
    let mut words = vec!["run", "--rm", "--network", &stage.name, "-e", &password];
    words.extend(["--entrypoint", "psql", &image, "-h", "postgres", "-U", role, "-d", database]);
    words.extend(["-qAtc", "SELECT 1"]);
    let answer = try_docker(&words)?;
    if answer == "1" { Ok(()) } else { Err(answer) }
}

#[test]
fn what_others_made_inside_is_theirs() {
    let stage = Stage::new("theirs");
    stage.write(FILE);
    stage.converge();
    for (database, sql) in [
        ("app", "CREATE TABLE orders (id int); CREATE SCHEMA theirs; CREATE EXTENSION unaccent"),
        ("postgres", "CREATE ROLE theirs LOGIN PASSWORD 'theirs'; CREATE DATABASE theirs"),
        ("app", "GRANT SELECT ON orders TO reader; GRANT USAGE ON SCHEMA theirs TO reader"),
        ("postgres", "ALTER ROLE reader SET statement_timeout = '9s'"),
    ] {
        for sql in sql.split("; ") {
            by_hand(&stage, database, sql).unwrap();
        }
    }
    let drift = stage.drift();
    assert!(drift.is_empty(), "{}", gist(&drift));
}
