//! What the loop has to say: a line on the terminal for each pass, notices, and the states of commits.

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    controller::{
        Project,
        watch::{Handle, Told},
    },
    model::{Keyring, Sensitive, Text},
    notice::{
        Outbox, Pace, Receiver, Receivers, Trust,
        forge::{Place as Forge, Statuses},
    },
    spec::Channel,
    sync::{Phase, Result as CameOf, commit_state},
};

use super::super::Context;

/// Hands on what others are to be told.
pub(super) struct Teller {
    reporting: Option<(Forge, Sensitive)>,
    target: Option<String>,
    cancel: CancellationToken,
    open: Mutex<Open>,
}

/// Whom it goes to now: that is said in the project's file, which changes.
#[derive(Default)]
struct Open {
    receivers: Option<Vec<Receiver>>,
    outbox: Option<Outbox>,
    /// Those of before, until what they were given is gone.
    earlier: Vec<Outbox>,
}

impl Teller {
    pub(super) fn new(
        reporting: Option<(Forge, Sensitive)>,
        address: Option<SocketAddr>,
        cancel: &CancellationToken,
    ) -> Self {
        // Others can only follow a link that leads to where they are.
        let target = address.filter(|address| !address.ip().is_loopback());
        let target = target.map(|address| format!("http://{address}/status"));
        Self { reporting, target, cancel: cancel.clone(), open: Mutex::default() }
    }

    /// Goes by what a project's file says from now on.
    pub(super) fn learn(&self, project: &Project) {
        let channels = project.spec.watch.channels();
        let receivers: Vec<Receiver> =
            channels.iter().filter_map(|channel| receiver(channel, &project.keyring)).collect();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.receivers.as_ref() == Some(&receivers) {
            return;
        }
        let statuses = self.reporting.as_ref().and_then(|(forge, token)| {
            let (name, target) = (project.spec.prefix(), self.target.clone());
            let (trust, pace) = (Trust::default(), Pace::default());
            let made = Statuses::new(forge.clone(), token.clone(), &name, target, &trust, pace);
            made.inspect_err(|error| tracing::error!("{error}")).ok()
        });
        match Receivers::new(receivers.clone(), &Trust::default(), Pace::default()) {
            Ok(valid) => {
                let outbox = Outbox::new(valid, statuses, &self.cancel);
                let before = open.outbox.replace(outbox);
                open.earlier.extend(before);
            }
            Err(wrong) => wrong.iter().for_each(|error| tracing::error!("{error}")),
        }
        open.receivers = Some(receivers);
    }

    /// Hands one thing on. Never waits.
    pub(super) fn tell(&self, told: Told) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(outbox) = &open.outbox else { return };
        match told {
            Told::Notice(notice) => outbox.send(notice),
            Told::Commit(revision, state, line) => outbox.send_state(&revision, state, &line),
        }
    }

    /// Tells the repository of each commit as soon as it is being brought about. Ends with the loop.
    pub(super) async fn follow(&self, handle: &Handle) {
        let mut follow = handle.follow();
        while follow.changed().await.is_ok() {
            let status = follow.borrow_and_update().clone();
            if status.phase == Phase::Applying
                && let Some((revision, state, line)) = commit_state(&status)
            {
                self.tell(Told::Commit(revision, state, line));
            }
        }
        std::future::pending::<()>().await;
    }

    /// Comes back when all is told, or cannot be.
    pub(super) async fn finished(&self) {
        let outboxes: Vec<Outbox> = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let last = open.outbox.take();
            open.earlier.drain(..).chain(last).collect()
        };
        for outbox in outboxes {
            outbox.finished().await;
        }
    }
}

/// Returns somebody to tell; `None` where a secret of it is not known, which a plan says.
fn receiver(channel: &Channel, keyring: &Keyring) -> Option<Receiver> {
    let plain = |text: &Text| keyring.reveal(text).map(|text| text.expose().to_owned());
    Some(match channel {
        Channel::Slack { url } => Receiver::Slack { url: keyring.reveal(url)? },
        Channel::Webhook { url, secret } => Receiver::Webhook {
            url: keyring.reveal(url)?,
            secret: match secret {
                Some(secret) => Some(keyring.reveal(secret)?),
                None => None,
            },
        },
        Channel::Mail { to, server, from, login } => Receiver::Mail {
            server: plain(server)?,
            from: plain(from)?,
            to: plain(to)?.split(',').map(|one| one.trim().to_owned()).collect(),
            user: match login {
                Some((user, _)) => Some(plain(user)?),
                None => None,
            },
            password: match login {
                Some((_, password)) => Some(keyring.reveal(password)?),
                None => None,
            },
        },
    })
}

/// Prints a line for each pass that did something, and for what is in the way, once.
pub(super) fn print(
    handle: &Handle,
    context: &Context,
    cancel: &CancellationToken,
) -> JoinHandle<()> {
    let (mut follow, ui, cancel) = (handle.follow(), context.ui, cancel.clone());
    tokio::spawn(async move {
        let mut shown = (0, String::new());
        loop {
            tokio::select! {
                changed = follow.changed() => if changed.is_err() { return },
                () = cancel.cancelled() => return,
            }
            let status = follow.borrow_and_update().clone();
            let Some(last) = &status.last else { continue };
            let at =
                status.head.as_ref().map(|head| format!(" {}", head.label())).unwrap_or_default();
            // Its name is not known before its file was read.
            let name = if status.project.is_empty() { &status.source } else { &status.project };
            let line = format!("{name}{at}: {}", last.line);
            // Nothing to do is said once, when it follows on something else.
            let is_again = line == shown.1
                && matches!(last.result, CameOf::Nothing | CameOf::Left | CameOf::Failed);
            if status.passes == shown.0 || is_again {
                continue;
            }
            shown = (status.passes, line.clone());
            let causes: Vec<&str> = last.causes.iter().map(|cause| cause.word()).collect();
            let time =
                jiff::Timestamp::from_millisecond(i64::try_from(last.at).unwrap_or_default());
            let time = time.unwrap_or_default().strftime("%H:%M:%S").to_string();
            ui.print(&format!("{time} {line} ({})\n", causes.join(", ")));
            for trouble in status.trouble.iter().filter(|trouble| **trouble != last.line) {
                ui.print(&format!("         {trouble}\n"));
            }
        }
    })
}
