//! A git repository as the source: real ones, made by the tests, reached as files, over ssh and over http.

mod forge;
mod http;
mod inspect;
mod signature;
mod ssh;
mod tree;

use forge::{Forge, main};
use nself::source::git::{Error, Limits, Repository, Select};

#[tokio::test]
async fn the_head_of_a_branch_is_followed() {
    let forge = Forge::new();
    let watch = forge.watch().await;
    let first = watch.head().await.unwrap();
    assert_eq!((first.reference.as_str(), first.subject.as_str()), ("main", "one"));
    assert_eq!(first.author, "Ada");
    assert!(first.at > 1_600_000_000_000);

    let second = forge.push("two\n\nAnd more of it");
    let head = watch.head().await.unwrap();
    assert_eq!((head.commit, head.subject.as_str()), (second, "two"));

    // Written anew, with another history.
    forge.git(&["checkout", "-q", "--orphan", "anew"]);
    let third = forge.commit("three");
    forge.send("HEAD:main");
    assert_eq!(watch.head().await.unwrap().commit, third);

    // And back by force to what was there.
    forge.send(&format!("{}:main", first.commit));
    assert_eq!(watch.head().await.unwrap(), first);
}

#[tokio::test]
async fn the_branch_that_the_repository_calls_its_own_needs_no_name() {
    let forge = Forge::new();
    let watch = forge.open(forge.remote(Select::Default)).await.unwrap();
    assert_eq!(watch.head().await.unwrap().reference, "main");
}

#[tokio::test]
async fn the_newest_tag_of_a_pattern_is_followed() {
    let forge = Forge::new();
    let watch = forge.open(forge.remote(Select::Tag("v*".into()))).await.unwrap();
    match watch.head().await.unwrap_err() {
        Error::NoSuch { what, there, .. } => {
            assert_eq!((what.as_str(), there.len()), ("tag `v*`", 0));
        }
        other => panic!("{other:?}"),
    }
    for (tag, args) in [
        ("v1.9.0", &["tag", "v1.9.0"][..]),
        ("v1.10.0", &["tag", "-a", "-m", "ten", "v1.10.0"]),
        ("x2.0", &["tag", "x2.0"]),
    ] {
        forge.commit(tag);
        forge.git(args);
        forge.send(&format!("refs/tags/{tag}"));
    }
    let head = watch.head().await.unwrap();
    assert_eq!((head.reference.as_str(), head.subject.as_str()), ("v1.10.0", "v1.10.0"));
    watch.switch(&head.commit).await.unwrap();
    drop(watch);
    let watch = forge.open(forge.remote(Select::Tag("y*".into()))).await.unwrap();
    let error = watch.head().await.unwrap_err().to_string();
    assert!(error.ends_with("has no tag `y*`; there is `x2.0`, `v1.10.0`, `v1.9.0`"), "{error}");
}

#[tokio::test]
async fn one_commit_is_taken_by_its_id() {
    let forge = Forge::new();
    let first = forge.git(&["rev-parse", "HEAD"]).parse().unwrap();
    forge.push("two");
    let watch = forge.open(forge.remote(Select::Commit(first))).await.unwrap();
    let head = watch.head().await.unwrap();
    assert_eq!(head.subject, "one");
    assert_eq!(head.label(), head.commit.short());
    drop(watch);
    let nowhere = Select::Commit("ab".repeat(20).parse().unwrap());
    let watch = forge.open(forge.remote(nowhere)).await.unwrap();
    let error = watch.head().await.unwrap_err();
    assert!(matches!(error, Error::NoSuch { .. }), "{error:?}");
}

#[tokio::test]
async fn a_branch_that_is_not_there_is_told_with_those_that_are() {
    let forge = Forge::new();
    let watch = forge.watch().await;
    watch.head().await.unwrap();
    forge.git(&["branch", "trunk"]);
    forge.send("trunk");
    let bare = forge.bare();
    forge.git_in(&bare, &["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    forge.git_in(&bare, &["branch", "-D", "main"]);
    let error = watch.head().await.unwrap_err();
    assert!(error.to_string().ends_with("has no branch `main`; there is `trunk`"), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn an_empty_repository_and_none_are_told_apart_and_may_come() {
    let forge = Forge::empty();
    let watch = forge.watch().await;
    let error = watch.head().await.unwrap_err();
    assert!(matches!(error, Error::Empty { .. }), "{error:?}");
    forge.write("nself.toml", "");
    let commit = forge.push("one");
    assert_eq!(watch.head().await.unwrap().commit, commit);

    let away = forge.folder().join("away.git");
    std::fs::rename(forge.bare(), &away).unwrap();
    let error = watch.head().await.unwrap_err();
    assert!(matches!(error, Error::Gone { .. }), "{error:?}");
    assert!(error.remedy().is_some());
    // What was fetched is still there.
    watch.switch(&commit).await.unwrap();
    std::fs::rename(&away, forge.bare()).unwrap();
    assert_eq!(watch.head().await.unwrap().commit, commit);
}

#[tokio::test]
async fn odd_names_of_branches_are_names() {
    let forge = Forge::new();
    for name in ["feature/a'b\"c$(id)", "ünï#1;&", "preview/heads/main", "a%2fb"] {
        forge.git(&[
            "push",
            "-q",
            forge.bare().to_str().unwrap(),
            &format!("HEAD:refs/heads/{name}"),
        ]);
        let state = tempfile::tempdir().unwrap();
        let remote = forge.remote(Select::Branch(name.into()));
        let watch = Repository::open(state.path(), remote, Limits::default()).await.unwrap();
        assert_eq!(watch.head().await.unwrap().reference, name);
    }
    for name in ["-x", "--upload-pack=id", "a b", "a..b"] {
        let error = forge.open(forge.remote(Select::Branch(name.into()))).await.unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{error:?}");
    }
    let watch = forge.watch().await;
    let previews = watch.branches("preview/*").await.unwrap();
    assert_eq!(previews.len(), 1);
    assert_eq!(previews[0].0, "preview/heads/main");
    assert_eq!(watch.branches("*").await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_folder_has_one_watcher() {
    let forge = Forge::new();
    let watch = forge.watch().await;
    let error = forge.open(forge.remote(main())).await.unwrap_err();
    let words = format!("is in use by process {}", std::process::id());
    assert!(error.to_string().ends_with(&words), "{error}");
    drop(watch);
    forge.watch().await;
}

#[tokio::test]
async fn what_a_killed_git_left_is_removed_and_what_is_damaged_made_anew() {
    let forge = Forge::new();
    let watch = forge.watch().await;
    let head = watch.head().await.unwrap();
    drop(watch);
    let repository = forge.state().join("repo.git");
    let left = ["shallow.lock", "config.lock", "refs/nself/fetched/000000000002.lock", "HEAD.lock"];
    for name in left.into_iter().chain(["objects/pack/tmp_pack_x"]) {
        std::fs::write(repository.join(name), "").unwrap();
    }
    let watch = forge.watch().await;
    for name in left {
        assert!(!repository.join(name).exists(), "{name}");
    }
    forge.push("two");
    assert_eq!(watch.head().await.unwrap().subject, "two");
    drop(watch);

    // Objects that are not there any more.
    std::fs::remove_dir_all(repository.join("objects/pack")).unwrap();
    let watch = forge.watch().await;
    assert_eq!(watch.head().await.unwrap().subject, "two");
    // The same while it runs.
    std::fs::remove_dir_all(repository.join("objects/pack")).unwrap();
    watch.switch(&watch.head().await.unwrap().commit).await.unwrap();
    // A file that is no pack.
    for entry in std::fs::read_dir(repository.join("objects/pack")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "pack") {
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, "x").unwrap();
        }
    }
    watch.switch(&head.commit).await.unwrap();
    drop(watch);
    std::fs::write(repository.join("HEAD"), "").unwrap();
    forge.watch().await.head().await.unwrap();
}

#[tokio::test]
async fn many_pushes_do_not_fill_the_disk() {
    let forge = Forge::new();
    let watch = forge.watch().await;
    let first = watch.head().await.unwrap().commit;
    watch.switch(&first).await.unwrap();
    let kept = forge.push("kept");
    watch.head().await.unwrap();
    watch.keep([kept.clone()]);
    for turn in 0..70 {
        forge.write("data", &turn.to_string());
        forge.git(&["add", "-A"]);
        forge.git(&["commit", "-q", "--amend", "-m", &turn.to_string()]);
        forge.send("HEAD:main");
        assert_eq!(watch.head().await.unwrap().subject, turn.to_string());
    }
    let packs = std::fs::read_dir(forge.state().join("repo.git/objects/pack")).unwrap().count();
    assert!(packs < 3 * 34, "{packs}");
    // Without the repository only what is here can be had.
    std::fs::rename(forge.bare(), forge.folder().join("away.git")).unwrap();
    watch.switch(&first).await.unwrap();
    watch.switch(&kept).await.unwrap();
}

#[tokio::test]
async fn a_fetch_brings_no_more_than_it_may() {
    let forge = Forge::new();
    let mut random = 1u64;
    let noise: String = (0..200_000)
        .map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'!' + u8::try_from((random >> 33) % 90).unwrap())
        })
        .collect();
    forge.write("noise", &noise);
    forge.push("noise");
    let limits = Limits { fetch: nself::model::ByteSize(64 << 10), ..Limits::default() };
    let watch = Repository::open(&forge.state(), forge.remote(main()), limits).await.unwrap();
    let error = watch.head().await.unwrap_err();
    assert!(error.to_string().ends_with("it is larger than 64 K"), "{error}");
    forge.git(&["rm", "-q", "noise"]);
    let commit = forge.push("silence");
    assert_eq!(watch.head().await.unwrap().commit, commit);
}

#[tokio::test]
async fn names_of_objects_may_be_long() {
    let forge = Forge::new();
    let (bare, work) = (forge.folder().join("long.git"), forge.folder().join("long"));
    for (path, kind) in [(&bare, "--bare"), (&work, "-q")] {
        let path = path.to_str().unwrap();
        let args = ["init", "-q", kind, "-b", "main", "--object-format=sha256", path];
        forge.git_in(forge.folder(), &args);
    }
    std::fs::write(work.join("nself.toml"), "").unwrap();
    forge.git_in(&work, &["add", "-A"]);
    forge.git_in(&work, &["commit", "-q", "-m", "long"]);
    forge.git_in(&work, &["push", "-q", bare.to_str().unwrap(), "main"]);
    let mut remote = forge.remote(main());
    remote.url = bare.to_str().unwrap().parse().unwrap();
    let watch = forge.open(remote).await.unwrap();
    let head = watch.head().await.unwrap();
    assert_eq!(head.commit.as_str().len(), 64);
    watch.switch(&head.commit).await.unwrap();
}

#[tokio::test]
async fn without_git_it_says_so() {
    let forge = Forge::new();
    let tools = tempfile::tempdir().unwrap();
    let open = || {
        let mut remote = forge.remote(main());
        remote.access.variables = [("PATH".into(), tools.path().display().to_string())].into();
        forge.open(remote)
    };
    let error = open().await.unwrap_err();
    assert!(matches!(error, Error::NoGit { .. }), "{error:?}");
    let old = tools.path().join("git");
    std::fs::write(&old, "#!/bin/sh\necho git version 2.25.1\n").unwrap();
    std::fs::set_permissions(&old, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = open().await.unwrap_err();
    assert!(error.to_string().contains("2.25.1, and 2.34 is needed"), "{error}");
    assert!(error.remedy().unwrap().contains("install git"));
}
