//! The face of the loop on the network, over real sockets: what is shown, what is asked for, what is refused.

mod delivery;
mod flood;
mod metric;
mod page;
mod server;
mod token;

use std::os::unix::fs::PermissionsExt as _;

use nself::{
    controller::watch::Request,
    sync::{Cause, Phase, Status},
    web::{Face, ListenError, Listener},
};
use server::{Server, status};

use crate::readable;

#[tokio::test]
async fn the_status_is_shown_to_people_and_machines() {
    let server = Server::start().await;
    let page = server.get("/status").await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"), "{policy}");
    let nonce = policy.split("nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(page.body.contains(&format!("<script nonce=\"{nonce}\">")));
    assert!(!server.get("/status").await.body.contains(nonce), "each answer has its own");
    assert_eq!(page.header("cache-control"), Some("no-store"));

    let data = server.get("/api/status").await;
    readable::is("watch", &data.body);
    assert_eq!(data.json()["sync"], "last_good");
    assert_eq!(server.get("/").await.header("location"), Some("status"));
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.get(path).await.status, if path == "/healthz" { 200 } else { 503 });
    }
    assert_eq!(server.get("/nothing").await.status, 404);
    assert_eq!(server.send("POST", "/status", &[], "").await.status, 405);
    server.end().await;
}

#[tokio::test]
async fn readiness_follows_passes_and_trouble() {
    let server = Server::start().await;
    let mut fine = status();
    fine.trouble.clear();
    server.publish(fine.clone());
    assert_eq!(server.get("/readyz").await.status, 200);
    fine.passes = 0;
    server.publish(fine);
    let problem = server.get("/readyz").await;
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    assert_eq!(problem.json()["detail"], "shop: no pass was made yet");
    server.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_does_not_come_round_is_not_alive() {
    let server = Server::start().await;
    server.publish(Status { phase: Phase::Looking, ..status() });
    assert_eq!(server.get("/healthz").await.status, 200);
    tokio::time::advance(std::time::Duration::from_hours(1)).await;
    let problem = server.get("/healthz").await;
    assert_eq!(problem.json()["detail"], "shop: its loop has not come round for too long");
    server.end().await;
}

#[tokio::test]
async fn several_projects_have_their_own_addresses() {
    let server = Server::start().await;
    let preview = server::Line::new();
    server.faces.put(Face::new("shop-a/b", preview.handle.clone()));
    let page = server.get("/status").await.body;
    assert!(page.contains("href=\"p/shop%2Da%2Fb/status\""), "{page}");
    assert_eq!(server.get("/p/shop%2Da%2Fb/api/status").await.status, 200);
    assert!(server.get("/p/shop/status").await.body.contains("href=\"../../p/shop/status\""));
    assert_eq!(
        server.get("/p/%2F%2Fevil.test").await.header("location"),
        Some("%2F%2Fevil%2Etest/status")
    );
    server.faces.remove("shop-a/b");
    assert_eq!(server.get("/p/shop%2Da%2Fb/status").await.status, 404);
    assert!(!server.get("/metrics").await.body.contains("shop-a/b"));
    server.end().await;
}

#[tokio::test]
async fn foreign_names_are_not_answered() {
    let server = Server::start().await;
    for (host, path, expected) in [
        ("evil.test", "/status", 421),
        ("evil.test", "/api/status", 421),
        ("evil.test", "/metrics", 421),
        ("evil.test", "/healthz", 200),
        ("evil.test", "/hooks/github", 405),
        ("status.example.com:8617", "/status", 200),
        ("localhost:1", "/status", 200),
        ("a.localhost", "/status", 200),
        ("[::1]:8617", "/status", 200),
        ("10.0.0.7", "/status", 200),
        ("watcher:8617", "/metrics", 200),
    ] {
        let got = server.send("GET", path, &[("Host", host)], "").await.status;
        assert_eq!(got, expected, "{host}{path}");
    }
    server.end().await;
}

#[tokio::test]
async fn the_owner_asks_without_a_token() {
    let mut server = Server::start().await;
    let file = server.folder.path().join("watch.sock");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for (what, body, expected) in [
        ("look", "", Some(Request::Look(Cause::Request))),
        (
            "pause",
            r#"{"who":"ann","why":"audit"}"#,
            Some(Request::Pause { who: "ann".into(), why: "audit".into() }),
        ),
        ("resume", r#"{"who":"ann"}"#, Some(Request::Resume { who: "ann".into() })),
        ("retry", "", Some(Request::Retry { who: "the owner".into() })),
        (
            "approve",
            r#"{"release":"remove:volume/shop-search-data"}"#,
            Some(Request::Approve {
                who: "the owner".into(),
                release: "remove:volume/shop-search-data".into(),
            }),
        ),
        ("approve", r#"{"release":"remove:volume/other"}"#, None),
        ("approve", "", None),
        ("pause", "", None),
        ("pause", "{", None),
        ("destroy", "", None),
    ] {
        let answer = server.own("POST", &format!("/api/{what}"), body).await;
        let asked = server.line.requests.try_recv().ok();
        assert_eq!(asked, expected, "{what} {body}: {}", answer.body);
        assert_eq!(answer.status == 202, expected.is_some(), "{}", answer.body);
        if answer.status == 202 {
            readable::is("watch-noted", &answer.body);
        } else {
            assert!(answer.json()["title"].is_string());
        }
    }
    let second = Listener::default().at_file(&file);
    assert!(matches!(second, Err(ListenError::InUse { .. })));
    server.end().await;
    assert!(!file.exists());
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("watch.sock");
    std::fs::write(&file, "mine").unwrap();
    assert!(Listener::default().at_file(&file).is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    std::fs::remove_file(&file).unwrap();
    // One that was left behind when its process was killed.
    let left = std::os::unix::net::UnixListener::bind(&file).unwrap();
    drop(left);
    assert!(Listener::default().at_file(&file).is_ok());
}

#[tokio::test]
async fn changes_are_sent_as_they_come() {
    let server = Server::start().await;
    let mut stream = server.stream("/events").await;
    let first = stream.until("\n\n").await;
    assert!(first.contains("retry: 3000\nevent: status\ndata: \""), "{first}");
    let mut next = status();
    next.generation = 4711;
    server.publish(next);
    let second = stream.until("4711").await;
    assert!(second.contains("event: status"), "{second}");
    // The end comes at once, also for who listens.
    server.end().await;
    stream.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_is_kept_alive() {
    let server = Server::start().await;
    let mut stream = server.stream("/events").await;
    stream.until(": still here\n\n").await;
    server.end().await;
}

#[tokio::test(start_paused = true)]
async fn slow_clients_are_sent_away() {
    let server = Server::start().await;
    let began = tokio::time::Instant::now();
    let mut slow = server.connect().await;
    slow.write("GET /status HTTP/1.1\r\nHost: a\r\nX-A: ").await;
    slow.end().await;
    assert!(began.elapsed().as_secs() <= 11, "{:?}", began.elapsed());

    let mut slow = server.connect().await;
    slow.write("POST /api/look HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{").await;
    assert!(slow.until("\r\n").await.contains(" 401 "), "no token, no body");

    let headers = format!("X-Hub-Signature-256: sha256={}\r\n", "0".repeat(64));
    let mut slow = server.connect().await;
    let head = "POST /hooks/github HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    slow.write(&format!("{head}{headers}Content-Length: 10\r\n\r\n{{")).await;
    assert!(slow.until("\r\n").await.contains(" 408 "));
    server.end().await;
}
