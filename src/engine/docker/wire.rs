//! Connections to the engine that are kept open between requests.
//!
//! bollard opens a connection for each request and leaves the API version out of its paths. A look at 25
//! containers is 30 requests, so this transport keeps connections, and it names the negotiated version in
//! every path. It interprets no answer.

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::Stream;
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::{Bytes, Frame, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};

/// What bollard sends.
pub(super) type Body =
    Either<Full<Bytes>, StreamBody<Pin<Box<dyn Stream<Item = io::Result<Frame<Bytes>>> + Send>>>>;

/// More than a look has requests in flight; the rest is closed again.
const MOST_IDLE: usize = 16;
const DIAL: Duration = Duration::from_secs(10);

/// Where the engine answers.
#[derive(Debug, Clone)]
pub(super) enum Address {
    /// A socket of this machine.
    Unix(PathBuf),
    /// `host:port`, without encryption.
    Tcp(String),
}

/// The way to one engine.
#[derive(Debug)]
pub(super) struct Wire {
    address: Address,
    version: OnceLock<String>,
    idle: Mutex<Vec<SendRequest<Body>>>,
}

impl Wire {
    pub(super) fn new(address: Address) -> Self {
        Self { address, version: OnceLock::new(), idle: Mutex::default() }
    }

    /// Returns whether the engine is on this machine, so that its containers can be dialled.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.address, Address::Unix(_))
    }

    /// From now on every path names this version of the API, such as `1.41`.
    pub(super) fn speak(&self, version: String) {
        // A second negotiation with the same engine finds the same version.
        let _ = self.version.set(version);
    }

    /// Sends a request over a kept connection, or a new one.
    pub(super) async fn send(&self, mut request: Request<Body>) -> io::Result<Response<Incoming>> {
        self.address_engine(&mut request)?;
        loop {
            let kept = self.take();
            let is_kept = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => self.dial().await?,
            };
            match sender.try_send_request(request).await {
                Ok(response) => {
                    self.keep(sender);
                    return Ok(response);
                }
                // The engine closed a kept connection just now, and nothing of the request was sent.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    _ => return Err(io::Error::other(error.into_error())),
                },
            }
        }
    }

    /// Returns the JSON document at `path`.
    pub(super) async fn json(
        &self,
        path: &str,
    ) -> Result<serde_json::Value, bollard::errors::Error> {
        let request = Request::get(path).body(bollard::body_full(Bytes::new()))?;
        let response = self.send(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        if status == StatusCode::OK {
            return Ok(serde_json::from_slice(&bytes)?);
        }
        let answer: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let message = answer["message"].as_str().unwrap_or_default().to_owned();
        let status_code = status.as_u16();
        Err(bollard::errors::Error::DockerResponseServerError { status_code, message })
    }

    fn address_engine(&self, request: &mut Request<Body>) -> io::Result<()> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let versioned = self.version.get().map(|version| format!("/v{version}{path}"));
        let uri: Uri = versioned.as_deref().unwrap_or(path).parse().map_err(io::Error::other)?;
        *request.uri_mut() = uri;
        let host = match &self.address {
            Address::Unix(_) => HeaderValue::from_static("docker"),
            Address::Tcp(host) => HeaderValue::from_str(host).map_err(io::Error::other)?,
        };
        request.headers_mut().insert(HOST, host);
        Ok(())
    }

    async fn dial(&self) -> io::Result<SendRequest<Body>> {
        match &self.address {
            Address::Unix(path) => greet(UnixStream::connect(path).await?).await,
            Address::Tcp(host) => {
                let stream = tokio::time::timeout(DIAL, TcpStream::connect(host)).await??;
                stream.set_nodelay(true)?;
                greet(stream).await
            }
        }
    }

    fn take(&self) -> Option<SendRequest<Body>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|sender| !sender.is_closed());
        let ready = idle.iter().position(SendRequest::is_ready)?;
        Some(idle.swap_remove(ready))
    }

    fn keep(&self, sender: SendRequest<Body>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE && !sender.is_closed() {
            idle.push(sender);
        }
    }
}

async fn greet<S>(stream: S) -> io::Result<SendRequest<Body>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends by itself when the sender is dropped or the engine hangs up; the request sees the error.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}
