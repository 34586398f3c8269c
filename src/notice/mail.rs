//! A notice as an e-mail, over SMTP.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        self,
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};

use super::{
    Trust,
    error::{Again, Fault, line},
    http::is_loopback,
    trust::NO_AUTHORITIES,
    webhook,
};
use crate::{
    model::{Digest, Sensitive},
    sync::{Notice, Turn},
};

/// A connection to a mail server, and from whom to whom.
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// The server's name, as it is shown.
    pub(super) server: String,
    from: Mailbox,
    to: Vec<Mailbox>,
    patience: Duration,
}

/// What a person set.
pub(super) struct Settings<'a> {
    pub(super) server: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a [String],
    pub(super) login: Option<(&'a str, &'a Sensitive)>,
}

/// Why settings cannot work, and what would.
type Wrong = (String, String);

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From the first byte.
    Implicit,
    /// After the greeting, or not at all.
    Upgraded,
    /// Not.
    Plain,
}

impl Mailer {
    /// Reads the settings. `patience` is for a whole conversation.
    pub(super) fn new(
        settings: &Settings<'_>,
        trust: &Trust,
        patience: Duration,
    ) -> Result<Self, Wrong> {
        let (way, host, port) = server(settings.server)?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host)
            .port(port)
            .timeout(Some(patience))
            .tls(match way {
                Way::Implicit => Tls::Wrapper(parameters(&host, trust)?),
                Way::Upgraded => Tls::Required(parameters(&host, trust)?),
                Way::Plain => Tls::None,
            });
        let transport = match settings.login {
            Some((user, password)) => transport
                .credentials(Credentials::new(user.to_owned(), password.expose().to_owned())),
            None => transport,
        };
        if settings.to.is_empty() {
            return Err((
                "nobody is to be written to".to_owned(),
                "name an address in `to`".to_owned(),
            ));
        }
        Ok(Self {
            transport: transport.build(),
            server: host,
            from: mailbox(settings.from)?,
            to: settings.to.iter().map(|one| mailbox(one)).collect::<Result<_, _>>()?,
            patience,
        })
    }

    /// Sends a notice.
    pub(super) async fn deliver(&self, notice: &Notice) -> Result<(), Fault> {
        let message = self.message(notice)?;
        match tokio::time::timeout(self.patience, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(fault(&error)),
            Err(_) => {
                let seconds = self.patience.as_secs_f32();
                Err(Fault::passing(format!("it is not done after {seconds} s")))
            }
        }
    }

    fn message(&self, notice: &Notice) -> Result<Message, Fault> {
        let domain = self.from.email.domain();
        // What is over is shown below what it was about.
        let since = notice.since.to_string();
        let thread = [notice.project.as_str(), &notice.key, &since].map(str::as_bytes);
        let thread = format!("<{}@{domain}>", &Digest::of_parts(thread).as_str()[..32]);
        let message = Message::builder().from(self.from.clone()).subject(line(&notice.title));
        let message = self.to.iter().fold(message, |message, to| message.to(to.clone()));
        let message = match notice.turn {
            Turn::Begun => message.message_id(Some(thread)),
            Turn::Over | Turn::Flapping => message
                .message_id(Some(format!("<{}@{domain}>", webhook::id(notice))))
                .in_reply_to(thread.clone())
                .references(thread),
        };
        let lines: Vec<&str> = [notice.title.as_str()]
            .into_iter()
            .chain(notice.lines.iter().map(String::as_str))
            .collect();
        let mut message = message
            .header(ContentType::TEXT_PLAIN)
            .body(format!("{}\n", lines.join("\n")))
            .map_err(|error| Fault::lasting(line(&error.to_string()), None))?;
        // No machine answers that its owner is on holiday.
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
        Ok(message)
    }
}

/// Reads `smtps://host:port` (encrypted from the first byte), `smtp://host:port` (STARTTLS is required; plain on
/// this machine) and `smtp+starttls://host:port` (STARTTLS is required everywhere).
fn server(text: &str) -> Result<(Way, String, u16), Wrong> {
    let wrong = |why: &str, remedy: &str| Err((why.to_owned(), remedy.to_owned()));
    let pattern = "write it like smtp://mail.example.org:587 or smtps://mail.example.org";
    let Some((scheme, rest)) = text.trim().split_once("://") else {
        return wrong("its server does not say how it is spoken with", pattern);
    };
    let rest = rest.trim_end_matches('/');
    if rest.contains(['@', '/', '?', ' ']) {
        return wrong("its server is more than a host and a port", pattern);
    }
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let way = match scheme {
        "smtps" => Way::Implicit,
        "smtp" if is_loopback(host) => Way::Plain,
        "smtp" | "smtp+starttls" => Way::Upgraded,
        _ => return wrong("its server is no mail server", pattern),
    };
    let usual = match way {
        Way::Implicit => 465,
        Way::Upgraded => 587,
        Way::Plain => 25,
    };
    match port.map_or(Ok(usual), str::parse) {
        Ok(port) if !host.is_empty() => Ok((way, host.to_owned(), port)),
        _ => wrong("its server is no host with a port", pattern),
    }
}

fn parameters(host: &str, trust: &Trust) -> Result<TlsParameters, Wrong> {
    let authorities = trust.authorities().map_err(|why| (why, NO_AUTHORITIES.to_owned()))?;
    let unusable = |error: smtp::Error| (line(&error.to_string()), "write a host name".to_owned());
    let builder = TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::None);
    let builder = authorities.into_iter().try_fold(builder, |builder, authority| {
        Ok(builder.add_root_certificate(Certificate::from_der(authority.to_vec())?))
    });
    builder.and_then(smtp::client::TlsParametersBuilder::build_rustls).map_err(unusable)
}

fn mailbox(text: &str) -> Result<Mailbox, Wrong> {
    text.parse().map_err(|_| {
        (
            format!("`{}` is no address of a person", line(text)),
            "write it like nself <nself@example.org>".to_owned(),
        )
    })
}

fn fault(error: &smtp::Error) -> Fault {
    let mut link: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = link {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Fault::of_tls(tls);
        }
        let io = cause.downcast_ref::<std::io::Error>();
        if let Some(io) = io.filter(|_| error.status().is_none()) {
            return Fault::of_connection(io);
        }
        link = cause.source();
    }
    let code = error.status().map(u16::from);
    let says =
        std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    let why = match code {
        Some(code) => format!("the mail server answers {code}: {}", line(&says)),
        None => line(&says),
    };
    let remedy = match code {
        Some(530) => Some("set `user` and `password`".to_owned()),
        Some(534 | 535) => Some("are `user` and `password` right?".to_owned()),
        _ => None,
    };
    let again = if error.is_permanent() || error.is_client() { Again::Never } else { Again::Soon };
    Fault { why, remedy, again }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_how_they_are_spoken_with() {
        let is = |text: &str, way, host: &str, port| {
            assert_eq!(server(text).unwrap(), (way, host.to_owned(), port), "{text}");
        };
        is("smtps://mail.example.org", Way::Implicit, "mail.example.org", 465);
        is("smtp://mail.example.org/", Way::Upgraded, "mail.example.org", 587);
        is("smtp://mail.example.org:25", Way::Upgraded, "mail.example.org", 25);
        is("smtp://localhost:1025", Way::Plain, "localhost", 1025);
        is("smtp://[::1]", Way::Plain, "::1", 25);
        is("smtp+starttls://127.0.0.1:1", Way::Upgraded, "127.0.0.1", 1);
        for wrong in [
            "mail.example.org",
            "http://a",
            "smtp://",
            "smtp://u:p@a",
            "smtp://a:b",
            "smtp://a/b",
            "smtp://[::1",
        ] {
            assert!(server(wrong).is_err(), "{wrong}");
        }
    }
}
