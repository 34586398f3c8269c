//! Going back: after a failure, and on a person's word.

use std::fs;

use insta::assert_snapshot;

use super::{
    Bench, Scene,
    bench::IMAGE,
    scene::{eventually, without_counts},
};

/// Three services in a row, the last with a volume and a health check that passes when it wrote a file.
fn project(level: &str, last: &str) -> String {
    let service = |name: &str, script: &str, more: &str| {
        format!(
            "[services.{name}]\nimage = \"{IMAGE}\"\ninit = true\nenv = {{ LEVEL = \"{level}\" }}\n\
             command = [\"sh\", \"-c\", \"{script}\"]\n{more}"
        )
    };
    let health = "volumes = { data = \"/data\" }\nready_within = \"1s\"\n\
                  health = { command = [\"cat\", \"/tmp/ok\"], interval = \"1s\" }\nneeds = [\"b\"]\n";
    let [a, b] =
        [service("a", "exec sleep inf", ""), service("b", "exec sleep inf", "needs = [\"a\"]\n")];
    let c = service("c", &format!("{last}; exec sleep inf"), health);
    format!("[project]\nname = \"shop\"\n{a}{b}{c}")
}

/// Returns what each container was made with.
fn levels(bench: &Bench) -> Vec<String> {
    let mut ids = vec!["inspect", "--format", "{{.Name}} {{.State.Status}} {{.Config.Env}}"];
    let listed = bench.docker(&["ps", "-aq"]);
    ids.extend(listed.split_whitespace());
    let text = bench.docker(&ids);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn a_failed_change_set_returns_as_a_whole() {
    let bench = Bench::new();
    let (good, bad) = ("echo > /tmp/ok", "echo no");
    let scene = Scene::on(&bench.address(), &project("info", bad));
    // The first of all has nothing behind it.
    let ended = scene.run("apply -y --rollback-on-failure");
    assert_eq!(ended.code, 1);
    assert!(
        ended.err.contains("nothing was brought back: no earlier apply ended well"),
        "{}",
        ended.err
    );
    scene.write(&project("info", good));
    scene.converge();
    bench.docker(&["exec", "shop-c", "sh", "-c", "echo kept > /data/x"]);
    let before = levels(&bench);

    scene.write(&format!(
        "{}[services.d]\nimage = \"{IMAGE}\"\ncommand = [\"sleep\", \"inf\"]\n",
        project("debug", bad)
    ));
    let ended = scene.run("apply -y --rollback-on-failure");
    assert_eq!(ended.code, 1);
    assert_snapshot!("returned-as-a-whole", without_counts(&ended.err));
    assert_eq!(levels(&bench), before);
    assert_eq!(bench.docker(&["exec", "shop-c", "cat", "/data/x"]), "kept");

    // In production it goes without saying; where it is not wanted, what worked stays.
    scene.write(&format!("production = true\n{}", project("debug", bad)));
    assert_eq!(scene.run("apply -y").code, 1);
    assert_eq!(levels(&bench), before);
    let ended = scene.run("apply -y --no-rollback-on-failure");
    assert_eq!(ended.code, 1);
    assert!(levels(&bench)[0].contains("LEVEL=debug"), "{:?}", levels(&bench));
    let history = scene.run("history --json");
    let runs: serde_json::Value = serde_json::from_str(&history.out).unwrap();
    let gist: Vec<String> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|run| {
            format!(
                "{} {} {} {}",
                run["generation"], run["command"], run["result"], run["returns_to"]
            )
        })
        .collect();
    assert_snapshot!("history-of-returns", gist.join("\n"));
    assert_eq!(scene.run("history verify").code, 0);
}

#[test]
fn a_person_goes_back() {
    let bench = Bench::new();
    let good = "echo > /tmp/ok";
    let text =
        |level: &str| project(level, good).replace("LEVEL = ", "KEY = \"${secret.key}\", LEVEL = ");
    let scene = Scene::on(&bench.address(), &text("one"));
    let nothing = scene.run("rollback -y");
    assert_eq!(nothing.code, 1);
    scene.converge();
    let first = levels(&bench);
    scene.write(&text("two"));
    scene.converge();
    scene.write(&text("three"));
    scene.converge();
    // It goes back whatever nself.toml says today.
    scene.write("this is no toml");
    let back = scene.run("rollback -y");
    assert_eq!(back.code, 0, "{}", back.whole());
    assert_snapshot!("back", back.out.lines().take(4).collect::<Vec<_>>().join("\n"));
    assert!(back.err.contains("nself history show 2 --toml > "), "{}", back.err);
    assert!(levels(&bench)[0].contains("LEVEL=two"));
    assert_eq!(scene.run("rollback -y").code, 0);
    assert_eq!(levels(&bench), first);
    let end = scene.run("rollback -y");
    assert_eq!(end.code, 1, "{}", end.whole());
    let unknown = scene.run("rollback 99 -y");
    assert_eq!(unknown.code, 64);
    assert_snapshot!("no-generation", format!("{}{}{}", nothing.err, end.err, unknown.err));

    // What nself.toml said comes back as it was, and differences are shown by name.
    let shown = scene.run("history show 3 --toml");
    assert_eq!(shown.out, text("three"));
    let diff = scene.run("history diff 1 3");
    assert_snapshot!("between", diff.out);
    scene.write(&text("one"));
    assert_eq!(scene.run("plan --exit-code").code, 0);
    assert_snapshot!("history", without_dates(&scene.run("history").out));
}

#[test]
fn a_way_back_that_is_cut_off_is_gone_again_from_where_it_ended() {
    let bench = Bench::new();
    let good = "echo > /tmp/ok";
    let scene = Scene::on(&bench.address(), &project("one", good));
    scene.converge();
    let first = levels(&bench);
    scene.write(&project("two", good));
    scene.converge();
    let second = levels(&bench);
    // In the middle of one replacement, and between two.
    for moment in ["shop-a.next running", "shop-b.next created"] {
        let mut going_back = scene.spawn("rollback -y");
        eventually(moment, || bench.containers().iter().any(|line| line.starts_with(moment)));
        going_back.kill().unwrap();
        going_back.wait().unwrap();
        assert!(scene.run("history").out.contains("cut off"));
        let back = scene.run("rollback 1 -y");
        assert_eq!(back.code, 0, "{}", back.whole());
        assert_eq!(levels(&bench), first, "back, after {moment}");
        // The same, when a person goes on with what the file says instead.
        scene.converge();
        assert_eq!(levels(&bench), second, "forth, after {moment}");
    }
    assert_eq!(scene.run("history verify").code, 0);
}

#[test]
fn an_image_that_is_gone_is_not_made_from_something_else() {
    let bench = Bench::new();
    let text = "[project]\nname = \"shop\"\n[services.api]\nbuild = \"api\"\ninit = true\ncommand = [\"sleep\", \"inf\"]\n";
    let scene = Scene::on(&bench.address(), text);
    fs::create_dir(scene.path("api")).unwrap();
    let write = |word: &str| {
        fs::write(scene.path("api/Dockerfile"), format!("FROM {IMAGE}\nENV WORD={word}\n"))
            .unwrap();
    };
    write("one");
    scene.converge();
    let first = bench.docker(&["inspect", "--format", "{{.Config.Image}}", "shop-api"]);
    write("two");
    scene.converge();
    // The image of then is still there: what it was built from does not matter.
    assert_eq!(scene.run("rollback 1 -y").code, 0);
    assert_eq!(bench.docker(&["inspect", "--format", "{{.Config.Image}}", "shop-api"]), first);
    assert_eq!(scene.run("apply -y").code, 0);
    bench.docker(&["rmi", &first]);
    let before = bench.containers();
    let gone = scene.run("rollback 1 -y");
    assert_eq!(gone.code, 1);
    assert_snapshot!("image-gone", gone.err.replace(&first, "IMAGE"));
    assert_eq!(bench.containers(), before);
    // With the folder as it was then, it can be built again.
    write("one");
    let back = scene.run("rollback 1 -y");
    assert_eq!(back.code, 0, "{}", back.whole());
    assert_eq!(bench.docker(&["inspect", "--format", "{{.Config.Image}}", "shop-api"]), first);
}

#[test]
fn a_history_that_cannot_be_written_does_not_keep_anybody_from_applying() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &project("info", "echo > /tmp/ok"));
    fs::create_dir(scene.path(".nself")).unwrap();
    fs::write(scene.path(".nself/history.db"), "this is something else altogether").unwrap();
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 0, "{}", ended.whole());
    assert_snapshot!("history-damaged", ended.out.lines().last().unwrap());
    let history = scene.run("history");
    assert_eq!(history.code, 1);
    assert_snapshot!("history-unreadable", history.err);
    let kept = fs::read_to_string(scene.path(".nself/history.db")).unwrap();
    assert_eq!(kept, "this is something else altogether");
}

/// Puts `DATE` and `WHO` in the place of when and by whom.
fn without_dates(text: &str) -> String {
    let who =
        text.split_whitespace().find(|word| word.contains('@')).unwrap_or("nobody").to_owned();
    let dated = text.split_inclusive(' ').map(|word| {
        let is_date = word.len() > 8 && word.starts_with("20") && word.contains('-');
        let is_time = word.trim_end().ends_with('Z') && word.contains(':');
        if is_date {
            "DATE "
        } else if is_time {
            "TIME "
        } else {
            word
        }
    });
    dated.collect::<String>().replace(&who, "WHO")
}
