//! Repositories over http and https: `git`'s own server behind a small one of the tests' own.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use base64::Engine as _;
use nself::{
    model::Sensitive,
    source::git::{Access, Error, Remote},
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::forge::{Forge, access, main};

const PASSWORD: &str = "correct horse+battery/staple";

/// What a server does with a request.
#[derive(Clone)]
enum Manner {
    /// Serves the folder to who has the password.
    Serve(PathBuf),
    /// Sends everybody elsewhere.
    Redirect(String),
    /// Says that it is overworked.
    Overworked,
}

/// What of each request a server remembers: its path, and what it showed to be let in.
type Seen = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// Starts a server, and returns its port.
fn start(manner: Manner, tls: Option<Arc<rustls::ServerConfig>>) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let remembered = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let (manner, tls, seen) = (manner.clone(), tls.clone(), seen.clone());
            std::thread::spawn(move || match tls {
                None => answer(stream, &manner, &seen),
                Some(tls) => {
                    let connection = rustls::ServerConnection::new(tls).unwrap();
                    answer(rustls::StreamOwned::new(connection, stream), &manner, &seen)
                }
            });
        }
    });
    (port, remembered)
}

/// Answers one request. A client that goes away is of no interest.
fn answer(stream: impl Read + Write, manner: &Manner, seen: &Seen) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let fits = |line: &&String| line.to_lowercase().starts_with(&format!("{name}:"));
        let line = lines.iter().find(fits)?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let mut words = lines.first()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let login = header("authorization");
    seen.lock().unwrap().push((target.clone(), login.clone()));
    let length = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let out = stream.get_mut();
    let mut say = |head: &str, body: &[u8]| {
        let length = body.len();
        write!(out, "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
            .ok()?;
        out.write_all(body).ok()?;
        out.flush().ok()
    };
    let folder = match manner {
        Manner::Serve(folder) => folder,
        Manner::Redirect(to) => return say(&format!("302 Found\r\nLocation: {to}{target}"), b""),
        Manner::Overworked => return say("503 Service Unavailable", b"come back later"),
    };
    let expected = base64::engine::general_purpose::STANDARD.encode(format!("ada:{PASSWORD}"));
    if login != Some(format!("Basic {expected}")) {
        return say("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"shop\"", b"");
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", length.to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding").unwrap_or_default())
        .env("GIT_PROTOCOL", header("git-protocol").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = child.stdin.take().unwrap().write_all(&body);
    let output = child.wait_with_output().ok()?.stdout;
    asked.ok()?;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let others: String = head
        .lines()
        .filter(|line| !line.starts_with("Status:"))
        .map(|l| format!("\r\n{l}"))
        .collect();
    say(&format!("{status}{others}"), &output[end + 4..])
}

fn remote(forge: &Forge, url: &str, password: Option<&str>) -> Remote {
    Remote {
        url: url.parse().unwrap(),
        access: Access {
            username: Some("ada".into()),
            password: password.map(Sensitive::new),
            ..access()
        },
        ..forge.remote(main())
    }
}

#[tokio::test]
async fn a_repository_is_fetched_over_http_with_a_password() {
    let forge = Forge::new();
    let (port, _) = start(Manner::Serve(forge.folder().to_owned()), None);
    let url = format!("http://127.0.0.1:{port}/shop.git");
    let watch = forge.open(remote(&forge, &url, Some(PASSWORD))).await.unwrap();
    let first = watch.head().await.unwrap();
    let commit = forge.push("two");
    assert_eq!(watch.head().await.unwrap().commit, commit);
    watch.switch(&first.commit).await.unwrap();
    drop(watch);
    // The password is nowhere on the disk.
    let found = Command::new("grep").args(["-r", "correct horse"]).arg(forge.state()).output();
    assert_eq!(String::from_utf8_lossy(&found.unwrap().stdout), "");

    for password in [None, Some("another long one")] {
        let watch = forge.open(remote(&forge, &url, password)).await.unwrap();
        let error = watch.head().await.unwrap_err();
        assert!(matches!(error, Error::Denied { .. }), "{error:?}");
        assert!(!format!("{error:?}{error}").contains("another"), "{error:?}");
    }
    let gone = format!("http://127.0.0.1:{port}/away.git");
    let watch = forge.open(remote(&forge, &gone, Some(PASSWORD))).await.unwrap();
    let error = watch.head().await.unwrap_err();
    assert!(matches!(error, Error::Gone { .. }), "{error:?}");
}

#[tokio::test]
async fn the_password_is_for_one_site() {
    let forge = Forge::new();
    let (port, seen) = start(Manner::Serve(forge.folder().to_owned()), None);
    let (first, _) = start(Manner::Redirect(format!("http://127.0.0.1:{port}")), None);
    let url = format!("http://127.0.0.1:{first}/shop.git");
    let watch = forge.open(remote(&forge, &url, Some(PASSWORD))).await.unwrap();
    let error = watch.head().await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    let seen = seen.lock().unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|(_, login)| login.is_none()), "{seen:?}");
}

#[tokio::test]
async fn a_server_that_cannot_now_is_asked_again() {
    let forge = Forge::new();
    let (port, _) = start(Manner::Overworked, None);
    for port in [port, 1] {
        let url = format!("http://127.0.0.1:{port}/shop.git");
        let watch = forge.open(remote(&forge, &url, Some(PASSWORD))).await.unwrap();
        let error = watch.head().await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert!(!format!("{error:?}{error}").contains("horse"), "{error:?}");
    }
}

#[tokio::test]
async fn certificates_are_checked() {
    let forge = Forge::new();
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let (port, _) = start(Manner::Serve(forge.folder().to_owned()), Some(Arc::new(tls)));
    let url = format!("https://127.0.0.1:{port}/shop.git");
    let watch = forge.open(remote(&forge, &url, Some(PASSWORD))).await.unwrap();
    let error = watch.head().await.unwrap_err();
    assert!(error.remedy().unwrap().contains("CA bundle"), "{error:?}");
    drop(watch);
    let bundle = forge.folder().join("ca.pem");
    std::fs::write(&bundle, certified.cert.pem()).unwrap();
    let mut remote = remote(&forge, &url, Some(PASSWORD));
    remote.access.ca_bundle = Some(bundle);
    let watch = forge.open(remote).await.unwrap();
    assert_eq!(watch.head().await.unwrap().subject, "one");
}
