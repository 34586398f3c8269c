//! Mail, sent to a small mail server.

use std::time::Duration;

use nself::{
    model::Sensitive,
    notice::{Error, Receiver, Receivers, Trust},
    sync::{Notice, Turn},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    sync::mpsc,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::{QUICK, notice, server::Authority};

/// How the server behaves.
#[derive(Clone, Default)]
struct Manners {
    /// What it offers in answer to the greeting.
    offers: Vec<&'static str>,
    /// A command, and with what it is refused.
    refuses: Option<(&'static str, &'static str)>,
    acceptor: Option<TlsAcceptor>,
    /// Whether it speaks TLS from the first byte.
    is_implicit: bool,
}

struct Server {
    port: u16,
    heard: mpsc::UnboundedReceiver<String>,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (send, heard) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = manners.acceptor.clone();
                if manners.is_implicit {
                    let Ok(stream) = acceptor.unwrap().accept(stream).await else { continue };
                    converse(stream, &manners, true, &send).await;
                    continue;
                }
                if let Some(stream) = converse(stream, &manners, true, &send).await {
                    let Ok(stream) = acceptor.unwrap().accept(stream).await else { continue };
                    let inner = Manners { offers: vec!["AUTH PLAIN"], ..manners.clone() };
                    converse(stream, &inner, false, &send).await;
                }
            }
        });
        Self { port, heard, _task: AbortOnDropHandle::new(task) }
    }

    /// Returns what was heard so far, once the client has left.
    async fn heard(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let next = tokio::time::timeout(Duration::from_secs(20), self.heard.recv());
            match next.await.expect("the client leaves").unwrap() {
                end if end.is_empty() => return all,
                line => all.push(line),
            }
        }
    }
}

/// Holds one conversation. Returns the connection when the client wants to go on in TLS.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    manners: &Manners,
    greets: bool,
    send: &mpsc::UnboundedSender<String>,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    if greets {
        stream.write_all(b"220 test\r\n").await.unwrap();
    }
    let mut is_data = false;
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
            break;
        }
        let line = line.trim_end().to_owned();
        if is_data && line != "." {
            text.push_str(&line);
            text.push('\n');
            continue;
        }
        if is_data {
            send.send(std::mem::take(&mut text)).unwrap();
            is_data = false;
            stream.write_all(b"250 taken\r\n").await.unwrap();
            continue;
        }
        send.send(line.clone()).unwrap();
        let refusal = manners.refuses.filter(|(command, _)| line.starts_with(command));
        let answer = match line.split([' ', ':']).next().unwrap() {
            _ if refusal.is_some() => format!("{}\r\n", refusal.unwrap().1),
            "EHLO" => {
                let lines = manners.offers.iter().map(|offer| format!("250-{offer}\r\n"));
                format!("{}250 SIZE 1000000\r\n", lines.collect::<String>())
            }
            "STARTTLS" => {
                stream.write_all(b"220 go on\r\n").await.unwrap();
                return Some(stream.into_inner());
            }
            "DATA" => {
                is_data = true;
                "354 go on\r\n".to_owned()
            }
            "AUTH" => "235 welcome\r\n".to_owned(),
            "QUIT" => {
                let _ = stream.write_all(b"221 bye\r\n").await;
                break;
            }
            _ => "250 fine\r\n".to_owned(),
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            break;
        }
    }
    send.send(String::new()).unwrap();
    None
}

fn mail(server: &str, login: Option<(&str, &str)>) -> Receiver {
    Receiver::Mail {
        server: server.to_owned(),
        from: "nself <nself@example.org>".to_owned(),
        to: vec!["ada@example.org".to_owned(), "Bob <bob@example.org>".to_owned()],
        user: login.map(|(user, _)| user.to_owned()),
        password: login.map(|(_, password)| Sensitive::new(password)),
    }
}

async fn send(receiver: Receiver, trust: &Trust, notice: &Notice) -> Result<(), Error> {
    Receivers::new(vec![receiver], trust, QUICK).unwrap().deliver(notice).await.remove(0)
}

/// Returns the value of a header of a message.
fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {message}"))
}

#[tokio::test]
async fn mail_goes_out_in_plain_on_this_machine_and_what_is_over_follows_what_it_is_about() {
    let mut server = Server::start(Manners::default()).await;
    let receiver = mail(&format!("smtp://127.0.0.1:{}", server.port), None);
    let trust = Trust::Only(Vec::new());
    send(receiver.clone(), &trust, &notice(Turn::Begun)).await.unwrap();
    let heard = server.heard().await;
    assert_eq!(
        heard[1..4],
        ["MAIL FROM:<nself@example.org>", "RCPT TO:<ada@example.org>", "RCPT TO:<bob@example.org>"]
    );
    let begun = &heard[5];
    assert_eq!(header(begun, "Subject"), "shop: web is unhealthy");
    assert_eq!(header(begun, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(begun, "To"), "ada@example.org, Bob <bob@example.org>");
    assert!(begun.trim_end().ends_with("\n\nshop: web is unhealthy\nnself logs web"), "{begun}");
    let over = Notice { at: 1_700_000_060_000, ..notice(Turn::Over) };
    let over = Notice { title: "shop: naïve\r\nBcc: eve@example.org".to_owned(), ..over };
    send(receiver, &trust, &over).await.unwrap();
    let over = &server.heard().await[5];
    assert_eq!(header(over, "In-Reply-To"), header(begun, "Message-ID"));
    assert_ne!(header(over, "Message-ID"), header(begun, "Message-ID"));
    let head = over.split_once("\n\n").unwrap().0;
    assert!(!head.contains("\nBcc"), "{head}");
}

#[tokio::test]
async fn a_login_and_its_refusal_show_no_password() {
    let offers = vec!["AUTH PLAIN LOGIN"];
    let mut server = Server::start(Manners { offers: offers.clone(), ..Manners::default() }).await;
    let at = |port| format!("smtp://localhost:{port}");
    let login = Some(("ada", "pass-word-9"));
    let trust = Trust::Only(Vec::new());
    send(mail(&at(server.port), login), &trust, &notice(Turn::Begun)).await.unwrap();
    assert_eq!(server.heard().await[1], "AUTH PLAIN AGFkYQBwYXNzLXdvcmQtOQ==");
    let refuses = Some(("AUTH", "535 5.7.8 wrong: AGFkYQBwYXNzLXdvcmQtOQ== pass-word-9"));
    let server = Server::start(Manners { offers, refuses, ..Manners::default() }).await;
    let error =
        send(mail(&at(server.port), login), &trust, &notice(Turn::Begun)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot tell ada@example.org, Bob <bob@example.org> by localhost: the mail server answers 535: 5.7.8 \
         wrong: (secret) (secret); are `user` and `password` right?"
    );
    let receivers = Receivers::new(vec![mail(&at(1), login)], &trust, QUICK).unwrap();
    assert!(!format!("{receivers:?} {:?}", mail(&at(1), login)).contains("pass-word"));
}

#[tokio::test]
async fn mail_is_encrypted_before_anybody_logs_in() {
    let ours = Authority::new();
    let trust = Trust::Only(vec![ours.certificate()]);
    let login = Some(("ada", "pass-word-9"));
    let upgrades = Manners {
        offers: vec!["STARTTLS"],
        acceptor: Some(ours.acceptor("localhost")),
        ..Manners::default()
    };
    let mut server = Server::start(upgrades.clone()).await;
    let at = |port| format!("smtp+starttls://localhost:{port}");
    send(mail(&at(server.port), login), &trust, &notice(Turn::Begun)).await.unwrap();
    let heard = server.heard().await;
    assert_eq!(heard[1], "STARTTLS");
    assert!(heard[2].starts_with("EHLO") && heard[3].starts_with("AUTH PLAIN"), "{heard:?}");

    let mut bare = Server::start(Manners::default()).await;
    let error = send(mail(&at(bare.port), login), &trust, &notice(Turn::Begun)).await.unwrap_err();
    assert!(error.to_string().contains("STARTTLS"), "{error}");
    assert!(!bare.heard().await.iter().any(|line| line.starts_with("AUTH")));

    let stranger = Server::start(Manners {
        acceptor: Some(Authority::new().acceptor("localhost")),
        ..upgrades
    })
    .await;
    let error =
        send(mail(&at(stranger.port), login), &trust, &notice(Turn::Begun)).await.unwrap_err();
    assert_eq!(error.why, "its certificate was issued by nobody this machine trusts");
}

#[tokio::test]
async fn mail_is_encrypted_from_the_first_byte() {
    let ours = Authority::new();
    let manners = Manners {
        acceptor: Some(ours.acceptor("localhost")),
        is_implicit: true,
        ..Manners::default()
    };
    let mut server = Server::start(manners).await;
    let receiver = mail(&format!("smtps://localhost:{}", server.port), None);
    let trust = Trust::Only(vec![ours.certificate()]);
    send(receiver, &trust, &notice(Turn::Begun)).await.unwrap();
    assert_eq!(server.heard().await[4], "DATA");
}

#[tokio::test]
async fn a_full_mailbox_is_said() {
    let refuses = Some(("RCPT TO:<bob", "452 4.2.2 mailbox full"));
    let server = Server::start(Manners { refuses, ..Manners::default() }).await;
    let receiver = mail(&format!("smtp://127.0.0.1:{}", server.port), None);
    let trust = Trust::Only(Vec::new());
    let error = send(receiver, &trust, &notice(Turn::Begun)).await.unwrap_err();
    assert_eq!(error.why, "the mail server answers 452: 4.2.2 mailbox full");
}
