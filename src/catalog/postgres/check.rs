//! What can be wrong with the options of a Postgres.

use super::{
    ADMIN, LONGEST_NAME, Options, OWN_DATABASES, Role,
    extension::{self, Carrier},
    main_database, sql,
};
use crate::{
    catalog::{Context, ImageSource},
    model::{Diagnostic, Origin, decode::Sourced},
};

/// Settings that nself or the image's contract decides.
const RESERVED_SETTINGS: &[(&str, &str)] = &[
    ("data_directory", "the data lies in the service's volume"),
    ("hba_file", "the image brings it along"),
    ("ident_file", "the image brings it along"),
    ("config_file", "the image brings it along"),
    ("listen_addresses", "other services must be able to reach it"),
    ("port", "the port is 5432"),
    ("unix_socket_directories", "nself looks inside through the socket"),
];

/// Returns what is wrong with the options.
pub fn check(options: &Options, context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let main = main_database(options, context);
    let mut databases = vec![main.clone()];
    let named = options.database.iter().map(|name| (name, true));
    for (name, is_main) in named.chain(options.databases.iter().map(|name| (name, false))) {
        check_name(&name.value, &name.origin, &mut problems);
        if OWN_DATABASES.contains(&name.value.as_str()) {
            let message = format!("the database `{}` is the server's own", name.value);
            problems.push(Diagnostic::error("reserved-name", message).at(&name.origin, ""));
        } else if is_main && name.value.starts_with("pg_") {
            // Its owner has the same name.
            check_role_name(&name.value, &name.origin, &mut problems);
        } else if !is_main && databases.contains(&name.value) {
            let message = format!("the database `{}` is there already", name.value);
            problems.push(Diagnostic::error("duplicate", message).at(&name.origin, ""));
        }
        databases.push(name.value.clone());
    }
    for name in &options.schemas {
        check_name(&name.value, &name.origin, &mut problems);
        if name.value.starts_with("pg_") || name.value == "information_schema" {
            let message = format!("the schema `{}` is the server's own", name.value);
            problems.push(Diagnostic::error("reserved-name", message).at(&name.origin, ""));
        }
    }
    for name in &options.extensions {
        problems.extend(check_extension(name, context));
    }
    for (name, role) in &options.roles {
        check_role_name(name, &role.origin, &mut problems);
        if *name == main {
            let message = format!("the role `{name}` is there already: it owns the main database");
            problems.push(Diagnostic::error("duplicate", message).at(&role.origin, ""));
        }
        check_role(name, &role.value, options, &main, &databases, &mut problems);
    }
    for (name, setting) in &options.settings {
        problems.extend(check_setting(name, &setting.origin));
    }
    problems
}

fn check_name(name: &str, origin: &Origin, problems: &mut Vec<Diagnostic>) {
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
        let message = format!("a name in Postgres has 1 to {LONGEST_NAME} bytes on one line");
        problems.push(Diagnostic::error("bad-name", message).at(origin, ""));
    }
}

fn check_role_name(name: &str, origin: &Origin, problems: &mut Vec<Diagnostic>) {
    check_name(name, origin, problems);
    if name == ADMIN || name == "public" || name == "none" || name.starts_with("pg_") {
        let message = format!("the role `{name}` is the server's own");
        problems.push(Diagnostic::error("reserved-name", message).at(origin, ""));
    }
}

fn check_role(
    name: &str,
    role: &Role,
    options: &Options,
    main: &str,
    databases: &[String],
    problems: &mut Vec<Diagnostic>,
) {
    for group in &role.member_of {
        let is_known = group.value == main
            || group.value.starts_with("pg_")
            || (group.value != name && options.roles.contains_key(&group.value));
        if !is_known {
            let message = format!("there is no other role `{}` in this service", group.value);
            problems.push(Diagnostic::error("unknown-role", message).at(&group.origin, ""));
        }
    }
    for (object, privileges) in &role.grants {
        let Some(target) = sql::Target::parse(object) else {
            let message = format!("`{object}` is not an object: write database:NAME or schema:NAME");
            problems.push(Diagnostic::error("bad-grant", message).at(&privileges.origin, ""));
            continue;
        };
        if let Err(message) = target.privileges(&privileges.value) {
            problems.push(Diagnostic::error("bad-grant", message).at(&privileges.origin, ""));
        }
        let is_there = match &target {
            sql::Target::Database(database) => databases.contains(database),
            sql::Target::Schema(schema) => {
                schema == "public" || options.schemas.iter().any(|there| there.value == *schema)
            }
        };
        if !is_there {
            let message = format!("there is no `{object}` in this service");
            problems.push(Diagnostic::error("bad-grant", message).at(&privileges.origin, ""));
        }
    }
}

fn check_extension(name: &Sourced<String>, context: &Context<'_>) -> Option<Diagnostic> {
    let Sourced { value: name, origin } = name;
    let Some(found) = extension::find(name) else {
        let meant = extension::meant(name);
        if context.own_image && meant.is_none() {
            return None;
        }
        let note = meant.map_or(String::new(), |meant| format!("did you mean `{meant}`?"));
        return Some(
            Diagnostic::error("unknown-extension", format!("unknown extension `{name}`"))
                .at(origin, note)
                .help("for an extension nself does not know, name an `image` that has it"),
        );
    };
    let (message, help) = match (found.carrier, context.source) {
        _ if context.own_image => return None,
        (Carrier::Core, _) | (Carrier::Recipe, ImageSource::Build) => return None,
        (Carrier::Recipe, ImageSource::Registry) => (
            format!("the official image of Postgres has no `{name}`"),
            format!(
                "name an `image` of Postgres {} that has it, or set `source = \"build\"` in [images]",
                context.version
            ),
        ),
        (Carrier::Elsewhere(image), ImageSource::Registry) => (
            format!("the official image of Postgres has no `{name}`"),
            format!("name an `image` that has it: {image}"),
        ),
        (Carrier::Elsewhere(_), ImageSource::Build) => (
            format!("`{name}` cannot be built from package registries"),
            "name an `image` or a `build` that has it".to_owned(),
        ),
    };
    Some(Diagnostic::error("extension-not-in-image", message).at(origin, "").help(help))
}

fn check_setting(name: &str, origin: &Origin) -> Option<Diagnostic> {
    let good = |c: char| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.');
    if name.is_empty() || !name.chars().all(good) {
        let message = format!("`{name}` is not the name of a setting, such as `max_connections`");
        return Some(Diagnostic::error("bad-setting", message).at(origin, ""));
    }
    let (_, why) =
        RESERVED_SETTINGS.iter().find(|(reserved, _)| name.eq_ignore_ascii_case(reserved))?;
    let message = format!("the setting `{name}` cannot be changed: {why}");
    Some(Diagnostic::error("bad-setting", message).at(origin, ""))
}
