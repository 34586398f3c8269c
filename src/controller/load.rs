//! From a path to a project: its file read and checked, its secrets at hand.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use super::{Error, remember};
use crate::{
    desired::{self, Compiled, Facts, SecretNeed},
    history::{Configuration, Return, Run, Text},
    model::{Diagnostic, Digest, Fingerprint, Instance, Keyring, SecretName, ServiceName},
    plan::Past,
    secret::{self, Seal, Vault},
    source,
    spec::{self, Source, Spec},
};

/// Where a project is, and what it may know of the shell it was called from.
#[derive(Debug, Clone)]
pub struct Place {
    /// The main file.
    pub file: PathBuf,
    /// The environment chosen with `-e` or `NSELF_ENVIRONMENT`.
    pub environment: Option<String>,
    /// The process environment, of which only declared variables are read.
    pub variables: BTreeMap<String, String>,
    /// The folder of the user's certificate authority.
    pub authority: PathBuf,
}

/// A project whose file was read and is good.
#[derive(Debug, Clone)]
pub struct Project {
    /// Where it is.
    pub place: Place,
    /// What the person wrote.
    pub spec: Spec,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
    /// The texts behind all spans.
    pub sources: Vec<Source>,
    /// The project's secrets as far as they exist.
    pub keyring: Keyring,
    /// Why they cannot be read, where all that is missing is an identity to open the vault with.
    pub locked: Option<Arc<secret::Error>>,
    /// How long containers were away in past applies.
    pub past: Past,
    /// Of a project as it was: what it was made from beside its file.
    pub recalled: Option<Recalled>,
}

/// What a project was made from beside its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// The apply that it is recalled from.
    pub from: Return,
    /// The engine's own id.
    pub engine: String,
    /// The digest of each build folder.
    pub contexts: BTreeMap<ServiceName, Digest>,
    /// Certificates that builds are given.
    pub ca_bundle: String,
    /// The fingerprint of each secret.
    pub secrets: BTreeMap<SecretName, Fingerprint>,
    /// Secrets whose value of then is not kept any more: they stay as they are.
    pub lost: Vec<SecretName>,
}

/// Reads a project.
///
/// # Errors
/// Every mistake of its file, or the file or vault that cannot be read.
pub fn load(place: &Place) -> Result<Project, Error> {
    let unreadable = |(path, cause)| Error::File { what: "cannot read", path, cause };
    let environment = place.environment.as_deref().map(Instance::new).transpose();
    let environment = environment.map_err(|error| {
        let message = format!("the environment's name will not do: {error}");
        Error::Configuration {
            diagnostics: vec![Diagnostic::error("bad-environment", message)],
            sources: Vec::new(),
        }
    })?;
    let (main, overlay) =
        source::read(&place.file, place.environment.as_deref()).map_err(unreadable)?;
    let source =
        |file: source::File| Source { name: file.path.to_string_lossy().into(), bytes: file.bytes };
    let process = place.variables.clone();
    let input =
        spec::Input { main: source(main), overlay: overlay.map(source), environment, process };
    read(place, &input, None)
}

/// Reads a project as it was in an earlier apply, with the secrets of today.
///
/// # Errors
/// The mistakes that this nself finds in what an earlier one took, or a vault that cannot be read.
pub fn recall(place: &Place, run: &Run) -> Result<Project, Error> {
    let Configuration { main, overlay, environment, variables, contexts, ca_bundle } =
        &run.begun.configuration;
    let source =
        |text: &Text| Source { name: text.name.as_str().into(), bytes: text.text.clone().into() };
    let input = spec::Input {
        main: source(main),
        overlay: overlay.as_ref().map(source),
        environment: environment.as_deref().and_then(|name| Instance::new(name).ok()),
        process: variables.clone(),
    };
    let (contexts, secrets) = (contexts.iter(), run.begun.secrets.iter());
    let recalled = Recalled {
        from: run.origin(),
        engine: run.begun.engine.clone(),
        contexts: contexts
            .filter_map(|(name, digest)| Some((name.parse().ok()?, Digest::stored(digest)?)))
            .collect(),
        ca_bundle: ca_bundle.as_ref().map(|bundle| bundle.text.clone()).unwrap_or_default(),
        secrets: secrets
            .filter_map(|(name, print)| Some((name.parse().ok()?, Fingerprint::stored(print))))
            .collect(),
        lost: Vec::new(),
    };
    read(place, &input, Some(recalled))
}

fn read(place: &Place, input: &spec::Input, recalled: Option<Recalled>) -> Result<Project, Error> {
    let sources: Vec<Source> =
        std::iter::once(&input.main).chain(&input.overlay).cloned().collect();
    let parsed = spec::parse(input)
        .map_err(|diagnostics| Error::Configuration { diagnostics, sources: sources.clone() })?;
    let mut project = Project {
        place: place.clone(),
        spec: parsed.spec,
        warnings: parsed.warnings,
        sources,
        keyring: Keyring::default(),
        locked: None,
        past: Past::default(),
        recalled,
    };
    match project.vault() {
        Ok(vault) => {
            project.keyring = match &mut project.recalled {
                None => vault.keyring(),
                Some(recalled) => {
                    let (keyring, restored) = vault.restored(&recalled.secrets);
                    recalled.lost = restored.lost;
                    keyring
                }
            };
            if vault.is_to_move() && !vault.is_sealed() {
                let message = format!("{} is not encrypted yet", vault.path().display());
                let warning = Diagnostic::warning("plain-vault", message);
                let warning = warning.help("nself secret encrypt; the next change does it, too");
                project.warnings.push(warning);
            }
        }
        // What needs no secret can be done without.
        Err(Error::Secret(error @ secret::Error::Sealed { .. })) => {
            project.locked = Some(Arc::new(error));
        }
        Err(error) => return Err(error),
    }
    project.past = remember::past(&project);
    Ok(project)
}

impl Project {
    /// Returns the folder that holds the project's secrets.
    pub fn vault_folder(&self) -> PathBuf {
        self.place.file.with_file_name(".nself")
    }

    /// Opens the project's vault.
    ///
    /// # Errors
    /// A vault that cannot be read, or an identity that does not open it.
    pub fn vault(&self) -> Result<Vault, Error> {
        let recipients = &self.spec.vault.recipients;
        let recipients: Vec<String> = recipients.iter().map(|text| text.value.clone()).collect();
        let seal = Seal::new(&recipients, &self.place.variables)?;
        Ok(Vault::sealed(&self.vault_folder(), seal)?)
    }

    /// Returns the folder that paths in the file are relative to.
    pub fn folder(&self) -> PathBuf {
        let parent = self.place.file.parent().unwrap_or(std::path::Path::new(""));
        if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() }
    }

    /// Returns what should exist, `now` being in milliseconds since 1970.
    ///
    /// # Errors
    /// Mistakes that only show once build folders, secrets and kinds come together.
    pub fn compile(&self, now: u64) -> Result<Compiled, Error> {
        self.compile_from(&self.facts(now)?)
    }

    /// Returns what should exist, given what pure rooms may not fetch.
    pub(super) fn compile_from(&self, facts: &Facts) -> Result<Compiled, Error> {
        let compiled = desired::compile(&self.spec, facts).map_err(|found| self.wrong(found))?;
        let missing = self.missing(&compiled);
        if missing.is_empty() || self.locked.is_some() {
            Ok(compiled)
        } else {
            Err(self.wrong(missing))
        }
    }

    /// Returns the same, whether or not a person has given all the secrets there are to give.
    ///
    /// # Errors
    /// Mistakes that only show once build folders and kinds come together.
    pub fn draw(&self, now: u64) -> Result<Compiled, Error> {
        let facts = self.facts(now)?;
        desired::compile(&self.spec, &facts).map_err(|found| self.wrong(found))
    }

    fn wrong(&self, diagnostics: Vec<Diagnostic>) -> Error {
        Error::Configuration { diagnostics, sources: self.sources.clone() }
    }

    /// Returns the secrets that a person has yet to give.
    fn missing(&self, compiled: &Compiled) -> Vec<Diagnostic> {
        compiled
            .desired
            .secrets
            .iter()
            .filter_map(|(name, need)| match need {
                SecretNeed::Given { origin } if self.keyring.get(name).is_none() => Some(
                    Diagnostic::error(
                        "missing-secret",
                        format!("the secret `{name}` has no value"),
                    )
                    .at(origin, "is to be given by a person")
                    .help(format!("nself secret set {name}")),
                ),
                SecretNeed::Given { .. }
                | SecretNeed::Random { .. }
                | SecretNeed::CertificateChain { .. }
                | SecretNeed::CertificateKey => None,
            })
            .collect()
    }

    /// Gathers what the pure rooms may not fetch.
    pub(super) fn facts(&self, now: u64) -> Result<Facts, Error> {
        let mut facts = Facts { now, folder: self.folder(), ..Facts::default() };
        facts.turns.clone_from(self.keyring.turns());
        if let Some(Recalled { contexts, ca_bundle, .. }) = &self.recalled {
            facts.contexts.clone_from(contexts);
            facts.ca_bundle.clone_from(ca_bundle);
            return Ok(facts);
        }
        let mut problems = Vec::new();
        self.read_folders(&mut facts, &mut problems);
        if problems.is_empty() { Ok(facts) } else { Err(self.wrong(problems)) }
    }

    fn read_folders(&self, facts: &mut Facts, problems: &mut Vec<Diagnostic>) {
        for (name, service) in &self.spec.services {
            let Some(build) = &service.settings.build else { continue };
            let folder = self.folder().join(&build.value.context);
            let dockerfile = build.value.dockerfile.as_str();
            if !folder.join(dockerfile).is_file() {
                let path = folder.join(dockerfile).display().to_string();
                let problem = Diagnostic::error("no-dockerfile", format!("there is no {path}"));
                problems.push(problem.at(&build.origin, "a folder with a Dockerfile"));
                continue;
            }
            match source::digest(&folder, dockerfile) {
                Ok(digest) => {
                    facts.contexts.insert(name.clone(), digest);
                }
                Err(error) => {
                    let message = format!("cannot read {}: {error}", folder.display());
                    let problem = Diagnostic::error("unreadable-context", message);
                    problems.push(problem.at(&build.origin, ""));
                }
            }
        }
        if let Some(bundle) = &self.spec.images.ca_bundle {
            let path = self.folder().join(&bundle.value);
            match source::file(&path) {
                Ok(file) => facts.ca_bundle = String::from_utf8_lossy(&file.bytes).into_owned(),
                Err(error) => {
                    let message = format!("cannot read {}: {error}", path.display());
                    let problem = Diagnostic::error("unreadable-bundle", message);
                    problems.push(problem.at(&bundle.origin, "a PEM file"));
                }
            }
        }
    }
}
