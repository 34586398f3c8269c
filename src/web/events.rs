//! The page, kept up to date: server-sent events.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{clock, faces::Face, page, problem::Problem, route::App};
use crate::sync::Status;

/// So many pages are kept up to date at once: half of the connections.
const MOST: usize = 32;
/// Something is sent at least so often, so that both sides find out when the other is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What changes within so long is sent as one.
const TOGETHER: Duration = Duration::from_millis(200);
/// A stream ends after so long, and the page comes back.
const LIFE: Duration = Duration::from_mins(9);

/// How many streams there may still be.
#[derive(Clone)]
pub(super) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

struct Stream {
    changes: watch::Receiver<Arc<Status>>,
    cancel: CancellationToken,
    end: Instant,
    sent: Option<Arc<Status>>,
    _place: OwnedSemaphorePermit,
}

/// Answers with a stream of what the page shows.
pub(super) fn stream(app: &App, face: &Face) -> Result<Response, Problem> {
    let place = Arc::clone(&app.streams.0).try_acquire_owned().map_err(|_| {
        let detail = "as many pages as can be are kept up to date already";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no more pages now", detail).retry_after(30)
    })?;
    let state = Stream {
        changes: face.handle().follow(),
        cancel: app.cancel.clone(),
        end: Instant::now() + LIFE,
        sent: None,
        _place: place,
    };
    let events = stream::unfold(state, |mut state| async {
        let text = state.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), state))
    });
    let mut response = Body::from_stream(events).into_response();
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

impl Stream {
    /// Returns what is sent next; nothing when the stream is over.
    async fn next(&mut self) -> Option<String> {
        let cancel = self.cancel.clone();
        tokio::select! {
            next = timeout_at(self.end, self.change()) => next.ok()?,
            () = cancel.cancelled() => None,
        }
    }

    async fn change(&mut self) -> Option<String> {
        let Some(sent) = self.sent.clone() else {
            let status = Arc::clone(&self.changes.borrow_and_update());
            let first = format!("retry: 3000\n{}", event(&status));
            self.sent = Some(status);
            return Some(first);
        };
        match timeout(HEARTBEAT, self.changes.changed()).await {
            Err(_) => return Some(": still here\n\n".to_owned()),
            Ok(changed) => changed.ok()?,
        }
        // More of the same pass follows at once: it is shown together.
        let _ = timeout(TOGETHER, std::future::pending::<()>()).await;
        let status = Arc::clone(&self.changes.borrow_and_update());
        let text = if status == sent { ": the same\n\n".to_owned() } else { event(&status) };
        self.sent = Some(status);
        Some(text)
    }
}

/// Returns an event. What is shown goes as a JSON text, which has no line of its own.
fn event(status: &Status) -> String {
    let shown = serde_json::Value::from(page::body(status, clock::now()));
    format!("event: status\ndata: {shown}\n\n")
}
