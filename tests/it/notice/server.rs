//! A server of HTTP that answers as it is told, and keeps what it was sent.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader,
    },
    net::TcpListener,
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

/// How one request is answered. After the last reply all is well.
#[derive(Debug, Clone)]
pub enum Reply {
    /// With these bytes; then the connection ends.
    Text(String),
    /// Not; the connection ends.
    Hangup,
    /// Not; the connection stays.
    Silence,
    /// With more than anybody wants to read.
    Endless,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self::Text(format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n"))
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Got {
    /// Its first line.
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        &found.unwrap_or_else(|| panic!("no {name} in {self:?}")).1
    }

    /// Returns it as it was sent, but who we are and the place.
    pub fn text(&self, authority: &str) -> String {
        let headers = self.headers.iter().filter(|(name, _)| name != "user-agent");
        let headers: String = headers.map(|(name, value)| format!("{name}: {value}\n")).collect();
        format!("{}\n{headers}\n{}\n", self.line, self.body).replace(authority, "HOST")
    }
}

pub struct Server {
    authority: String,
    is_tls: bool,
    got: mpsc::UnboundedReceiver<Got>,
    task: AbortOnDropHandle<()>,
}

impl Server {
    pub async fn start(replies: Vec<Reply>) -> Self {
        Self::listen(replies, None).await
    }

    pub async fn start_tls(replies: Vec<Reply>, acceptor: TlsAcceptor) -> Self {
        Self::listen(replies, Some(acceptor)).await
    }

    async fn listen(replies: Vec<Reply>, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (send, got) = mpsc::unbounded_channel();
        let is_tls = acceptor.is_some();
        let task = tokio::spawn(async move {
            let (mut replies, mut open) = (VecDeque::from(replies), JoinSet::new());
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (send, acceptor) = (send.clone(), acceptor.clone());
                // A greeting that fails takes no reply.
                match acceptor {
                    None => {
                        let reply = replies.pop_front();
                        open.spawn(async move { answer(stream, reply, &send).await });
                    }
                    Some(acceptor) => {
                        let Ok(stream) = acceptor.accept(stream).await else { continue };
                        let reply = replies.pop_front();
                        open.spawn(async move { answer(stream, reply, &send).await });
                    }
                }
            }
        });
        let host = if is_tls { "localhost" } else { "127.0.0.1" };
        let authority = format!("{host}:{port}");
        Self { authority, is_tls, got, task: AbortOnDropHandle::new(task) }
    }

    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", if self.is_tls { "https" } else { "http" }, self.authority)
    }

    /// Stops, so that nobody answers there.
    pub async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Waits for the next request.
    pub async fn next(&mut self) -> Got {
        let next = tokio::time::timeout(Duration::from_secs(20), self.got.recv());
        next.await.expect("a request comes").unwrap()
    }

    /// Returns whether nothing came that was not looked at.
    pub fn is_quiet(&mut self) -> bool {
        self.got.try_recv().is_err()
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    reply: Option<Reply>,
    send: &mpsc::UnboundedSender<Got>,
) {
    let mut stream = BufReader::new(stream);
    let Some(got) = read(&mut stream).await else { return };
    send.send(got).unwrap();
    let fine = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned();
    match reply.unwrap_or(Reply::Text(fine)) {
        Reply::Text(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Reply::Hangup => {}
        Reply::Silence => std::future::pending().await,
        Reply::Endless => {
            let mut sent = stream.write_all(b"HTTP/1.1 500 Said\r\n\r\n").await;
            while sent.is_ok() {
                sent = stream.write_all(&[b'x'; 4096]).await;
            }
        }
    }
}

async fn read<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Option<Got> {
    // A greeting of TLS, which gets what a server of the web says to it.
    if stream.fill_buf().await.ok()?.first() == Some(&0x16) {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok()?;
        return None;
    }
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut got = Got { line: line.trim_end().to_owned(), headers, body: String::new() };
    let mut body = vec![0; got.header("content-length").parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    got.body = String::from_utf8(body).unwrap();
    Some(got)
}

/// Somebody who issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// Returns what accepts connections with a certificate for a name.
    pub fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}
