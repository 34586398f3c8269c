//! Where an engine answers and how one gets there, read from an address as people write it.

use std::{fmt, path::PathBuf};

/// The folder of the engine's socket on a machine where nothing else is said.
const REMOTE_SOCKET: &str = "/var/run/docker.sock";
/// The port of engines that speak without encryption, as for docker.
const PLAIN_PORT: u16 = 2375;
/// The port of engines that speak TLS, as for docker.
const TLS_PORT: u16 = 2376;

/// An engine's address that has a meaning. It displays as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    pub(super) way: Way,
}

/// What an address does not say itself and the surroundings do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`. With it `tcp://` is TLS.
    pub certificates: Option<PathBuf>,
    /// The program that `ssh://` runs.
    pub ssh: String,
}

impl Default for Client {
    fn default() -> Self {
        Self { certificates: None, ssh: "ssh".into() }
    }
}

/// How one gets to an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// A socket of this machine.
    Unix(PathBuf),
    /// Without encryption.
    Tcp(Host),
    /// With the certificates in a folder.
    Tls(Host, PathBuf),
    /// Through a socket of another machine.
    Ssh(Remote),
}

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// A name or an address, without brackets.
    pub(super) name: String,
    pub(super) port: u16,
}

/// An account on another machine and a socket there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    /// The program that gets there.
    pub(super) program: String,
    pub(super) user: Option<String>,
    /// A name that the program resolves, perhaps one of its own configuration.
    pub(super) host: String,
    /// The program's own choice when nothing is said.
    pub(super) port: Option<u16>,
    /// The whole path of the engine's socket.
    pub(super) socket: String,
}

/// Why a text is no address, and what would be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct InvalidAddress {
    what: String,
    /// What to write instead.
    pub remedy: String,
}

impl Address {
    /// Reads `unix:///path`, `tcp://host:port`, `http://` and `https://` likewise, or
    /// `ssh://user@host:port/path`.
    ///
    /// `https://` is TLS, `http://` is not, and `tcp://` is where there are certificates; without any it
    /// goes no further than this machine, since whoever reads such a connection rules the other one.
    ///
    /// # Errors
    /// [`InvalidAddress`] for anything else.
    pub fn parse(text: &str, client: &Client) -> Result<Self, InvalidAddress> {
        let way = match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Way::Unix(PathBuf::from(path)),
            Some(("ssh", rest)) => Way::Ssh(remote(text, rest, &client.ssh)?),
            Some(("http", rest)) => Way::Tcp(host(text, rest, PLAIN_PORT)?),
            Some((scheme @ ("tcp" | "https"), rest)) => match (&client.certificates, scheme) {
                (Some(folder), _) => Way::Tls(host(text, rest, TLS_PORT)?, folder.clone()),
                (None, "https") => return Err(without_certificates(text)),
                (None, _) => match host(text, rest, PLAIN_PORT)? {
                    host if host.is_here() => Way::Tcp(host),
                    host => return Err(in_the_clear(text, &host)),
                },
            },
            _ => return Err(wrong(text)),
        };
        Ok(Self { text: text.to_owned(), way })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Host {
    /// Returns whether what is sent there stays on this machine.
    fn is_here(&self) -> bool {
        let address: Result<std::net::IpAddr, _> = self.name.parse();
        self.name == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port } = self;
        if name.contains(':') { write!(f, "[{name}]:{port}") } else { write!(f, "{name}:{port}") }
    }
}

impl Remote {
    /// Returns the account as the program takes it.
    pub(super) fn account(&self) -> String {
        match &self.user {
            Some(user) => format!("{user}@{}", self.host),
            None => self.host.clone(),
        }
    }
}

fn host(text: &str, rest: &str, default: u16) -> Result<Host, InvalidAddress> {
    let rest = rest.trim_end_matches('/');
    let (name, port) = name_and_port(rest).ok_or_else(|| wrong(text))?;
    if rest.contains(['/', '@', '?', '#']) {
        return Err(wrong(text));
    }
    Ok(Host { name: name.to_owned(), port: port.unwrap_or(default) })
}

fn remote(text: &str, rest: &str, program: &str) -> Result<Remote, InvalidAddress> {
    let (account, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (user, place) = match account.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, account),
    };
    let (host, port) = name_and_port(place).ok_or_else(|| wrong(text))?;
    let socket = if matches!(path, "" | "/") { REMOTE_SOCKET } else { path };
    // What begins with a dash would be taken for an option, and a quote ends a word of the shell there.
    let is_odd = |word: &str| {
        let odd = |c: char| c.is_control() || c.is_whitespace() || "'\"\\:".contains(c);
        word.is_empty() || word.starts_with('-') || word.chars().any(odd)
    };
    let is_six = host.parse::<std::net::Ipv6Addr>().is_ok();
    if user.is_some_and(is_odd) || (is_odd(host) && !is_six) || is_odd(socket) {
        return Err(wrong(text));
    }
    Ok(Remote {
        program: program.to_owned(),
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
        socket: socket.to_owned(),
    })
}

/// Takes `name`, `name:port`, `[v6]` and `[v6]:port` apart.
fn name_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, rest) = rest.split_once(']')?;
            (name, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => None,
        Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
    };
    (!name.is_empty()).then_some((name, port))
}

fn wrong(text: &str) -> InvalidAddress {
    InvalidAddress {
        what: format!("`{text}` is no address of an engine"),
        remedy: "an address is like unix:///var/run/docker.sock, ssh://user@host or \
                 tcp://host:2376; see nself help engine"
            .into(),
    }
}

fn without_certificates(text: &str) -> InvalidAddress {
    InvalidAddress {
        what: format!("{text} is TLS, and nothing says where its certificates are"),
        remedy: "export DOCKER_CERT_PATH=FOLDER, with ca.pem, cert.pem and key.pem in it".into(),
    }
}

fn in_the_clear(text: &str, host: &Host) -> InvalidAddress {
    InvalidAddress {
        what: format!(
            "{text} has no encryption: whoever can listen on the way to {} gets its root account",
            host.name
        ),
        remedy: format!(
            "use ssh://{}, or TLS: export DOCKER_CERT_PATH=FOLDER with ca.pem, cert.pem and key.pem \
             in it. Where the network is yours alone, say so with http://{host}",
            host.name
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(text: &str, certificates: Option<&str>) -> Result<Way, String> {
        let client = Client { certificates: certificates.map(PathBuf::from), ..Client::default() };
        Address::parse(text, &client).map(|address| address.way).map_err(|error| error.to_string())
    }

    #[test]
    fn hosts_are_plain_or_tls() {
        let host = |name: &str, port| Host { name: name.into(), port };
        let tls = |name, port| Ok(Way::Tls(host(name, port), "/c".into()));
        for (text, certificates, expected) in [
            ("unix:///a b/c", None, Ok(Way::Unix("/a b/c".into()))),
            ("tcp://127.0.0.1:1", None, Ok(Way::Tcp(host("127.0.0.1", 1)))),
            ("tcp://localhost/", None, Ok(Way::Tcp(host("localhost", 2375)))),
            ("tcp://[::1]:7", None, Ok(Way::Tcp(host("::1", 7)))),
            ("http://lab:2375", None, Ok(Way::Tcp(host("lab", 2375)))),
            ("http://lab:2375", Some("/c"), Ok(Way::Tcp(host("lab", 2375)))),
            ("tcp://lab", Some("/c"), tls("lab", 2376)),
            ("https://[2001:db8::1]:7", Some("/c"), tls("2001:db8::1", 7)),
        ] {
            assert_eq!(way(text, certificates), expected, "{text}");
        }
        assert_eq!(host("::1", 7).to_string(), "[::1]:7");
        let clear = way("tcp://lab:2375", None).unwrap_err();
        assert!(clear.contains("has no encryption"), "{clear}");
        assert!(way("https://lab", None).unwrap_err().contains("certificates"));
    }

    #[test]
    fn accounts_are_taken_apart() {
        let remote = |user: Option<&str>, host: &str, port, socket: &str| {
            Ok(Way::Ssh(Remote {
                program: "ssh".into(),
                user: user.map(str::to_owned),
                host: host.into(),
                port,
                socket: socket.into(),
            }))
        };
        let podman = "/run/podman/podman.sock";
        for (text, expected) in [
            ("ssh://lab", remote(None, "lab", None, REMOTE_SOCKET)),
            ("ssh://me@lab:22/", remote(Some("me"), "lab", Some(22), REMOTE_SOCKET)),
            ("ssh://me@lab/run/podman/podman.sock", remote(Some("me"), "lab", None, podman)),
            ("ssh://[::1]:7", remote(None, "::1", Some(7), REMOTE_SOCKET)),
        ] {
            assert_eq!(way(text, None), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "nonsense",
            "unix://relative",
            "tcp://",
            "tcp://:2375",
            "tcp://127.0.0.1:0",
            "tcp://127.0.0.1:port",
            "tcp://127.0.0.1/path",
            "tcp://::1:7",
            "ssh://",
            "ssh://@lab",
            "ssh://-oProxyCommand=x",
            "ssh://-l@lab",
            "ssh://lab:0",
            "ssh://lab/a'b",
            "ssh://lab/a b",
            "fd://",
        ] {
            let error = way(text, Some("/c")).unwrap_err();
            assert_eq!(error, format!("`{text}` is no address of an engine"));
        }
    }
}
