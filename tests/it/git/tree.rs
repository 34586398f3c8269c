//! A commit's files on the disk.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use nself::source::git::{Error, Select};

use super::forge::{Forge, read};

#[tokio::test]
async fn a_commit_is_staged_beside_and_switched_to_in_place() {
    let forge = Forge::new();
    forge.write("app/run", "#!/bin/sh\n");
    let run = forge.work().join("app/run");
    std::fs::set_permissions(run, std::fs::Permissions::from_mode(0o755)).unwrap();
    forge.write("app/data", "1");
    forge.write("gone/deep/file", "x");
    forge.write(".gitattributes", "app/data export-ignore\nnself.toml export-subst filter=evil\n");
    forge.write("nself.toml", "# $Format:%H$\nproject = { name = \"shop\" }\n");
    forge.link("app/link", "../nself.toml");
    let first = forge.push("first");
    let watch = forge.watch().await;
    watch.head().await.unwrap();
    let tree = watch.switch(&first).await.unwrap();
    assert_eq!(tree, watch.tree());
    assert_eq!(read(tree.join("app/data")), "1");
    assert!(read(tree.join("app/link")).starts_with("# $Format:%H$"));
    let meta = |name: &str| tree.join(name).symlink_metadata().unwrap();
    assert_eq!(meta("app/run").mode() & 0o7777, 0o755);
    assert_eq!(meta("app/data").mode() & 0o7777, 0o644);
    let before = (meta("app").ino(), meta("app/run").ino(), meta("app/link").ino(), meta("").ino());

    forge.write("app/data", "2");
    forge.git(&["rm", "-rq", "gone"]);
    let second = forge.push("second");
    watch.head().await.unwrap();
    let staged = watch.stage(&second).await.unwrap();
    assert_eq!(
        (read(staged.join("app/data")), read(tree.join("app/data"))),
        ("2".into(), "1".into())
    );

    // What others wrote: a vault, a container through its mount.
    std::fs::create_dir(tree.join(".nself")).unwrap();
    std::fs::write(tree.join(".nself/key"), "k").unwrap();
    std::fs::write(tree.join("app/written"), "w").unwrap();
    watch.switch(&second).await.unwrap();
    assert_eq!(read(tree.join("app/data")), "2");
    assert!(!tree.join("gone").exists());
    assert_eq!(
        (read(tree.join(".nself/key")), read(tree.join("app/written"))),
        ("k".into(), "w".into())
    );
    let after = (meta("app").ino(), meta("app/run").ino(), meta("app/link").ino(), meta("").ino());
    assert_eq!(before, after);

    watch.switch(&first).await.unwrap();
    assert_eq!(read(tree.join("gone/deep/file")), "x");
}

#[tokio::test]
async fn the_project_may_be_in_a_folder() {
    let forge = Forge::new();
    forge.write("deploy/shop/nself.toml", "inner");
    let commit = forge.push("inner");
    let mut remote = forge.remote(Select::Default);
    remote.path = "deploy/shop/".parse().unwrap();
    let watch = forge.open(remote).await.unwrap();
    let folder = watch.stage(&commit).await.unwrap();
    assert_eq!(read(folder.join("nself.toml")), "inner");
    watch.switch(&commit).await.unwrap();
    assert_eq!(read(watch.tree().join("nself.toml")), "inner");
    assert!(watch.tree().ends_with("tree/deploy/shop"));
}

#[tokio::test]
async fn files_folders_and_links_change_places() {
    let forge = Forge::new();
    forge.write("a", "file");
    forge.write("b/c/d", "deep");
    forge.link("l", "b");
    let first = forge.push("first");
    for name in ["a", "b", "l"] {
        forge.git(&["rm", "-rq", name]);
    }
    forge.write("a/inside", "1");
    forge.write("b", "2");
    forge.write("l/inside", "3");
    let second = forge.push("second");
    let watch = forge.watch().await;
    for _ in 0..2 {
        watch.switch(&first).await.unwrap();
        let tree = watch.tree();
        assert_eq!(read(tree.join("a")), "file");
        assert_eq!(read(tree.join("l/c/d")), "deep");
        watch.switch(&second).await.unwrap();
        assert_eq!(read(tree.join("a/inside")), "1");
        assert_eq!(read(tree.join("b")), "2");
        assert_eq!(read(tree.join("l/inside")), "3");
    }
    // What is not ours is in the way, and stays.
    std::fs::write(watch.tree().join("a/foreign"), "x").unwrap();
    let error = watch.switch(&first).await.unwrap_err();
    assert!(matches!(error, Error::InTheWay { .. }), "{error:?}");
    assert_eq!(read(watch.tree().join("a/foreign")), "x");
    std::fs::remove_file(watch.tree().join("a/foreign")).unwrap();
    watch.switch(&first).await.unwrap();
    assert_eq!(read(watch.tree().join("a")), "file");
}

#[tokio::test]
async fn a_switch_that_was_cut_off_is_brought_to_its_end() {
    let forge = Forge::new();
    for name in ["a", "b", "c"] {
        forge.write(&format!("only-in-first/{name}"), name);
        forge.write(name, "first");
    }
    let first = forge.push("first");
    forge.git(&["rm", "-rq", "only-in-first"]);
    for name in ["a", "b", "c"] {
        forge.write(&format!("only-in-second/{name}"), name);
        forge.write(name, "second");
    }
    let second = forge.push("second");
    forge.git(&["rm", "-rq", "only-in-second"]);
    let third = forge.push("third");
    let watch = forge.watch().await;
    watch.switch(&first).await.unwrap();
    let tree = watch.tree();
    // The list of a switch to the second, of which one file was written and another half.
    let list = forge.state().join("tree.list");
    let mut paths = std::fs::read(&list).unwrap();
    paths.extend(b"only-in-second/a\0only-in-second/b\0only-in-second/c\0");
    std::fs::write(&list, paths).unwrap();
    std::fs::create_dir(tree.join("only-in-second")).unwrap();
    std::fs::write(tree.join("only-in-second/a"), "a").unwrap();
    std::fs::write(tree.join("a"), "sec").unwrap();
    std::fs::create_dir_all(forge.state().join("beside")).unwrap();
    std::fs::write(forge.state().join("beside/new"), "sec").unwrap();
    drop(watch);

    let watch = forge.watch().await;
    watch.switch(&third).await.unwrap();
    assert_eq!(read(tree.join("a")), "second");
    assert!(!tree.join("only-in-first").exists() && !tree.join("only-in-second").exists());
    watch.switch(&second).await.unwrap();
    assert_eq!(read(tree.join("only-in-second/c")), "c");
    watch.switch(&first).await.unwrap();
    assert_eq!(read(tree.join("only-in-first/c")), "c");
}

#[tokio::test]
async fn links_that_somebody_put_into_the_tree_lead_nowhere() {
    let forge = Forge::new();
    forge.write("conf/file", "1");
    let first = forge.push("first");
    forge.write("conf/file", "2");
    let second = forge.push("second");
    let watch = forge.watch().await;
    watch.switch(&first).await.unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("file"), "outside").unwrap();
    let conf = watch.tree().join("conf");
    std::fs::remove_dir_all(&conf).unwrap();
    symlink(outside.path(), &conf).unwrap();
    watch.switch(&second).await.unwrap();
    assert_eq!(read(outside.path().join("file")), "outside");
    assert_eq!(read(conf.join("file")), "2");
    assert!(!conf.is_symlink());

    std::fs::remove_file(conf.join("file")).unwrap();
    symlink(outside.path().join("file"), conf.join("file")).unwrap();
    watch.switch(&first).await.unwrap();
    assert_eq!(read(outside.path().join("file")), "outside");
    assert_eq!(read(conf.join("file")), "1");
}
