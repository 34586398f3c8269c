//! Who is told.

use futures_util::future::join_all;

use super::{
    Error, Invalid, Pace, Trust,
    error::Fault,
    http::{Address, Client},
    mail::{Mailer, Settings},
    slack,
    trust::NO_AUTHORITIES,
    webhook,
};
use crate::{
    model::{Keyring, Sensitive},
    sync::Notice,
};

/// Somebody to tell, as a person wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver {
    /// A program that takes JSON.
    Webhook {
        /// Where it listens.
        url: Sensitive,
        /// What notices are signed with.
        secret: Option<Sensitive>,
    },
    /// A channel of Slack, Mattermost, or Discord with `/slack` at the end of the address.
    Slack {
        /// The channel's address, which is all that is needed to write there.
        url: Sensitive,
    },
    /// Persons, by e-mail.
    Mail {
        /// The mail server: `smtps://HOST` is encrypted from the first byte; `smtp://HOST` must offer STARTTLS,
        /// unless it is this machine, which is spoken with in plain; `smtp+starttls://HOST` must always.
        server: String,
        /// Who writes.
        from: String,
        /// Who is written to.
        to: Vec<String>,
        /// Who logs in; without one nobody does.
        user: Option<String>,
        /// The password of the user.
        password: Option<Sensitive>,
    },
}

/// All who are told.
#[derive(Debug, Default)]
pub struct Receivers {
    pub(super) all: Vec<Ready>,
    pub(super) pace: Pace,
}

/// Somebody who can be told.
pub(super) struct Ready {
    /// As people read it, such as `the webhook at hooks.example.org`.
    pub(super) name: String,
    way: Way,
    /// What must not be in an error.
    secrets: Keyring,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

enum Way {
    Webhook { client: Client, address: Address, secret: Option<Sensitive> },
    Slack { client: Client, address: Address },
    Mail(Box<Mailer>),
}

impl Receivers {
    /// Reads who is to be told.
    ///
    /// # Errors
    /// All that cannot work.
    pub fn new(receivers: Vec<Receiver>, trust: &Trust, pace: Pace) -> Result<Self, Vec<Invalid>> {
        let (mut all, mut wrong) = (Vec::new(), Vec::new());
        for receiver in receivers {
            match Ready::new(receiver, trust, pace) {
                Ok(ready) => all.push(ready),
                Err(invalid) => wrong.push(invalid),
            }
        }
        if wrong.is_empty() { Ok(Self { all, pace }) } else { Err(wrong) }
    }

    /// Returns whether nobody is to be told.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns who is told, as people read it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|ready| ready.name.as_str())
    }

    /// Tells everybody at the same time, with one try each. Returns what became of it, in the order of
    /// [`Receivers::names`].
    pub async fn deliver(&self, notice: &Notice) -> Vec<Result<(), Error>> {
        join_all(self.all.iter().map(|ready| ready.deliver(notice))).await
    }
}

impl Ready {
    fn new(receiver: Receiver, trust: &Trust, pace: Pace) -> Result<Self, Invalid> {
        match receiver {
            Receiver::Webhook { url, secret } => {
                let (client, address) = connect("the webhook", &url, trust, pace)?;
                let name = format!("the webhook at {address}");
                let secrets = hidden(&address, secret.clone());
                Ok(Self { name, secrets, way: Way::Webhook { client, address, secret } })
            }
            Receiver::Slack { url } => {
                let (client, address) = connect("the channel", &url, trust, pace)?;
                let name = format!("the channel at {address}");
                let secrets = hidden(&address, None);
                Ok(Self { name, secrets, way: Way::Slack { client, address } })
            }
            Receiver::Mail { server, from, to, user, password } => {
                let invalid =
                    |(why, remedy)| Invalid { receiver: "the mailbox".to_owned(), why, remedy };
                let login = match (&user, &password) {
                    (Some(user), Some(password)) => Some((user.as_str(), password)),
                    (None, None) => None,
                    (Some(_), None) | (None, Some(_)) => {
                        let why = "of `user` and `password` there is only one".to_owned();
                        return Err(invalid((why, "set both, or none".to_owned())));
                    }
                };
                let settings = Settings { server: &server, from: &from, to: &to, login };
                let mailer = Mailer::new(&settings, trust, pace.patience * 3).map_err(invalid)?;
                let name = format!("{} by {}", to.join(", "), mailer.server);
                // As it is sent when one logs in.
                let sent = login
                    .map(|(user, word)| Sensitive::new(format!("\0{user}\0{}", word.expose())));
                let secrets = Keyring::default().knowing(password.into_iter().chain(sent));
                Ok(Self { name, secrets, way: Way::Mail(Box::new(mailer)) })
            }
        }
    }

    /// Tells one notice, with one try.
    pub(super) async fn deliver(&self, notice: &Notice) -> Result<(), Error> {
        let done: Result<(), Fault> = match &self.way {
            Way::Webhook { client, address, secret } => {
                let now = jiff::Timestamp::now().as_second();
                webhook::deliver(client, address, secret.as_ref(), notice, now).await
            }
            Way::Slack { client, address } => slack::deliver(client, address, notice).await,
            Way::Mail(mailer) => mailer.deliver(notice).await,
        };
        done.map_err(|fault| fault.about(&self.name, &self.secrets))
    }
}

fn connect(
    receiver: &str,
    url: &Sensitive,
    trust: &Trust,
    pace: Pace,
) -> Result<(Client, Address), Invalid> {
    let invalid =
        |why: String, remedy: String| Invalid { receiver: receiver.to_owned(), why, remedy };
    let address = Address::read(url.expose())
        .map_err(|error| invalid(error.why.to_owned(), error.remedy.to_owned()))?;
    let client = Client::new(trust, pace.patience, [&address])
        .map_err(|why| invalid(why, NO_AUTHORITIES.to_owned()))?;
    Ok((client, address))
}

/// Returns what must be struck out of what a web server answers: it may repeat the path, or a part of it.
fn hidden(address: &Address, secret: Option<Sensitive>) -> Keyring {
    let path = address.path();
    let parts = path.split(['/', '?', '&', '=']).filter(|part| part.len() >= 12);
    let all = [path].into_iter().chain(parts).map(Sensitive::new);
    Keyring::default().knowing(all.chain(secret))
}
