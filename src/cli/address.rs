//! Which engine: `--engine`, the file, `DOCKER_HOST`, the docker context, the default socket, in that
//! order.
#![expect(clippy::disallowed_methods, reason = "the docker client's own files are read here")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::Error;
use crate::{
    engine::docker::{Address, Client},
    model::Digest,
};

/// The engine's socket where nothing else is said.
const SOCKET: &str = "unix:///var/run/docker.sock";

/// An engine's address, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// The address.
    pub address: String,
    /// Who said so, for people.
    pub by: String,
    /// The address in the file, where the command line says otherwise.
    pub instead_of: Option<String>,
    /// What the address does not say itself.
    pub client: Client,
}

impl Choice {
    /// Refuses an address that nothing could ever answer at, or that must not be used as it is.
    pub(super) fn check(&self) -> Result<Address, Error> {
        Address::parse(&self.address, &self.client).map_err(|error| {
            Error::usage(error.to_string())
                .noting(&format!("from {}", self.by))
                .remedy(error.remedy.clone())
        })
    }
}

/// Chooses the engine.
pub(super) fn choose(
    flag: Option<&str>,
    file: Option<&str>,
    variables: &BTreeMap<String, String>,
) -> Choice {
    let set = |name: &str| variables.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let folder = set("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(set("HOME")?).join(".docker")));
    // As for docker: the switch alone means its own folder.
    let certificates = match (set("DOCKER_CERT_PATH"), set("DOCKER_TLS_VERIFY")) {
        (Some(path), _) => Some(PathBuf::from(path)),
        (None, Some(_)) => folder.clone(),
        (None, None) => None,
    };
    let ssh = set("NSELF_SSH").map_or_else(|| Client::default().ssh, str::to_owned);
    let chosen = |address: &str, by: &str| Choice {
        address: address.to_owned(),
        by: by.to_owned(),
        instead_of: None,
        client: Client { certificates: certificates.clone(), ssh: ssh.clone() },
    };
    if let Some(flag) = flag {
        let instead_of = file.filter(|file| *file != flag).map(str::to_owned);
        return Choice { instead_of, ..chosen(flag, "--engine") };
    }
    if let Some(file) = file {
        return chosen(file, "`engine` in the file");
    }
    if let Some(host) = set("DOCKER_HOST") {
        return chosen(host, "DOCKER_HOST");
    }
    let context = folder.and_then(|folder| context(&folder, set("DOCKER_CONTEXT")));
    if let Some(context) = context {
        let choice = chosen(&context.address, &format!("the docker context {}", context.name));
        // A context has its own certificates, and no others.
        let client = Client { certificates: context.certificates, ssh };
        return Choice { client, ..choice };
    }
    chosen(SOCKET, "the default socket")
}

/// What the docker client keeps of an engine.
struct DockerContext {
    name: String,
    address: String,
    certificates: Option<PathBuf>,
}

/// Returns the docker client's context, unless it is the default one.
fn context(folder: &Path, named: Option<&str>) -> Option<DockerContext> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "currentContext")]
        current: Option<String>,
    }
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "Endpoints")]
        endpoints: BTreeMap<String, Endpoint>,
    }
    #[derive(Deserialize)]
    struct Endpoint {
        #[serde(rename = "Host")]
        host: Option<String>,
    }
    let read = |path: PathBuf| std::fs::read_to_string(path).ok();
    let name = if let Some(name) = named {
        name.to_owned()
    } else {
        let config: Config = serde_json::from_str(&read(folder.join("config.json"))?).ok()?;
        config.current?
    };
    if name.is_empty() || name == "default" {
        return None;
    }
    let digest = Digest::of(name.as_bytes());
    let contexts = folder.join("contexts");
    let meta = contexts.join("meta").join(digest.as_str()).join("meta.json");
    let meta: Meta = serde_json::from_str(&read(meta)?).ok()?;
    let address = meta.endpoints.get("docker")?.host.clone()?;
    let certificates = contexts.join("tls").join(digest.as_str()).join("docker");
    let certificates = Some(certificates).filter(|folder| folder.is_dir());
    Some(DockerContext { name, address, certificates })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_command_line_comes_first_and_says_so() {
        let all = shell(&[("DOCKER_HOST", "tcp://c:1")]);
        let choice = choose(Some("tcp://a:1"), Some("tcp://b:1"), &all);
        assert_eq!(choice.address, "tcp://a:1");
        assert_eq!(choice.instead_of.as_deref(), Some("tcp://b:1"));
        assert_eq!(choose(None, Some("tcp://b:1"), &all).address, "tcp://b:1");
        assert_eq!(choose(None, None, &all).by, "DOCKER_HOST");
        assert_eq!(choose(None, None, &shell(&[("DOCKER_HOST", "")])).address, SOCKET);
    }

    #[test]
    fn certificates_are_where_docker_looks_for_them() {
        for (variables, folder) in [
            (shell(&[]), None),
            (shell(&[("HOME", "/h"), ("DOCKER_TLS_VERIFY", "")]), None),
            (shell(&[("HOME", "/h"), ("DOCKER_TLS_VERIFY", "1")]), Some("/h/.docker")),
            (shell(&[("DOCKER_CONFIG", "/d"), ("DOCKER_TLS_VERIFY", "1")]), Some("/d")),
            (shell(&[("HOME", "/h"), ("DOCKER_CERT_PATH", "/c")]), Some("/c")),
        ] {
            let choice = choose(Some("tcp://lab"), None, &variables);
            assert_eq!(choice.client.certificates, folder.map(PathBuf::from), "{variables:?}");
        }
        assert_eq!(choose(None, None, &shell(&[("NSELF_SSH", "/s")])).client.ssh, "/s");
    }

    #[test]
    fn the_docker_context_is_found_as_docker_does() {
        let folder = tempfile::tempdir().unwrap();
        let meta = folder.path().join("contexts/meta").join(Digest::of(b"lab").as_str());
        std::fs::create_dir_all(&meta).unwrap();
        std::fs::write(
            meta.join("meta.json"),
            r#"{"Name":"lab","Endpoints":{"docker":{"Host":"tcp://lab:2375","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        std::fs::write(folder.path().join("config.json"), r#"{"currentContext":"lab"}"#).unwrap();
        let config = folder.path().to_str().unwrap();
        let choice = choose(None, None, &shell(&[("DOCKER_CONFIG", config)]));
        assert_eq!(
            (choice.address.as_str(), choice.by.as_str()),
            ("tcp://lab:2375", "the docker context lab")
        );
        // Without certificates of its own it is in the clear, whatever the shell has.
        let with = shell(&[("DOCKER_CONFIG", config), ("DOCKER_CERT_PATH", "/c")]);
        assert_eq!(choose(None, None, &with).client.certificates, None);
        assert_eq!(
            choose(None, None, &with).check().unwrap_err().exit(),
            super::super::Exit::Usage
        );
        let own = folder.path().join("contexts/tls").join(Digest::of(b"lab").as_str());
        let own = own.join("docker");
        std::fs::create_dir_all(&own).unwrap();
        assert_eq!(choose(None, None, &with).client.certificates, Some(own));
        assert!(choose(None, None, &with).check().is_ok());
        let default = shell(&[("DOCKER_CONFIG", config), ("DOCKER_CONTEXT", "default")]);
        assert_eq!(choose(None, None, &default).address, SOCKET);
    }
}
