//! The whole file: the project, its services, what they share, and what it all rests on.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use toml_edit::{DocumentMut, InlineTable, Item, Table};

use super::{
    Imported, Input, Outcome, Refused,
    guess::password_in_url,
    load::Loader,
    network,
    secret::Secrets,
    service::{self, Shared},
    sheet::Sheet,
    volume::{self, Volumes},
    yaml::{Node, Value},
};
use crate::{
    catalog::KINDS,
    model::{Diagnostic, ProjectName, ServiceName, Severity},
    spec::{self, Source},
};

pub(super) fn import(input: &Input) -> Result<Outcome, Refused> {
    let mut loader = Loader::new(input);
    let whole = loader.load();
    // Files of variables are asked for before anything is written.
    let whole = whole.map(|mut whole| {
        let services = whole.take("services").map(|(_, services)| services);
        let chosen = chosen(services, &input.profiles);
        let variables: BTreeMap<String, BTreeMap<String, String>> = chosen
            .iter()
            .map(|(name, node)| (name.clone(), service::variables(&mut loader, node)))
            .collect();
        (whole, chosen, variables)
    });
    if !loader.wants.is_empty() {
        return Ok(Outcome::Wants(loader.wants));
    }
    let refused = |problems, loader: &Loader<'_>| Refused { problems, sources: sources(loader) };
    let Some((mut whole, chosen, variables)) = whole else {
        let problems = std::mem::take(&mut loader.problems);
        return Err(refused(problems, &loader));
    };
    let mut problems = std::mem::take(&mut loader.problems);
    if chosen.is_empty() {
        let problem =
            Diagnostic::error("no-service", "there is no service in it").at(&whole.at, "");
        problems.push(problem.help("services of profiles need --profile NAME"));
    }
    let project = project(input, &whole);
    let name = project_name(&project);
    let Some(name) = name.filter(|_| problems.is_empty()) else {
        if problems.is_empty() {
            let message = format!("`{project}` gives no name for a project");
            problems.push(Diagnostic::error("no-name", message).help("say one: --project shop"));
        }
        return Err(refused(problems, &loader));
    };
    let names = service_names(&chosen);
    let mut findings = Vec::new();
    for (called, name) in names.iter().filter(|(called, name)| *called != name.as_str()) {
        let message = format!("`{called}` is called `{name}` here; it still answers to `{called}`");
        let place = chosen.iter().find(|(other, _)| other == called);
        let problem = Diagnostic::warning("renamed", message);
        findings.push(match place {
            Some((_, node)) => problem.at(&node.at, ""),
            None => problem,
        });
    }
    let mut secrets = Secrets::default();
    // Those that stand alone first: their names say more than that of a URL they are part of.
    for in_url in [false, true] {
        for (service, variables) in &variables {
            let is_meant = |value: &&String| password_in_url(value.as_str()).is_some() == in_url;
            for (name, value) in variables.iter().filter(|(_, value)| is_meant(value)) {
                secrets.learn(service, name, value);
            }
        }
    }
    let top = |whole: &mut Node, key: &str| whole.take(key).map(|(_, node)| node);
    let mut volumes = Volumes { declared: top(&mut whole, "volumes"), ..Volumes::default() };
    for key in ["secrets", "configs"] {
        volumes.files.insert(key, top(&mut whole, key));
    }
    let networks = top(&mut whole, "networks");
    let jobs = jobs(&chosen);
    let mut ignored = Vec::new();
    let mut on: BTreeSet<String> = BTreeSet::new();
    let mut sheets = Vec::new();
    for (called, node) in &chosen {
        on.extend(networks_of(node));
        let mut shared = Shared {
            loader: &mut loader,
            project: &project,
            names: &names,
            jobs: &jobs,
            secrets: &secrets,
            volumes: &mut volumes,
            findings: &mut findings,
            ignored: &mut ignored,
        };
        let sheet = service::write(&mut shared, called, node.clone());
        sheets.push((names[called].clone(), sheet));
    }
    let networks = network::tables(&project, networks.as_ref(), &on, &mut findings);
    let tables = volume::tables(&project, &volumes, &mut findings);
    rest(&whole, &mut findings);
    shell(&loader, &mut findings);
    let services = sheets.len();
    let parts =
        Parts { name: &name, sheets, networks, volumes: tables, secrets: &secrets, ignored };
    let text = parts.text(input);
    findings.extend(std::mem::take(&mut loader.problems));
    not_accepted(&text, &mut findings);
    Ok(Outcome::Done(Box::new(Imported {
        text,
        name,
        findings,
        services,
        sources: sources(&loader),
        secrets: secrets.into_values(),
    })))
}

/// Returns the networks a service is on, by their names in the file.
fn networks_of(node: &Node) -> Vec<String> {
    let places = node.get("networks").map(Node::entries).unwrap_or_default();
    if places.is_empty() {
        return vec!["default".to_owned()];
    }
    places.iter().map(|(key, _)| key.text.clone()).collect()
}

fn sources(loader: &Loader<'_>) -> Vec<(std::sync::Arc<str>, String)> {
    loader.sources.iter().map(|(name, text)| (name.clone(), text.clone())).collect()
}

/// Returns the services that run: those of no profile, of one that is switched on, and what they need.
fn chosen(services: Option<Node>, profiles: &BTreeSet<String>) -> Vec<(String, Node)> {
    let Some(Node { value: Value::Map(entries), .. }) = services else { return Vec::new() };
    let is_on = |node: &Node| {
        let own = node.get("profiles").map(Node::texts).unwrap_or_default();
        own.is_empty() || own.iter().any(|own| profiles.contains(own) || profiles.contains("*"))
    };
    let count = |node: &Node| {
        let deploy = node.get("deploy").and_then(|deploy| deploy.get("replicas"));
        node.get("scale").or(deploy).and_then(Node::text).map(str::to_owned)
    };
    let entries = entries.into_iter().filter(|(_, node)| is_on(node));
    let entries = entries.filter(|(_, node)| count(node).as_deref() != Some("0"));
    entries.map(|(key, node)| (key.text, node)).collect()
}

/// Returns the services that others wait for to end.
fn jobs(services: &[(String, Node)]) -> BTreeSet<String> {
    let waits = services.iter().filter_map(|(_, node)| node.get("depends_on"));
    let ends = waits.flat_map(Node::entries).filter(|(_, how)| {
        how.get("condition").and_then(Node::text) == Some("service_completed_successfully")
    });
    ends.map(|(key, _)| key.text.clone()).collect()
}

/// Returns the name that Compose gives the project.
fn project(input: &Input, whole: &Node) -> String {
    let own = whole.get("name").and_then(Node::text).map(str::to_owned);
    let folder = || input.folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let shell = input.process.get("COMPOSE_PROJECT_NAME").cloned();
    let name = input.project.clone().or(shell).or(own).or_else(folder).unwrap_or_default();
    let good = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    let name: String = name.to_lowercase().chars().filter(good).collect();
    name.trim_start_matches(['_', '-']).to_owned()
}

fn project_name(project: &str) -> Option<ProjectName> {
    let name = project.replace('_', "-");
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let short: String = name.chars().take(40).collect();
    ProjectName::new(short.trim_end_matches('-')).ok()
}

/// Returns how nself calls each service.
fn service_names(services: &[(String, Node)]) -> BTreeMap<String, ServiceName> {
    let mut all: BTreeMap<String, ServiceName> = BTreeMap::new();
    // Those that can keep their names do.
    let fine = |name: &str| ServiceName::new(name).ok().filter(|name| !is_taken(name));
    for (called, _) in services {
        if let Some(name) = fine(called) {
            all.insert(called.clone(), name);
        }
    }
    for (number, (called, _)) in services.iter().enumerate() {
        if all.contains_key(called) {
            continue;
        }
        let plain: String = called
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .skip_while(|c| !c.is_ascii_lowercase())
            .take(34)
            .collect();
        let plain = plain.trim_end_matches('-').to_owned();
        let tries = [plain.clone(), format!("{plain}-app"), format!("service{number}")];
        let numbered = (0..).map(|n| format!("service{number}x{n}"));
        let free = |name: &ServiceName| !all.values().any(|other| other == name);
        let name = tries.into_iter().chain(numbered).filter_map(|name| fine(&name)).find(free);
        if let Some(name) = name {
            all.insert(called.clone(), name);
        }
    }
    all
}

fn is_taken(name: &ServiceName) -> bool {
    matches!(name.as_str(), "secret" | "var" | "project" | crate::spec::GATEWAY)
        || (KINDS.iter().any(|kind| kind.name == name.as_str() && kind.name == "container"))
}

/// Says what else stands at the top.
fn rest(whole: &Node, findings: &mut Vec<Diagnostic>) {
    for (key, _) in whole.entries() {
        let word = key.text.as_str();
        if matches!(word, "version" | "name") || word.starts_with("x-") {
            continue;
        }
        let message = format!("`{word}` was not carried over: nself has nothing like it");
        findings.push(Diagnostic::warning("not-carried", message).at(&key.at, ""));
    }
}

/// Says what of the text is yet to be mended: a compose file may hold what no engine takes.
fn not_accepted(text: &str, findings: &mut Vec<Diagnostic>) {
    let main = Source::new("nself.toml", text);
    let process = BTreeMap::new();
    let input = spec::Input { main, overlay: None, environment: None, process };
    let problems = spec::parse(&input).err().unwrap_or_default();
    for problem in problems.into_iter().filter(|problem| problem.severity == Severity::Error) {
        let line = problem.labels.first().and_then(|label| text.get(..label.span.start));
        let line = line.map_or(1, |before| before.matches('\n').count() + 1);
        let message = format!("line {line} of what was written is not accepted");
        let help = format!("mend it there: {}", problem.message);
        findings.push(Diagnostic::warning("not-accepted", message).help(help));
    }
}

/// Says which values came from the shell, since another shell has others.
fn shell(loader: &Loader<'_>, findings: &mut Vec<Diagnostic>) {
    let list = |names: &BTreeSet<String>| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let (used, missing) = (&loader.variables.used, &loader.variables.missing);
    if !used.is_empty() {
        let message = format!("values of {} were taken from this shell as they are", list(used));
        findings.push(
            Diagnostic::warning("from-shell", message)
                .help("to ask the shell again each time, declare them in [variables]"),
        );
    }
    if !missing.is_empty() {
        let message = format!("{} are not set, and were taken for empty", list(missing));
        findings.push(
            Diagnostic::warning("not-set", message)
                .help("set them, or write them into .env, and import again"),
        );
    }
}

/// What the file is put together from.
struct Parts<'a> {
    name: &'a ProjectName,
    sheets: Vec<(ServiceName, Sheet)>,
    networks: BTreeMap<String, Sheet>,
    volumes: BTreeMap<String, Sheet>,
    secrets: &'a Secrets,
    ignored: Vec<(ServiceName, String, String)>,
}

impl Parts<'_> {
    fn text(self, input: &Input) -> String {
        let mut document = DocumentMut::new();
        let shown =
            |path: &PathBuf| path.strip_prefix(&input.folder).unwrap_or(path).display().to_string();
        let files: Vec<String> = input.files.iter().map(shown).collect();
        let mut project = Sheet::default();
        project.remark(&format!(
            "{}, run by nself; imported from {}.\n\
             Names, restart rules and health checks are as Compose had them, so that what runs is adopted\n\
             as it is: nself plan shows it, nself apply --adopt does it.",
            self.name,
            files.join(", ")
        ));
        project.set("name", self.name.as_str());
        if !input.id.is_empty() {
            project.set("id", input.id.as_str());
            project.remark_on("id", "marks this project's objects on the engine; keep it");
        }
        document.insert("project", Item::Table(project.done()));
        let services = self.sheets.into_iter().map(|(name, sheet)| (name.to_string(), sheet));
        insert(&mut document, "services", services);
        insert(&mut document, "networks", self.networks.into_iter());
        insert(&mut document, "volumes", self.volumes.into_iter());
        let mut secrets = Sheet::default();
        secrets.remark("their values are in the vault: nself secret list");
        for name in self.secrets.names() {
            secrets.set(name.as_str(), InlineTable::from_iter([("source", "set")]));
        }
        if !secrets.table.is_empty() {
            document.insert("secrets", Item::Table(secrets.done()));
        }
        let mut rules = toml_edit::ArrayOfTables::new();
        for (service, field, reason) in self.ignored {
            let mut rule = Sheet::default();
            rule.set("service", service.as_str());
            rule.set("field", field);
            rule.set("reason", reason);
            rules.push(rule.done());
        }
        if !rules.is_empty() {
            document.insert("ignore", Item::ArrayOfTables(rules));
        }
        document.to_string().trim_start_matches('\n').to_owned()
    }
}

fn insert(document: &mut DocumentMut, key: &str, sheets: impl Iterator<Item = (String, Sheet)>) {
    let mut all = Table::new();
    all.set_implicit(true);
    for (name, sheet) in sheets {
        all.insert(&name, Item::Table(sheet.done()));
    }
    if !all.is_empty() {
        document.insert(key, Item::Table(all));
    }
}
