//! The repository that is followed, as the command line says it.

use std::path::PathBuf;

use clap::Args;

use crate::{
    controller::watch::{Git, Shell},
    notice::forge::{Kind, Place as Forge},
    source::git::{Access, Limits, Remote, Repository, Select, Verify},
    sync::CommitId,
    web::Follows,
};

use super::{
    super::{Context, Error, Exit, place},
    home::Home,
    secret_in,
};

/// A git repository.
#[derive(Debug, Args)]
#[command(next_help_heading = "A git repository")]
pub(super) struct GitArgs {
    /// Follow this repository: https, ssh, file, or user@host:path
    #[arg(long, value_name = "URL")]
    git: Option<String>,
    /// The branch [default: the repository's own]
    #[arg(long, value_name = "NAME", requires = "git", conflicts_with_all = ["tag", "commit"])]
    branch: Option<String>,
    /// The newest of these tags, such as `v*`
    #[arg(long, value_name = "PATTERN", requires = "git", conflicts_with = "commit")]
    tag: Option<String>,
    /// This commit and no other
    #[arg(long, value_name = "ID", requires = "git")]
    commit: Option<String>,
    /// The folder in it that has nself.toml
    #[arg(long, value_name = "FOLDER", default_value = ".", requires = "git")]
    path: String,
    /// The user's name, for https
    #[arg(long, value_name = "NAME", requires = "password_file")]
    username: Option<String>,
    /// A file with the password or token, for https
    #[arg(long, value_name = "FILE", requires = "git")]
    password_file: Option<PathBuf>,
    /// The private key, for ssh [default: the agent's, and the user's own]
    #[arg(long, value_name = "FILE", requires = "git")]
    ssh_key: Option<PathBuf>,
    /// The keys of hosts that are trusted, for ssh [default: the user's own list]
    #[arg(long, value_name = "FILE", requires = "git")]
    known_hosts: Option<PathBuf>,
    /// Take only commits signed by one of these: ssh=FILE of allowed signers, or gpg=FILE of public keys
    #[arg(long, value_name = "KIND=FILE", requires = "git")]
    verify: Option<String>,
    /// A file with the token that commit statuses are written with
    #[arg(long, value_name = "FILE", requires = "git")]
    status_token_file: Option<PathBuf>,
    /// What the repository is served by, for commit statuses: github, gitlab, gitea or bitbucket [default: by its host]
    #[arg(long, value_name = "KIND", requires = "status_token_file")]
    forge: Option<String>,
    /// Where the API of that is [default: by the repository's address]
    #[arg(long, value_name = "URL", requires = "status_token_file")]
    forge_api: Option<String>,
}

impl GitArgs {
    /// Returns whether a repository is meant at all.
    pub(super) fn is_wanted(&self) -> bool {
        self.git.is_some()
    }

    /// Opens the repository.
    pub(super) async fn open(&self, home: &Home, context: &Context) -> Result<Git, Error> {
        let wrong = |error: &dyn std::error::Error| Error::of(Exit::Usage, error);
        let url = self.git.as_deref().unwrap_or_default();
        let variables = place::variables();
        let remote = Remote {
            url: url.parse().map_err(|error| wrong(&error))?,
            select: self.select()?,
            path: self.path.parse().map_err(|error| wrong(&error))?,
            access: Access {
                username: self.username.clone(),
                password: match &self.password_file {
                    Some(file) => Some(secret_in(file, "the password")?),
                    None => None,
                },
                ssh_key: self.ssh_key.as_deref().map(place::handed_over),
                known_hosts: self.known_hosts.as_deref().map(place::handed_over),
                ca_bundle: variables.get("SSL_CERT_FILE").map(PathBuf::from),
                variables: variables.clone(),
            },
            verify: self.verify()?,
        };
        let words = remote.url.to_string();
        let opened = Repository::open(home.folder(), remote, Limits::default()).await;
        let repository = opened.map_err(|error| {
            let said = Error::of(Exit::Failed, &error);
            match error.remedy() {
                Some(remedy) => said.remedy(remedy),
                None => said,
            }
        })?;
        let authority = place::authority(&variables);
        let environment = context.globals.environment.clone().filter(|name| !name.is_empty());
        Ok(Git::new(repository, words, Shell { environment, variables, authority }))
    }

    fn select(&self) -> Result<Select, Error> {
        Ok(match (&self.branch, &self.tag, &self.commit) {
            (Some(branch), ..) => Select::Branch(branch.clone()),
            (None, Some(tag), _) => Select::Tag(tag.clone()),
            (None, None, Some(commit)) => {
                let commit: Result<CommitId, _> = commit.parse();
                Select::Commit(commit.map_err(|error| Error::of(Exit::Usage, &error))?)
            }
            (None, None, None) => Select::Default,
        })
    }

    fn verify(&self) -> Result<Option<Verify>, Error> {
        let Some(word) = &self.verify else { return Ok(None) };
        let (kind, file) = word.split_once('=').unwrap_or((word, ""));
        let file = std::path::absolute(place::handed_over(file.as_ref())).unwrap_or_default();
        match kind {
            "ssh" if file.is_file() => Ok(Some(Verify::Ssh { allowed_signers: file })),
            "gpg" if file.is_file() => Ok(Some(Verify::Gpg { keys: file })),
            "ssh" | "gpg" => Err(Error::usage(format!("there is no file {}", file.display()))),
            _ => Err(Error::usage(format!("`{word}` does not say who may sign"))
                .remedy("--verify ssh=FILE of allowed signers, or gpg=FILE of public keys")),
        }
    }

    /// Returns which pushes concern the loop.
    pub(super) fn follows(&self) -> Follows {
        Follows {
            branches: self.branch.clone().into_iter().collect(),
            tags: self.tag.clone().into_iter().collect(),
            paths: Vec::new(),
        }
    }

    /// Returns where commit statuses go, and the token they are written with.
    pub(super) fn reporting(&self) -> Result<Option<(Forge, crate::model::Sensitive)>, Error> {
        let (Some(url), Some(file)) = (&self.git, &self.status_token_file) else { return Ok(None) };
        let kind = match &self.forge {
            None => None,
            Some(word) => {
                Some(Kind::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(|| {
                    let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
                    Error::usage(format!("`{word}` is no kind of server for commit statuses"))
                        .remedy(format!("there are: {}", known.join(", ")))
                })?)
            }
        };
        let forge = Forge::of(url, kind, self.forge_api.as_deref());
        let forge = forge.map_err(|unknown| Error::usage(unknown.why).remedy(unknown.remedy))?;
        Ok(Some((forge, secret_in(file, "the token for commit statuses")?)))
    }
}
