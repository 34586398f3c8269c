//! Obligations of the real engine alone: what needs somebody who works on it by hand.

use std::future::Future;

use bollard::Docker as Api;
use futures_util::StreamExt as _;
use nself::{
    desired::{Build, BuildContext, Field, Probe},
    engine::{Console as _, Engine as _, Error, LogSelection, Session, docker::Docker},
    model::{Digest, Millis},
    observed::{Live, State},
    plan::Op,
};
use tokio::io::AsyncReadExt as _;

use super::{
    look, look_at, make, named,
    networks::{expected, network, on, places},
    run, twice,
};

const SOCKET: &str = "/var/run/docker.sock";

pub fn api() -> Api {
    Api::connect_with_socket(SOCKET, 60, bollard::API_DEFAULT_VERSION).unwrap()
}

/// Removes an image that a test built, where there is an engine that has it.
pub async fn remove_image(image: &str) {
    let Ok(api) = Api::connect_with_socket(SOCKET, 60, bollard::API_DEFAULT_VERSION) else {
        return;
    };
    let _ =
        api.remove_image(image, None::<bollard::query_parameters::RemoveImageOptions>, None).await;
}

pub async fn on_docker<F: Future<Output = ()> + Send + 'static>(
    obligation: impl FnOnce(Docker, String) -> F,
) {
    super::with_prefix(super::docker_engine().await, obligation).await;
}

#[tokio::test]
async fn a_place_on_a_removed_network_is_taken_anew() {
    on_docker(|engine, prefix| async move {
        let net = network(&engine, &prefix, "net").await;
        let container = make::sleeper(&format!("{prefix}-a"));
        let container = on(container, &[(&net, make::attached(&["x"]))]);
        make::up(&engine, &prefix, &container).await;
        run(&engine, Op::Stop { container: named(&container.name), grace: None }).await;
        api().remove_network(&net).await.unwrap();
        assert!(places(&look_at(&engine, &prefix, &container.name).await).is_empty());
        network(&engine, &prefix, "net").await;
        assert!(places(&look_at(&engine, &prefix, &container.name).await).is_empty());
        let connect = Op::Connect {
            container: named(&container.name),
            network: net.clone(),
            attachment: make::attached(&["x"]),
        };
        twice(&engine, connect).await;
        run(&engine, Op::Start(named(&container.name))).await;
        let seen = look_at(&engine, &prefix, &container.name).await;
        assert_eq!(seen.fields.get(&Field::NetworkMode.path()), Some(&Live::text(&net)));
        assert_eq!(
            places(&seen),
            expected(&[
                (format!("networks.{net}"), "attached"),
                (format!("aliases.{net}"), r#"["x"]"#),
            ])
        );
    })
    .await;
}

/// Options to remove a container whatever it does.
pub fn force() -> bollard::query_parameters::RemoveContainerOptions {
    bollard::query_parameters::RemoveContainerOptionsBuilder::new().force(true).build()
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_told_from_one_that_may_not_be_used() {
    let connect = async |address: &str| {
        Docker::connect(address, nself::model::Keyring::default()).await.unwrap_err()
    };
    for address in ["unix:///nowhere.sock", "tcp://127.0.0.1:1", "ssh://somewhere", "nonsense"] {
        let error = connect(address).await;
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    }
    // Something answers, and it is no engine.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = std::io::Write::write_all(&mut stream, b"SSH-2.0-OpenSSH\r\n");
    });
    let error = connect(&address).await;
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn tampering_by_hand_is_seen() {
    on_docker(|engine, prefix| async move {
        let name = format!("{prefix}-a");
        make::up(&engine, &prefix, &make::sleeper(&name)).await;
        let before = look_at(&engine, &prefix, &name).await;
        api().pause_container(&name).await.unwrap();
        let paused = look_at(&engine, &prefix, &name).await;
        assert_eq!(paused.state, State::Paused);
        assert_eq!(paused.fields.get(&Field::State.path()), Some(&Live::text("paused")));
        twice(&engine, Op::Unpause(named(&name))).await;
        let update = bollard::models::ContainerUpdateBody {
            blkio_weight: None,
            cpuset_mems: Some("0".into()),
            memory: Some(64 << 20),
            memory_swap: Some(-1),
            ..Default::default()
        };
        api().update_container(&name, update).await.unwrap();
        let after = look_at(&engine, &prefix, &name).await;
        let changed: Vec<String> = after
            .fields
            .0
            .iter()
            .filter(|(path, value)| before.fields.get(path) != Some(value))
            .map(|(path, _)| path.to_string())
            .collect();
        assert_eq!(changed, ["limits.memory", "limits.swap", "engine.CpusetMems"]);
    })
    .await;
}

/// perl is part of every Debian, and enough of a server.
const SERVER: &str = r#"exec perl -MIO::Socket::INET -e '
    sleep 1;
    my $s = IO::Socket::INET->new(LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die $!;
    my $n = 0;
    while (my $c = $s->accept) {
        my $line = <$c>;
        my $code = $n++ < 3 ? "503 Not Yet" : "200 OK";
        print $c "HTTP/1.1 $code
Content-Length: 0
Connection: close

";
        close $c;
    }'"#;

#[tokio::test]
async fn a_server_is_ready_when_it_answers() {
    on_docker(|engine, prefix| async move {
        let net = network(&engine, &prefix, "net").await;
        let container = make::scripted(&format!("{prefix}-a"), SERVER);
        let container = on(container, &[(&net, make::attached(&[]))]);
        make::up(&engine, &prefix, &container).await;
        let wait = |probe, within| Op::AwaitReady {
            container: named(&container.name),
            probe,
            within: Millis(within),
        };
        let http = || Probe::Http { port: 8000, path: "/healthz".into() };
        let error = engine.execute(&wait(http(), 100)).await.unwrap_err();
        let Error::NotReady { evidence, .. } = error else { panic!("{error:?}") };
        assert!(evidence.probe.contains("refused"), "{evidence:?}");
        twice(&engine, wait(http(), 20_000)).await;
        run(&engine, wait(Probe::Tcp { port: 8000 }, 20_000)).await;

        // Without a network there is no address to dial, so it is asked from inside.
        let alone = make::scripted(&format!("{prefix}-b"), SERVER);
        make::up(&engine, &prefix, &alone).await;
        let wait =
            |probe| Op::AwaitReady { container: named(&alone.name), probe, within: Millis(20_000) };
        run(&engine, wait(Probe::Tcp { port: 8000 })).await;
        run(&engine, wait(http())).await;
    })
    .await;
}

#[tokio::test]
async fn a_folder_is_built_without_what_it_ignores() {
    on_docker(|engine, prefix| async move {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for (path, text) in [
            ("docker/Dockerfile", format!("FROM {} AS base\nCOPY . /src\nRUN test -L /src/link && test ! -e /src/secret.env && test -e /src/sub/secret.env\nFROM base AS other\nRUN false\n", super::IMAGE)),
            (".dockerignore", "secret.env\n".to_owned()),
            ("secret.env", "x".to_owned()),
            ("sub/secret.env", "x".to_owned()),
            ("big", "0123456789abcdef".repeat(100_000)),
        ] {
            std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            std::fs::write(at(path), text).unwrap();
        }
        std::os::unix::fs::symlink("sub/secret.env", at("link")).unwrap();
        let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
        let engine = engine.with_progress(sender);
        let image = format!("{prefix}/folder:1");
        let build = |target: &str| Op::Build {
            image: image.parse().unwrap(),
            build: Build {
                context: BuildContext::Folder {
                    path: folder.path().to_owned(),
                    dockerfile: "docker/Dockerfile".into(),
                    target: Some(target.to_owned()),
                },
                digest: Digest::of(b"folder"),
                args: std::collections::BTreeMap::new(),
                effort: String::new(),
            },
        };
        run(&engine, build("base")).await;
        let line = lines.recv().await.unwrap();
        assert_eq!(line.subject, image);
        assert!(line.line.starts_with("Step 1/"), "{line:?}");
        let error = engine.execute(&build("other")).await.unwrap_err();
        assert!(matches!(error, Error::Failed { .. }), "{error:?}");
        remove_image(&image).await;
    })
    .await;
}

#[tokio::test]
async fn logs_commands_and_use_are_seen() {
    on_docker(|engine, prefix| async move {
        let name = format!("{prefix}-a");
        let script = "echo one; echo two >&2; printf three; trap 'exit 0' TERM; sleep 1000 & wait";
        make::up(&engine, &prefix, &make::scripted(&name, script)).await;
        let wait = Op::AwaitReady {
            container: named(&name),
            probe: Probe::Exec(["true".to_owned()].into()),
            within: Millis(5000),
        };
        run(&engine, wait).await;
        let selection = LogSelection::default();
        let lines: Vec<_> = engine.logs(&name, &selection).map(Result::unwrap).collect().await;
        let mut texts: Vec<_> = lines.iter().map(|it| (it.text.as_str(), it.is_error)).collect();
        texts.sort_unstable();
        // The engine keeps a line to itself until it ends.
        assert_eq!(texts, [("one", false), ("two", true)]);
        let selection = LogSelection { tail: Some(1), timestamps: true, ..LogSelection::default() };
        let lines: Vec<_> = engine.logs(&name, &selection).map(Result::unwrap).collect().await;
        assert_eq!(lines.len(), 1);
        assert!(lines[0].at.as_ref().unwrap().starts_with("20"));

        // Lines to come, until the container ends.
        let selection = LogSelection { follow: true, ..LogSelection::default() };
        let stop = run(&engine, Op::Stop { container: named(&name), grace: None });
        let follow = engine.logs(&name, &selection).count();
        let (count, ()) = tokio::join!(follow, stop);
        assert!(count >= 2);
        let lines: Vec<_> =
            engine.logs(&name, &LogSelection::default()).map(Result::unwrap).collect().await;
        assert!(lines.iter().any(|line| line.text == "three"), "{lines:?}");
        run(&engine, Op::Start(named(&name))).await;

        let (mut near, far) = tokio::io::duplex(4096);
        let session = Session {
            argv: ["sh", "-c", "cat; echo $(id -u) end; exit 9"].map(str::to_owned).into(),
            user: Some("7".into()),
            stdin: Some(Box::pin(&b"typed\n"[..])),
            stdout: Box::pin(far),
            stderr: Box::pin(tokio::io::sink()),
            terminal: None,
        };
        assert_eq!(engine.exec(&name, session).await.unwrap(), 9);
        let mut output = String::new();
        near.read_to_string(&mut output).await.unwrap();
        assert_eq!(output, "typed\n7 end\n");

        let (mut near, far) = tokio::io::duplex(4096);
        let (_size, sizes) = tokio::sync::watch::channel((99, 33));
        let session = Session {
            argv: ["sh", "-c", "sleep 0.5; stty size"].map(str::to_owned).into(),
            user: None,
            stdin: None,
            stdout: Box::pin(far),
            stderr: Box::pin(tokio::io::sink()),
            terminal: Some(sizes),
        };
        assert_eq!(engine.exec(&name, session).await.unwrap(), 0);
        output.clear();
        near.read_to_string(&mut output).await.unwrap();
        assert_eq!(output, "33 99\r\n");

        let usage = engine.usage(&name).await.unwrap();
        assert!(usage.memory > 0 && usage.memory_limit >= usage.memory, "{usage:?}");
    })
    .await;
}

#[tokio::test]
async fn a_look_at_many_is_quick() {
    on_docker(|engine, prefix| async move {
        let creations = (0..25).map(|number| {
            let container = make::sleeper(&format!("{prefix}-{number}"));
            let engine = &engine;
            let prefix = &prefix;
            async move { run(engine, make::creation(prefix, &container)).await }
        });
        futures_util::stream::iter(creations).buffer_unordered(4).count().await;
        let mut times = Vec::new();
        for _ in 0..5 {
            let begun = std::time::Instant::now();
            assert_eq!(look(&engine, &prefix).await.containers.len(), 25);
            times.push(begun.elapsed());
        }
        println!("{times:?}");
        // Tens of milliseconds; the bound is for machines that do other things as well.
        assert!(times.iter().min().unwrap().as_millis() < 250, "{times:?}");
    })
    .await;
}
