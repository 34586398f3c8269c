//! States of commits, told to the APIs of forges.

use nself::{
    model::Sensitive,
    notice::{
        Outbox, Receivers, Trust,
        forge::{Kind, Place, Statuses},
    },
    sync::{CommitState, Revision},
};
use tokio_util::sync::CancellationToken;

use super::{
    QUICK,
    server::{Got, Reply, Server},
};

fn revision(digit: &str) -> Revision {
    Revision {
        commit: digit.repeat(40).parse().unwrap(),
        reference: "main".to_owned(),
        subject: "Change".to_owned(),
        author: "Ada".to_owned(),
        at: 0,
    }
}

struct Stage {
    server: Server,
    outbox: Outbox,
    end: CancellationToken,
}

impl Stage {
    async fn new(kind: Kind, git: &str, target: Option<&str>, replies: Vec<Reply>) -> Self {
        let server = Server::start(replies).await;
        let place = Place::of(git, Some(kind), Some(&server.url("/api/"))).unwrap();
        let token = Sensitive::new("token-0123456789");
        let target = target.map(str::to_owned);
        let statuses = Statuses::new(place, token, "shop", target, &Trust::Machine, QUICK).unwrap();
        assert!(!format!("{statuses:?}").contains("0123456789"));
        let end = CancellationToken::new();
        let nobody = Receivers::new(Vec::new(), &Trust::Machine, QUICK).unwrap();
        let outbox = Outbox::new(nobody, Some(statuses), &end);
        Self { server, outbox, end }
    }

    async fn next(&mut self) -> Got {
        self.server.next().await
    }

    async fn end(&self) {
        self.end.cancel();
        self.outbox.finished().await;
    }
}

/// Tells one forge of one commit in each of the states; returns the first request and the words of all states.
async fn told(kind: Kind, git: &str, target: Option<&str>) -> String {
    let mut stage = Stage::new(kind, git, target, Vec::new()).await;
    let mut words = Vec::new();
    let mut first = String::new();
    let all = [CommitState::Pending, CommitState::Success, CommitState::Failure];
    for state in all {
        stage.outbox.send_state(&revision("a"), state, "shop runs it,\ngeneration 7");
        let got = stage.next().await;
        let body: serde_json::Value = serde_json::from_str(&got.body).unwrap();
        words.push(body["state"].as_str().unwrap().to_owned());
        if first.is_empty() {
            first = got.text(stage.server.authority());
        }
    }
    stage.end().await;
    format!("{first}{}", words.join(" "))
}

#[tokio::test]
async fn github_is_told() {
    let told =
        told(Kind::GitHub, "git@git.acme.org:acme/shop.git", Some("https://st.acme.org/")).await;
    insta::assert_snapshot!(told, @r#"
    POST /api/repos/acme/shop/statuses/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1
    host: HOST
    content-type: application/json
    accept: application/vnd.github+json
    authorization: Bearer token-0123456789
    x-github-api-version: 2022-11-28
    content-length: 121

    {"context":"nself/shop","description":"shop runs it, generation 7","state":"pending","target_url":"https://st.acme.org/"}
    pending success failure
    "#);
}

#[tokio::test]
async fn gitlab_is_told() {
    let told = told(Kind::GitLab, "https://git.acme.org/acme/web/shop.git", None).await;
    insta::assert_snapshot!(told, @r#"
    POST /api/projects/acme%2Fweb%2Fshop/statuses/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1
    host: HOST
    content-type: application/json
    private-token: token-0123456789
    content-length: 82

    {"description":"shop runs it, generation 7","name":"nself/shop","state":"pending"}
    pending success failed
    "#);
}

#[tokio::test]
async fn gitea_is_told() {
    let told =
        told(Kind::Gitea, "https://git.acme.org/acme/shop", Some("https://st.acme.org/")).await;
    insta::assert_snapshot!(told, @r#"
    POST /api/repos/acme/shop/statuses/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1
    host: HOST
    content-type: application/json
    authorization: token token-0123456789
    content-length: 121

    {"context":"nself/shop","description":"shop runs it, generation 7","state":"pending","target_url":"https://st.acme.org/"}
    pending success failure
    "#);
}

#[tokio::test]
async fn bitbucket_is_told() {
    let told = told(Kind::Bitbucket, "https://git.acme.org/acme/shop", None).await;
    insta::assert_snapshot!(told, @r#"
    POST /api/repositories/acme/shop/commit/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/statuses/build HTTP/1.1
    host: HOST
    content-type: application/json
    authorization: Bearer token-0123456789
    content-length: 193

    {"description":"shop runs it, generation 7","key":"nself/shop","name":"nself/shop","state":"INPROGRESS","url":"https://bitbucket.org/acme/shop/commits/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
    INPROGRESS SUCCESSFUL FAILED
    "#);
}

#[tokio::test]
async fn the_same_of_the_same_commit_is_told_once() {
    let git = "https://git.acme.org/acme/shop";
    let mut stage = Stage::new(Kind::Gitea, git, None, Vec::new()).await;
    for _ in 0..5 {
        stage.outbox.send_state(&revision("a"), CommitState::Success, "line");
    }
    stage.next().await;
    stage.outbox.send_state(&revision("a"), CommitState::Success, "another line");
    stage.outbox.send_state(&revision("b"), CommitState::Pending, &"é".repeat(999));
    let body: serde_json::Value = serde_json::from_str(&stage.next().await.body).unwrap();
    assert_eq!(body["description"].as_str().unwrap().chars().count(), 255);
    stage.end().await;
    assert!(stage.server.is_quiet());
    assert_eq!(stage.outbox.figures().delivered, 2);
}

#[tokio::test]
async fn a_state_that_is_no_longer_so_is_not_sent() {
    let git = "https://git.acme.org/acme/shop";
    let mut stage = Stage::new(Kind::Gitea, git, None, vec![Reply::status(500)]).await;
    stage.outbox.send_state(&revision("a"), CommitState::Success, "line");
    stage.next().await;
    stage.outbox.send_state(&revision("b"), CommitState::Pending, "line");
    stage.outbox.send_state(&revision("b"), CommitState::Failure, "line");
    let (again, second) = (stage.next().await, stage.next().await);
    assert!(again.line.contains("aaa") && again.body.contains("success"), "{again:?}");
    assert!(second.line.contains("bbb") && second.body.contains("failure"), "{second:?}");
    stage.end().await;
    assert!(stage.server.is_quiet());
}

#[tokio::test]
async fn what_the_forge_was_away_for_is_told_with_the_next_word() {
    let git = "https://git.acme.org/acme/shop";
    let replies = vec![Reply::Hangup, Reply::Hangup, Reply::Hangup];
    let mut stage = Stage::new(Kind::Gitea, git, None, replies).await;
    stage.outbox.send_state(&revision("a"), CommitState::Success, "line");
    for _ in 0..3 {
        stage.next().await;
    }
    while stage.outbox.figures().failed == 0 {
        tokio::task::yield_now().await;
    }
    stage.outbox.send_state(&revision("a"), CommitState::Success, "line");
    stage.next().await;
    stage.end().await;
    assert_eq!(stage.outbox.figures().delivered, 1);
}

#[tokio::test]
async fn a_token_that_is_refused_is_said_and_not_tried_again() {
    let git = "https://git.acme.org/acme/shop";
    let no = "HTTP/1.1 403 No\r\n\r\n{\"message\":\"token-0123456789 may not\"}".to_owned();
    let mut stage = Stage::new(Kind::GitHub, git, None, vec![Reply::Text(no)]).await;
    stage.outbox.send_state(&revision("a"), CommitState::Success, "line");
    stage.next().await;
    while stage.outbox.figures().failed == 0 {
        tokio::task::yield_now().await;
    }
    stage.outbox.send_state(&revision("a"), CommitState::Success, "line");
    stage.end().await;
    assert!(stage.server.is_quiet());
}

#[tokio::test]
async fn gitlab_refuses_to_hear_the_same_twice_and_that_is_fine() {
    let git = "https://git.acme.org/acme/shop";
    let no = "HTTP/1.1 400 No\r\n\r\n{\"message\":\"Cannot transition status via :enqueue from :pending\"}";
    let mut stage = Stage::new(Kind::GitLab, git, None, vec![Reply::Text(no.to_owned())]).await;
    stage.outbox.send_state(&revision("a"), CommitState::Pending, "line");
    stage.next().await;
    stage.end().await;
    let figures = stage.outbox.figures();
    assert_eq!((figures.delivered, figures.failed), (1, 0));
}
