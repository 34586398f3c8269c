//! What people and machines ask the loop for.
//!
//! Over the network that takes a token, sent as `Authorization: Bearer`. A browser never sends one by itself, so no
//! page from elsewhere can ask for anything.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    problem::Problem,
    route::{App, Door, json},
    token::{Bad, Scope},
};
use crate::{controller::watch::Request, report, sync::Cause};

/// The longest body: a reason, or the word of something held.
const LONGEST: usize = 16 * 1024;
/// The longest reason and name.
const LONGEST_TEXT: usize = 1000;
/// A body must be there after so long.
const SLOWEST: Duration = Duration::from_secs(10);

/// What may stand in the body.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Who asks; over the network that is the name of the token.
    who: Option<String>,
    /// Why.
    why: Option<String>,
    /// What of all that is held.
    release: Option<String>,
}

/// Hands on what somebody asks for.
pub(super) async fn ask(
    app: &App,
    name: Option<&str>,
    what: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let needed = match what {
        "look" => Scope::Look,
        "pause" | "resume" | "retry" | "approve" => Scope::Everything,
        _ => {
            let detail = "look, pause, resume, retry and approve can be asked for";
            return Err(Problem::not_found(detail));
        }
    };
    let token = match app.door {
        Door::Own => None,
        Door::Network => Some(allowed(app, headers, needed).await?),
    };
    let face = app.face(name)?;
    let asked = read(body).await?;
    let who = token.or(asked.who).unwrap_or_else(|| "the owner".to_owned());
    let status = face.status();
    let request = match what {
        "pause" => {
            let why = asked.why.filter(|why| !why.trim().is_empty());
            let why = why.ok_or_else(|| missing("why", "for a pause it is said why"))?;
            Request::Pause { who, why }
        }
        "resume" => Request::Resume { who },
        "retry" if status.quarantine.is_none() => {
            let detail = "no commit is quarantined";
            return Err(Problem::new(StatusCode::CONFLICT, "there is nothing to retry", detail));
        }
        "retry" => Request::Retry { who },
        "approve" => {
            let release =
                asked.release.ok_or_else(|| missing("release", "what is held is named"))?;
            if !status.held.iter().any(|held| held.release == release) {
                let held: Vec<&str> = status.held.iter().map(|one| one.release.as_str()).collect();
                let detail = format!("`{release}` is not held");
                let problem =
                    Problem::new(StatusCode::CONFLICT, "there is nothing to approve", detail);
                return Err(match held[..] {
                    [] => problem.remedy("nothing is held now"),
                    _ => problem.remedy(format!("held are: {}", held.join(", "))),
                });
            }
            Request::Approve { who, release }
        }
        _ => Request::Look(Cause::Request),
    };
    face.handle().ask(request).map_err(|_| Problem::closed())?;
    Ok(json(StatusCode::ACCEPTED, report::json::noted()))
}

/// Returns whose token it is, if it is good for this.
async fn allowed(app: &App, headers: &HeaderMap, needed: Scope) -> Result<String, Problem> {
    let denied = |detail: &str| {
        Problem::new(StatusCode::UNAUTHORIZED, "a token is needed", detail)
            .remedy("send one as `Authorization: Bearer TOKEN`, or ask on the machine itself")
    };
    let Some(tokens) = &app.room.tokens else {
        return Err(denied("there are no tokens here"));
    };
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(sent), None) = (all.next(), all.next()) else {
        return Err(denied("there is no token in the request"));
    };
    let token = sent.to_str().ok().and_then(|text| {
        let (kind, token) = text.split_once(' ')?;
        kind.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let token = token.ok_or_else(|| denied("what is in the request is no token"))?;
    match tokens.whose(token).await {
        Ok((_, Scope::Look)) if needed == Scope::Everything => {
            let detail = "this token is good for asking for a look only";
            Err(Problem::new(StatusCode::FORBIDDEN, "this token does not allow it", detail))
        }
        Ok((name, _)) => Ok(name),
        Err(Bad::Unknown) => Err(denied("the token is not known")),
        Err(Bad::TooMany(seconds)) => {
            let detail = "too many wrong tokens were sent";
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests", detail)
                .retry_after(seconds))
        }
    }
}

async fn read(body: Body) -> Result<Asked, Problem> {
    let unread =
        |status, detail: String| Problem::new(status, "the request cannot be read", detail);
    let collected = timeout(SLOWEST, Limited::new(body, LONGEST).collect()).await;
    let collected = collected.map_err(|_| {
        unread(StatusCode::REQUEST_TIMEOUT, "its body was not there after 10 seconds".to_owned())
    })?;
    let bytes = collected.map_err(|error| {
        let is_long = error.is::<http_body_util::LengthLimitError>();
        let (status, detail) = if is_long {
            (StatusCode::PAYLOAD_TOO_LARGE, "its body is longer than 16 KiB")
        } else {
            (StatusCode::BAD_REQUEST, "its body was cut off")
        };
        unread(status, detail.to_owned())
    })?;
    let bytes = bytes.to_bytes();
    if bytes.is_empty() {
        return Ok(Asked::default());
    }
    let asked: Asked = serde_json::from_slice(&bytes).map_err(|error| {
        unread(StatusCode::BAD_REQUEST, format!("its body is not what is read here: {error}"))
    })?;
    let texts = [&asked.who, &asked.why, &asked.release];
    if texts.into_iter().flatten().any(|text| text.len() > LONGEST_TEXT) {
        let detail = format!("a text in its body is longer than {LONGEST_TEXT} bytes");
        return Err(unread(StatusCode::BAD_REQUEST, detail));
    }
    Ok(asked)
}

fn missing(key: &str, why: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "something is missing in the request", why)
        .remedy(format!("send {{\"{key}\": \"…\"}}"))
}
