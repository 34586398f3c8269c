//! Why a repository did not give what it was asked for.

use std::{io, path::PathBuf};

use super::{Invalid, Refused, run::Failure, url::GitUrl};
use crate::{model::ByteSize, sync::CommitId};

/// Why a repository did not give what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers, or not in time.
    #[error("cannot {attempt} {url}: {said}")]
    Unreachable {
        /// What was attempted.
        attempt: String,
        /// Where.
        url: String,
        /// What `git` said of it.
        said: String,
    },
    /// It does not let us in, or is not whom we know.
    #[error("cannot {attempt} {url}: {said}")]
    Denied {
        /// What was attempted.
        attempt: String,
        /// Where.
        url: String,
        /// What `git` said of it.
        said: String,
        /// What a person can do.
        remedy: String,
    },
    /// There is no repository.
    #[error("cannot {attempt} {url}: there is no repository, or none that we may see: {said}")]
    Gone {
        /// What was attempted.
        attempt: String,
        /// Where.
        url: String,
        /// What `git` said of it.
        said: String,
    },
    /// The repository does not have the branch, tag or commit.
    #[error("{url} has no {what}{}", listed(there))]
    NoSuch {
        /// What it does not have.
        what: String,
        /// Where.
        url: String,
        /// What there is instead.
        there: Vec<String>,
    },
    /// It has no commits.
    #[error("{url} is empty: it has no commit yet")]
    Empty {
        /// Where.
        url: String,
    },
    /// The commit has something in it that is not taken.
    #[error("commit {} of {url} is refused: {why}", commit.short())]
    Refused {
        /// Which.
        commit: CommitId,
        /// Where.
        url: String,
        /// Why.
        why: Refused,
    },
    /// The commit is not signed by whom it must be.
    #[error("commit {} of {url} is not taken: {said}", commit.short())]
    Unverified {
        /// Which.
        commit: CommitId,
        /// Where.
        url: String,
        /// What is wrong with its signature.
        said: String,
    },
    /// More came than is taken.
    #[error("cannot {attempt} {url}: it is larger than {}", limit.rounded())]
    TooLarge {
        /// What was attempted.
        attempt: String,
        /// Where.
        url: String,
        /// What would be taken.
        limit: ByteSize,
    },
    /// What was fetched cannot be read any more.
    #[error("cannot {attempt} what was fetched from {url}: {said}")]
    Damaged {
        /// What was attempted.
        attempt: String,
        /// Where it came from.
        url: String,
        /// What `git` said of it.
        said: String,
    },
    /// Something else.
    #[error("cannot {attempt} {url}: {said}")]
    Git {
        /// What was attempted.
        attempt: String,
        /// Where.
        url: String,
        /// What `git` said of it.
        said: String,
    },
    /// The program is not here, or too old.
    #[error("cannot run {program}: {why}")]
    NoGit {
        /// Which.
        program: &'static str,
        /// Why.
        why: String,
    },
    /// Another process has the folder.
    #[error("{folder} is in use by process {owner}")]
    Busy {
        /// The folder.
        folder: PathBuf,
        /// Its id, as far as it is known.
        owner: String,
    },
    /// Something that is not ours is where a file of the commit belongs.
    #[error(
        "{path} is in the way: the commit has something else there, and we did not put it there"
    )]
    InTheWay {
        /// What.
        path: PathBuf,
    },
    /// The disk said no.
    #[error("cannot {attempt} {path}")]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was asked for is no such thing.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Error {
    /// Returns whether the same may go well in a while with nobody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Returns what a person can do.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { url, .. } => {
                format!("it is tried again; from here, does this answer? git ls-remote {url}")
            }
            Self::Denied { remedy, .. } => remedy.clone(),
            Self::Gone { .. } => {
                "compare the address; a private repository needs a password, a token or a key"
                    .into()
            }
            Self::NoSuch { .. } => "choose one that is there, or push it".into(),
            Self::Empty { .. } => "push a first commit with nself.toml in it".into(),
            Self::Refused { why, .. } => why.remedy().to_owned(),
            Self::Unverified { .. } => {
                "sign it with a key that is listed, or add the key that signed it".into()
            }
            Self::TooLarge { .. } => {
                "keep large files out of the repository, or raise the limit".into()
            }
            Self::Damaged { .. } => "check the disk; it is fetched anew".into(),
            Self::NoGit { program: "git", .. } => {
                "install git, version 2.34 or newer, and have it on PATH".into()
            }
            Self::NoGit { program, .. } => format!("install {program}, and have it on PATH"),
            Self::Busy { owner, .. } => format!("let it finish, or end it: kill {owner}"),
            Self::InTheWay { path } => {
                format!("move it away: mv {0} {0}.away", path.display())
            }
            Self::Git { .. } | Self::Io { .. } | Self::Invalid(_) => return None,
        })
    }
}

fn listed(there: &[String]) -> String {
    const SHOWN: usize = 8;
    if there.is_empty() {
        return String::new();
    }
    let names: Vec<String> = there.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = if there.len() > SHOWN { " and others" } else { "" };
    format!("; there is {}{more}", names.join(", "))
}

/// Words of `git`, `ssh` and `curl`, and what they mean. The first that fits counts: who is not let in is
/// often told, too, that the connection was lost.
const MEANINGS: &[(Meaning, &[&str])] = &[
    (Meaning::Large, &["died of signal 25", "File too large", "exceeds maximum allowed size"]),
    (Meaning::Changed, &["REMOTE HOST IDENTIFICATION HAS CHANGED"]),
    (Meaning::Unknown, &["Host key verification failed", "host key is known for"]),
    (Meaning::Owner, &["dubious ownership"]),
    (
        Meaning::Certificate,
        &[
            "certificate verification failed",
            "SSL certificate problem",
            "unable to get local issuer",
        ],
    ),
    (
        Meaning::Denied,
        &[
            "Permission denied",
            "Authentication failed",
            "could not read Username",
            "could not read Password",
            "terminal prompts disabled",
            "returned error: 401",
            "returned error: 403",
            "Access denied",
            "Too many authentication failures",
        ],
    ),
    (Meaning::Moved, &["not our ref", "find remote ref", "unadvertised object"]),
    (
        Meaning::Gone,
        &[
            "does not appear to be a git repository",
            "returned error: 404",
            "returned error: 410",
            "epository not found",
            "' not found",
            "could not be found",
            "no such repository",
        ],
    ),
    (
        Meaning::Damaged,
        &[
            "is corrupt",
            "bad object",
            "bad tree object",
            "not a valid object",
            "unable to read tree",
            "unable to read sha1",
            "missing object",
            "missing blob",
            "inflate: ",
            "packfile",
            "Not a valid object name",
            "not a git repository",
        ],
    ),
    (
        Meaning::Unreachable,
        &[
            "Could not resolve",
            "onnection refused",
            "onnection timed out",
            "onnection reset",
            "onnection closed",
            "Connection to",
            "Failed to connect",
            "Couldn't connect",
            "unreachable",
            "No route to host",
            "imed out",
            "early EOF",
            "unexpected disconnect",
            "RPC failed",
            "Broken pipe",
            "Empty reply",
            "too slow",
            "hung up",
            "returned error: 429",
            "returned error: 5",
            "connection was closed",
            "kex_exchange_identification",
        ],
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Large,
    Changed,
    Unknown,
    Owner,
    Certificate,
    Denied,
    Moved,
    Gone,
    Damaged,
    Unreachable,
}

/// Returns the error that a failure of `git` means.
pub(super) fn meaning(attempt: &str, url: &GitUrl, failure: Failure) -> Error {
    let (attempt, address) = (attempt.to_owned(), url.to_string());
    match failure {
        Failure::Missing(why) => Error::NoGit { program: "git", why: why.to_string() },
        Failure::Late(within) => {
            let said = format!("no answer within {} s", within.as_secs_f32());
            Error::Unreachable { attempt, url: address, said }
        }
        Failure::Much(limit) => Error::TooLarge { attempt, url: address, limit },
        Failure::Read(source) => Error::Git { attempt, url: address, said: source.to_string() },
        Failure::Said { text, limit } => {
            let fits = |words: &[&str]| words.iter().any(|word| text.contains(word));
            let found = MEANINGS.iter().find(|(_, words)| fits(words)).map(|(meaning, _)| *meaning);
            if found == Some(Meaning::Large) {
                return Error::TooLarge { attempt, url: address, limit };
            }
            told(attempt, url, found, gist(&text))
        }
        Failure::Own(error) => *error,
    }
}

fn told(attempt: String, url: &GitUrl, found: Option<Meaning>, said: String) -> Error {
    let address = url.to_string();
    let denied = |attempt: String, said: String, remedy: String| Error::Denied {
        attempt,
        url: url.to_string(),
        said,
        remedy,
    };
    let host = url.host();
    match found {
        Some(Meaning::Changed) => denied(
            attempt,
            format!("the host key of {host} is not the one that is known"),
            format!(
                "somebody may be in between; if it was made anew on purpose, forget the old one: ssh-keygen -R {}",
                url.key_name()
            ),
        ),
        Some(Meaning::Unknown) => denied(
            attempt,
            format!("the host key of {host} is not known here"),
            format!(
                "compare it with what its owner publishes, and add it to known_hosts: ssh-keyscan {host}"
            ),
        ),
        Some(Meaning::Owner) => denied(
            attempt,
            "the repository's folder belongs to another user".into(),
            "run as that user, or give the folder to the one who runs this: chown -R".into(),
        ),
        Some(Meaning::Certificate) => denied(
            attempt,
            said,
            "where an authority of your own signs, give its certificate as the CA bundle".into(),
        ),
        Some(Meaning::Denied) => denied(
            attempt,
            said,
            "give a password, token or key that may read it, and see that it is not expired".into(),
        ),
        Some(Meaning::Gone) => Error::Gone { attempt, url: address, said },
        Some(Meaning::Moved) => {
            Error::NoSuch { what: "such commit any more".into(), url: address, there: Vec::new() }
        }
        Some(Meaning::Unreachable) => Error::Unreachable { attempt, url: address, said },
        Some(Meaning::Damaged) => Error::Damaged { attempt, url: address, said },
        Some(Meaning::Large) | None => Error::Git { attempt, url: address, said },
    }
}

/// Returns the lines that name the cause, of which `git` prints the general ones last.
fn gist(text: &str) -> String {
    const LONGEST: usize = 400;
    let general = [
        "Please make sure you have the correct access rights",
        "and the repository exists.",
        "fatal: Could not read from remote repository.",
        "fatal: the remote end hung up unexpectedly",
    ];
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let telling: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| !general.contains(line) && !line.starts_with("remote: Enumerating"))
        .collect();
    let chosen = if telling.is_empty() { lines } else { telling };
    let from = chosen.len().saturating_sub(3);
    let mut gist = chosen[from..]
        .iter()
        .map(|line| line.strip_prefix("fatal: ").unwrap_or(line))
        .collect::<Vec<_>>()
        .join("; ");
    if gist.is_empty() {
        "git ended without a word".clone_into(&mut gist);
    }
    if let Some((end, _)) = gist.char_indices().nth(LONGEST) {
        gist.truncate(end);
        gist.push('…');
    }
    gist
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str, text: &str) -> Error {
        let limit = ByteSize(1 << 30);
        let url = url.parse().unwrap();
        meaning("ask", &url, Failure::Said { text: text.into(), limit })
    }

    #[test]
    fn words_of_git_are_told_apart() {
        for (text, is) in [
            (
                "fatal: unable to access 'https://h/': Could not resolve host: h",
                (|error| matches!(error, Error::Unreachable { .. })) as fn(&Error) -> bool,
            ),
            ("error: RPC failed; HTTP 502\nfatal: early EOF", |error| error.is_transient()),
            (
                "fatal: unable to access 'https://h/': The requested URL returned error: 503",
                |error| error.is_transient(),
            ),
            (
                "fatal: could not read Username for 'https://h': terminal prompts disabled",
                |error| matches!(error, Error::Denied { .. }),
            ),
            (
                "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\n\
                 Please make sure you have the correct access rights\nand the repository exists.",
                |error| matches!(error, Error::Denied { said, .. } if said == "git@h: Permission denied (publickey)."),
            ),
            ("fatal: repository 'https://h/' not found", |error| {
                matches!(error, Error::Gone { .. })
            }),
            ("error: index-pack died of signal 25", |error| {
                matches!(error, Error::TooLarge { .. })
            }),
            (
                "",
                |error| matches!(error, Error::Git { said, .. } if said.contains("without a word")),
            ),
        ] {
            let error = error("https://h/a", text);
            assert!(is(&error), "{error:?}");
        }
        let error = error("ssh://git@h:2222/a", "Host key verification failed.");
        assert!(error.remedy().unwrap().contains("ssh-keyscan"), "{error:?}");
    }
}
