//! Takes deliveries: decides in milliseconds, leaves a request, and answers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header as names},
    response::{IntoResponse as _, Response},
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, time::timeout};

use super::{Event, Hooks, Keys, Proven, Provider, Push, Refusal, Replay, provider};
use crate::{
    controller::watch::Request,
    sync::Cause,
    web::{
        clock::{self, Steady},
        faces::Face,
        problem::Problem,
        rate::{Bucket, Hushed},
    },
};

/// The longest body: what GitHub sends at most.
const LONGEST: usize = 25 * 1024 * 1024;
/// So much of a body is kept to be read.
const KEPT: usize = 1024 * 1024;
/// Bodies up to so much are still checked while many wrong ones come, so that a right one gets through.
const SMALL: u64 = 64 * 1024;
/// So many longer bodies are taken at once.
const AT_ONCE: usize = 4;
/// A body must be there after so long.
const SLOWEST: Duration = Duration::from_secs(10);

/// What receives deliveries.
pub(in crate::web) struct Desk {
    hooks: Hooks,
    clock: Steady,
    bodies: Semaphore,
    state: Mutex<State>,
}

struct State {
    all: Bucket,
    wrong: BTreeMap<&'static str, Bucket>,
    refused: Hushed,
    seen: Replay,
}

/// What came of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// Whoever follows it was asked to look.
    Asked(usize),
    /// Somebody tried whether deliveries arrive.
    Pong,
    /// It is about nothing that is followed.
    Ignored(&'static str),
    /// It was taken before.
    Again,
}

impl Desk {
    pub(in crate::web) fn new(hooks: Hooks) -> Self {
        let state = State {
            all: Bucket::new(600, Duration::from_millis(20)),
            wrong: BTreeMap::new(),
            refused: Hushed::default(),
            seen: Replay::default(),
        };
        let bodies = Semaphore::new(AT_ONCE);
        Self { hooks, clock: Steady::start(), bodies, state: Mutex::new(state) }
    }

    /// Returns whether it may be taken at all.
    fn admit(&self) -> Result<(), Problem> {
        self.with(|state, now| state.all.take(now)).map_err(too_many)
    }

    /// Counts a wrong delivery, and returns how it is answered.
    fn wrong(&self, provider: &'static Provider, problem: Problem) -> Problem {
        let bucket = || Bucket::new(60, Duration::from_secs(1));
        let taken = self
            .with(|state, now| state.wrong.entry(provider.name).or_insert_with(bucket).take(now));
        taken.map_or_else(too_many, |()| problem)
    }

    fn is_flooded(&self, provider: &'static Provider) -> bool {
        self.with(|state, now| {
            state.wrong.get_mut(provider.name).is_some_and(|bucket| bucket.is_empty(now))
        })
    }

    fn is_new(&self, provider: &'static Provider, id: Option<&str>, proven: &Proven) -> bool {
        let signature = proven.signature.as_deref();
        self.with(|state, _| state.seen.is_new(provider.name, id, signature))
    }

    fn log(&self, provider: &str, problem: &Problem) {
        if let Some(count) = self.with(|state, now| state.refused.count(now)) {
            let status = problem.status().as_u16();
            tracing::warn!(
                "refused {count} webhooks since the last such line, now one of {provider} with {status}"
            );
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State, Duration) -> T) -> T {
        let now = self.clock.read();
        // A thread that panicked has left numbers in there, and nothing half done.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), now)
    }
}

fn too_many(seconds: u64) -> Problem {
    let detail = "more webhooks than a repository sends have come";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests", detail).retry_after(seconds)
}

/// Takes a delivery for these faces. `count` is told the provider and what came of it, in a word.
pub(in crate::web) async fn receive(
    desk: &Desk,
    name: &str,
    headers: &HeaderMap,
    body: Body,
    faces: &[Arc<Face>],
    count: impl FnOnce(&'static str, &'static str),
) -> Response {
    let taken = match provider(name) {
        None => Err(Problem::not_found(
            "webhooks are taken at /hooks/github, gitlab, gitea, forgejo, bitbucket and generic",
        )),
        Some(provider) => take(desk, provider, headers, body, faces).await,
    };
    let known = provider(name).map_or("unknown", |provider| provider.name);
    match taken {
        Ok(taken) => {
            let (status, word, answer) = match taken {
                Taken::Asked(asked) => {
                    (StatusCode::ACCEPTED, "taken", json!({ "result": "taken", "asked": asked }))
                }
                Taken::Pong => (StatusCode::OK, "ping", json!({ "result": "pong" })),
                Taken::Ignored(why) => {
                    (StatusCode::ACCEPTED, "ignored", json!({ "result": "ignored", "why": why }))
                }
                Taken::Again => (StatusCode::OK, "replayed", json!({ "result": "taken before" })),
            };
            count(known, word);
            let headers = [(names::CONTENT_TYPE, "application/json")];
            (status, headers, format!("{answer}\n")).into_response()
        }
        Err(problem) => {
            desk.log(known, &problem);
            let word = match problem.status() {
                StatusCode::TOO_MANY_REQUESTS => "too_many",
                StatusCode::UNAUTHORIZED => "wrong",
                StatusCode::SERVICE_UNAVAILABLE => "busy",
                _ => "refused",
            };
            count(known, word);
            problem.into_response()
        }
    }
}

async fn take(
    desk: &Desk,
    provider: &'static Provider,
    headers: &HeaderMap,
    body: Body,
    faces: &[Arc<Face>],
) -> Result<Taken, Problem> {
    desk.admit()?;
    let Some(keys) = desk.hooks.keys(provider) else {
        let remedy = format!("set a secret for {} webhooks, here and at the sender", provider.name);
        return Err(Problem::not_found("no secret is set for this sender").remedy(remedy));
    };
    let wrong = |problem: Problem| desk.wrong(provider, problem);
    let (proven, kept) = read(desk, provider, keys, headers, body).await.map_err(wrong)?;
    if !desk.is_new(provider, provider.delivery(headers), &proven) {
        return Ok(Taken::Again);
    }
    match provider.event(headers) {
        Event::Ping => return Ok(Taken::Pong),
        Event::Other => return Ok(Taken::Ignored("it is not about a push")),
        Event::Push => {}
    }
    let push = pushed(provider, kept.as_deref()).map_err(wrong)?;
    let followers: Vec<&Arc<Face>> =
        faces.iter().filter(|face| face.follows().takes(&push)).collect();
    if followers.is_empty() {
        return Ok(Taken::Ignored("no branch, tag or path that is followed was pushed"));
    }
    // A preview that is just going away does not keep the others from it.
    let asked = followers
        .iter()
        .filter(|face| face.handle().ask(Request::Look(Cause::Webhook)).is_ok())
        .count();
    if asked == 0 {
        return Err(Problem::closed());
    }
    Ok(Taken::Asked(asked))
}

/// Reads a body while checking it. Returns what was kept; nothing of one that is too long to be kept.
async fn read(
    desk: &Desk,
    provider: &'static Provider,
    keys: &Keys,
    headers: &HeaderMap,
    mut body: Body,
) -> Result<(Proven, Option<Vec<u8>>), Problem> {
    let mut checker = provider.check(headers, keys, clock::now()).map_err(unproven)?;
    is_json(headers)?;
    let announced: Option<u64> =
        headers.get(names::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length| length > LONGEST as u64) {
        return Err(too_long());
    }
    let is_small = announced.is_some_and(|length| length <= SMALL);
    if !is_small && desk.is_flooded(provider) {
        return Err(too_many(1));
    }
    // Small ones take no turns: who sends long ones slowly does not keep them out.
    let _turn = if is_small {
        None
    } else {
        Some(timeout(SLOWEST, desk.bodies.acquire()).await.map_err(|_| too_slow())?)
    };
    let mut kept = Some(Vec::new());
    let mut length = 0;
    let reading = async {
        while let Some(frame) = body.frame().await {
            let Ok(bytes): Result<Bytes, _> = frame.map_err(|_| cut_off())?.into_data() else {
                continue;
            };
            length += bytes.len();
            if length > LONGEST {
                return Err(too_long());
            }
            checker.update(&bytes);
            kept = kept.take().filter(|_| length <= KEPT);
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(&bytes);
            }
        }
        Ok(())
    };
    timeout(SLOWEST, reading).await.map_err(|_| too_slow())??;
    let proven = checker.finish().map_err(unproven)?;
    Ok((proven, kept))
}

/// Returns what was pushed, according to a body that proved right.
fn pushed(provider: &'static Provider, kept: Option<&[u8]>) -> Result<Push, Problem> {
    let Some(kept) = kept else { return Ok(Push::anything()) };
    let read = || provider.push(&serde_json::from_slice::<Value>(kept).ok()?);
    read().ok_or_else(|| {
        let detail =
            format!("the body is not what {} sends when something is pushed", provider.name);
        Problem::new(StatusCode::BAD_REQUEST, "the webhook cannot be read", detail)
    })
}

fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(names::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "a webhook is read as JSON only";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the webhook cannot be read", detail)
        .remedy("set its content type to application/json at the sender"))
}

fn unproven(refusal: Refusal) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "the webhook is not believed", refusal.to_string())
}

fn too_long() -> Problem {
    let detail = "its body is longer than 25 MiB";
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the webhook is too long", detail)
}

fn too_slow() -> Problem {
    let detail = "its body was not there after 10 seconds";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "the webhook came too slowly", detail)
}

fn cut_off() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "the webhook cannot be read", "its body was cut off")
}
