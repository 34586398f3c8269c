//! Whether the process is to be ended and begun anew (`/healthz`), and whether it does its work (`/readyz`).

use std::sync::Arc;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::{faces::Face, problem::Problem};

/// Answers whether every loop comes round. Trouble outside does not matter here: a new process would have it too.
pub(super) fn alive(faces: &[Arc<Face>]) -> Result<Response, Problem> {
    for face in faces {
        face.is_alive().map_err(|why| unwell("the watcher is stuck", face, why))?;
    }
    Ok(good("alive\n"))
}

/// Answers whether every loop has made a pass and nothing is in its way.
pub(super) fn ready(faces: &[Arc<Face>]) -> Result<Response, Problem> {
    alive(faces)?;
    for face in faces {
        let status = face.status();
        if status.passes == 0 {
            return Err(unwell("the watcher is not ready", face, "no pass was made yet"));
        }
        if let Some(trouble) = status.trouble.first() {
            return Err(unwell("the watcher is not ready", face, trouble));
        }
    }
    Ok(good("ready\n"))
}

fn unwell(title: &'static str, face: &Face, why: &str) -> Problem {
    let detail = format!("{}: {why}", face.name());
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, title, detail).retry_after(10)
}

fn good(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
