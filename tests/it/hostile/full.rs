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
    let large = "FROM tiny:1\nRUN while :; do echo 0123456789012345678901234567890123456789; done >/large\n";
    fs::write(scene.path("api/Dockerfile"), large).unwrap();
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
    assert_snapshot!("full-create", ended.err);
    assert_eq!(bench.containers(), good, "{}", ended.whole());

    bench.docker(&["exec", "shop-old", "sh", "-c", "echo >/fill"]);
    scene.converge();
    assert_eq!(
        bench.containers(),
        ["shop-new running \"sleep inf\"", "shop-old running \"sleep inf\""]
    );
}
