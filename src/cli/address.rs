//! Which engine: `--engine`, the file, `DOCKER_HOST`, the docker context, the default socket, in that
//! order.
#![expect(clippy::disallowed_methods, reason = "the docker client's own files are read here")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::Error;
use crate::model::Digest;

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
}

impl Choice {
    /// Refuses an address that nothing could ever answer at.
    pub(super) fn check(&self) -> Result<(), Error> {
        let Self { address, by, instead_of: _ } = self;
        let wrong = |what: String, remedy: &str| {
            Err(Error::usage(what).noting(&format!("from {by}")).remedy(remedy))
        };
        match address.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(()),
            Some(("tcp", host)) if !host.trim_end_matches('/').is_empty() => Ok(()),
            Some(("ssh", _)) => wrong(
                format!("{address}: engines over ssh are not supported yet in this version"),
                "run nself on that machine, or forward its socket: ssh -L /tmp/docker.sock:\
                 /var/run/docker.sock HOST, then nself --engine unix:///tmp/docker.sock",
            ),
            _ => wrong(
                format!("`{address}` is no address of an engine"),
                "an address is like unix:///var/run/docker.sock or tcp://host:2375",
            ),
        }
    }
}

/// Chooses the engine.
pub(super) fn choose(
    flag: Option<&str>,
    file: Option<&str>,
    variables: &BTreeMap<String, String>,
) -> Choice {
    let chosen = |address: &str, by: &str| Choice {
        address: address.to_owned(),
        by: by.to_owned(),
        instead_of: None,
    };
    let set = |name: &str| variables.get(name).map(String::as_str).filter(|text| !text.is_empty());
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
    let folder = set("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(set("HOME")?).join(".docker")));
    let context = folder.and_then(|folder| context(&folder, set("DOCKER_CONTEXT")));
    if let Some((name, host)) = context {
        return chosen(&host, &format!("the docker context {name}"));
    }
    chosen(SOCKET, "the default socket")
}

/// Returns the name and address of the docker client's context, unless it is the default one.
fn context(folder: &Path, named: Option<&str>) -> Option<(String, String)> {
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
    let meta = folder.join("contexts/meta").join(digest.as_str()).join("meta.json");
    let meta: Meta = serde_json::from_str(&read(meta)?).ok()?;
    let host = meta.endpoints.get("docker")?.host.clone()?;
    Some((name, host))
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
        let default = shell(&[("DOCKER_CONFIG", config), ("DOCKER_CONTEXT", "default")]);
        assert_eq!(choose(None, None, &default).address, SOCKET);
    }
}
