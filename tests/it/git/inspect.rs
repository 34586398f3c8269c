//! Commits that are refused before any of them is written.

use nself::{
    model::ByteSize,
    source::git::{Error, Limits, Refused, Repository},
};

use super::forge::{Forge, main};

async fn refused(forge: &Forge) -> Refused {
    let commit = forge.push("bad");
    let watch = forge.watch().await;
    assert_eq!(watch.head().await.unwrap().commit, commit);
    let error = watch.inspect(&commit).await.unwrap_err();
    for error in [watch.stage(&commit).await, watch.switch(&commit).await] {
        assert!(matches!(error, Err(Error::Refused { .. })), "{error:?}");
    }
    assert!(!watch.tree().exists());
    assert!(error.remedy().is_some());
    match error {
        Error::Refused { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn submodules_are_refused_by_path() {
    let forge = Forge::new();
    let other = Forge::new();
    forge.git(&["submodule", "--quiet", "add", &other.url(), "libs/other"]);
    assert_eq!(refused(&forge).await, Refused::Submodule("libs/other".into()));
}

#[tokio::test]
async fn links_out_of_the_tree_are_refused_by_path() {
    for (path, target) in
        [("etc/passwd", "/etc/passwd"), ("a/b", "../../x"), ("x", ".."), ("y", "z/../..")]
    {
        let forge = Forge::new();
        forge.link(path, target);
        let why = Refused::Link { path: path.into(), target: target.into() };
        assert_eq!(refused(&forge).await, why);
    }
}

#[tokio::test]
async fn what_is_kept_for_secrets_is_refused() {
    let forge = Forge::new();
    forge.write("deploy/.nself/secrets.toml", "x");
    assert_eq!(refused(&forge).await, Refused::Kept("deploy/.nself/secrets.toml".into()));
}

#[tokio::test]
async fn a_commit_without_its_file_is_refused() {
    let forge = Forge::new();
    forge.git(&["rm", "-q", "nself.toml"]);
    forge.write("other", "");
    assert_eq!(refused(&forge).await, Refused::NoFile("nself.toml".into()));
    let forge = Forge::new();
    forge.git(&["mv", "nself.toml", "real.toml"]);
    forge.link("nself.toml", "real.toml");
    assert_eq!(refused(&forge).await, Refused::NotFile("nself.toml".into()));
    let forge = Forge::new();
    forge.write("nself.toml", &"#".repeat((1 << 20) + 1));
    assert!(matches!(refused(&forge).await, Refused::LargeFile { .. }));
}

#[tokio::test]
async fn the_size_of_a_commit_is_bounded() {
    let forge = Forge::new();
    forge.write("large", &"x".repeat(200_000));
    forge.write("small", "x");
    let commit = forge.push("large");
    for (limits, why) in [
        (
            Limits { tree: ByteSize(100_000), ..Limits::default() },
            Refused::Large(ByteSize(100_000)),
        ),
        (Limits { files: 2, ..Limits::default() }, Refused::Many(2)),
    ] {
        let watch = Repository::open(&forge.state(), forge.remote(main()), limits).await.unwrap();
        match watch.inspect(&commit).await.unwrap_err() {
            Error::Refused { why: found, .. } => assert_eq!(found, why),
            other => panic!("{other:?}"),
        }
    }
}
