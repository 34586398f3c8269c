//! Finds out what the rules of `doctor` are asked about, and carries out the repairs that can do no harm.
#![expect(clippy::disallowed_methods, reason = "this is where doctor's facts are fetched")]

use std::{
    collections::BTreeSet,
    fs, io,
    net::{IpAddr, UdpSocket},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Error, Project};
use crate::{
    cert::{
        self,
        store::{Standing, Store},
    },
    desired::SecretNeed,
    doctor::{
        CertificateFact, EngineFact, Facts, Fix, Git, Kind, Lookup, NameFact, PathFact,
        ProjectFact, ProjectState, Trust,
    },
    engine::{self, Engine, Examine},
    observed::Disk,
    plan::{Op, Target},
};

/// A resolver that takes longer is as good as none.
const LOOKUP: Duration = Duration::from_secs(5);

/// What is known of the project before the engine is asked.
#[derive(Debug)]
pub enum Found {
    /// There is no file.
    None,
    /// There is one, and it has mistakes; says how they are summed up.
    Broken(PathBuf, String),
    /// It is good.
    Project(Box<Project>),
}

/// Gathers all facts. `engine` is one that answers, or what became of asking and what to do about it;
/// `address` is where it is asked.
///
/// # Errors
/// None: what cannot be found out is a fact as well.
pub async fn gather<E: Engine + Examine>(
    found: &Found,
    engine: Result<&E, (Vec<String>, String)>,
    address: &str,
    stores: &[Store],
) -> Facts {
    let mut facts = Facts {
        now: super::milliseconds(),
        engine: EngineFact::Silent { chain: Vec::new(), remedy: String::new() },
        project: ProjectFact::None,
        folder_disk: None,
        paths: Vec::new(),
        git: None,
        names: Vec::new(),
        certificates: Vec::new(),
    };
    let answering = match engine {
        Err((chain, remedy)) => {
            facts.engine = EngineFact::Silent { chain, remedy };
            None
        }
        Ok(engine) => match engine.examine().await {
            Ok(checkup) => {
                facts.engine = EngineFact::Answers { address: address.to_owned(), checkup };
                Some(engine)
            }
            Err(error) => {
                let (chain, remedy) = (words(&error), "nself version".to_owned());
                facts.engine = EngineFact::Silent { chain, remedy };
                None
            }
        },
    };
    match found {
        Found::None => {}
        Found::Broken(file, what) => {
            facts.project = ProjectFact::Broken { file: file.clone(), what: what.clone() };
        }
        Found::Project(project) => {
            of_project(project, answering, address, stores, &mut facts).await;
        }
    }
    facts
}

async fn of_project<E: Engine + Examine>(
    project: &Project,
    engine: Option<&E>,
    address: &str,
    stores: &[Store],
    facts: &mut Facts,
) {
    let file = project.place.file.clone();
    let compiled = match project.compile(facts.now) {
        Ok(compiled) => compiled,
        Err(error) => {
            let what = words(&error).join(": ");
            facts.project = ProjectFact::Broken { file, what };
            return;
        }
    };
    let looked = match engine {
        Some(engine) => {
            let options = super::Options { built_images: true, ..super::Options::default() };
            super::plan(engine, project, &options, true).await
        }
        None => Err(Error::Engine(engine::Error::Failed {
            what: "looking at the engine".to_owned(),
            output: String::new(),
        })),
    };
    let (seen, unseen) = match (engine, looked) {
        (_, Ok(pass)) => (Some((pass.observed, pass.plan)), String::new()),
        (None, Err(_)) => (None, "no engine answers".to_owned()),
        (Some(_), Err(error)) => (None, words(&error).join(": ")),
    };
    let hosts: BTreeSet<String> = compiled
        .desired
        .secrets
        .values()
        .filter_map(|need| match need {
            SecretNeed::CertificateChain { hosts, .. } => Some(hosts.clone()),
            SecretNeed::Random { .. } | SecretNeed::Given { .. } | SecretNeed::CertificateKey => {
                None
            }
        })
        .flatten()
        .collect();
    facts.certificates = certificates(project, &compiled.desired.secrets, stores);
    facts.names = names(hosts, address).await;
    facts.paths = paths(project);
    facts.git = git(&project.folder(), &project.vault_folder());
    facts.folder_disk = disk(&project.folder());
    facts.project = ProjectFact::Read(Box::new(ProjectState {
        file,
        has_vault: project.keyring.is_present(),
        desired: compiled.desired,
        seen,
        unseen,
    }));
}

/// Carries out a repair.
///
/// # Errors
/// What the system or the engine says.
pub async fn fix<E: Engine>(fix: &Fix, engine: Option<&E>) -> Result<(), Error> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |cause| Error::File { what, path, cause }
    };
    match fix {
        Fix::Restrict { path, mode } => {
            fs::set_permissions(path, fs::Permissions::from_mode(*mode))
                .map_err(failed("cannot write the mode of", path))
        }
        Fix::IgnoreFolder { folder } => {
            let file = folder.join(".gitignore");
            let before = match fs::read_to_string(&file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
                before => before.map_err(failed("cannot read", &file))?,
            };
            let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
            fs::write(&file, format!("{before}{end}*\n")).map_err(failed("cannot write", &file))
        }
        Fix::RemoveTool { id, name } => {
            let Some(engine) = engine else { return Ok(()) };
            let target = Target::Id { id: id.clone(), name: name.clone() };
            Ok(engine.execute(&Op::RemoveContainer(target)).await?)
        }
    }
}

fn words(error: &dyn std::error::Error) -> Vec<String> {
    let mut chain = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if chain.last() != Some(&text) {
            chain.push(text);
        }
        cause = error.source();
    }
    chain
}

fn certificates(
    project: &Project,
    secrets: &std::collections::BTreeMap<crate::model::SecretName, SecretNeed>,
    stores: &[Store],
) -> Vec<CertificateFact> {
    let authority = cert::Authority::path_in(&project.place.authority);
    let authority = fs::read_to_string(authority).ok();
    let is_trusted = |pem: &str| match stores.iter().find(|store| store.name == "system") {
        None => Trust::Unknown,
        Some(system) if system.standing(pem) == Standing::Trusted => Trust::Trusted,
        Some(_) => Trust::Untrusted,
    };
    let one = |(name, need): (&crate::model::SecretName, &SecretNeed)| {
        let SecretNeed::CertificateChain { hosts: wanted, .. } = need else { return None };
        let wanted = wanted.clone();
        let Some(chain) = project.keyring.get(name) else {
            return Some(CertificateFact {
                wanted,
                hosts: None,
                expires: None,
                trust: Trust::Unknown,
            });
        };
        let leaf = cert::Leaf::read(chain);
        let trust = match &authority {
            Some(authority) if cert::is_issued_by(chain, authority) => is_trusted(authority),
            _ => Trust::Stranger,
        };
        let expires = leaf.as_ref().map(|leaf| leaf.expires);
        let hosts = Some(leaf.map(|leaf| leaf.hosts).unwrap_or_default());
        Some(CertificateFact { wanted, hosts, expires, trust })
    };
    secrets.iter().filter_map(one).collect()
}

/// Asks this machine's resolver, and nobody else.
async fn names(hosts: BTreeSet<String>, address: &str) -> Vec<NameFact> {
    let engine = match address.split_once("://") {
        Some(("tcp" | "ssh", rest)) => {
            let host = rest.rsplit('@').next().unwrap_or(rest);
            let host = host.split(['/', ':']).next().unwrap_or(host).to_owned();
            resolve(&host).await.unwrap_or_default()
        }
        _ => BTreeSet::new(),
    };
    let is_remote = !address.starts_with("unix://");
    let lookups = hosts.into_iter().map(|host| {
        let engine = &engine;
        async move {
            let lookup = match resolve(&host).await {
                Ok(to) => {
                    let is_here = |ip: &IpAddr| {
                        if is_remote { engine.contains(ip) } else { is_of_this_machine(*ip) }
                    };
                    Lookup::Leads { here: to.iter().any(is_here), to }
                }
                Err(lookup) => lookup,
            };
            NameFact { host, lookup }
        }
    });
    futures_util::future::join_all(lookups).await
}

async fn resolve(host: &str) -> Result<BTreeSet<IpAddr>, Lookup> {
    let asked = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((host, 0))).await;
    match asked {
        Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect()),
        Ok(Err(error)) => {
            let words = error.to_string();
            // The system tells "nobody could be asked" from "no such name" by its words alone.
            let temporary = words.to_lowercase().contains("temporary");
            Err(if temporary { Lookup::Offline(words) } else { Lookup::Unknown })
        }
        Err(_) => Err(Lookup::Offline("the resolver does not answer".to_owned())),
    }
}

/// Only an address of this machine can be bound to. Nothing is sent.
fn is_of_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

fn paths(project: &Project) -> Vec<PathFact> {
    let (vault, authority) = (project.vault_folder(), &project.place.authority);
    let all = [
        (project.place.file.clone(), Kind::Configuration),
        (vault.clone(), Kind::PrivateFolder),
        (vault.join("secrets.toml"), Kind::PrivateFile),
        (authority.join("ca-key.pem"), Kind::PrivateFile),
    ];
    let seen = all.into_iter().filter_map(|(path, kind)| {
        let metadata = fs::metadata(&path).ok()?;
        let changed = u64::try_from(metadata.mtime()).unwrap_or(0).saturating_mul(1000);
        Some(PathFact { path, kind, mode: metadata.mode() & 0o777, changed })
    });
    seen.collect()
}

fn disk(folder: &Path) -> Option<Disk> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(Disk { free: stat.f_bavail * stat.f_frsize, total: stat.f_blocks * stat.f_frsize })
}

/// Looks whether a folder of secrets is in a repository, and whether git leaves it alone.
fn git(folder: &Path, secrets: &Path) -> Option<Git> {
    if !secrets.is_dir() {
        return None;
    }
    let folder = folder.canonicalize().ok()?;
    let root = folder.ancestors().find(|folder| folder.join(".git").exists())?.to_owned();
    let inside = folder.join(secrets.file_name()?);
    let mut ignored = false;
    // A later file, nearer to the secrets, has the last word.
    let mut files = vec![repository(&root).join("info/exclude")];
    let way = inside.strip_prefix(&root).ok()?;
    let mut at = root.clone();
    files.push(at.join(".gitignore"));
    for part in way.components() {
        at.push(part);
        files.push(at.join(".gitignore"));
    }
    for file in files {
        let base = if file.ends_with("info/exclude") { root.as_path() } else { file.parent()? };
        let mut rules = ignore::gitignore::GitignoreBuilder::new(base);
        // What cannot be read ignores nothing.
        let _ = rules.add(&file);
        let Ok(rules) = rules.build() else { continue };
        let of_secrets = rules.matched_path_or_any_parents(inside.join("secrets.toml"), false);
        if of_secrets.is_ignore() {
            ignored = true;
        } else if of_secrets.is_whitelist() {
            ignored = false;
        }
    }
    let index = fs::read(repository(&root).join("index")).unwrap_or_default();
    let name = format!("{}/secrets.toml", way.display());
    let tracked = index.windows(name.len()).any(|bytes| bytes == name.as_bytes());
    Some(Git { secrets: secrets.to_owned(), ignored, tracked })
}

/// Returns where git keeps what it knows of a work tree: a worktree of its own has a file that says so.
fn repository(root: &Path) -> PathBuf {
    let plain = root.join(".git");
    let pointer = fs::read_to_string(&plain).unwrap_or_default();
    pointer.strip_prefix("gitdir: ").map_or(plain, |place| root.join(place.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_read_as_git_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("app");
        let secrets = place.join(".nself");
        fs::create_dir_all(&secrets).unwrap();
        assert_eq!(git(&place, &secrets), None);
        fs::create_dir(folder.path().join(".git")).unwrap();
        let seen = || git(&place, &secrets).map(|git| (git.ignored, git.tracked)).unwrap();
        assert_eq!(seen(), (false, false));
        for (file, text) in [
            (folder.path().join(".gitignore"), ".nself/\n"),
            (place.join(".gitignore"), "/.nself\n"),
            (secrets.join(".gitignore"), "*\n"),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(seen(), (true, false), "{}", file.display());
            fs::remove_file(&file).unwrap();
        }
        fs::write(folder.path().join(".gitignore"), "node_modules\n").unwrap();
        assert_eq!(seen(), (false, false));
        fs::write(folder.path().join(".git/index"), "DIRC..app/.nself/secrets.toml\0").unwrap();
        assert_eq!(seen(), (false, true));
    }

    #[tokio::test]
    async fn names_are_looked_up_here() {
        assert_eq!(resolve("127.0.0.1").await, Ok(["127.0.0.1".parse().unwrap()].into()));
        // No resolver ever finds it; without any, nobody can be asked.
        assert!(resolve("nself.invalid").await.is_err());
        assert!(is_of_this_machine([127, 0, 0, 1].into()));
        assert!(!is_of_this_machine([192, 0, 2, 1].into()));
        let facts = names(["127.0.0.1".to_owned()].into(), "tcp://192.0.2.1:2375").await;
        assert!(matches!(facts[0].lookup, Lookup::Leads { here: false, .. }), "{facts:?}");
    }
}
