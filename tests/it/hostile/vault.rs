//! Secrets that are gone, damaged, or cannot be kept.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::Command,
};

use insta::assert_snapshot;

use super::{Bench, Ended, Scene, bench::IMAGE};

/// A user and group that nobody is.
const NOBODY: &str = "65534";

/// A service that is given a secret.
fn shop() -> String {
    format!(
        "[project]\nname = \"shop\"\n\n[services.api]\nimage = \"{IMAGE}\"\ninit = true\n\
         command = [\"sleep\", \"inf\"]\nenv = {{ TOKEN = \"${{secret.token}}\" }}\n"
    )
}

/// Runs the program as a user without rights, who may use the engine if `member` of its group.
fn as_nobody(scene: &Scene, words: &str, engines_group: &str) -> Ended {
    let program = scene.program(words);
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--groups", engines_group]);
    command.arg(program.get_program()).args(program.get_args());
    scene.surround(&mut command);
    // `setpriv` is found by the path of this process.
    command.env("PATH", std::env::var_os("PATH").unwrap());
    scene.end(command)
}

#[test]
fn a_vault_that_is_gone_is_not_made_up_again() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &shop());
    scene.converge();
    let before = bench.containers();
    let kept = scene.path("kept");
    fs::rename(scene.path(".nself"), &kept).unwrap();
    for words in ["plan", "apply -y"] {
        let ended = scene.run(words);
        assert_eq!((ended.code, ended.out.as_str()), (3, ""));
        assert_snapshot!("vault-gone", ended.err);
    }
    assert!(!scene.path(".nself").exists(), "a vault was made up");
    assert_eq!(bench.containers(), before);
    fs::rename(&kept, scene.path(".nself")).unwrap();
    assert_eq!(scene.run("plan --exit-code").code, 0);
}

#[test]
fn data_without_containers_still_knows_its_secrets() {
    let bench = Bench::new();
    let with_data = format!("{}volumes = {{ data = \"/data\" }}\n", shop());
    let scene = Scene::on(&bench.address(), &with_data);
    scene.converge();
    // Everything goes but the data, which is held.
    assert_eq!(scene.run("destroy -y").code, 4);
    assert_eq!(bench.containers(), [""; 0]);
    assert_eq!(bench.volumes(), ["shop-api-data"]);
    fs::remove_dir_all(scene.path(".nself")).unwrap();
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 3, "{}", ended.whole());
    assert_snapshot!("vault-gone", ended.err);
    assert!(!scene.path(".nself").exists(), "a vault was made up");
}

#[test]
fn a_vault_that_is_damaged_stays_as_it_is() {
    let scene = Scene::without_engine(&shop());
    let vault = scene.path(".nself/secrets.toml");
    fs::create_dir(scene.path(".nself")).unwrap();
    for (name, content) in [
        ("vault-damaged", "form = 1\nkey = \"k\"\n[secrets\n"),
        ("vault-empty", ""),
        ("vault-newer", "form = 99\nkey = \"k\"\n"),
    ] {
        fs::write(&vault, content).unwrap();
        for words in ["plan", "apply -y", "destroy -y", "secret list"] {
            let ended = scene.run(words);
            assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{words}");
            assert_snapshot!(name, ended.err);
        }
        let mut set = assert_cmd::Command::from_std(scene.program("secret set token"));
        set.write_stdin("x\n").assert().code(3);
        assert_eq!(fs::read_to_string(&vault).unwrap(), content);
    }
}

#[test]
fn a_folder_that_cannot_be_written_can_be_planned_from() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &shop());
    fs::set_permissions(scene.folder(), Permissions::from_mode(0o755)).unwrap();
    let group = fs::metadata(bench.socket()).unwrap();
    let group = std::os::unix::fs::MetadataExt::gid(&group).to_string();
    assert_eq!(as_nobody(&scene, "plan --exit-code", &group).code, 2);
    let ended = as_nobody(&scene, "apply -y", &group);
    assert_eq!(ended.code, 1, "{}", ended.whole());
    assert_snapshot!("folder-of-another", ended.err);
    assert_eq!(bench.containers(), [""; 0], "something was made, or a lock is left");

    // The same on a disk that nobody may write to.
    let script = format!(
        "mount --bind . . && mount -o remount,ro,bind . && cd \"$PWD\" && exec {} apply -y",
        scene.program("").get_program().display()
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]);
    scene.surround(&mut command);
    command.env("PATH", std::env::var_os("PATH").unwrap());
    let ended = scene.end(command);
    assert_eq!(ended.code, 1, "{}", ended.whole());
    assert_snapshot!("read-only-disk", ended.err);
    assert_eq!(bench.containers(), [""; 0]);
    scene.converge();
}

#[test]
fn a_socket_that_is_not_for_everybody() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &shop());
    fs::set_permissions(scene.folder(), Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(bench.socket(), Permissions::from_mode(0o660)).unwrap();
    for words in ["plan", "apply -y", "status"] {
        let ended = as_nobody(&scene, words, NOBODY);
        assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{words}");
        assert_snapshot!("not-permitted", ended.err);
    }
    assert!(!scene.path(".nself").exists());
}

#[test]
fn a_file_that_may_not_be_read() {
    let scene = Scene::without_engine(&shop());
    fs::set_permissions(scene.folder(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(scene.path("nself.toml"), Permissions::from_mode(0o600)).unwrap();
    let ended = as_nobody(&scene, "plan", NOBODY);
    assert_eq!(ended.code, 3);
    assert_snapshot!("file-of-another", ended.err);
}
