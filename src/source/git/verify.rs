//! Whether a commit was signed by somebody who may.
#![expect(clippy::disallowed_methods, reason = "this room keeps its own folder")]

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use super::{
    Error,
    lock::{failed, remove},
    refs::Found,
    run::{Bounds, Failure, Git},
};

/// Whose signature a commit must have. Of a tag with a message it is the tag's that counts, which must bear its
/// own name, too; of any other tag and of branches the commit's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verify {
    /// Of one of these keys of ssh.
    Ssh {
        /// A file of who may sign with which key, as `ssh-keygen` reads it.
        allowed_signers: PathBuf,
    },
    /// Of one of these keys of GPG.
    Gpg {
        /// A file with the public keys.
        keys: PathBuf,
    },
}

/// The other kind of signature is checked by a program that never says yes.
const NEVER: &str = "/bin/false";

impl Verify {
    /// Checks the signature; why it will not do is a clause.
    pub(super) async fn check(
        &self,
        git: &Git,
        state: &Path,
        found: &Found,
    ) -> Result<Result<(), String>, Failure> {
        let mut git = git.clone();
        let settings = match self {
            Self::Ssh { allowed_signers } => {
                readable(allowed_signers)?;
                vec![
                    format!("gpg.ssh.allowedSignersFile={}", allowed_signers.display()),
                    format!("gpg.openpgp.program={NEVER}"),
                    // Somebody who is listed, not merely a signature that is whole.
                    "gpg.minTrustLevel=fully".to_owned(),
                ]
            }
            Self::Gpg { keys } => {
                readable(keys)?;
                let home = home(&git, state, keys).await?;
                git = git.with(&[("GNUPGHOME", home.into())]);
                vec![format!("gpg.ssh.program={NEVER}")]
            }
        };
        let x509 = format!("gpg.x509.program={NEVER}");
        let mut args: Vec<&str> = Vec::new();
        for setting in settings.iter().chain([&x509]) {
            args.extend(["-c", setting]);
        }
        let is_tag = found.object != found.commit;
        if is_tag && !bears_its_name(&git, found).await? {
            return Ok(Err(format!("its tag was not made as `{}`", found.name)));
        }
        args.extend([if is_tag { "verify-tag" } else { "verify-commit" }, found.object.as_str()]);
        match git.answer(Bounds::Reads, &args).await {
            Ok(_) => Ok(Ok(())),
            Err(Failure::Said { text, .. }) => Ok(Err(clause(&text, is_tag))),
            Err(failure) => Err(failure),
        }
    }
}

/// Returns whether a tag calls itself as the repository does: a signed one can be offered under another name.
async fn bears_its_name(git: &Git, found: &Found) -> Result<bool, Failure> {
    let text = git.text(Bounds::Reads, &["cat-file", "tag", found.object.as_str()]).await?;
    let head = text.lines().take_while(|line| !line.is_empty());
    Ok(head.filter_map(|line| line.strip_prefix("tag ")).eq([found.name.as_str()]))
}

/// Makes a home for `gpg` with the keys of the file and no others.
async fn home(git: &Git, state: &Path, keys: &Path) -> Result<PathBuf, Failure> {
    let home = state.join("gnupg");
    remove(&home)?;
    fs::DirBuilder::new().mode(0o700).create(&home).map_err(failed("make", &home))?;
    // Without this file some versions keep keys in a service of their own.
    let common = home.join("common.conf");
    fs::write(&common, "").map_err(failed("write", &common))?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (folder, file) = (text(&home), text(keys));
    let args =
        ["--batch", "--quiet", "--no-autostart", "--homedir", &folder, "--import", "--", &file];
    match git.program("gpg", Bounds::Reads, &args, None).await {
        Ok(_) => Ok(home),
        Err(Failure::Missing(why)) => {
            Err(Error::NoGit { program: "gpg", why: why.to_string() }.into())
        }
        Err(failure) => Err(failure),
    }
}

fn readable(path: &Path) -> Result<(), Error> {
    fs::File::open(path).map(|_| ()).map_err(failed("read", path))
}

/// Returns what is wrong, from what the programs printed.
fn clause(text: &str, is_tag: bool) -> String {
    let what = if is_tag { "its tag" } else { "it" };
    let says = |words: &str| text.contains(words);
    let key = || {
        let words =
            text.lines().find_map(|line| line.split_once(" key ")).map(|(_, key)| key.trim());
        let id = text.lines().find_map(|line| line.split_once("using ")).map(|(_, key)| key.trim());
        words.or(id).unwrap_or("another one").to_owned()
    };
    if text.trim().is_empty() || says("no signature found") {
        format!("{what} is not signed")
    } else if says("No principal matched") || says("No public key") {
        format!("{what} is signed with a key that is not listed: {}", key())
    } else if says("BAD signature") || says("Could not verify") || says("incorrect signature") {
        format!("{what} was changed after it was signed")
    } else if says("expired") || says("revoked") {
        format!("{what} is signed with a key that is expired or revoked: {}", key())
    } else {
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        format!("its signature cannot be checked: {}", last.trim())
    }
}
