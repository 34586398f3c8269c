//! An engine whose disk is full.

use std::fs;

use insta::assert_snapshot;

use super::{Bench, Scene, bench::IMAGE};

/// Enough for the engine and its small image, and for little more.
const DISK: &str = "24m";

fn shop(api: &str) -> String {
    format!(
        "[project]\nname = \"shop\"\n\n[services.old]\nimage = \"{IMAGE}\"\ninit = true\n\
         command = [\"sleep\", \"inf\"]\n{api}"
    )
}

#[test]
fn nothing_is_lost_and_room_is_all_it_takes() {
    let bench = Bench::with_disk(DISK);
    let scene = Scene::on(&bench.address(), &shop(""));
    scene.converge();
    let good = bench.containers();

    // While an image is built.
    fs::create_dir(scene.path("api")).unwrap();
    fs::write(scene.path("api/Dockerfile"), "FROM tiny:1\nCOPY large /large\n").unwrap();
    fs::File::create(scene.path("api/large")).unwrap().set_len(64 << 20).unwrap();
    let built = "[services.api]\nbuild = \"api\"\ninit = true\ncommand = [\"sleep\", \"inf\"]\n";
    scene.write(&shop(built));
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 1, "{}", ended.whole());
    assert_snapshot!("full-build", ended.err);
    assert_eq!(bench.containers(), good);

    // While a service fills the disk, another one is to be made and to be replaced.
    bench.docker(&[
        "exec",
        "shop-old",
        "sh",
        "-c",
        "while echo 0123456789012345678901234567890123456789; do :; done >/fill 2>/tmp/full; :",
    ]);
    let replaced = "env = { A = \"1\" }\n[services.new]\nimage = \"tiny:1\"\ninit = true\ncommand = [\"sleep\", \"inf\"]\n";
    scene.write(&shop(replaced));
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 1, "{}", ended.whole());
    // Not even the lock could be taken, so nothing was begun.
    let lines: Vec<&str> = ended.err.lines().collect();
    let [what, why, next] = lines[..] else { panic!("{}", ended.err) };
    assert_eq!(what, "error: the engine refused to take the lock of shop");
    assert!(
        why.starts_with("  caused by  ") && why.ends_with(": no space left on device"),
        "{why}"
    );
    assert_eq!(
        next,
        "  next       the engine's disk is full; see what takes the room: docker system df"
    );
    assert_eq!(bench.containers(), good, "{}", ended.whole());

    bench.docker(&["exec", "shop-old", "sh", "-c", "echo >/fill"]);
    scene.converge();
    assert_eq!(
        bench.containers(),
        ["shop-new running \"sleep inf\"", "shop-old running \"sleep inf\""]
    );
}
