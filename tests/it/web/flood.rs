//! Many wrong requests: they start nothing, and nothing grows.

use std::time::Duration;

use nself::web::{
    hooks::Replay,
    rate::{Bucket, Hushed},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    delivery::{hex, hmac},
    server::{SECRET, Server},
};

const BODY: &str = r#"{"ref":"refs/heads/main"}"#;

fn wrong(number: usize) -> String {
    format!(
        "POST /hooks/github HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
         X-GitHub-Event: push\r\nX-GitHub-Delivery: {number}\r\n\
         X-Hub-Signature-256: sha256={number:064x}\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    )
}

#[tokio::test]
async fn a_flood_starts_nothing_and_lets_the_right_one_through() {
    let mut server = Server::start().await;
    let sum = hex(&hmac(SECRET.as_bytes(), BODY.as_bytes()));
    let signature = format!("sha256={sum}");
    let right = [
        ("Content-Type", "application/json"),
        ("X-GitHub-Event", "push"),
        ("X-GitHub-Delivery", "right"),
        ("X-Hub-Signature-256", &signature),
    ];
    let mut peer = server.connect().await;
    let mut statuses = std::collections::BTreeMap::<String, usize>::new();
    let mut before = 0;
    for number in 0..10_000 {
        if number == 300 {
            let answer = server.send("POST", "/hooks/github", &right, BODY).await;
            assert_eq!(answer.status, 202, "{}", answer.body);
            assert!(server.line.requests.try_recv().is_ok());
            before = server.get("/metrics").await.body.lines().count();
        }
        peer.stream.write_all(wrong(number).as_bytes()).await.unwrap();
        let mut some = [0; 2048];
        let length = peer.stream.read(&mut some).await.unwrap();
        let text = String::from_utf8_lossy(&some[..length]);
        assert!(text.contains(" 401 ") || text.contains("retry-after"), "{text}");
        *statuses.entry(text[9..12].to_owned()).or_default() += 1;
    }
    assert!(server.line.requests.try_recv().is_err(), "nothing was started");
    assert!(statuses["401"] < 1000 && statuses["429"] > 9000, "{statuses:?}");
    let after = server.get("/metrics").await.body.lines().count();
    assert_eq!(before, after, "no more is counted than before");
    server.end().await;
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut seen = Replay::default();
    assert!(seen.is_new("github", Some("first"), Some(b"tag")));
    assert!(!seen.is_new("github", Some("other"), Some(b"tag")));
    assert!(!seen.is_new("github", Some("first"), None));
    assert!(seen.is_new("gitlab", Some("first"), None), "ids are each sender's own");
    let long = "x".repeat(1000);
    for number in 0..2000_u32 {
        assert!(seen.is_new(
            "github",
            Some(&format!("{long}{number}")),
            Some(&number.to_be_bytes())
        ));
    }
    assert_eq!(seen.len(), 2048);
    assert!(!seen.is_new("github", Some(&format!("{long}1999")), None));
    assert!(seen.is_new("github", Some("first"), None), "the oldest is forgotten");
}

#[test]
fn buckets_fill_again() {
    let mut bucket = Bucket::new(2, Duration::from_secs(3));
    let at = Duration::from_secs;
    assert_eq!((bucket.take(at(0)), bucket.take(at(0))), (Ok(()), Ok(())));
    assert_eq!(bucket.take(at(0)), Err(3));
    assert_eq!(bucket.take(at(1)), Err(2));
    assert_eq!((bucket.take(at(3)), bucket.take(at(3))), (Ok(()), Err(3)));
    // A long rest is no credit.
    assert_eq!((bucket.take(at(900)), bucket.take(at(900))), (Ok(()), Ok(())));
    assert!(bucket.is_empty(at(900)));
}

#[test]
fn one_line_a_minute() {
    let mut hushed = Hushed::default();
    let at = Duration::from_secs;
    assert_eq!(hushed.count(at(0)), Some(1));
    assert!((0..59).all(|second| hushed.count(at(second)).is_none()));
    assert_eq!(hushed.count(at(60)), Some(60));
    assert_eq!(hushed.count(at(61)), None);
}
