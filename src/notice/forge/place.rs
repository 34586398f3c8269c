//! Which repository of which forge it is, found out from the address that git uses.

use std::{fmt, str::FromStr};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Forge, bitbucket, gitea, github, gitlab};

/// What means something else in an address than itself.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GitHub, and GitHub Enterprise Server.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
    /// Bitbucket Cloud.
    Bitbucket,
}

/// A repository of a forge. It displays as `NAME at HOST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which forge.
    pub kind: Kind,
    /// The address of its API, without a slash at the end.
    pub api: String,
    /// The repository with its owner, such as `acme/shop`.
    pub repository: String,
}

/// It cannot be found out where states are to be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not known where to write the states of commits: {why}; {remedy}")]
pub struct Unknown {
    /// Why, in a clause.
    pub why: String,
    /// What to write.
    pub remedy: &'static str,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::GitHub, Self::GitLab, Self::Gitea, Self::Bitbucket];

    /// Returns the word that people write.
    pub fn word(self) -> &'static str {
        self.forge().word
    }

    pub(super) fn forge(self) -> &'static Forge {
        match self {
            Self::GitHub => &github::FORGE,
            Self::GitLab => &gitlab::FORGE,
            Self::Gitea => &gitea::FORGE,
            Self::Bitbucket => &bitbucket::FORGE,
        }
    }

    fn of_host(host: &str) -> Option<Self> {
        let first = host.split('.').next().unwrap_or(host);
        let is = |kind: &&Self| {
            let forge = kind.forge();
            forge.hosts.contains(&host) || forge.prefixes.contains(&first)
        };
        Self::ALL.iter().find(is).copied()
    }
}

impl FromStr for Kind {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        // Forgejo has Gitea's API.
        let text = if text == "forgejo" { "gitea" } else { text };
        Self::ALL.into_iter().find(|kind| kind.word() == text).ok_or_else(|| Unknown {
            why: format!("`{text}` is no forge that nself knows"),
            remedy: "write github, gitlab, gitea, forgejo or bitbucket",
        })
    }
}

impl Place {
    /// Finds out where states are written. `git` is the address that git uses; what `kind` and `api` do not say is
    /// found out from it.
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn of(git: &str, kind: Option<Kind>, api: Option<&str>) -> Result<Self, Unknown> {
        let Some(Remote { pages, host, path }) = Remote::read(git) else {
            return Err(Unknown {
                why: "the source is not at a forge".to_owned(),
                remedy: "states are written for sources of https:// and ssh:// only",
            });
        };
        let Some(kind) = kind.or_else(|| Kind::of_host(&host)) else {
            return Err(Unknown {
                why: format!("which forge {host} is does not follow from its name"),
                remedy: "name the forge: github, gitlab, gitea, forgejo or bitbucket",
            });
        };
        let mut segments: Vec<String> = path.split('/').filter_map(segment).collect();
        // Forges can lie below a path, and then so does their API. Only GitLab has groups in groups.
        let below = match (kind, api) {
            (Kind::GitLab, Some(api)) => {
                let path = api.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
                let path = path.map_or("", |(_, path)| path).trim_end_matches('/');
                let path = path.trim_end_matches("api/v4").split('/').filter_map(segment);
                path.zip(&segments).take_while(|(one, other)| one == *other).count()
            }
            (Kind::GitLab, None) => 0,
            (Kind::GitHub | Kind::Gitea | Kind::Bitbucket, _) => segments.len().saturating_sub(2),
        };
        let prefix: Vec<String> = segments.drain(..below.min(segments.len())).collect();
        if segments.len() < 2 {
            return Err(Unknown {
                why: format!("`{}` is not an owner and a repository", path.trim_matches('/')),
                remedy: "write the address of the source like https://host/owner/repository.git",
            });
        }
        let base = if prefix.is_empty() { pages } else { format!("{pages}/{}", prefix.join("/")) };
        let api = api.map_or_else(|| (kind.forge().api)(&base), str::to_owned);
        Ok(Self { kind, api: api.trim_end_matches('/').to_owned(), repository: segments.join("/") })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.repository, self.kind.forge().name)
    }
}

/// An address that git uses, without who logs in.
struct Remote {
    /// Where its pages are likely to be.
    pages: String,
    host: String,
    path: String,
}

impl Remote {
    fn read(git: &str) -> Option<Self> {
        let git = git.trim().trim_end_matches('/');
        let git = git.strip_suffix(".git").unwrap_or(git);
        let (scheme, authority, path) = if let Some((scheme, rest)) = git.split_once("://") {
            let (authority, path) = rest.split_once('/')?;
            (scheme, authority, path)
        } else {
            // `git@host:owner/repository`
            let (authority, path) = git.split_once(':')?;
            if authority.contains('/') {
                return None;
            }
            ("ssh", authority, path)
        };
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let place = place.to_ascii_lowercase();
        let end = if place.starts_with('[') {
            place.find(']')? + 1
        } else {
            place.find(':').unwrap_or(place.len())
        };
        let host = place[..end].to_owned();
        if host.is_empty() {
            return None;
        }
        let pages = match scheme {
            "https" | "http" => format!("{scheme}://{place}"),
            // The port is that of ssh.
            "ssh" | "git+ssh" | "ssh+git" => format!("https://{host}"),
            _ => return None,
        };
        // What some forges say beside their own name for ssh over the port of https.
        let pages = match pages.as_str() {
            "https://ssh.github.com" => "https://github.com".to_owned(),
            "https://altssh.gitlab.com" => "https://gitlab.com".to_owned(),
            "https://altssh.bitbucket.org" => "https://bitbucket.org".to_owned(),
            _ => pages,
        };
        let host = pages
            .strip_prefix("https://")
            .filter(|_| scheme != "https")
            .map_or(host, str::to_owned);
        Some(Self { pages, host, path: path.to_owned() })
    }
}

/// Returns a segment of a path as it is written in an address; nothing of one that leads nowhere.
fn segment(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    if matches!(decoded.as_ref(), "" | "." | "..") {
        return None;
    }
    Some(utf8_percent_encode(&decoded, ENCODED).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(git: &str, expected: &str) {
        let place = Place::of(git, None, None).unwrap();
        assert_eq!(
            format!("{} {} {}", place.kind.word(), place.api, place.repository),
            expected,
            "{git}"
        );
    }

    #[test]
    fn forges_are_known_by_the_address_git_uses() {
        let github = "github https://api.github.com acme/shop";
        for git in [
            "https://github.com/acme/shop.git",
            "https://github.com/acme/shop/",
            "https://ada:token@GitHub.com/acme/shop",
            "git@github.com:acme/shop.git",
            "ssh://git@github.com/acme/shop.git",
            "ssh://git@ssh.github.com:443/acme/shop.git",
        ] {
            is(git, github);
        }
        is("git@github.acme.org:acme/shop", "github https://github.acme.org/api/v3 acme/shop");
        is("https://gitlab.com/a/b/c.git", "gitlab https://gitlab.com/api/v4 a/b/c");
        is("https://gitea.acme.org:3000/a/b", "gitea https://gitea.acme.org:3000/api/v1 a/b");
        is("ssh://git@gitea.acme.org:2222/a/b", "gitea https://gitea.acme.org/api/v1 a/b");
        is("https://codeberg.org/a/b c", "gitea https://codeberg.org/api/v1 a/b%20c");
        is("git@bitbucket.org:a/b.git", "bitbucket https://api.bitbucket.org/2.0 a/b");
    }

    #[test]
    fn what_does_not_follow_from_the_address_is_said() {
        let of = |git: &str, kind: &str, api| Place::of(git, kind.parse().ok(), api);
        let place = of("http://127.0.0.1:3000/git/a/b.git", "forgejo", None).unwrap();
        assert_eq!(place.api, "http://127.0.0.1:3000/git/api/v1");
        assert_eq!(place.to_string(), "a/b of Gitea");
        let place =
            of("https://acme.org/lab/a/b/c", "gitlab", Some("https://acme.org/lab/api/v4/"));
        let place = place.unwrap();
        assert_eq!(
            (place.api.as_str(), place.repository.as_str()),
            ("https://acme.org/lab/api/v4", "a/b/c")
        );
        let unknown = of("https://git.acme.org/a/b", "", None).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "it is not known where to write the states of commits: which forge git.acme.org is does not follow \
             from its name; name the forge: github, gitlab, gitea, forgejo or bitbucket"
        );
        for git in
            ["/srv/git/shop.git", "file:///srv/git/shop", "../shop", "https://github.com/shop", ""]
        {
            assert!(Place::of(git, None, None).is_err(), "{git}");
        }
        assert!(Place::of("https://github.com/../shop", None, None).is_err());
        assert!("sourcehut".parse::<Kind>().is_err());
    }
}
