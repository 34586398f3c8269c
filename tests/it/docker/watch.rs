//! The loop on a real engine: it hears of what is done behind its back, heals it, and does not wake itself.

use std::sync::Arc;

use nself::{
    controller::watch::{self, Brief, Folder, Handle, Request, Settings},
    engine::docker::Docker,
    sync::{Cause, Phase, Result as CameOf, Status, Sync},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::stage::{SOCKET, Stage, docker, eventually};

const FILE: &str = r#"
[services.db]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
volumes = { data = "/data" }
health = { command = ["true"] }

[services.web]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
needs = ["db"]
"#;

/// Runs the loop over the stage's folder beside a test.
fn watched(stage: &Stage, test: impl FnOnce(&Handle)) {
    let status = tokio::sync::watch::Sender::new(Arc::new(Status::default()));
    let (ask, requests) = mpsc::channel(16);
    let handle = Handle::new(status.subscribe(), ask);
    let cancel = CancellationToken::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let connect = async |project: &nself::controller::Project| {
                Docker::connect(&format!("unix://{SOCKET}"), project.keyring.clone()).await
            };
            let (folder, settings) = (stage.folder().join(".nself"), Settings::default());
            let brief =
                Brief { folder, settings, status, requests, read: &|_| {}, cancel: &cancel };
            let run = watch::run(Folder::new(stage.place()), connect, brief, &|_, _| {}, &|_| {});
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(run).unwrap();
        });
        // Whatever becomes of the test, the loop ends.
        let _ends = cancel.clone().drop_guard();
        test(&handle);
    });
}

/// Waits until the loop waits with nothing left to do, after at least so many passes.
fn settled(handle: &Handle, passes: u64) -> Arc<Status> {
    eventually("the loop settles", || {
        let status = handle.status();
        let is_settled = status.sync == Sync::InSync && status.phase == Phase::Waiting;
        if is_settled && status.passes >= passes { Ok(()) } else { Err(format!("{status:?}")) }
    });
    handle.status()
}

#[test]
fn what_is_done_behind_its_back_is_heard_of_and_put_right() {
    let stage = Stage::new("watched");
    stage.write(FILE);
    watched(&stage, |handle| {
        let mut passes = settled(handle, 2).passes;
        let web = stage.container("web");
        let id = Stage::inspect(&web, "{{.Id}}");
        let aside = format!("{web}-aside");
        let kinds: [&[&str]; 7] = [
            &["stop", "-t", "0", &web],
            &["kill", &web],
            &["pause", &web],
            &["update", "--memory", "64m", "--memory-swap", "64m", &web],
            &["rename", &web, &aside],
            &["network", "disconnect", &stage.name, &web],
            &["rm", "-f", &web],
        ];
        for kind in kinds {
            docker(kind);
            assert!(
                !stage.plan().is_empty() || handle.status().passes > passes,
                "{kind:?} is drift"
            );
            eventually(&format!("{kind:?} is healed"), || {
                let plan = stage.plan();
                if plan.is_empty() { Ok(()) } else { Err(super::stage::gist(&plan)) }
            });
            passes = settled(handle, passes + 1).passes;
            let last = handle.status().last.clone().map(|last| last.result);
            assert!(matches!(last, Some(CameOf::Done | CameOf::Nothing)), "{kind:?}: {last:?}");
        }
        assert_ne!(Stage::inspect(&web, "{{.Id}}"), id, "it was removed, and made anew");
    });
}

#[test]
fn looking_does_not_wake_it() {
    let stage = Stage::new("unmoved");
    stage.write(FILE);
    watched(&stage, |handle| {
        let mut passes = settled(handle, 2).passes;
        // Each look runs probes and reads what is there; if that woke the loop, there were more passes than
        // requests.
        for _ in 0..5 {
            handle.ask(Request::Look(Cause::Request)).unwrap();
            passes += 1;
            settled(handle, passes);
        }
        // Somebody else's look and a command inside a container are no news either.
        stage.plan();
        docker(&["exec", &stage.container("web"), "true"]);
        docker(&["top", &stage.container("web")]);
        handle.ask(Request::Look(Cause::Request)).unwrap();
        settled(handle, passes + 1);
        assert_eq!(handle.status().passes, passes + 1);
    });
}
