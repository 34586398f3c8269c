//! Signatures of commits and tags, by keys of ssh and of GPG.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use nself::source::git::{Error, Remote, Repository, Select, Verify};

use super::forge::{Forge, main};

fn run(program: &str, args: &[&str], folder: &Path) {
    let output = Command::new(program).args(args).current_dir(folder).output();
    let output = output.unwrap_or_else(|_| panic!("these tests want {program}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Makes a key of ssh, and returns its path.
fn key(forge: &Forge, name: &str) -> PathBuf {
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name], forge.folder());
    forge.folder().join(name)
}

fn sign_with(forge: &Forge, key: &Path) {
    forge.git(&["config", "gpg.format", "ssh"]);
    forge.git(&["config", "user.signingkey", key.to_str().unwrap()]);
}

fn ssh(forge: &Forge, key: &Path) -> Verify {
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let path = forge.folder().join("allowed signers");
    std::fs::write(&path, format!("ada@example.org {public}")).unwrap();
    Verify::Ssh { allowed_signers: path }
}

async fn open(forge: &Forge, select: Select, verify: &Verify) -> Repository {
    let remote = Remote { verify: Some(verify.clone()), ..forge.remote(select) };
    forge.open(remote).await.unwrap()
}

async fn refusal(watch: &Repository) -> String {
    match watch.head().await.unwrap_err() {
        Error::Unverified { said, .. } => said,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn commits_are_signed_by_a_listed_key_of_ssh() {
    let forge = Forge::new();
    let (good, other) = (key(&forge, "good"), key(&forge, "other"));
    let watch = open(&forge, main(), &ssh(&forge, &good)).await;
    assert_eq!(refusal(&watch).await, "it is not signed");
    sign_with(&forge, &other);
    forge.git(&["commit", "-q", "--amend", "-S", "-m", "other"]);
    forge.send("HEAD");
    let said = refusal(&watch).await;
    assert!(said.starts_with("it is signed with a key that is not listed: SHA256:"), "{said}");
    sign_with(&forge, &good);
    forge.git(&["commit", "-q", "--amend", "-S", "-m", "good"]);
    forge.send("HEAD");
    assert_eq!(watch.head().await.unwrap().subject, "good");

    // The signature of that one on something else.
    let text = forge.git(&["cat-file", "commit", "HEAD"]).replace("\ngood", "\nevil");
    let path = forge.folder().join("forged");
    std::fs::write(&path, text + "\n").unwrap();
    let forged = forge.git(&["hash-object", "-t", "commit", "-w", path.to_str().unwrap()]);
    forge.send(&format!("{forged}:refs/heads/main"));
    let said = refusal(&watch).await;
    assert_eq!(said, "it was changed after it was signed");
}

#[tokio::test]
async fn tags_are_signed_under_their_own_name() {
    let forge = Forge::new();
    let good = key(&forge, "good");
    sign_with(&forge, &good);
    let watch = open(&forge, Select::Tag("v*".into()), &ssh(&forge, &good)).await;
    forge.git(&["tag", "-a", "-m", "one", "v1"]);
    forge.send("refs/tags/v1");
    assert_eq!(refusal(&watch).await, "its tag is not signed");
    forge.git(&["tag", "-s", "-m", "two", "v2"]);
    forge.send("refs/tags/v2");
    assert_eq!(watch.head().await.unwrap().reference, "v2");
    // An old one that is offered as the newest.
    forge.send("refs/tags/v2:refs/tags/v9");
    assert_eq!(refusal(&watch).await, "its tag was not made as `v9`");
    // One without a message has the signature of its commit.
    forge.git(&["commit", "-q", "--amend", "-S", "-m", "signed"]);
    forge.git(&["tag", "v10"]);
    forge.send("refs/tags/v10");
    assert_eq!(watch.head().await.unwrap().reference, "v10");
}

#[tokio::test]
async fn commits_are_signed_by_a_listed_key_of_gpg() {
    let forge = Forge::new();
    // The socket of its agent has a short path at most.
    let home = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").unwrap();
    let homedir = home.path().to_str().unwrap();
    let gpg = |args: &[&str]| {
        run("gpg", &[&["--homedir", homedir, "--batch", "--quiet"], args].concat(), forge.folder());
    };
    let wrapper = home.path().join("gpg");
    std::fs::write(&wrapper, format!("#!/bin/sh\nexec gpg --homedir {homedir} \"$@\"\n")).unwrap();
    run("chmod", &["+x", "gpg"], home.path());
    forge.git(&["config", "gpg.program", wrapper.to_str().unwrap()]);
    for name in ["good", "other"] {
        let id = format!("{name} <{name}@example.org>");
        gpg(&["--passphrase", "", "--quick-generate-key", &id, "ed25519", "sign", "never"]);
    }
    gpg(&["--armor", "--output", "keys.asc", "--export", "good@example.org"]);
    let verify = Verify::Gpg { keys: forge.folder().join("keys.asc") };
    let watch = open(&forge, main(), &verify).await;
    assert_eq!(refusal(&watch).await, "it is not signed");
    forge.git(&["commit", "-q", "--amend", "-Sother@example.org", "-m", "other"]);
    forge.send("HEAD");
    let said = refusal(&watch).await;
    assert!(said.starts_with("it is signed with a key that is not listed: "), "{said}");
    forge.git(&["commit", "-q", "--amend", "-Sgood@example.org", "-m", "good"]);
    forge.send("HEAD");
    assert_eq!(watch.head().await.unwrap().subject, "good");
    drop(watch);
    // A key of the other kind does not count.
    let ssh = ssh(&forge, &key(&forge, "key"));
    let watch = open(&forge, main(), &ssh).await;
    refusal(&watch).await;
    run("gpgconf", &["--homedir", homedir, "--kill", "all"], home.path());
}
