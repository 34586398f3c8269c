//! Where a repository is, and where in it the project is: texts that are safe to hand to `git`.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr};

/// A text that does not say where a repository, a branch or a folder is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub(super) String);

/// How a repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `https://`
    Https,
    /// `http://`: whoever is in between can read and change what is fetched.
    Http,
    /// `ssh://` or `user@host:path`
    Ssh,
    /// `file://` or an absolute path of this machine.
    File,
}

impl Transport {
    /// Returns the word that `git` knows it by.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::File => "file",
        }
    }
}

/// Where a repository is. There is no password in it, and none of `git`'s own ways to name a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitUrl {
    transport: Transport,
    /// The name in front of the host, of ssh part of the address, of https a hint.
    user: Option<String>,
    /// The host as written, with its port; empty for files.
    authority: String,
    /// What `git` is called with.
    address: String,
}

impl GitUrl {
    /// Returns how it is reached.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Returns the user's name that was written in front of the host.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Returns whether others on the way can read and change what is fetched.
    pub fn is_plain(&self) -> bool {
        let host = self.host();
        let is_here = host == "localhost"
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        self.transport == Transport::Http && !is_here
    }

    /// Returns what `git` is called with.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Returns scheme, host and port: what a password is for.
    pub(super) fn site(&self) -> String {
        format!("{}://{}", self.transport.word(), self.authority)
    }

    /// Returns the host without its port.
    pub(super) fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// Returns the name by which known hosts list it.
    pub(super) fn key_name(&self) -> String {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port != "22" && port.chars().all(|c| c.is_ascii_digit()) => {
                format!("'[{}]:{port}'", host.trim_matches(['[', ']']))
            }
            _ => self.host().to_owned(),
        }
    }
}

impl FromStr for GitUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bad = |why: &str| Err(Invalid(format!("`{}` {why}", without_password(text))));
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return bad("has spaces or control characters in it; write them as %20");
        }
        if text.starts_with('-') {
            return bad("begins with `-`, which is how options begin");
        }
        if let Some(path) = text.strip_prefix("file://").or(text.starts_with('/').then_some(text)) {
            if !path.starts_with('/') {
                return bad("names a host; a file URL has three slashes: file:///srv/shop.git");
            }
            return Ok(Self {
                transport: Transport::File,
                user: None,
                authority: String::new(),
                address: format!("file://{path}"),
            });
        }
        let (transport, rest) = match text.split_once("://") {
            Some(("https", rest)) => (Transport::Https, rest),
            Some(("http", rest)) => (Transport::Http, rest),
            Some(("ssh" | "git+ssh", rest)) => (Transport::Ssh, rest),
            Some(_) => return bad("is reached by none of https, ssh and file"),
            None if text.contains("::") => return bad("names a program of its own to run"),
            None => return short(text),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, authority) = split_user(authority);
        if user.is_some_and(|user| user.contains(':')) {
            return bad(
                "has a password in it; give it as a secret, since processes list addresses",
            );
        }
        if !is_name(authority) || user.is_some_and(|user| !is_name(user)) || path.is_empty() {
            return bad(
                "is no address of a repository, such as https://git.example.org/team/shop.git",
            );
        }
        let account = match (transport, user) {
            (Transport::Ssh, Some(user)) => format!("{user}@"),
            _ => String::new(),
        };
        Ok(Self {
            transport,
            user: user.map(str::to_owned),
            authority: authority.to_owned(),
            address: format!("{}://{account}{authority}/{path}", transport.word()),
        })
    }
}

/// Reads the short form of ssh, `git@git.example.org:team/shop.git`.
fn short(text: &str) -> Result<GitUrl, Invalid> {
    let parts = text.split_once(':').filter(|(front, path)| {
        let (user, host) = split_user(front);
        !path.is_empty()
            && !path.starts_with('-')
            && is_name(host)
            && !front.contains('/')
            && user.is_none_or(is_name)
    });
    let Some((front, _)) = parts else {
        return Err(Invalid(format!(
            "`{}` is no address of a repository: https://…, ssh://…, user@host:path or an absolute path",
            without_password(text)
        )));
    };
    let (user, host) = split_user(front);
    Ok(GitUrl {
        transport: Transport::Ssh,
        user: user.map(str::to_owned),
        authority: host.to_owned(),
        address: text.to_owned(),
    })
}

fn split_user(authority: &str) -> (Option<&str>, &str) {
    match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && !text.contains(['@', '\\', '"', '\'', '`', '$'])
}

/// Returns a text without what stands between `://` and `@`, or before the first `@`.
pub(super) fn without_password(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (front, back) = rest.split_at(start + 3);
        out.push_str(front);
        let end = back.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(back.len());
        match back[..end].rfind('@') {
            Some(at) if back[..at].contains(':') => rest = &back[at + 1..],
            _ => {
                out.push_str(&back[..end]);
                rest = &back[end..];
            }
        }
    }
    out.push_str(rest);
    out
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// A folder inside a repository; the root of it when empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RelativeFolder(String);

impl RelativeFolder {
    /// Returns the path of something in it.
    pub(super) fn join(&self, name: &str) -> String {
        if self.0.is_empty() { name.to_owned() } else { format!("{}/{name}", self.0) }
    }

    /// Returns it as a path.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(&self.0)
    }
}

impl FromStr for RelativeFolder {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts: Vec<&str> =
            text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if text.starts_with('/') || parts.contains(&"..") || text.chars().any(char::is_control) {
            return Err(Invalid(format!(
                "`{text}` is no folder inside the repository; write it from its root, such as `deploy/shop`"
            )));
        }
        Ok(Self(parts.join("/")))
    }
}

impl fmt::Display for RelativeFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_what_would_run_programs_is_refused() {
        for (text, address) in [
            ("https://git.example.org/a/b.git", "https://git.example.org/a/b.git"),
            ("https://me@git.example.org/a", "https://git.example.org/a"),
            ("http://127.0.0.1:80/a", "http://127.0.0.1:80/a"),
            ("ssh://git@h:2222/a", "ssh://git@h:2222/a"),
            ("git@h:a/b.git", "git@h:a/b.git"),
            ("lab:a", "lab:a"),
            ("/srv/a.git", "file:///srv/a.git"),
            ("file:///srv/a.git", "file:///srv/a.git"),
        ] {
            assert_eq!(text.parse::<GitUrl>().unwrap().address(), address);
        }
        for text in [
            "-uupload-pack=x",
            "ext::sh -c id",
            "ext::id",
            "fd::7",
            "ssh://-oProxyCommand=id/a",
            "-x@h:a",
            "ssh://-l@h/a",
            "h:-a",
            "git://h/a",
            "https://h",
            "https://",
            "a/b",
            "file://host/a",
            "https://h/a b",
            "https://h/\n",
            "",
        ] {
            assert!(text.parse::<GitUrl>().is_err(), "{text}");
        }
        let error = "https://me:pa:ss@h/a".parse::<GitUrl>().unwrap_err().to_string();
        assert!(!error.contains("pa:ss") && error.contains("https://h/a"), "{error}");
    }

    #[test]
    fn plain_is_what_leaves_the_machine_unencrypted() {
        let is_plain = |text: &str| text.parse::<GitUrl>().unwrap().is_plain();
        assert!(is_plain("http://git.example.org/a") && is_plain("http://10.0.0.1:3000/a"));
        assert!(!is_plain("http://localhost:3000/a") && !is_plain("http://[::1]:3000/a"));
        assert!(!is_plain("https://git.example.org/a") && !is_plain("/srv/a"));
    }

    #[test]
    fn known_hosts_name_the_port_unless_it_is_the_usual_one() {
        let name = |text: &str| text.parse::<GitUrl>().unwrap().key_name();
        assert_eq!(name("ssh://git@h:2222/a"), "'[h]:2222'");
        assert_eq!(name("git@h:a"), "h");
        assert_eq!(name("ssh://git@h:22/a"), "h");
    }

    #[test]
    fn folders_stay_inside() {
        for (text, read) in [("", "."), (".", "."), ("a//b/", "a/b"), ("./a", "a")] {
            assert_eq!(text.parse::<RelativeFolder>().unwrap().to_string(), read);
        }
        for text in ["/a", "..", "a/../b"] {
            assert!(text.parse::<RelativeFolder>().is_err(), "{text}");
        }
        assert_eq!(RelativeFolder::default().join("x"), "x");
    }
}
