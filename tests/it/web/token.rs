//! Tokens: shown once, kept as a hash, good for what they were made for.

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use nself::{
    controller::watch::Request,
    web::{Scope, TokenError, Tokens},
};

use super::server::Server;

#[tokio::test(start_paused = true)]
async fn the_network_asks_with_a_token() {
    let mut server = Server::start().await;
    let all = server.token("ann", Scope::Everything);
    let look = server.token("ci", Scope::Look);
    let guessed = {
        let (start, _) = all.rsplit_once('_').unwrap();
        format!("{start}_{}", "x".repeat(43))
    };
    for (what, token, expected) in [
        ("look", None, 401),
        ("look", Some("Bearer "), 401),
        ("look", Some("Basic YTpi"), 401),
        ("look", Some("Bearer nself_abc_def"), 401),
        ("resume", Some(guessed.as_str()), 401),
        ("resume", Some(look.as_str()), 403),
        ("look", Some(look.as_str()), 202),
        ("look", Some(all.as_str()), 202),
        ("resume", Some(all.as_str()), 202),
        ("resume", Some(all.as_str()), 202),
    ] {
        let headers: Vec<_> = token.map(|token| ("Authorization", token)).into_iter().collect();
        let body = if what == "resume" { r#"{"who":"somebody else"}"# } else { "" };
        let answer = server.send("POST", &format!("/api/{what}"), &headers, body).await;
        assert_eq!(answer.status, expected, "{what} {token:?}: {}", answer.body);
        assert_eq!(server.line.requests.try_recv().is_ok(), expected == 202);
    }
    let headers = [("Authorization", all.as_str())];
    server.send("POST", "/api/resume", &headers, "").await;
    let asked = server.line.requests.recv().await.unwrap();
    assert_eq!(asked, Request::Resume { who: "ann".into() }, "who asks is the token's name");

    assert!(server.tokens.revoke("ann").unwrap());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(server.send("POST", "/api/look", &headers, "").await.status, 401);
    assert_eq!(server.tokens.names().unwrap(), [("ci".to_owned(), Scope::Look)]);
    server.end().await;
}

#[tokio::test(start_paused = true)]
async fn guessing_is_slow_and_right_tokens_are_not() {
    let mut server = Server::start().await;
    let right = server.token("ann", Scope::Everything);
    assert_eq!(
        server.send("POST", "/api/look", &[("Authorization", &right)], "").await.status,
        202
    );
    let (start, _) = right.rsplit_once('_').unwrap();
    let mut answers = Vec::new();
    for number in 0..15 {
        let guess = format!("{start}_{number:043}");
        let answer = server.send("POST", "/api/look", &[("Authorization", &guess)], "").await;
        answers.push(answer.status);
        assert!(answer.status == 401 || answer.header("retry-after").is_some());
    }
    assert!(answers.iter().filter(|status| **status == 429).count() >= 3, "{answers:?}");
    let answer = server.send("POST", "/api/look", &[("Authorization", &right)], "").await;
    assert_eq!(answer.status, 202, "what was right once is not slowed down");
    server.line.requests.recv().await.unwrap();
    server.end().await;
}

#[test]
fn a_token_is_kept_as_a_hash() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = Tokens::in_folder(folder.path());
    let (token, line) = tokens.create("ci", Scope::Look).unwrap();
    let secret = token.expose().rsplit_once('_').unwrap().1;
    let path = folder.path().join("tokens");
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept, line + "\n");
    assert!(kept.contains(" look ci $argon2id$v=19$m=7168,t=5,p=1$") && !kept.contains(secret));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(tokens.create("ci", Scope::Look), Err(TokenError::Taken(_))));
    assert!(matches!(tokens.create("a b", Scope::Look), Err(TokenError::Name(_))));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(tokens.names(), Err(TokenError::TooOpen { .. })));
}
