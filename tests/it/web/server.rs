//! A room that serves a loop which only publishes and takes notes.

use std::{path::Path, sync::Arc};

use nself::{
    controller::watch::{Handle, Request},
    model::Sensitive,
    sync::{
        Cause, CommitId, Difference, Held, LastPass, Mode, Pause, Phase, Quarantine, Result,
        Revision, ServiceState, Status, Sync,
    },
    web::{self, Face, Faces, Follows, Hooks, Listener, Scope, Tokens},
};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// The secret of every provider.
pub const SECRET: &str = "not-a-secret-at-all";
/// GitLab's other kind of secret: the key is 32 times the letter k.
pub const SIGNING: &str = "whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";
/// When the statuses of these tests are looked at.
pub const NOW: u64 = 1_900_000_000_000;

/// The other end of a handle.
pub struct Line {
    pub handle: Handle,
    pub status: watch::Sender<Arc<Status>>,
    pub requests: mpsc::Receiver<Request>,
}

impl Line {
    pub fn new() -> Self {
        let (status, seen) = watch::channel(Arc::new(status()));
        let (asks, requests) = mpsc::channel(32);
        Self { handle: Handle::new(seen, asks), status, requests }
    }
}

pub struct Server {
    pub faces: Faces,
    pub line: Line,
    pub folder: tempfile::TempDir,
    pub tokens: Tokens,
    pub address: std::net::SocketAddr,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut hooks = Hooks::default();
        for name in ["github", "gitlab", "gitea", "forgejo", "bitbucket", "generic"] {
            hooks = hooks.with(name, Sensitive::new(SECRET)).unwrap();
        }
        hooks = hooks.with("gitlab", Sensitive::new(SIGNING)).unwrap();
        hooks = hooks.with("github", Sensitive::new("")).unwrap();
        let tokens = Some(Tokens::in_folder(folder.path()));
        let faces = Faces::new(hooks, tokens, vec!["status.example.com".into()]);
        let line = Line::new();
        let follows = Follows {
            branches: vec!["main".into(), "preview/*".into()],
            tags: vec!["v*".into()],
            paths: vec!["shop".into()],
        };
        faces.put_main(Face::new("shop", line.handle.clone()).following(follows));
        let listener = Listener::default().at_address("127.0.0.1:0".parse().unwrap()).await;
        let listener = listener.unwrap().at_file(&folder.path().join("watch.sock")).unwrap();
        let address = listener.address().unwrap();
        let cancel = CancellationToken::new();
        let task = tokio::spawn(web::serve(listener, faces.clone(), cancel.clone()));
        let tokens = Tokens::in_folder(folder.path());
        Self { faces, line, folder, tokens, address, cancel, task }
    }

    pub fn publish(&self, status: Status) {
        self.line.status.send(Arc::new(status)).unwrap();
    }

    /// Makes a token and returns the header that carries it.
    pub fn token(&self, name: &str, scope: Scope) -> String {
        format!("Bearer {}", self.tokens.create(name, scope).unwrap().0.expose())
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        exchange(stream, method, path, headers, body.as_ref()).await
    }

    /// Sends over the owner's socket.
    pub async fn own(&self, method: &str, path: &str, body: &str) -> Answer {
        let file: &Path = &self.folder.path().join("watch.sock");
        let stream = UnixStream::connect(file).await.unwrap();
        exchange(stream, method, path, &[], body.as_bytes()).await
    }

    pub async fn connect(&self) -> Peer {
        Peer { stream: TcpStream::connect(self.address).await.unwrap() }
    }

    pub async fn stream(&self, path: &str) -> Peer {
        let mut peer = self.connect().await;
        peer.write(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        peer
    }

    /// Ends it, and sees that it does.
    pub async fn end(self) {
        self.cancel.cancel();
        let ended = tokio::time::timeout(std::time::Duration::from_secs(3), self.task).await;
        ended.expect("it ends within seconds").unwrap();
    }
}

pub struct Peer {
    pub stream: TcpStream,
}

impl Peer {
    pub async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until this text has come.
    pub async fn until(&mut self, text: &str) -> String {
        let (mut all, mut some) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let length = self.stream.read(&mut some).await.unwrap();
            assert!(length > 0, "it ended before {text:?}: {}", String::from_utf8_lossy(&all));
            all.extend_from_slice(&some[..length]);
            let read = String::from_utf8_lossy(&all).into_owned();
            if read.contains(text) {
                return read;
            }
        }
    }

    /// Reads to the end of the connection.
    pub async fn end(&mut self) {
        let mut rest = Vec::new();
        // Whether it was closed or torn down does not matter.
        let _ = self.stream.read_to_end(&mut rest).await;
    }
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    let has = |name: &str| headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    if !has("host") {
        head += "Host: localhost\r\n";
    }
    if !has("content-length") {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    for (key, value) in headers {
        head += &format!("{key}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    // What refuses a body may close before all of it is sent.
    let _ = stream.write_all(body).await;
    let mut all = Vec::new();
    let read = stream.read_to_end(&mut all).await;
    assert!(!all.is_empty(), "{read:?}");
    let text = String::from_utf8(all).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

pub fn revision(digit: &str, subject: &str) -> Revision {
    Revision {
        commit: CommitId::try_from(digit.repeat(40)).unwrap(),
        reference: "main".into(),
        subject: subject.into(),
        author: "Ann Lee".into(),
        at: NOW - 240_000,
    }
}

/// A project of which everything is to be told.
pub fn status() -> Status {
    let service = |name: &str, state: &str, is_well, restarts, url: Option<&str>| ServiceState {
        name: name.into(),
        state: state.into(),
        is_well,
        restarts,
        url: url.map(str::to_owned),
    };
    Status {
        project: "shop".into(),
        source: "https://git.example.com/acme/shop.git, branch main".into(),
        phase: Phase::Waiting,
        sync: Sync::LastGood,
        mode: Mode::Heal,
        window: Some(NOW + 7_200_000),
        head: Some(revision("b", "Send mails in bulk")),
        applied: Some(revision("a", "Search in titles too")),
        quarantine: Some(Quarantine {
            revision: revision("b", "Send mails in bulk"),
            why: "api did not become ready in 30 s".into(),
            since: NOW - 120_000,
        }),
        pause: Some(Pause {
            who: "ann".into(),
            why: "audit until noon".into(),
            since: NOW - 60_000,
        }),
        generation: 12,
        differences: vec![
            Difference {
                id: "container/shop-redis".into(),
                what: "update".into(),
                reason: "changed behind our back".into(),
                fields: vec!["limits.memory  256M → 1G".into()],
                is_drift: true,
            },
            Difference {
                id: "volume/shop-search-data".into(),
                what: "remove".into(),
                reason: "nothing uses it any more".into(),
                fields: Vec::new(),
                is_drift: false,
            },
        ],
        held: vec![Held {
            id: "volume/shop-search-data".into(),
            what: "would DELETE 1.2 GB".into(),
            release: "remove:volume/shop-search-data".into(),
        }],
        services: vec![
            service("api", "healthy", true, 0, Some("https://api.shop.example.com")),
            service("postgres", "healthy", true, 0, None),
            service("search", "unhealthy", false, 3, None),
        ],
        trouble: vec!["the repository does not answer: connection refused".into()],
        last: Some(LastPass {
            causes: vec![Cause::Webhook, Cause::Engine],
            at: NOW - 30_000,
            took_ms: 1_430,
            result: Result::Returned,
            line: "api did not become ready in 30 s; the old one runs again".into(),
        }),
        next: Some(NOW + 40_000),
        passes: 31,
        since: NOW - 86_400_000,
    }
}
