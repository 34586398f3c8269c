//! From files to one tree: variables put in, other files brought in, one laid over the other.
#![expect(clippy::single_match_else, reason = "both ways of a value stand beside each other")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::{
    Input,
    interpolate::{self, Variables},
    merge,
    yaml::{self, Key, Node, Value},
};
use crate::model::{Diagnostic, Origin};

/// What was read, or what else has to be.
pub(super) struct Loader<'a> {
    pub(super) input: &'a Input,
    pub(super) variables: Variables,
    /// Files that are asked for and were not handed in.
    pub(super) wants: BTreeSet<PathBuf>,
    pub(super) problems: Vec<Diagnostic>,
    /// The texts behind all places.
    pub(super) sources: BTreeMap<Arc<str>, String>,
    /// How many files were brought in by others.
    included: usize,
}

/// More steps from one service to the next than this are a circle.
const MOST_EXTENDS: usize = 20;
/// Files that bring in each other twice are soon more than anybody can read.
const MOST_INCLUDED: usize = 200;

impl<'a> Loader<'a> {
    pub(super) fn new(input: &'a Input) -> Self {
        let variables = Variables { process: input.process.clone(), ..Variables::default() };
        let (wants, problems, sources) = Default::default();
        Self { input, variables, wants, problems, sources, included: 0 }
    }

    /// Reads all files of the command line into one tree.
    pub(super) fn load(&mut self) -> Option<Node> {
        let folder = self.input.folder.clone();
        if let Some(text) = self.optional(&folder.join(".env")) {
            self.variables.file = self.pairs(&folder.join(".env"), &text).into_iter().collect();
        }
        let mut whole: Option<Node> = None;
        for file in self.input.files.clone() {
            let Some(node) = self.file(&file, &folder, 0) else { continue };
            match &mut whole {
                None => whole = Some(node),
                Some(base) => merge::lay(base, node, &[]),
            }
        }
        let mut whole = whole?;
        merge::settle(&mut whole);
        Some(whole)
    }

    /// Reads one file with what it includes and what its services extend.
    fn file(&mut self, path: &Path, folder: &Path, depth: usize) -> Option<Node> {
        let mut node = self.parsed(path)?;
        let included = node.take("include");
        self.prepare(&mut node, folder);
        self.extend_all(&mut node, path, depth);
        let Some((_, included)) = included else { return Some(node) };
        if depth > MOST_EXTENDS {
            let problem = Diagnostic::error("include", "files include each other in a circle");
            self.problems.push(problem.at(&included.at, ""));
            return None;
        }
        let mut base: Option<Node> = None;
        for item in included.items() {
            let paths = item.get("path").unwrap_or(item).texts();
            for path in paths {
                self.included += 1;
                if self.included > MOST_INCLUDED {
                    if self.included == MOST_INCLUDED + 1 {
                        let message = format!("more than {MOST_INCLUDED} files are included");
                        let problem = Diagnostic::error("include", message).at(&included.at, "");
                        self.problems.push(problem.help("is there one that includes itself?"));
                    }
                    return None;
                }
                let path = tidy(&folder.join(path));
                let folder = path.parent().unwrap_or(folder).to_owned();
                let Some(node) = self.file(&path, &folder, depth + 1) else { continue };
                match &mut base {
                    None => base = Some(node),
                    Some(base) => merge::lay(base, node, &[]),
                }
            }
        }
        let Some(mut base) = base else { return Some(node) };
        merge::lay(&mut base, node, &[]);
        Some(base)
    }

    /// Reads one file as it is, with variables put in.
    fn parsed(&mut self, path: &Path) -> Option<Node> {
        let text = self.text(path)?;
        let name = self.shown(path);
        self.sources.insert(name.clone(), text.clone());
        let mut node = match yaml::read(&name, &text) {
            Ok(node) => node,
            Err(problem) => {
                self.problems.push(problem);
                return None;
            }
        };
        if !matches!(node.value, Value::Map(_)) {
            let problem = Diagnostic::error("yaml", "this is no compose file");
            self.problems.push(problem.at(&node.at, "").help("it begins with `services:`"));
            return None;
        }
        let (variables, problems) = (&mut self.variables, &mut self.problems);
        node.each_text(&mut |at, text| match variables.put_in(text) {
            Ok(value) => *text = value,
            Err(why) => problems.push(Diagnostic::error("variable", why).at(at, "")),
        });
        Some(node)
    }

    /// Brings the services of one file to the form that merges, with paths that hold everywhere.
    fn prepare(&self, node: &mut Node, folder: &Path) {
        let Value::Map(entries) = &mut node.value else { return };
        for (key, node) in entries {
            let Value::Map(things) = &mut node.value else { continue };
            for (_, thing) in things {
                match key.text.as_str() {
                    "services" => {
                        merge::normalise(thing);
                        absolute_service(thing, folder, self.input.home.as_deref());
                    }
                    "secrets" | "configs" => absolute(thing, "file", folder),
                    _ => {}
                }
            }
        }
    }

    /// Puts into each service what it extends.
    fn extend_all(&mut self, node: &mut Node, path: &Path, depth: usize) {
        let services = node.get("services").map(Node::entries).unwrap_or_default();
        let extending = services.iter().filter(|(_, service)| service.get("extends").is_some());
        let names: Vec<String> = extending.map(|(key, _)| key.text.clone()).collect();
        if names.is_empty() {
            return;
        }
        let whole = node.clone();
        for name in names {
            let Some(service) = service_mut(node, &name) else { continue };
            if let Some(extended) = self.extended(service.clone(), &whole, path, depth) {
                *service = extended;
            }
        }
    }

    fn extended(
        &mut self,
        mut service: Node,
        whole: &Node,
        path: &Path,
        depth: usize,
    ) -> Option<Node> {
        let Some((_, extends)) = service.take("extends") else { return Some(service) };
        if depth > MOST_EXTENDS {
            let problem = Diagnostic::error("extends", "services extend each other in a circle");
            self.problems.push(problem.at(&extends.at, ""));
            return None;
        }
        let name = extends.get("service").unwrap_or(&extends).text().unwrap_or_default().to_owned();
        let file = extends.get("file").and_then(Node::text);
        let (path, other) = match file {
            None => (path.to_owned(), None),
            Some(file) => {
                let path = tidy(&path.parent().unwrap_or(Path::new("")).join(file));
                let mut other = self.parsed(&path)?;
                let folder = path.parent().unwrap_or(Path::new("")).to_owned();
                self.prepare(&mut other, &folder);
                (path, Some(other))
            }
        };
        let whole = other.as_ref().unwrap_or(whole);
        let services = whole.get("services").map(Node::entries).unwrap_or_default();
        let found = services.iter().find(|(key, _)| key.text == name).map(|(_, node)| node.clone());
        let Some(found) = found else {
            let problem = Diagnostic::error("extends", format!("there is no service `{name}`"));
            self.problems.push(problem.at(&extends.at, ""));
            return None;
        };
        let mut found = self.extended(found, whole, &path, depth + 1)?;
        // Who is waited for is not inherited.
        found.take("depends_on");
        let text = ["services", &name];
        merge::lay(&mut found, service, &text);
        Some(found)
    }

    /// Returns the variables that the files of a service's `env_file` give it.
    pub(super) fn env_files(&mut self, node: &Node) -> Vec<(String, String, Origin)> {
        let mut all: Vec<(String, String, Origin)> = Vec::new();
        for item in node.items() {
            let required = item.get("required").is_none_or(Node::flag);
            let Some(path) = item.get("path").unwrap_or(item).text() else { continue };
            let path = PathBuf::from(path);
            let text = if required { self.text(&path) } else { self.optional(&path) };
            for (name, value) in text.map(|text| self.pairs(&path, &text)).unwrap_or_default() {
                all.retain(|(other, ..)| *other != name);
                all.push((name, value, item.at.clone()));
            }
        }
        all
    }

    fn pairs(&mut self, path: &Path, text: &str) -> Vec<(String, String)> {
        interpolate::lines(text, &mut self.variables).unwrap_or_else(|why| {
            let message = format!("{}: {why}", self.shown(path));
            self.problems.push(Diagnostic::error("env-file", message));
            Vec::new()
        })
    }

    /// Returns the text of a file that has to be there.
    fn text(&mut self, path: &Path) -> Option<String> {
        match self.input.texts.get(path) {
            None => {
                self.wants.insert(path.to_owned());
                None
            }
            Some(Ok(bytes)) => match String::from_utf8(bytes.clone()) {
                Ok(text) => Some(text),
                Err(_) => {
                    let message = format!("{} is not UTF-8", self.shown(path));
                    self.problems.push(Diagnostic::error("not-utf8", message));
                    None
                }
            },
            Some(Err(why)) => {
                let message = format!("cannot read {}: {why}", self.shown(path));
                self.problems.push(Diagnostic::error("no-file", message));
                None
            }
        }
    }

    /// Returns the text of a file that may be there.
    fn optional(&mut self, path: &Path) -> Option<String> {
        match self.input.texts.get(path) {
            Some(Err(_)) => None,
            Some(Ok(_)) | None => self.text(path),
        }
    }

    /// Returns a path as a person would write it.
    fn shown(&self, path: &Path) -> Arc<str> {
        let short = path.strip_prefix(&self.input.folder).unwrap_or(path);
        short.to_string_lossy().into()
    }
}

fn service_mut<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
    let Value::Map(entries) = &mut node.value else { return None };
    let services = entries.iter_mut().find(|(key, _)| key.text == "services")?;
    let Value::Map(services) = &mut services.1.value else { return None };
    services.iter_mut().find(|(key, _)| key.text == name).map(|(_, node)| node)
}

/// Paths of a service are relative to the folder of the file they stand in.
fn absolute_service(service: &mut Node, folder: &Path, home: Option<&str>) {
    let Value::Map(entries) = &mut service.value else { return };
    for (key, node) in entries {
        match (key.text.as_str(), &mut node.value) {
            ("build", Value::Map(_)) => absolute(node, "context", folder),
            ("env_file", Value::List(files)) => {
                for file in files {
                    match &file.value {
                        Value::Map(_) => absolute(file, "path", folder),
                        _ => resolve(file, folder, home),
                    }
                }
            }
            ("volumes", Value::List(volumes)) => {
                for volume in volumes {
                    match &mut volume.value {
                        Value::Scalar { text, .. } => *text = short_volume(text, folder, home),
                        Value::Map(_) => {
                            let kind = volume.get("type").and_then(Node::text);
                            let is_bind = kind == Some("bind");
                            if is_bind && let Some(source) = entry_mut(volume, "source") {
                                resolve(source, folder, home);
                            }
                        }
                        Value::Null | Value::List(_) => {}
                    }
                }
            }
            _ => {}
        }
    }
}

fn entry_mut<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    let Value::Map(entries) = &mut node.value else { return None };
    entries.iter_mut().find(|(other, _): &&mut (Key, Node)| other.text == key).map(|(_, n)| n)
}

fn absolute(node: &mut Node, key: &str, folder: &Path) {
    if let Some(path) = entry_mut(node, key) {
        resolve(path, folder, None);
    }
}

fn resolve(node: &mut Node, folder: &Path, home: Option<&str>) {
    if let Value::Scalar { text, .. } = &mut node.value
        && !text.contains("://")
    {
        *text = path(text, folder, home);
    }
}

fn path(text: &str, folder: &Path, home: Option<&str>) -> String {
    let whole = match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            PathBuf::from(format!("{home}{rest}"))
        }
        _ => folder.join(text),
    };
    tidy(&whole).to_string_lossy().into_owned()
}

/// `./data:/data` → the path on this machine; names of volumes stay.
fn short_volume(text: &str, folder: &Path, home: Option<&str>) -> String {
    match text.split_once(':') {
        Some((source, rest)) if source.starts_with(['.', '~', '/']) => {
            format!("{}:{rest}", path(source, folder, home))
        }
        Some(_) | None => text.to_owned(),
    }
}

/// Takes `.` and `..` out of a path, without asking the disk.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !out.pop() {
                    out.push("..");
                }
            }
            other => out.push(other),
        }
    }
    out
}
