//! What answers at an address, as its first answer says.

use bollard::ClientVersion;
use hyper::HeaderMap;

use super::dialect::{self, Dialect};

/// The engine's program and the language it speaks.
///
/// All of it stands in the headers of a ping. The engine's own description of its version says the same, and
/// starts three programs to find out more (10 ms).
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// Which engine it is.
    pub(super) dialect: Dialect,
    /// Its version, such as `20.10.24+dfsg1`; empty when it does not tell.
    pub(super) version: String,
    /// The newest API that both sides know.
    pub(super) api: ClientVersion,
}

impl Server {
    /// Reads the headers of the answer to a ping; `None` when no engine answered.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let (major, minor) = text("api-version")?.split_once('.')?;
        let theirs = ClientVersion {
            major_version: major.parse().ok()?,
            minor_version: minor.parse().ok()?,
        };
        let ours = *bollard::API_DEFAULT_VERSION;
        let podman = text("libpod-api-version");
        // `Docker/20.10.24 (linux)`
        let named = text("server").and_then(|server| server.split([' ', '/']).nth(1));
        Some(Self {
            dialect: if podman.is_some() { dialect::PODMAN } else { dialect::DOCKER },
            version: podman.or(named).unwrap_or_default().to_owned(),
            api: if theirs < ours { theirs } else { ours },
        })
    }

    /// Returns its name with the first two numbers of its version, such as `docker 20.10`.
    pub(super) fn name(&self) -> String {
        let short: Vec<&str> = self.version.splitn(3, '.').take(2).collect();
        format!("{} {}", self.dialect.name, short.join(".")).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn server(headers: &[(&'static str, &'static str)]) -> Option<Server> {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        Server::read(&headers.iter().map(pair).collect())
    }

    #[test]
    fn a_ping_tells_the_engine_and_its_version() {
        let docker =
            server(&[("api-version", "1.41"), ("server", "Docker/20.10.24+dfsg1 (linux)")])
                .unwrap();
        assert_eq!((docker.name(), docker.api.minor_version), ("docker 20.10".to_owned(), 41));
        let podman = server(&[
            ("api-version", "1.41"),
            ("libpod-api-version", "4.3.1"),
            ("server", "Libpod/4.3.1 (linux)"),
        ]);
        assert_eq!(podman.unwrap().name(), "podman 4.3");
        let newer = server(&[("api-version", "1.999"), ("server", "Docker/99.1 (linux)")]).unwrap();
        assert_eq!(newer.api.minor_version, bollard::API_DEFAULT_VERSION.minor_version);
        let silent = server(&[("api-version", "1.44")]).unwrap();
        assert_eq!(silent.name(), "docker");
        assert!(server(&[("server", "nginx/1.22")]).is_none());
        assert!(server(&[("api-version", "one")]).is_none());
    }
}
