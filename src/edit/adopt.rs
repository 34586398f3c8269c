//! A container that runs, written down as a service.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};

use super::way::{self, Way};
use crate::{
    compose::Secrets,
    desired::{Field, Fields, Path, Value as Wanted},
    model::{SecretName, Sensitive, ServiceName},
    observed::{LiveFields, SeenContainer},
    spec::{Source, Spec},
};

/// A container written into the file.
#[derive(Debug)]
pub struct Adopted {
    /// The file's text with the service in it.
    pub text: String,
    /// What the file cannot say, each with why.
    pub lost: Vec<(String, String)>,
    /// The values that the text refers to as secrets.
    pub secrets: BTreeMap<SecretName, Sensitive>,
}

/// Why a container was not written down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdopted {
    /// It is ours.
    #[error("{0} is this project's already")]
    Ours(String),
    /// It belongs to another project of nself.
    #[error("{0} belongs to another project of nself, {1}")]
    OfAnother(String, String),
    /// There is a service of that name.
    #[error("there is a service `{0}` already")]
    NameTaken(ServiceName),
    /// The file is no TOML document that can be edited.
    #[error("the file cannot be edited")]
    NoDocument,
}

/// Writes a container into the main file as the service `name`. `inherited` is what its image brings along.
///
/// # Errors
/// Why it cannot be.
pub fn adopt(
    spec: &Spec,
    main: &Source,
    name: &ServiceName,
    seen: &SeenContainer,
    inherited: &Fields,
) -> Result<Adopted, NotAdopted> {
    if seen.owner.is_ours() {
        return Err(NotAdopted::Ours(seen.name.clone()));
    }
    let other = Field::Other.key(crate::observed::label::PROJECT);
    if let Some(project) = way::text(&seen.fields, &other) {
        return Err(NotAdopted::OfAnother(seen.name.clone(), project));
    }
    if spec.services.contains_key(name) {
        return Err(NotAdopted::NameTaken(name.clone()));
    }
    let mut document: DocumentMut = main.text().parse().map_err(|_| NotAdopted::NoDocument)?;
    let own = own(&seen.fields, inherited);
    let mut secrets = Secrets::default();
    let env = own.iter().filter(|path| path.field == Field::Env);
    let env: Vec<(String, String)> =
        env.filter_map(|path| Some((path.key.clone(), way::text(&seen.fields, path)?))).collect();
    for (key, value) in &env {
        secrets.learn(name.as_str(), key, value);
    }
    let mut service = Table::new();
    let is_kind = crate::catalog::KINDS.iter().any(|kind| kind.name == name.as_str());
    if is_kind {
        service.insert("kind", Item::Value("container".into()));
    }
    let mut lost = Vec::new();
    for path in &own {
        match (path.field, way::way(path, &seen.fields)) {
            (Field::State | Field::NetworkMode | Field::Swap | Field::Env, _) => {}
            (Field::Network | Field::Alias | Field::Address, _) => {}
            (Field::Mount, Way::None(why)) => {
                let mounted = way::text(&seen.fields, path).unwrap_or_default();
                match mounted.strip_prefix("volume:").and_then(|rest| rest.rsplit_once(':')) {
                    // It stays with the container, which is taken over as it is.
                    Some(("", _)) => {}
                    Some((volume, mode @ ("ro" | "rw"))) => {
                        mount(&mut service, &mut document, &path.key, volume, mode);
                    }
                    _ => lost.push((path.to_string(), why.to_owned())),
                }
            }
            (_, Way::None(why)) => lost.push((path.to_string(), why.to_owned())),
            (_, Way::Key(key, Some(value))) => set(&mut service, &key, value),
            (_, Way::Key(_, None)) => {}
        }
    }
    // Where nothing is said, nself starts it again and lets it gain no rights.
    for field in [Field::Restart, Field::Security] {
        let is_privileged = own.contains(&Field::Privileged.path());
        let is_said = own.contains(&field.path()) || (field == Field::Security && is_privileged);
        if let (false, Way::Key(key, Some(value))) =
            (is_said, way::way(&field.path(), &LiveFields::default()))
        {
            set(&mut service, &key, value);
        }
    }
    networks(spec, &mut service, &mut document, &seen.fields);
    if !env.is_empty() {
        let mut table = Table::new();
        for (key, value) in &env {
            table.insert(key, Item::Value(secrets.template(key, value).into()));
        }
        service.insert("env", Item::Table(table));
    }
    service.decor_mut().set_prefix(format!("\n# taken over from the container {}\n", seen.name));
    let services = document.entry("services").or_insert_with(|| {
        let mut all = Table::new();
        all.set_implicit(true);
        Item::Table(all)
    });
    let services = services.as_table_like_mut().ok_or(NotAdopted::NoDocument)?;
    services.insert(name.as_str(), Item::Table(service));
    for secret in secrets.names() {
        let rule = InlineTable::from_iter([("source", "set")]);
        super::document::put(
            &mut document,
            &["secrets".to_owned(), secret.to_string()],
            Some(rule.into()),
        );
    }
    Ok(Adopted { text: document.to_string(), lost, secrets: secrets.into_values() })
}

/// Returns the paths of what a container has beyond what its image and engine give to every one.
fn own(live: &LiveFields, inherited: &Fields) -> BTreeSet<Path> {
    let is_own = |path: &&Path| {
        let given = match inherited.get(path) {
            Some(Wanted::Plain(text)) => Some(text.clone()),
            Some(Wanted::Secret(_)) | None => None,
        };
        let foreign = path.field == Field::Label && path.key.starts_with("com.docker.compose.");
        way::text(live, path) != given && !foreign
    };
    live.0.keys().filter(is_own).cloned().collect()
}

fn set(service: &mut Table, key: &[String], value: Value) {
    match key {
        [only] => _ = service.insert(only, Item::Value(value)),
        [table, key] => {
            let table = service
                .entry(table)
                .or_insert_with(|| Item::Value(InlineTable::new().into()))
                .as_inline_table_mut();
            if let Some(table) = table {
                table.insert(key, value);
            }
        }
        _ => {}
    }
}

/// A volume keeps its name: it is declared under that.
fn mount(service: &mut Table, document: &mut DocumentMut, at: &str, volume: &str, mode: &str) {
    let target = if mode == "ro" { format!("{at}:ro") } else { at.to_owned() };
    let volumes = service
        .entry("volumes")
        .or_insert_with(|| Item::Value(InlineTable::new().into()))
        .as_inline_table_mut();
    if let Some(volumes) = volumes {
        let value = match volumes.get(volume) {
            None => target.into(),
            Some(there) => {
                let first = there.as_str().map(str::to_owned).into_iter();
                let more = there.as_array().into_iter().flatten();
                let more = more.filter_map(|item| item.as_str().map(str::to_owned));
                first.chain(more).chain([target]).collect::<Array>().into()
            }
        };
        volumes.insert(volume, value);
    }
    declare(document, "volumes", volume, false);
}

fn declare(document: &mut DocumentMut, table: &str, name: &str, external: bool) {
    let path = vec![table.to_owned(), name.to_owned()];
    if super::document::get(document, &path).is_some() {
        return;
    }
    let all = document.entry(table).or_insert_with(|| {
        let mut all = Table::new();
        all.set_implicit(true);
        Item::Table(all)
    });
    let mut rule = Table::new();
    rule.insert("name", Item::Value(name.into()));
    if external {
        rule.insert("external", Item::Value(true.into()));
    }
    if let Some(all) = all.as_table_like_mut() {
        all.insert(name, Item::Table(rule));
    }
}

/// The networks that every engine has are left for the project's own.
const USUAL: [&str; 3] = ["bridge", "host", "none"];

/// A network of the file is said by its name there; any other belongs to somebody else.
fn networks(spec: &Spec, service: &mut Table, document: &mut DocumentMut, live: &LiveFields) {
    let on = live.0.keys().filter(|path| path.field == Field::Network);
    let on: Vec<&str> =
        on.map(|path| path.key.as_str()).filter(|name| !USUAL.contains(name)).collect();
    let mut places = InlineTable::new();
    for network in on {
        let declared = spec.networks.keys().map(crate::spec::ObjectName::as_str);
        let known = declared.chain(["default"]).find(|key| spec.network_name(key) == *network);
        let key = known.unwrap_or(network).to_owned();
        if known.is_none() {
            declare(document, "networks", network, true);
        }
        let mut place = InlineTable::new();
        let aliases = way::text(live, &Field::Alias.key(network));
        if let Some(aliases) = aliases.map(|text| way::items(&text)).filter(|a| !a.is_empty()) {
            place.insert("aliases", Array::from_iter(aliases).into());
        }
        if let Some(address) = way::text(live, &Field::Address.key(network)) {
            place.insert("address", address.into());
        }
        places.insert(&key, place.into());
    }
    if !places.is_empty() {
        service.insert("networks", Item::Value(places.into()));
    }
}
