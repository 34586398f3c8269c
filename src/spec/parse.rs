//! Putting the parts of the configuration together: files, environment, variables, checks.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Domain, Gateway, IgnoreRule, Images, NetworkRule, NotifyRule, ObjectName, Overridden,
    PolicyRule, Project, SecretRule, Source, Spec, Variable, Vault, VolumeRule, Watch, check,
    overlay, service::Services, variable,
};
use crate::model::{
    Diagnostic, Instance, Origin, ProjectName, SecretName, Severity, VariableName,
    decode::{Decode, NodeValue, Sourced, Table, refuse_unknown},
};

/// Everything that a configuration is read from.
#[derive(Debug, Clone)]
pub struct Input {
    /// The main file, `nself.toml`.
    pub main: Source,
    /// The file of the chosen environment, `nself.ENV.toml`, if there is one.
    pub overlay: Option<Source>,
    /// The chosen environment.
    pub environment: Option<Instance>,
    /// The process environment. Only declared variables read it.
    pub process: BTreeMap<String, String>,
}

/// A configuration without errors.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// What it says.
    pub spec: Spec,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// The keys of a file.
pub(super) const KEYS: [&str; 15] = [
    "project",
    "services",
    "gateway",
    "networks",
    "volumes",
    "images",
    "variables",
    "secrets",
    "vault",
    "watch",
    "ignore",
    "policy",
    "environments",
    "engine",
    "production",
];

/// Reads a configuration.
///
/// # Errors
/// Everything that is wrong with it, in the order of the files' lines, the warnings among them.
pub fn parse(input: &Input) -> Result<Parsed, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let spec = read(input, &mut problems);
    Diagnostic::sort(&mut problems, &input.main.name);
    match spec {
        Some(spec) if problems.iter().all(|problem| problem.severity == Severity::Warning) => {
            Ok(Parsed { spec, warnings: problems })
        }
        Some(_) | None => Err(problems),
    }
}

/// Returns the names of the environments that a main file declares; none if it cannot be read.
pub fn environments(main: &Source) -> Vec<Instance> {
    let Ok(mut root) = main.read() else { return Vec::new() };
    let environments = overlay::environments(&mut root, &mut Vec::new());
    environments.keys().filter_map(|name| Instance::new(name).ok()).collect()
}

/// Reads everything and goes on after mistakes; what comes back is of use only without any.
fn read(input: &Input, problems: &mut Vec<Diagnostic>) -> Option<Spec> {
    let (mut root, overridden) = merged(input, problems)?;
    refuse_unknown(&root, &KEYS, problems);
    let declared = variables(&root, problems);
    let values = variable::values(&declared, &input.process, problems);
    let mut room = variable::Room::whole();
    variable::expand(&mut root, &values, &mut room, problems);

    let project: Option<Project> = required(&root, "project", &input.main, problems);
    let name = project.as_ref().map_or_else(stand_in, |project| project.name.clone());
    let domain = project.as_ref().and_then(|project| project.domain.clone());
    let domain = domain.unwrap_or_else(|| local_domain(&name.value));
    let mut services = Services::read(&root, problems);
    for service in services.read.values_mut() {
        let settings = &mut service.settings;
        let templates = settings.env.values_mut().chain(settings.url.as_mut());
        for template in templates {
            let project = (name.value.as_str(), domain.value.as_str());
            variable::resolve(&mut template.value, &values, project, &mut room, problems);
        }
    }
    let mut watch: Option<Watch> = optional(&root, "watch", problems);
    for template in
        watch.iter_mut().flat_map(|watch| &mut watch.notify).flat_map(NotifyRule::values_mut)
    {
        let project = (name.value.as_str(), domain.value.as_str());
        variable::resolve(&mut template.value, &values, project, &mut room, problems);
    }
    // What could not be read may use any secret.
    let is_whole = services.broken.is_empty() && (watch.is_some() || !root.contains_key("watch"));
    let spec = Spec {
        file: Arc::clone(&input.main.name),
        id: project
            .as_ref()
            .and_then(|project| project.id.clone())
            .unwrap_or_else(|| name.value.to_string()),
        name,
        domain,
        production: optional(&root, "production", problems).unwrap_or(false),
        environment: input.environment.clone(),
        instance: project.as_ref().and_then(|project| project.instance.clone()),
        engine: optional(&root, "engine", problems),
        services: services.read,
        gateway: table(&root, "gateway", Gateway::decode_keys, problems)?,
        images: table(&root, "images", Images::decode_keys, problems)?,
        process: variable::read(&declared, &input.process),
        networks: optional::<BTreeMap<ObjectName, NetworkRule>>(&root, "networks", problems)
            .unwrap_or_default(),
        volumes: optional::<BTreeMap<ObjectName, VolumeRule>>(&root, "volumes", problems)
            .unwrap_or_default(),
        variables: values,
        secrets: optional::<BTreeMap<SecretName, SecretRule>>(&root, "secrets", problems)
            .unwrap_or_default(),
        vault: table(&root, "vault", Vault::decode_keys, problems)?,
        watch: watch.unwrap_or_default(),
        ignore: optional::<Vec<IgnoreRule>>(&root, "ignore", problems).unwrap_or_default(),
        policies: optional::<Vec<PolicyRule>>(&root, "policy", problems).unwrap_or_default(),
        refuse_over: project.and_then(|project| project.refuse_over),
        overridden,
    };
    check::check(&spec, &services.broken, is_whole, problems);
    Some(spec)
}

/// Reads the files and lays the environment over them.
fn merged(input: &Input, problems: &mut Vec<Diagnostic>) -> Option<(Table, Overridden)> {
    let Input { main, overlay, environment, process: _ } = input;
    let mut read = |source: &Source| source.read().map_err(|found| problems.extend(found)).ok();
    let root = read(main);
    let over = overlay.as_ref().map(&mut read);
    let mut root = root?;
    let over = match over {
        None => None,
        Some(over) => Some(over?),
    };
    let mut overridden = Overridden::default();
    let mut environments = overlay::environments(&mut root, problems);
    if let Some(chosen) = environment {
        match environments.remove(chosen.as_str()) {
            Some(entry) => {
                if let NodeValue::Table(table) = entry.node.value {
                    overlay::lay(&mut root, table, &mut overridden, problems);
                }
            }
            None if over.is_none() => {
                problems.push(overlay::unknown(chosen, &environments, &main.name));
            }
            None => {}
        }
    }
    if let Some(over) = over {
        overlay::lay(&mut root, over, &mut overridden, problems);
    }
    Some((root, overridden))
}

/// Reads `variables`, each with the place of its declaration.
fn variables(
    root: &Table,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<VariableName, (Origin, Variable)> {
    let Some(table) = root.get("variables").and_then(|entry| entry.node.table(problems)) else {
        return BTreeMap::new();
    };
    let mut variables = BTreeMap::new();
    for (text, entry) in table {
        let rule = Variable::decode(&entry.node, problems);
        match VariableName::new(text) {
            Ok(name) => {
                // One that cannot be read is declared all the same.
                let rule = rule.unwrap_or_else(|| Variable {
                    from_env: None,
                    default: None,
                    value: Some(Sourced { value: String::new(), origin: entry.key.clone() }),
                });
                variables.insert(name, (entry.key.clone(), rule));
            }
            Err(error) => {
                problems.push(Diagnostic::error("bad-name", error.to_string()).at(&entry.key, ""));
            }
        }
    }
    variables
}

fn required<T: Decode>(
    root: &Table,
    key: &str,
    main: &Source,
    problems: &mut Vec<Diagnostic>,
) -> Option<T> {
    let Some(entry) = root.get(key) else {
        let message = format!("{} has no [{key}]", main.name);
        let help = "it begins with [project] and a name = \"…\"";
        problems.push(Diagnostic::error("missing-key", message).help(help));
        return None;
    };
    T::decode(&entry.node, problems)
}

fn optional<T: Decode>(root: &Table, key: &str, problems: &mut Vec<Diagnostic>) -> Option<T> {
    T::decode(&root.get(key)?.node, problems)
}

/// Reads a table all of whose keys may be absent. What is wrong in it is left out.
fn table<T: Decode>(
    root: &Table,
    key: &str,
    keys: impl Fn(&Table, Option<&Origin>, &mut Vec<Diagnostic>) -> Option<T>,
    problems: &mut Vec<Diagnostic>,
) -> Option<T> {
    optional(root, key, problems).or_else(|| keys(&Table::new(), None, problems))
}

/// Returns the name that a project goes by while its checks run although it has no good one.
fn stand_in() -> Sourced<ProjectName> {
    let value = ProjectName::new("project").expect("a word is a project name");
    Sourced { value, origin: Origin::Default }
}

fn local_domain(name: &ProjectName) -> Sourced<Domain> {
    let value = format!("{name}.localhost").parse().expect("a project name is a domain label");
    Sourced { value, origin: Origin::Default }
}
