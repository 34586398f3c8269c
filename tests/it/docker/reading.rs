//! Looking is only ever looking: what goes over the wire to the engine, request by request.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{UnixListener, UnixStream},
};

use super::{
    services::{EVERYTHING, SERVE},
    stage::{SOCKET, Stage, docker, eventually, gist},
};

/// Stands between nself and the engine, and writes down the first line of each request.
#[derive(Clone, Default)]
struct Ear {
    heard: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
}

impl Ear {
    async fn listen(self, listener: UnixListener) {
        while let Ok((client, _)) = listener.accept().await {
            self.open.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(self.clone().pass_on(client));
        }
    }

    async fn pass_on(self, client: UnixStream) {
        let engine = UnixStream::connect(SOCKET).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_engine, mut to_engine) = engine.into_split();
        let answers = async {
            let _ = copy(&mut from_engine, &mut to_client).await;
            let _ = to_client.shutdown().await;
        };
        let requests = async {
            let mut sent = Vec::new();
            let mut piece = vec![0; 16 << 10];
            while let Ok(length @ 1..) = from_client.read(&mut piece).await {
                sent.extend_from_slice(&piece[..length]);
                if to_engine.write_all(&piece[..length]).await.is_err() {
                    break;
                }
            }
            let _ = to_engine.shutdown().await;
            let text = String::from_utf8_lossy(&sent).into_owned();
            self.heard.lock().unwrap().extend(text.lines().filter_map(request));
        };
        tokio::join!(answers, requests);
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    /// Returns what was requested since it was asked last, once all connections have ended.
    fn heard(&self) -> Vec<String> {
        eventually("the connections end", || match self.open.load(Ordering::SeqCst) {
            0 => Ok(()),
            open => Err(format!("{open} are open")),
        });
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

/// Returns method and path, if a line is the first of a request. The end of the body before it may stand
/// in the same line.
fn request(line: &str) -> Option<String> {
    let (before, path) = line.strip_suffix(" HTTP/1.1")?.rsplit_once(' ')?;
    let method = before.rfind(|c: char| !c.is_ascii_uppercase()).map_or(0, |at| at + 1);
    Some(format!("{} {path}", &before[method..]))
}

/// Returns whether a request cannot change anything but what a probe of the catalogue does, which is
/// proven elsewhere to run read-only.
fn only_looks(request: &str) -> bool {
    let Some((method, path)) = request.split_once(' ') else { return false };
    let mut parts = path.split('?').next().unwrap_or_default().split('/').skip(1).peekable();
    parts.next_if(|part| part.starts_with("v1."));
    let parts: Vec<&str> = parts.collect();
    matches!(
        (method, parts.as_slice()),
        ("GET" | "HEAD", _) | ("POST", ["containers", _, "exec"] | ["exec", _, "start"])
    )
}

#[test]
fn a_plan_and_a_look_for_drift_only_read() {
    let stage = Stage::new("reading");
    stage.write(&EVERYTHING.replace("{serve}", SERVE));
    let socket = stage.folder().join("engine.sock");
    let ear = Ear::default();
    let listener = stage.block_on(async { UnixListener::bind(&socket).unwrap() });
    stage.spawn(ear.clone().listen(listener));
    let socket = socket.to_str().unwrap();
    let look = |what: &str, without_vault| {
        let pass = stage.look(socket, without_vault);
        let heard = ear.heard();
        let writes: Vec<_> = heard.iter().filter(|request| !only_looks(request)).collect();
        assert!(!heard.is_empty() && writes.is_empty(), "{what}: {writes:?}");
        (pass.plan, heard)
    };

    let (plan, _) = look("nothing is there", false);
    assert!(!plan.is_empty());
    stage.converge();
    let (plan, heard) = look("all is well", false);
    assert!(plan.is_empty(), "{}", gist(&plan));
    assert!(heard.iter().any(|request| request.contains("/exec")), "it looks inside: {heard:?}");
    let reads = |request: &String| request.starts_with("GET") && request.contains("/archive");
    assert!(heard.iter().any(reads), "it reads files: {heard:?}");
    docker(&["rm", "-f", &stage.container("web"), &stage.container("redis")]);
    stage.write(&EVERYTHING.replace("{serve}", SERVE).replace("\"hello\"", "\"bye\""));
    let (plan, _) = look("much is to be done", true);
    assert!(!plan.is_empty());
}
