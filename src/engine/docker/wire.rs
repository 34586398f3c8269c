//! Connections to the engine that are kept open between requests.
//!
//! bollard opens a connection for each request and leaves the API version out of its paths. A look at 25
//! containers is 30 requests, so this transport keeps connections, and it names the negotiated version in
//! every path. It interprets no answer.

use std::{
    io,
    pin::Pin,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::Stream;
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::{
    HeaderMap, Request, Response, StatusCode, Uri,
    body::{Bytes, Frame, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpStream, UnixStream},
    time::Instant,
};

use super::{
    address::{Address, Host, Way},
    ssh::Ssh,
    tls::Identity,
};

/// What bollard sends.
pub(super) type Body =
    Either<Full<Bytes>, StreamBody<Pin<Box<dyn Stream<Item = io::Result<Frame<Bytes>>> + Send>>>>;

/// Questions in flight; more make a look no faster, since the engine takes locks.
const MOST_AT_ONCE: usize = 12;
/// More than a look has requests in flight; the rest is closed again.
const MOST_IDLE: usize = 16;
/// Where an answer is none.
pub(super) const MAYBE_TLS: &str =
    "it may be TLS that is spoken there, which wants DOCKER_CERT_PATH";
const DIAL: Duration = Duration::from_secs(10);

/// What it takes to get there.
#[derive(Debug)]
enum Road {
    Unix(std::path::PathBuf),
    Tcp(Host),
    Tls(Host, Identity),
    Ssh(Ssh),
}

/// The way to one engine.
#[derive(Debug)]
pub(super) struct Wire {
    road: Road,
    version: OnceLock<String>,
    idle: Mutex<Vec<SendRequest<Body>>>,
}

impl Wire {
    /// Prepares the way; fails when what it takes is not here.
    pub(super) fn new(address: &Address) -> io::Result<Self> {
        let road = match &address.way {
            Way::Unix(path) => Road::Unix(path.clone()),
            Way::Tcp(host) => Road::Tcp(host.clone()),
            Way::Tls(host, folder) => Road::Tls(host.clone(), Identity::read(host, folder)?),
            Way::Ssh(remote) => Road::Ssh(Ssh::new(remote)),
        };
        Ok(Self { road, version: OnceLock::new(), idle: Mutex::default() })
    }

    /// Returns whether the engine is on this machine, so that its containers can be dialled. Behind a
    /// port of this machine may be another one.
    pub(super) fn is_local(&self) -> bool {
        match self.road {
            Road::Unix(_) => true,
            Road::Tcp(_) | Road::Tls(..) | Road::Ssh(_) => false,
        }
    }

    /// Returns how many questions to have in flight: an engine on this machine gets slower by more than it has
    /// processors for; on the way to another one there is time for many.
    pub(super) fn at_once(&self) -> usize {
        let here = || std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        if self.is_local() { here().clamp(2, MOST_AT_ONCE) } else { MOST_AT_ONCE }
    }

    /// From now on every path names this version of the API, such as `1.41`.
    pub(super) fn speak(&self, version: String) {
        // A second negotiation with the same engine finds the same version.
        let _ = self.version.set(version);
    }

    /// Sends a request over a kept connection, or a new one.
    pub(super) async fn send(&self, mut request: Request<Body>) -> io::Result<Response<Incoming>> {
        self.address_engine(&mut request)?;
        // Without its query, where arguments of builds stand.
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let begin = Instant::now();
        let answer = self.exchange(request).await;
        let ms = begin.elapsed().as_secs_f64() * 1e3;
        match &answer {
            Ok(answer) => {
                tracing::debug!("{method} {path}: {} after {ms:.1} ms", answer.status().as_u16());
            }
            Err(error) => tracing::debug!("{method} {path}: {error} after {ms:.1} ms"),
        }
        answer
    }

    async fn exchange(&self, mut request: Request<Body>) -> io::Result<Response<Incoming>> {
        loop {
            let kept = self.take();
            let is_kept = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                // On the heap: it is rare, and every call to the engine would carry its size.
                None => match Box::pin(self.dial()).await {
                    Ok(sender) => sender,
                    Err(error) => return Err(Box::pin(self.explain(error)).await),
                },
            };
            match sender.try_send_request(request).await {
                Ok(response) => {
                    self.keep(sender);
                    return Ok(response);
                }
                // The engine closed a kept connection just now, and nothing of the request was sent.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    _ => {
                        let error = io::Error::other(error.into_error());
                        return Err(Box::pin(self.explain(error)).await);
                    }
                },
            }
        }
    }

    /// Returns the JSON document at `path`.
    pub(super) async fn json(
        &self,
        path: &str,
    ) -> Result<serde_json::Value, bollard::errors::Error> {
        Ok(serde_json::from_slice(&self.bytes(path).await?)?)
    }

    /// Returns what is at `path` as it comes.
    pub(super) async fn bytes(&self, path: &str) -> Result<Bytes, bollard::errors::Error> {
        let (_, bytes) = self.get(path).await?;
        Ok(bytes)
    }

    /// Returns the headers of the shortest answer there is.
    pub(super) async fn ping(&self) -> Result<HeaderMap, bollard::errors::Error> {
        let (headers, _) = self.get("/_ping").await?;
        Ok(headers)
    }

    async fn get(&self, path: &str) -> Result<(HeaderMap, Bytes), bollard::errors::Error> {
        let request = Request::get(path).body(bollard::body_full(Bytes::new()))?;
        let response = self.send(request).await?;
        let (head, body) = response.into_parts();
        let status = head.status;
        let bytes = body.collect().await?.to_bytes();
        if status == StatusCode::OK {
            return Ok((head.headers, bytes));
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
        let host = match &self.road {
            Road::Unix(_) | Road::Ssh(_) => HeaderValue::from_static("docker"),
            Road::Tcp(host) | Road::Tls(host, _) => {
                HeaderValue::try_from(host.to_string()).map_err(io::Error::other)?
            }
        };
        request.headers_mut().insert(HOST, host);
        Ok(())
    }

    async fn dial(&self) -> io::Result<SendRequest<Body>> {
        match &self.road {
            Road::Unix(path) => greet(UnixStream::connect(path).await?).await,
            Road::Tcp(host) => greet(tcp(host).await?).await,
            Road::Tls(host, identity) => {
                let greeted = async { identity.greet(tcp(host).await?).await };
                greet(tokio::time::timeout(DIAL, greeted).await??).await
            }
            Road::Ssh(ssh) => greet(ssh.connect().await?).await,
        }
    }

    /// Puts a failure into the words of what carries the connection, where it has some.
    async fn explain(&self, error: io::Error) -> io::Error {
        match &self.road {
            Road::Unix(_) => error,
            Road::Tcp(_) => {
                let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<hyper::Error>());
                if !cause.is_some_and(hyper::Error::is_parse) {
                    return error;
                }
                let words = format!("what answers there does not speak HTTP; {MAYBE_TLS}");
                io::Error::new(error.kind(), words)
            }
            Road::Tls(_, identity) => identity.explain(error),
            Road::Ssh(ssh) => ssh.explain(error).await,
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

async fn tcp(host: &Host) -> io::Result<TcpStream> {
    let dialled = TcpStream::connect((host.name.as_str(), host.port));
    let stream = tokio::time::timeout(DIAL, dialled).await.map_err(|_| {
        let why = format!("no answer in {} seconds", DIAL.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, why)
    })??;
    stream.set_nodelay(true)?;
    Ok(stream)
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
