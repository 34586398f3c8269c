//! One request and its answer, over HTTP or HTTPS.
//!
//! A connection a request: notices are rare. No proxies, no redirects, no cookies.

use std::{fmt, io, net::IpAddr, time::Duration};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Trust,
    error::{Again, Fault, line},
};

/// So much of an answer is read.
const ANSWER: usize = 64 * 1024;
/// The longest wait that somebody else may ask for.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Who we say we are.
const AGENT: &str = concat!("nself/", env!("CARGO_PKG_VERSION"));

/// An address that has a meaning. Only its host is ever shown: paths hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    is_tls: bool,
    /// A name or an address, without brackets.
    host: String,
    port: u16,
    /// As it is sent in the header `Host`.
    authority: String,
    /// Path and query.
    path: String,
}

/// Why a text is no address, and what would be one.
#[derive(Debug)]
pub(super) struct NoAddress {
    pub(super) why: &'static str,
    pub(super) remedy: &'static str,
}

impl Address {
    /// Reads `https://host:port/path`, or `http://` where somebody wants it so.
    pub(super) fn read(text: &str) -> Result<Self, NoAddress> {
        let wrong = |why, remedy| Err(NoAddress { why, remedy });
        let Ok(uri) = text.trim().parse::<Uri>() else {
            return wrong("its address cannot be read", "write it like https://host/path");
        };
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return wrong("its address is not one of the web", "begin it with https://"),
        };
        let Some(authority) = uri.authority() else {
            return wrong("its address has no host", "write it like https://host/path");
        };
        if authority.as_str().contains('@') {
            return wrong("its address has a user in it", "take what is before the @ away");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if is_tls && ServerName::try_from(host.clone()).is_err() {
            return wrong("its host is no name that a certificate can have", "write a host name");
        }
        Ok(Self {
            is_tls,
            host,
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// Returns the same place with another path below this one's.
    pub(super) fn below(&self, path: &str) -> Self {
        Self { path: format!("{}{path}", self.path.trim_end_matches('/')), ..self.clone() }
    }

    /// Returns the path, of which nobody knows what is secret in it.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Returns whether what is sent there is encrypted.
    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns whether a host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What is posted: JSON, with headers.
pub(super) struct Post<'a> {
    pub(super) address: &'a Address,
    pub(super) headers: Vec<(&'static str, HeaderValue)>,
    pub(super) body: Vec<u8>,
}

/// Returns a header's value that is in no log; `None` when it has characters that no header can have.
pub(super) fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What sends requests.
#[derive(Clone)]
pub(super) struct Client {
    connector: Option<TlsConnector>,
    patience: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl Client {
    /// Makes one. Certificates are read only where one of the addresses needs them.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn new<'a>(
        trust: &Trust,
        patience: Duration,
        addresses: impl IntoIterator<Item = &'a Address>,
    ) -> Result<Self, String> {
        let needs = addresses.into_iter().any(Address::is_tls);
        let connector = needs.then(|| trust.connector()).transpose()?;
        Ok(Self { connector, patience })
    }

    /// Posts, and returns what was answered when it was good.
    pub(super) async fn post(&self, post: Post<'_>) -> Result<(), Fault> {
        let Ok(answer) = tokio::time::timeout(self.patience, self.exchange(post)).await else {
            let seconds = self.patience.as_secs_f32();
            return Err(Fault::passing(format!("there is no answer after {seconds} s")));
        };
        answer?.judge()
    }

    async fn exchange(&self, post: Post<'_>) -> Result<Answer, Fault> {
        let broken = |error: io::Error| Fault::of_connection(&error);
        let Address { host, port, is_tls, .. } = post.address;
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(broken)?;
        match &self.connector {
            Some(connector) if *is_tls => {
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| Fault::lasting("its host is no name", None))?;
                converse(connector.connect(name, stream).await.map_err(broken)?, post).await
            }
            None if *is_tls => Err(Fault::lasting("no certificates were read", None)),
            Some(_) | None => converse(stream, post).await,
        }
    }
}

async fn converse<S>(stream: S, post: Post<'_>) -> Result<Answer, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| {
        // What lies behind says more: a connection that was cut, a certificate that was refused.
        let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref());
        cause.map_or_else(|| Fault::passing(line(&error.to_string())), Fault::of_connection)
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
    let response = sender.send_request(request(post)?).await.map_err(broken)?;
    Answer::read(response).await
}

fn request(post: Post<'_>) -> Result<Request<Full<Bytes>>, Fault> {
    let mut request = Request::post(&post.address.path)
        .header(HOST, &post.address.authority)
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in post.headers {
        request = request.header(HeaderName::from_static(name), value);
    }
    request
        .body(Full::new(Bytes::from(post.body)))
        .map_err(|_| Fault::lasting("the request cannot be written", None))
}

/// What was answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    wait: Option<Duration>,
    /// Its beginning.
    text: String,
}

impl Answer {
    async fn read(response: Response<Incoming>) -> Result<Self, Fault> {
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|text| retry_after(text, Timestamp::now()));
        let status = response.status();
        let (mut body, mut bytes) = (response.into_body(), Vec::new());
        // Of a good answer nobody reads what it says.
        while !status.is_success() && bytes.len() < ANSWER {
            let Some(Ok(frame)) = body.frame().await else { break };
            bytes.extend(frame.into_data().unwrap_or_default());
        }
        bytes.truncate(ANSWER);
        Ok(Self { status, wait, text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    fn judge(&self) -> Result<(), Fault> {
        if self.status.is_success() {
            return Ok(());
        }
        let text = line(&self.text);
        let why = format!("it answers {}", self.status);
        let why = if text.is_empty() { why } else { format!("{why}: {text}") };
        if self.status.is_redirection() {
            let remedy = "redirects are not followed: write the address it points to".to_owned();
            return Err(Fault::lasting(why, Some(remedy)));
        }
        let is_passing =
            self.status.is_server_error() || matches!(self.status.as_u16(), 408 | 425 | 429);
        let again = match self.wait {
            _ if !is_passing => Again::Never,
            Some(wait) => Again::After(wait.min(LONGEST_WAIT)),
            None => Again::Soon,
        };
        Err(Fault { why, remedy: None, again })
    }
}

/// Reads the header `Retry-After`: seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    let seconds = date.as_second().saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_the_web_and_show_their_host_only() {
        let address = Address::read("https://Hooks.example.org/T0/secret?x=1").unwrap();
        assert_eq!((address.port, address.path()), (443, "/T0/secret?x=1"));
        assert_eq!(format!("{address} {address:?}"), "Hooks.example.org Hooks.example.org");
        let local = Address::read("http://[::1]:8080").unwrap();
        assert_eq!((local.host.as_str(), local.port, local.path()), ("::1", 8080, "/"));
        assert_eq!(local.below("/a").path(), "/a");
        for wrong in ["", "example.org/x", "ftp://a/b", "https://user:word@a/b", "https:///x", "/x"]
        {
            assert!(Address::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_as_a_date() {
        let now = Timestamp::from_second(1_445_412_470).unwrap();
        let read = |text: &str| retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(read(" 120"), Some(120));
        assert_eq!(read("Wed, 21 Oct 2015 07:28:00 GMT"), Some(10));
        assert_eq!(read("Wed, 21 Oct 2015 07:27:00 GMT"), Some(0));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn answers_are_judged_by_whether_another_try_helps() {
        let judge = |status: u16, wait| {
            let status = StatusCode::from_u16(status).unwrap();
            Answer { status, wait, text: "no\n team".to_owned() }.judge()
        };
        let hour = Some(Duration::from_hours(1));
        assert_eq!(judge(204, None), Ok(()));
        assert_eq!(judge(500, None).unwrap_err().again, Again::Soon);
        assert_eq!(judge(429, hour).unwrap_err().again, Again::After(LONGEST_WAIT));
        let gone = judge(404, hour).unwrap_err();
        assert_eq!(gone, Fault::lasting("it answers 404 Not Found: no team", None));
        assert!(judge(302, None).unwrap_err().remedy.is_some());
    }
}
