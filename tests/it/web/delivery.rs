//! Webhooks in the shapes in which they come, and what becomes of each.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use nself::{
    controller::watch::Request,
    model::Sensitive,
    sync::Cause,
    web::hooks::{Keys, Refusal, provider},
};
use proptest::prelude::*;
use sha2::Sha256;

use super::server::{SECRET, SIGNING, Server};
use crate::case;

pub fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn seconds() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// A request to send.
#[derive(Clone)]
struct Delivery {
    provider: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// Returns the body that a provider sends for a push to a reference.
fn pushed(provider: &str, reference: &str) -> String {
    let (kind, name) = match reference.strip_prefix("refs/tags/") {
        Some(tag) => ("tag", tag),
        None => ("branch", reference.strip_prefix("refs/heads/").unwrap()),
    };
    let text = match provider {
        "github" => include_str!("github.json"),
        "gitlab" | "gitlab-signed" => include_str!("gitlab.json"),
        "gitea" | "forgejo" => include_str!("gitea.json"),
        "bitbucket" => include_str!("bitbucket.json"),
        "bitbucket-server" => include_str!("bitbucket-server.json"),
        _ => r#"{"ref": "REF", "paths": ["shop/nself.toml"]}"#,
    };
    text.replace("REF", reference).replace("KIND", kind).replace("NAME", name)
}

/// Returns a delivery as a provider sends it.
fn delivery(sender: &str, event: &str, secret: &str, body: &str) -> Delivery {
    numbered(sender, event, secret, body, 0)
}

fn numbered(sender: &str, event: &str, secret: &str, body: &str, number: usize) -> Delivery {
    let sum = hex(&hmac(secret.as_bytes(), body.as_bytes()));
    let id = format!("0b989ba4-242f-11e5-81e1-{number:012}");
    let mut headers = vec![("Content-Type", "application/json".to_owned())];
    let provider = match sender {
        "github" => {
            headers.push(("X-GitHub-Event", event.to_owned()));
            headers.push(("X-GitHub-Delivery", id));
            headers.push(("X-Hub-Signature-256", format!("sha256={sum}")));
            "github"
        }
        "gitlab" => {
            let event = if event == "push" { "Push Hook" } else { "Note Hook" };
            headers.push(("X-Gitlab-Event", event.to_owned()));
            headers.push(("X-Gitlab-Event-UUID", id));
            headers.push(("X-Gitlab-Token", secret.to_owned()));
            "gitlab"
        }
        "gitlab-signed" => {
            let event = if event == "push" { "Push Hook" } else { "Note Hook" };
            let at = seconds();
            let key = if secret == SECRET { vec![b'k'; 32] } else { b"other".to_vec() };
            let tag = STANDARD.encode(hmac(&key, format!("{id}.{at}.{body}").as_bytes()));
            headers.push(("X-Gitlab-Event", event.to_owned()));
            headers.push(("webhook-id", id));
            headers.push(("webhook-timestamp", at.to_string()));
            headers.push(("webhook-signature", format!("v1,{tag}")));
            "gitlab"
        }
        "gitea" => {
            headers.push(("X-Gitea-Event", event.to_owned()));
            headers.push(("X-Gitea-Delivery", id));
            headers.push(("X-Gitea-Signature", sum));
            "gitea"
        }
        "forgejo" => {
            headers.push(("X-Forgejo-Event", event.to_owned()));
            headers.push(("X-Forgejo-Delivery", id));
            headers.push(("X-Forgejo-Signature", sum));
            "forgejo"
        }
        "bitbucket" | "bitbucket-server" => {
            let (event, name) = match (event, sender) {
                ("push", "bitbucket") => ("repo:push", "X-Request-UUID"),
                ("push", _) => ("repo:refs_changed", "X-Request-Id"),
                ("ping", _) => ("diagnostics:ping", "X-Request-Id"),
                _ => ("pr:opened", "X-Request-Id"),
            };
            headers.push(("X-Event-Key", event.to_owned()));
            headers.push((name, id));
            headers.push(("X-Hub-Signature", format!("sha256={sum}")));
            "bitbucket"
        }
        _ => {
            let at = seconds();
            let sum = hex(&hmac(secret.as_bytes(), format!("{at}.{body}").as_bytes()));
            headers.push(("X-Nself-Event", event.to_owned()));
            headers.push(("X-Nself-Delivery", id));
            headers.push(("X-Nself-Timestamp", at.to_string()));
            headers.push(("X-Nself-Signature-256", format!("sha256={sum}")));
            "generic"
        }
    };
    Delivery { provider, headers, body: body.as_bytes().to_vec() }
}

impl Delivery {
    fn without(mut self, words: &[&str]) -> Self {
        self.headers.retain(|(name, _)| !words.iter().any(|word| name.contains(word)));
        self
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn cut(mut self, rest: usize) -> Self {
        self.body.truncate(self.body.len() - rest);
        self
    }
}

async fn send(server: &Server, delivery: &Delivery) -> super::server::Answer {
    let headers: Vec<_> =
        delivery.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = format!("/hooks/{}", delivery.provider);
    server.send("POST", &path, &headers, &delivery.body).await
}

const SENDERS: [&str; 8] = [
    "github",
    "gitlab",
    "gitlab-signed",
    "gitea",
    "forgejo",
    "bitbucket",
    "bitbucket-server",
    "generic",
];

#[tokio::test]
async fn each_delivery_is_taken_for_what_it_is() {
    let mut table = String::new();
    for sender in SENDERS {
        let count = std::cell::Cell::new(0);
        let of = |event, secret, body: &str| {
            count.set(count.get() + 1);
            numbered(sender, event, secret, body, count.get())
        };
        let main = pushed(sender, "refs/heads/main");
        let good = of("push", SECRET, &main);
        // GitLab's token does not cover the body: whoever has it can send anything.
        let cases = [
            ("wrong secret", of("push", "another", &main)),
            ("no signature", good.clone().without(&["Signature", "signature", "Token"])),
            ("cut off", good.clone().cut(9)),
            ("not a signature", {
                let name = good.headers.last().unwrap().0;
                good.clone().with(name, "sha256=zz")
            }),
            ("as a form", good.clone().with("Content-Type", "application/x-www-form-urlencoded")),
            ("no kind of body", good.clone().without(&["Content-Type"])),
            ("announced too long", good.clone().with("Content-Length", "26214401")),
            ("good", good.clone()),
            ("the same again", good.clone()),
            ("again, other id", {
                let fresh = "11111111-242f-11e5-81e1-c7b6966d2516";
                let names = ["Delivery", "UUID", "Request-Id"];
                let name = good
                    .headers
                    .iter()
                    .find(|(name, _)| names.iter().any(|end| name.ends_with(end)));
                name.map_or_else(|| good.clone(), |(name, _)| good.clone().with(name, fresh))
            }),
            ("other branch", of("push", SECRET, &pushed(sender, "refs/heads/topic"))),
            ("preview branch", of("push", SECRET, &pushed(sender, "refs/heads/preview/42"))),
            ("tag", of("push", SECRET, &pushed(sender, "refs/tags/v1.2"))),
            ("other path", of("push", SECRET, &main.replace("shop/", "docs/"))),
            ("ping", of("ping", SECRET, r#"{"zen":"Keep it"}"#)),
            ("other event", of("issues", SECRET, r#"{"action":"opened"}"#)),
            ("not JSON", of("push", SECRET, "{")),
            ("other JSON", of("push", SECRET, "[]")),
        ];
        writeln!(table, "{sender}").unwrap();
        // Its own server each, so that none is refused for those of another.
        let mut server = Server::start().await;
        for (name, case) in cases {
            let answer = send(&server, &case).await;
            let said = answer.json();
            let why = said["detail"].as_str().or(said["why"].as_str()).unwrap_or_default();
            let result = said["result"].as_str().unwrap_or("refused");
            let asked = server.line.requests.try_recv().ok();
            assert!(asked.is_none() || asked == Some(Request::Look(Cause::Webhook)));
            let sign = if asked.is_some() { "→ look" } else { "" };
            let line = format!("  {name:<20} {} {result:<12} {sign} {why}", answer.status);
            writeln!(table, "{}", line.trim_end()).unwrap();
        }
        server.end().await;
    }
    case::compare("web/deliveries.txt", &table);
}

#[tokio::test]
async fn the_time_is_signed_and_must_be_now() {
    let server = Server::start().await;
    let sent = |at: u64, signed: u64| {
        let sum = hex(&hmac(SECRET.as_bytes(), format!("{signed}.{{}}").as_bytes()));
        delivery("generic", "push", SECRET, "{}")
            .with("X-Nself-Timestamp", &at.to_string())
            .with("X-Nself-Signature-256", &format!("sha256={sum}"))
            .with("X-Nself-Delivery", &at.to_string())
    };
    let now = seconds();
    for (delivery, expected) in [
        (sent(now - 290, now - 290), 202),
        (sent(now + 290, now + 290), 202),
        (sent(now - 310, now - 310), 401),
        (sent(now + 310, now + 310), 401),
        (sent(now, now - 310), 401),
        (sent(now, now).with("X-Nself-Timestamp", "+1"), 401),
    ] {
        assert_eq!(send(&server, &delivery).await.status, expected);
    }
    server.end().await;
}

#[tokio::test]
async fn a_signing_key_is_no_token() {
    let server = Server::start().await;
    let body = pushed("gitlab", "refs/heads/main");
    let sent = delivery("gitlab", "push", SIGNING, &body);
    assert_eq!(send(&server, &sent).await.status, 401);
    // A right token does not save a wrong signature.
    let both = delivery("gitlab-signed", "push", "another", &body).with("X-Gitlab-Token", SECRET);
    assert_eq!(send(&server, &both).await.status, 401);
    server.end().await;
}

#[tokio::test]
async fn a_long_body_is_checked_and_not_kept() {
    let mut server = Server::start().await;
    let filler = "x".repeat(2 * 1024 * 1024);
    let body = format!("{{\"ref\":\"refs/heads/topic\",\"filler\":\"{filler}\"}}");
    let sent = delivery("github", "push", SECRET, &body);
    assert_eq!(send(&server, &sent).await.status, 202, "its branch is not read");
    server.line.requests.recv().await.unwrap();
    let wrong = delivery("github", "push", "another", &body);
    assert_eq!(send(&server, &wrong).await.status, 401);
    server.end().await;
}

#[tokio::test]
async fn a_provider_without_a_secret_is_closed() {
    let server = Server::start().await;
    assert_eq!(server.send("POST", "/hooks/gogs", &[], "{}").await.status, 404);
    server.end().await;
    assert!(nself::web::Hooks::default().with("gogs", Sensitive::new("a")).is_err());
}

proptest! {
    /// No altered byte of a signed body passes, whoever signed it.
    #[test]
    fn altered_bodies_do_not_pass(
        body in prop::collection::vec(any::<u8>(), 1..200),
        at in any::<prop::sample::Index>(),
        change in 1_u8..,
        pieces in 1_usize..20,
    ) {
        let text = String::from_utf8_lossy(&body).into_owned();
        let mut altered = text.clone().into_bytes();
        let place = at.index(altered.len());
        altered[place] ^= change;
        for sender in SENDERS.into_iter().filter(|sender| *sender != "gitlab") {
            let sent = delivery(sender, "push", SECRET, &text);
            let mut headers = axum::http::HeaderMap::new();
            for (name, value) in &sent.headers {
                let name: axum::http::HeaderName = name.parse().unwrap();
                headers.insert(name, value.parse().unwrap());
            }
            let mut keys = Keys::default();
            keys.add(Sensitive::new(SECRET));
            keys.add(Sensitive::new(SIGNING));
            let check = |body: &[u8]| {
                let provider = provider(sent.provider).unwrap();
                let mut checker = provider.check(&headers, &keys, seconds() * 1000).unwrap();
                body.chunks(pieces).for_each(|piece| checker.update(piece));
                checker.finish()
            };
            prop_assert!(check(text.as_bytes()).is_ok());
            prop_assert_eq!(check(&altered), Err(Refusal::Wrong));
            prop_assert_eq!(check(&text.as_bytes()[..text.len() - 1]), Err(Refusal::Wrong));
        }
    }
}
