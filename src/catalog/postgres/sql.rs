//! The statements that look into a Postgres and change what is in it.
//!
//! All go through `psql` over the local socket, as the user that owns the server. Names are always
//! quoted, and no schema of a person's is searched: otherwise whoever may make functions there could
//! have them run by the superuser.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    scram,
    script::{Script, identifier, literal},
};
use crate::{
    catalog::{Attribute, Inside, Statement},
    model::{Inner, InnerKind, Sensitive, ServiceName},
};

/// Attributes of a role.
pub(super) const LOGIN: &str = "login";
pub(super) const SUPERUSER: &str = "superuser";
pub(super) const CREATEDB: &str = "createdb";
pub(super) const CREATEROLE: &str = "createrole";
pub(super) const REPLICATION: &str = "replication";
pub(super) const BYPASSRLS: &str = "bypassrls";
pub(super) const CONNECTION_LIMIT: &str = "connection_limit";
pub(super) const MEMBER_OF: &str = "member_of";
pub(super) const PASSWORD: &str = "password";
/// The role that it takes on whenever it logs in.
pub(super) const ACTS_AS: &str = "acts_as";
/// Of two roles that take turns, the one that cannot log in.
pub(super) const CLOSED: &str = "closed";
/// The role that owns a database or schema.
pub(super) const OWNER: &str = "owner";
/// The privileges of a grant, as a sorted JSON list.
pub(super) const PRIVILEGES: &str = "privileges";

/// What a grant is on. A grant is named `ROLE@TARGET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// `database:NAME`
    Database(String),
    /// `schema:NAME`, of the grant's database.
    Schema(String),
}

impl Target {
    /// Reads `database:NAME` or `schema:NAME`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (word, name) = text.split_once(':').filter(|(_, name)| !name.is_empty())?;
        match word {
            "database" => Some(Self::Database(name.to_owned())),
            "schema" => Some(Self::Schema(name.to_owned())),
            _ => None,
        }
    }

    /// Returns the privileges in `words` in the server's own words, sorted, or what is wrong with them.
    pub(super) fn privileges(&self, words: &[String]) -> Result<Vec<String>, String> {
        let known: &[&str] = match self {
            Self::Database(_) => &["CONNECT", "CREATE", "TEMPORARY"],
            Self::Schema(_) => &["CREATE", "USAGE"],
        };
        let mut found = Vec::new();
        for word in words {
            match word.to_ascii_uppercase().as_str() {
                "ALL" => found.extend(known.iter().map(|&word| word.to_owned())),
                "TEMP" if known.contains(&"TEMPORARY") => found.push("TEMPORARY".to_owned()),
                upper if known.contains(&upper) => found.push(upper.to_owned()),
                _ => {
                    let known = known.join(", ");
                    return Err(format!("`{word}` is not a privilege here: there are {known}, ALL"));
                }
            }
        }
        found.sort();
        found.dedup();
        if found.is_empty() { Err("a grant wants at least one privilege".into()) } else { Ok(found) }
    }

    fn clause(&self) -> String {
        match self {
            Self::Database(name) => format!("DATABASE {}", identifier(name)),
            Self::Schema(name) => format!("SCHEMA {}", identifier(name)),
        }
    }
}

/// Returns the role that takes turns with `main`.
pub(super) fn second(main: &str) -> String {
    format!("{main}{SECOND}")
}

const SECOND: &str = "_b";

/// Returns the canonical text of a list of names.
pub(super) fn list(names: &[String]) -> String {
    let mut names = names.to_vec();
    names.sort();
    names.dedup();
    Value::from(names).to_string()
}

/// What stands in the last line of a whole answer.
const DONE: &str = "done";

/// Returns what to run to see `wanted`: one process, which writes nothing, puts out one line of JSON for
/// each thing that is there, and one more at the end.
pub(in crate::catalog) fn look(role: &str, database: &str, wanted: &[&Inner]) -> Statement {
    let mut by_place: BTreeMap<Option<&str>, Vec<&Inner>> = BTreeMap::new();
    for inner in wanted {
        by_place.entry(inner.database.as_deref()).or_default().push(inner);
    }
    let mut script = Script::new();
    script.line("SET default_transaction_read_only = on;");
    for (place, wanted) in by_place {
        let body = |script: &mut Script| {
            for kind in InnerKind::ALL {
                let of_kind: Vec<&Inner> =
                    wanted.iter().copied().filter(|inner| inner.kind == kind).collect();
                if !of_kind.is_empty() {
                    script.line(&query(kind, place, &of_kind));
                }
            }
        };
        match place {
            None => body(&mut script),
            Some(place) => script.in_database(place, |script| {
                script.line("SET default_transaction_read_only = on;");
                body(script);
            }),
        }
    }
    script.line(&format!("SELECT {};", literal(&format!("{{\"{DONE}\":true}}"))));
    script.statement(role, database)
}

/// Returns the query for things of one kind in one place.
fn query(kind: InnerKind, place: Option<&str>, wanted: &[&Inner]) -> String {
    let rows: Vec<String> = wanted
        .iter()
        .map(|inner| {
            let (role, target) = inner.name.split_once('@').unwrap_or((&inner.name, ""));
            let object = target.split_once(':').map_or("", |(_, object)| object);
            let columns =
                [inner.service.as_str(), &inner.name, role, target, object].map(literal).join(", ");
            format!("({columns})")
        })
        .collect();
    let wanted = format!("(VALUES {}) AS w(service, name, role, target, object)", rows.join(", "));
    let place = place.map_or_else(|| "NULL".to_owned(), literal);
    let head = format!(
        "SELECT json_strip_nulls(json_build_object('service', w.service, 'kind', {}, 'database', {place}, \
         'name', w.name, 'attributes', json_build_object(",
        literal(kind.word())
    );
    let acl = |catalog: &str, name: &str, acl: &str, owner: &str, letter: &str, word: &str| {
        format!(
            "{head}'{PRIVILEGES}', json_agg(DISTINCT a.privilege_type)))) FROM {wanted} \
             JOIN {catalog} o ON w.target = '{word}:' || o.{name} AND o.{name} = w.object \
             CROSS JOIN LATERAL aclexplode(coalesce(o.{acl}, acldefault('{letter}', o.{owner}))) a \
             JOIN pg_roles r ON r.oid = a.grantee AND r.rolname = w.role \
             GROUP BY w.service, w.name;"
        )
    };
    match kind {
        InnerKind::Role => format!(
            "{head}'{LOGIN}', r.rolcanlogin, '{SUPERUSER}', r.rolsuper, \
             '{CREATEDB}', r.rolcreatedb, '{CREATEROLE}', r.rolcreaterole, \
             '{REPLICATION}', r.rolreplication, '{BYPASSRLS}', r.rolbypassrls, \
             '{CONNECTION_LIMIT}', r.rolconnlimit, '{PASSWORD}', r.rolpassword, \
             '{MEMBER_OF}', array(SELECT g.rolname::text FROM pg_auth_members m \
             JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid), \
             '{ACTS_AS}', (SELECT substr(c.setting, 6) FROM pg_db_role_setting s, unnest(s.setconfig) c(setting) \
             WHERE s.setrole = r.oid AND s.setdatabase = 0 AND c.setting LIKE 'role=%')))) \
             FROM {wanted} JOIN pg_authid r ON r.rolname = w.name;"
        ),
        InnerKind::Login => format!(
            "{head}'{CLOSED}', (SELECT string_agg(r.rolname::text, ' ' ORDER BY r.rolname) FROM pg_roles r \
             WHERE r.rolname IN (w.name, w.name || '{SECOND}') AND NOT r.rolcanlogin)))) FROM {wanted};"
        ),
        InnerKind::Database => format!(
            "{head}'{OWNER}', pg_get_userbyid(d.datdba)))) \
             FROM {wanted} JOIN pg_database d ON d.datname = w.name;"
        ),
        InnerKind::Schema => format!(
            "{head}'{OWNER}', pg_get_userbyid(n.nspowner)))) \
             FROM {wanted} JOIN pg_namespace n ON n.nspname = w.name;"
        ),
        InnerKind::Extension => format!(
            "{head}))) FROM {wanted} JOIN pg_extension e ON e.extname = w.name;"
        ),
        InnerKind::Grant => [
            acl("pg_database", "datname", "datacl", "datdba", "d", "database"),
            acl("pg_namespace", "nspname", "nspacl", "nspowner", "n", "schema"),
        ]
        .join("\n"),
    }
}

/// Reads what [`look`] put out.
pub(in crate::catalog) fn read(output: &str) -> Result<Inside, String> {
    let mut inside = Inside::new();
    let mut is_whole = false;
    for line in output.lines().filter(|line| !line.trim().is_empty()) {
        if is_whole {
            return Err("psql went on after its last line".into());
        }
        // The line itself stays out of the message: it may hold a verifier.
        let value: Value = serde_json::from_str(line)
            .map_err(|error| format!("psql put out a line that is not JSON ({error})"))?;
        if value.get(DONE).is_some() {
            is_whole = true;
            continue;
        }
        let (inner, attributes) =
            read_line(&value).ok_or("psql put out a line of an unknown form")?;
        inside.insert(inner, attributes);
    }
    if is_whole { Ok(inside) } else { Err("psql ended before it had put out everything".into()) }
}

fn read_line(value: &Value) -> Option<(Inner, BTreeMap<String, Attribute>)> {
    let text = |key: &str| value.get(key)?.as_str();
    let word = text("kind")?;
    let inner = Inner {
        service: ServiceName::new(text("service")?).ok()?,
        kind: InnerKind::ALL.into_iter().find(|kind| kind.word() == word)?,
        database: text("database").map(str::to_owned),
        name: text("name")?.to_owned(),
    };
    let attributes = value.get("attributes")?.as_object()?.iter();
    let attributes = attributes.map(|(key, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let items: Option<Vec<String>> =
                    items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                list(&items?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
        };
        let is_password = inner.kind == InnerKind::Role && key == PASSWORD;
        let attribute =
            if is_password { Attribute::Verifier(text) } else { Attribute::Text(text) };
        Some((key.clone(), attribute))
    });
    let attributes = attributes.collect::<Option<_>>()?;
    Some((inner, attributes))
}

/// Returns what to run to bring `inner` to `attributes`.
pub(in crate::catalog) fn ensure(
    role: &str,
    database: &str,
    inner: &Inner,
    attributes: &BTreeMap<String, Sensitive>,
) -> Statement {
    let get = |key: &str| attributes.get(key).map(Sensitive::expose);
    let name = identifier(&inner.name);
    let mut script = Script::new();
    match inner.kind {
        InnerKind::Role => ensure_role(&mut script, inner, &get),
        InnerKind::Database => {
            let owner = get(OWNER).map(identifier);
            let clause = owner.as_ref().map_or(String::new(), |owner| format!(" OWNER {owner}"));
            script.unless(
                &format!("pg_database WHERE datname = {}", literal(&inner.name)),
                &format!("CREATE DATABASE {name}{clause}"),
            );
            if let Some(owner) = owner {
                script.line(&format!("ALTER DATABASE {name} OWNER TO {owner};"));
            }
        }
        InnerKind::Schema => script.at(inner, |script| {
            script.line(&format!("CREATE SCHEMA IF NOT EXISTS {name};"));
            if let Some(owner) = get(OWNER).map(identifier) {
                script.line(&format!("ALTER SCHEMA {name} OWNER TO {owner};"));
            }
        }),
        InnerKind::Extension => script.at(inner, |script| {
            // Where an extension does not say where it belongs, it goes where people look for it.
            script.line("SET search_path = public;");
            script.line(&format!("CREATE EXTENSION IF NOT EXISTS {name} CASCADE;"));
        }),
        InnerKind::Grant => {
            let words: Vec<String> =
                get(PRIVILEGES).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            change_grant(&mut script, inner, &words);
        }
        InnerKind::Login => {
            if let Some(closed) = get(CLOSED) {
                close_login(&mut script, closed);
            }
        }
    }
    script.statement(role, database)
}

fn ensure_role<'a>(
    script: &mut Script,
    inner: &Inner,
    get: &impl Fn(&str) -> Option<&'a str>,
) {
    let name = identifier(&inner.name);
    let has = |role: &str| format!("pg_roles WHERE rolname = {}", literal(role));
    script.line("BEGIN;");
    script.unless(&has(&inner.name), &format!("CREATE ROLE {name}"));
    let mut clauses = String::new();
    for (key, clause) in [
        (LOGIN, "LOGIN"),
        (SUPERUSER, "SUPERUSER"),
        (CREATEDB, "CREATEDB"),
        (CREATEROLE, "CREATEROLE"),
        (REPLICATION, "REPLICATION"),
        (BYPASSRLS, "BYPASSRLS"),
    ] {
        if let Some(value) = get(key) {
            clauses.push_str(if value == "true" { " " } else { " NO" });
            clauses.push_str(clause);
        }
    }
    if let Some(limit) = get(CONNECTION_LIMIT).and_then(|limit| limit.parse::<i32>().ok()) {
        clauses.push_str(" CONNECTION LIMIT ");
        clauses.push_str(&limit.to_string());
    }
    match (get(PASSWORD), get(LOGIN)) {
        (Some(password), _) => {
            clauses.push_str(" PASSWORD ");
            clauses.push_str(&literal(&scram::verifier(password, &inner.name)));
        }
        // A role that is not given a password has none.
        (None, Some(_)) => clauses.push_str(" PASSWORD NULL"),
        // How it logs in is another one's to say.
        (None, None) => {}
    }
    if !clauses.is_empty() {
        script.line(&format!("ALTER ROLE {name}{clauses};"));
    }
    if let Some(groups) = get(MEMBER_OF) {
        let groups: Vec<String> = serde_json::from_str(groups).unwrap_or_default();
        for group in &groups {
            // One that comes later gets its attributes then.
            let quoted = identifier(group);
            script.unless(&has(group), &format!("CREATE ROLE {quoted} NOLOGIN"));
            script.line(&format!("GRANT {quoted} TO {name};"));
        }
        let kept = match groups.as_slice() {
            [] => String::new(),
            some => {
                let names: Vec<_> = some.iter().map(|group| literal(group)).collect();
                format!(" AND g.rolname NOT IN ({})", names.join(", "))
            }
        };
        script.line(&format!(
            "SELECT format('REVOKE %I FROM %I', g.rolname, r.rolname) FROM pg_auth_members m \
             JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member \
             WHERE r.rolname = {}{kept} \\gexec",
            literal(&inner.name)
        ));
    }
    if let Some(owner) = get(ACTS_AS) {
        script.line(&format!("ALTER ROLE {name} SET role = {};", literal(owner)));
    }
    script.line("COMMIT;");
}

/// Takes a role's login away, and ends what it still does. One that is not there needs nothing.
fn close_login(script: &mut Script, role: &str) {
    let (name, text) = (identifier(role), literal(role));
    let close = literal(&format!("ALTER ROLE {name} NOLOGIN PASSWORD NULL"));
    script.line(&format!(
        "SELECT {close} WHERE EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {text}) \\gexec"
    ));
    script.line(&format!(
        "SELECT count(pg_catalog.pg_terminate_backend(pid)) AS ended FROM pg_catalog.pg_stat_activity \
         WHERE usename = {text} \\gset"
    ));
}

/// Gives a role exactly `words` on the object of the grant.
fn change_grant(script: &mut Script, inner: &Inner, words: &[String]) {
    let Some((role, target)) = inner.name.split_once('@') else { return };
    let Some(target) = Target::parse(target) else { return };
    let (role, clause) = (identifier(role), target.clause());
    script.at(inner, |script| {
        script.line("BEGIN;");
        script.line(&format!("REVOKE ALL ON {clause} FROM {role};"));
        if let Ok(words) = target.privileges(words) {
            script.line(&format!("GRANT {} ON {clause} TO {role};", words.join(", ")));
        }
        script.line("COMMIT;");
    });
}

/// Returns what to run to remove `inner`. Nothing that hangs on it goes with it.
pub(in crate::catalog) fn remove(role: &str, database: &str, inner: &Inner) -> Statement {
    let name = identifier(&inner.name);
    let mut script = Script::new();
    let statement = match inner.kind {
        InnerKind::Role => format!("DROP ROLE IF EXISTS {name};"),
        InnerKind::Database => format!("DROP DATABASE IF EXISTS {name};"),
        InnerKind::Schema => format!("DROP SCHEMA IF EXISTS {name};"),
        InnerKind::Extension => format!("DROP EXTENSION IF EXISTS {name};"),
        InnerKind::Grant => revocation(&inner.name),
        // It says something of a role, and goes with what is said.
        InnerKind::Login => String::new(),
    };
    match &inner.database {
        None => script.line(&statement),
        Some(database) => script.in_database(database, |script| script.line(&statement)),
    }
    script.statement(role, database)
}

/// Returns what takes a grant back, if there still are the role and the object it is on.
fn revocation(grant: &str) -> String {
    let Some((role, target)) = grant.split_once('@') else { return String::new() };
    let Some(target) = Target::parse(target) else { return String::new() };
    let object = match &target {
        Target::Database(name) => format!("pg_database WHERE datname = {}", literal(name)),
        Target::Schema(name) => format!("pg_namespace WHERE nspname = {}", literal(name)),
    };
    let revoke = format!("REVOKE ALL ON {} FROM {}", target.clause(), identifier(role));
    format!(
        "SELECT {} WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = {}) \
         AND EXISTS (SELECT FROM {object}) \\gexec",
        literal(&revoke),
        literal(role)
    )
}

#[cfg(test)]
mod tests;
