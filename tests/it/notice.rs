//! Notices and states of commits, told to real receivers on this machine.

mod forge;
mod mail;
mod server;

use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use nself::{
    model::Sensitive,
    notice::{Outbox, Pace, Receiver, Receivers, Trust},
    sync::{Notice, Subject, Turn},
};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

use server::{Reply, Server};

/// Between two tries passes as many milliseconds as there are seconds otherwise.
const QUICK: Pace = Pace {
    patience: Duration::from_secs(5),
    farewell: Duration::from_secs(5),
    second: Duration::from_millis(1),
};

fn notice(turn: Turn) -> Notice {
    Notice {
        key: "health:web".to_owned(),
        subject: Subject::Health,
        turn,
        project: "shop".to_owned(),
        title: "shop: web is unhealthy".to_owned(),
        lines: vec!["nself logs web".to_owned()],
        since: 1_700_000_000_000,
        at: 1_700_000_000_000,
    }
}

fn secret(text: &str) -> Option<Sensitive> {
    Some(Sensitive::new(text))
}

fn webhook(url: &str) -> Receiver {
    Receiver::Webhook { url: Sensitive::new(url), secret: secret("s3cret-of-the-hook") }
}

fn receivers(all: Vec<Receiver>, pace: Pace) -> Receivers {
    Receivers::new(all, &Trust::Only(Vec::new()), pace).unwrap()
}

/// Tells one receiver, once, and returns what it says went wrong.
async fn fails(receiver: Receiver, trust: &Trust) -> String {
    let receivers = Receivers::new(vec![receiver], trust, QUICK).unwrap();
    receivers.deliver(&notice(Turn::Begun)).await.remove(0).unwrap_err().to_string()
}

#[tokio::test]
async fn a_webhook_gets_the_notice_as_json_and_can_check_who_wrote_it() {
    let mut server = Server::start(vec![]).await;
    let receivers = receivers(vec![webhook(&server.url("/hook?team=a"))], QUICK);
    assert_eq!(receivers.deliver(&notice(Turn::Begun)).await, [Ok(())]);
    let got = server.next().await;
    assert_eq!(got.line, "POST /hook?team=a HTTP/1.1");
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.header("host"), server.authority());
    assert!(got.header("user-agent").starts_with("nself/"));
    assert_eq!(
        serde_json::from_str::<Value>(&got.body).unwrap(),
        json!({
            "format_version": "1.0", "key": "health:web", "subject": "health", "turn": "begun",
            "project": "shop", "title": "shop: web is unhealthy", "lines": ["nself logs web"],
            "since": 1_700_000_000_000_u64, "at": 1_700_000_000_000_u64,
        })
    );
    let time = got.header("x-nself-timestamp");
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret-of-the-hook").unwrap();
    mac.update(format!("{time}.{}", got.body).as_bytes());
    let digits: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(got.header("x-nself-signature-256"), format!("sha256={digits}"));
}

#[tokio::test]
async fn a_channel_gets_text_and_blocks() {
    let mut server = Server::start(vec![]).await;
    let url = Sensitive::new(server.url("/services/T0/B0/abcdefabcdef"));
    let receivers = receivers(vec![Receiver::Slack { url }], QUICK);
    assert_eq!(receivers.deliver(&notice(Turn::Over)).await, [Ok(())]);
    let body: Value = serde_json::from_str(&server.next().await.body).unwrap();
    assert_eq!(body["text"], "○ shop: web is unhealthy\nnself logs web");
    assert_eq!(body["blocks"][0]["text"]["text"], "○ *shop: web is unhealthy*\nnself logs web");
}

#[tokio::test]
async fn what_fails_for_a_moment_is_tried_again() {
    let mut server = Server::start(vec![Reply::status(500), Reply::Hangup]).await;
    let end = CancellationToken::new();
    let outbox = Outbox::new(receivers(vec![webhook(&server.url("/"))], QUICK), None, &end);
    outbox.send(notice(Turn::Begun));
    let tries = [server.next().await, server.next().await, server.next().await];
    let ids = tries.map(|got| got.header("x-nself-delivery").to_owned());
    assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 32), "{ids:?}");
    end.cancel();
    outbox.finished().await;
    let figures = outbox.figures();
    assert_eq!((figures.delivered, figures.failed, figures.waiting), (1, 0, 0));
}

#[tokio::test]
async fn what_fails_for_good_is_given_up() {
    let mut server = Server::start(vec![
        Reply::status(404),
        Reply::status(503),
        Reply::status(503),
        Reply::status(503),
    ])
    .await;
    let end = CancellationToken::new();
    let outbox = Outbox::new(receivers(vec![webhook(&server.url("/"))], QUICK), None, &end);
    outbox.send(notice(Turn::Begun));
    outbox.send(notice(Turn::Over));
    outbox.send(notice(Turn::Flapping));
    let mut turns = Vec::new();
    for _ in 0..5 {
        let body: Value = serde_json::from_str(&server.next().await.body).unwrap();
        turns.push(body["turn"].as_str().unwrap().to_owned());
    }
    assert_eq!(turns, ["begun", "over", "over", "over", "flapping"]);
    end.cancel();
    outbox.finished().await;
    assert_eq!((outbox.figures().delivered, outbox.figures().failed), (1, 2));
}

#[tokio::test]
async fn a_receiver_says_how_long_to_wait() {
    let busy = |wait| Reply::Text(format!("HTTP/1.1 429 Slow\r\nretry-after: {wait}\r\n\r\n"));
    let mut server = Server::start(vec![busy(40), busy(86_400)]).await;
    let pace = Pace { second: Duration::from_millis(5), ..QUICK };
    let end = CancellationToken::new();
    let outbox = Outbox::new(receivers(vec![webhook(&server.url("/"))], pace), None, &end);
    let start = Instant::now();
    outbox.send(notice(Turn::Begun));
    server.next().await;
    server.next().await;
    assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
    server.next().await;
    // A day is cut to a minute.
    assert!(start.elapsed() >= Duration::from_millis(500), "{:?}", start.elapsed());
    end.cancel();
    outbox.finished().await;
    assert_eq!(outbox.figures().delivered, 1);
}

#[tokio::test]
async fn one_that_is_slow_holds_up_nobody_and_the_oldest_are_dropped() {
    let mut slow = Server::start(vec![Reply::Silence; 100]).await;
    let mut quick = Server::start(vec![]).await;
    let both = vec![webhook(&slow.url("/")), webhook(&quick.url("/"))];
    let pace = Pace { farewell: Duration::from_millis(50), ..QUICK };
    let end = CancellationToken::new();
    let outbox = Outbox::new(receivers(both, pace), None, &end);
    outbox.send(notice(Turn::Begun));
    slow.next().await;
    for at in 0..100 {
        outbox.send(Notice { at, ..notice(Turn::Over) });
        quick.next().await;
    }
    quick.next().await;
    let figures = outbox.figures();
    assert_eq!((figures.dropped, figures.waiting), (36, 64));
    let start = Instant::now();
    end.cancel();
    outbox.finished().await;
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!((outbox.figures().delivered, outbox.figures().failed), (101, 65));
}

#[tokio::test]
async fn what_is_left_at_the_end_is_tried_once_more() {
    let mut server = Server::start(vec![Reply::status(500); 2]).await;
    let pace = Pace { second: Duration::from_hours(1), ..QUICK };
    let end = CancellationToken::new();
    let outbox = Outbox::new(receivers(vec![webhook(&server.url("/"))], pace), None, &end);
    outbox.send(notice(Turn::Begun));
    outbox.send(notice(Turn::Over));
    server.next().await;
    end.cancel();
    outbox.finished().await;
    let figures = outbox.figures();
    assert_eq!((figures.delivered, figures.failed), (1, 1), "the first is given up");
}

#[tokio::test]
async fn errors_say_what_is_wrong_and_no_secret() {
    let trust = Trust::default();
    let path = "/services/T0123/B0123/abcdefghijklmnop";
    let echo = "HTTP/1.1 404 Not Found\r\n\r\nno hook\n /services/T0123/B0123/abcdefghijklmnop";
    let elsewhere = "HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:9/\r\n\r\n";
    let server =
        Server::start(vec![Reply::Text(echo.to_owned()), Reply::Text(elsewhere.to_owned())]).await;
    let at = server.authority().to_owned();
    assert_eq!(
        fails(webhook(&server.url(path)), &trust).await,
        format!("cannot tell the webhook at {at}: it answers 404 Not Found: no hook (secret)")
    );
    let channel = Receiver::Slack { url: Sensitive::new(server.url(path)) };
    assert_eq!(
        fails(channel, &trust).await,
        format!(
            "cannot tell the channel at {at}: it answers 301 Moved Permanently; redirects are not \
             followed: write the address it points to"
        )
    );
    server.stop().await;
    let gone = fails(webhook(&format!("http://{at}{path}")), &trust).await;
    assert_eq!(
        gone,
        format!("cannot tell the webhook at {at}: nobody answers there: the connection is refused")
    );
    let receivers = receivers(vec![webhook(&format!("http://{at}{path}"))], QUICK);
    assert!(!format!("{receivers:?} {:?}", webhook(path)).contains("abcdef"));
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let mut server = Server::start(vec![Reply::Endless]).await;
    let receivers = receivers(vec![webhook(&server.url("/"))], QUICK);
    let done = receivers.deliver(&notice(Turn::Begun)).await.remove(0);
    server.next().await;
    let why = done.unwrap_err().why;
    assert!(why.starts_with("it answers 500 Internal Server Error: xxx"), "{why}");
    assert!(why.len() < 300);
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_given_up() {
    let server = Server::start(vec![Reply::Silence]).await;
    let pace = Pace { patience: Duration::from_millis(50), ..QUICK };
    let receivers = receivers(vec![webhook(&server.url("/"))], pace);
    let done = receivers.deliver(&notice(Turn::Begun)).await.remove(0);
    assert_eq!(done.unwrap_err().why, "there is no answer after 0.05 s");
}

#[tokio::test]
async fn certificates_are_checked() {
    let (ours, theirs) = (server::Authority::new(), server::Authority::new());
    let trust = Trust::Only(vec![ours.certificate()]);
    let mut good = Server::start_tls(vec![], ours.acceptor("localhost")).await;
    let receivers = Receivers::new(vec![webhook(&good.url("/x"))], &trust, QUICK).unwrap();
    assert_eq!(receivers.deliver(&notice(Turn::Begun)).await, [Ok(())]);
    assert_eq!(good.next().await.line, "POST /x HTTP/1.1");

    let says = |at: &str, why: &str| format!("cannot tell the webhook at {at}: {why}");
    let stranger = Server::start_tls(vec![], theirs.acceptor("localhost")).await;
    assert_eq!(
        fails(webhook(&stranger.url("/")), &trust).await,
        says(
            stranger.authority(),
            "its certificate was issued by nobody this machine trusts; add the issuer to the certificates of \
             this machine, or name them in SSL_CERT_FILE"
        )
    );
    let other = Server::start_tls(vec![], ours.acceptor("mail.example.org")).await;
    assert_eq!(
        fails(webhook(&other.url("/")), &trust).await,
        says(other.authority(), "its certificate is for another name")
    );
    let plain = Server::start(vec![]).await;
    let url = plain.url("/").replace("http://", "https://");
    assert_eq!(
        fails(webhook(&url), &trust).await,
        says(plain.authority(), "what answers there does not speak TLS")
    );
    let none = Receivers::new(vec![webhook(&url)], &Trust::Only(Vec::new()), QUICK).unwrap_err();
    assert_eq!(
        none[0].to_string(),
        "the webhook cannot be told anything: this machine has no certificates of authorities; install the \
         package ca-certificates, or name a file of certificates in SSL_CERT_FILE"
    );
}

#[test]
fn all_that_cannot_work_is_said_at_once() {
    let mail = |server: &str, to: &[&str], user: Option<&str>| Receiver::Mail {
        server: server.to_owned(),
        from: "nself <nself@example.org>".to_owned(),
        to: to.iter().map(|to| (*to).to_owned()).collect(),
        user: user.map(str::to_owned),
        password: None,
    };
    let wrong = Receivers::new(
        vec![
            webhook("example.org/secret"),
            Receiver::Slack { url: Sensitive::new("https://ada:secret@example.org") },
            mail("mail.example.org", &["a@b.c"], None),
            mail("smtp://localhost", &[], None),
            mail("smtp://localhost", &["nobody"], None),
            mail("smtp://localhost", &["a@b.c"], Some("ada")),
        ],
        &Trust::Machine,
        QUICK,
    );
    let wrong: Vec<String> = wrong.unwrap_err().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(wrong.join("\n"), @"
    the webhook cannot be told anything: its address cannot be read; write it like https://host/path
    the channel cannot be told anything: its address has a user in it; take what is before the @ away
    the mailbox cannot be told anything: its server does not say how it is spoken with; write it like smtp://mail.example.org:587 or smtps://mail.example.org
    the mailbox cannot be told anything: nobody is to be written to; name an address in `to`
    the mailbox cannot be told anything: `nobody` is no address of a person; write it like nself <nself@example.org>
    the mailbox cannot be told anything: of `user` and `password` there is only one; set both, or none
    ");
}
