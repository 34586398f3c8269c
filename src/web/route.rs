//! What is at which address.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use tokio_util::sync::CancellationToken;

use super::{
    act, clock,
    events::{self, Streams},
    faces::{Face, Faces, Room},
    health, hooks, page,
    problem::Problem,
};
use crate::report;

/// How somebody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Over the network: to ask for something takes a token.
    Network,
    /// Through the file that only the owner can open.
    Own,
}

/// What every answer is made from.
#[derive(Clone)]
pub(super) struct App {
    pub(super) room: Arc<Room>,
    pub(super) door: Door,
    pub(super) cancel: CancellationToken,
    pub(super) streams: Streams,
}

type Named = Option<Path<String>>;

/// Returns the table of addresses.
pub(super) fn router(faces: &Faces, door: Door, cancel: &CancellationToken) -> Router {
    let app = App {
        room: Arc::clone(&faces.0),
        door,
        cancel: cancel.clone(),
        streams: Streams::default(),
    };
    let mut router = Router::new()
        .route("/", get(async || to("status")))
        .route("/metrics", get(metrics))
        .route("/hooks/{provider}", post(hook))
        .route("/p/{name}/hooks/{provider}", post(hook_of))
        .route("/api/{what}", post(ask).get(status_json_only))
        .route("/p/{name}/api/{what}", post(ask_of).get(status_json_only))
        .route(
            "/p/{name}",
            get(async |Path(name): Path<String>| to(&format!("{}/status", page::path(&name)))),
        )
        .route("/p/{name}/", get(async || to("status")));
    let shown: [(&str, MethodRouter<App>); 5] = [
        ("status", get(status_page)),
        ("api/status", get(status_json)),
        ("events", get(stream)),
        ("healthz", get(healthz)),
        ("readyz", get(readyz)),
    ];
    for (path, method) in shown {
        router = router
            .route(&format!("/{path}"), method.clone())
            .route(&format!("/p/{{name}}/{path}"), method);
    }
    router
        .fallback(async || Problem::not_found("the page is at /status"))
        .method_not_allowed_fallback(async || {
            let detail = "another method is used at this address";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this cannot be done here", detail)
        })
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

/// Refuses requests under a foreign name, and sets the headers that every answer has.
///
/// A page from elsewhere whose name is made to lead here could otherwise read what is shown. It cannot with an
/// address, nor with `localhost` or a name without a dot, which nobody elsewhere owns. Webhooks and probes are
/// answered under every name: they tell nothing.
async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let last = path.rsplit('/').next().unwrap_or("");
    let is_open =
        app.door == Door::Own || path.contains("/hooks/") || matches!(last, "healthz" | "readyz");
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let mut response = if is_open || host.is_none_or(|host| is_ours(host, &app.room.hosts)) {
        next.run(request).await
    } else {
        let detail = "this name is not one under which the page is shown";
        Problem::new(StatusCode::MISDIRECTED_REQUEST, "the page is not shown here", detail)
            .remedy("give the name to nself watch, or use the address")
            .into_response()
    };
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn is_ours(host: &str, hosts: &[String]) -> bool {
    if host.starts_with('[') {
        return true;
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_end_matches('.');
    let name = name.to_ascii_lowercase();
    !name.contains('.')
        || name.parse::<std::net::Ipv4Addr>().is_ok()
        || name.ends_with(".localhost")
        || hosts.iter().any(|one| one.eq_ignore_ascii_case(&name))
}

impl App {
    /// Returns the project that an address is about.
    pub(super) fn face(&self, name: Option<&str>) -> Result<Arc<Face>, Problem> {
        match name {
            Some(name) => self.room.shelf.get(name).ok_or_else(|| {
                Problem::not_found("no project of this name is watched here")
                    .remedy("they are listed at /status")
            }),
            None => self.room.shelf.main().ok_or_else(|| {
                Problem::not_found("several projects are watched here")
                    .remedy("say which one: /p/NAME/…")
            }),
        }
    }
}

fn to(place: &str) -> Response {
    let place = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/status"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}

async fn status_page(State(app): State<App>, name: Named) -> Response {
    let name = name.map(|Path(name)| name);
    let face = match app.face(name.as_deref()) {
        Ok(face) => Some(face),
        Err(problem) if name.is_some() => return problem.into_response(),
        Err(_) => None,
    };
    let of = |face: &Arc<Face>| (face.name().to_owned(), face.status());
    let all: Vec<_> = app.room.shelf.shown().iter().map(of).collect();
    let root = if name.is_some() { "../../" } else { "" };
    page::page(face.as_ref().map(of).as_ref(), &all, root, clock::now())
}

async fn status_json(State(app): State<App>, name: Named) -> Result<Response, Problem> {
    let face = app.face(name.as_ref().map(|Path(name)| name.as_str()))?;
    Ok(json(StatusCode::OK, report::json::watch(&face.status())))
}

async fn status_json_only() -> Problem {
    Problem::not_found("only /api/status is read; the others are asked for by POST")
}

async fn stream(State(app): State<App>, name: Named) -> Result<Response, Problem> {
    let face = app.face(name.as_ref().map(|Path(name)| name.as_str()))?;
    events::stream(&app, &face)
}

async fn healthz(State(app): State<App>, name: Named) -> Result<Response, Problem> {
    match name {
        Some(Path(name)) => health::alive(&[app.face(Some(&name))?]),
        None => health::alive(&app.room.shelf.shown()),
    }
}

async fn readyz(State(app): State<App>, name: Named) -> Result<Response, Problem> {
    match (name, app.room.shelf.main()) {
        (Some(Path(name)), _) => health::ready(&[app.face(Some(&name))?]),
        // A preview that is in trouble says nothing about what it is a preview of.
        (None, Some(main)) => health::ready(&[main]),
        (None, None) => health::ready(&app.room.shelf.shown()),
    }
}

async fn metrics(State(app): State<App>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.room.metrics.text()).into_response()
}

async fn ask(
    State(app): State<App>,
    Path(what): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    act::ask(&app, None, &what, &headers, body).await
}

async fn ask_of(
    State(app): State<App>,
    Path((name, what)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    act::ask(&app, Some(&name), &what, &headers, body).await
}

async fn hook(
    State(app): State<App>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let faces = app.room.shelf.hearing();
    deliver(&app, &provider, &headers, body, &faces).await
}

async fn hook_of(
    State(app): State<App>,
    Path((name, provider)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let face = app.face(Some(&name))?;
    Ok(deliver(&app, &provider, &headers, body, &[face]).await)
}

async fn deliver(
    app: &App,
    provider: &str,
    headers: &HeaderMap,
    body: Body,
    faces: &[Arc<Face>],
) -> Response {
    let metrics = &app.room.metrics;
    let count = |provider, result| metrics.webhook(provider, result);
    hooks::receive(&app.room.desk, provider, headers, body, faces, count).await
}

/// Returns an answer for machines.
pub(super) fn json(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}
