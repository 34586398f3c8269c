//! Errors as people read them: what was attempted, why it failed, and what to do about it. The only place
//! that knows which error ends the program with which code.

use std::{io::ErrorKind, path::Path, sync::Arc};

use crate::{
    controller,
    engine::{self, Holder, Life},
    history,
    model::{Diagnostic, InvalidName},
    report, secret,
    spec::Source,
};

use super::{exit::Exit, format::Format, ui::Ui};

/// Why a command ended without its result.
#[derive(Debug)]
pub(super) struct Error {
    exit: Exit,
    /// What was attempted, then each cause.
    chain: Vec<String>,
    remedy: Option<String>,
    /// The mistakes in the configuration, which say everything themselves.
    mistakes: Option<Box<(Vec<Diagnostic>, Vec<Source>)>>,
}

impl Error {
    /// Returns an error of the command line.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Returns any other error.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, chain: vec![message.into()], remedy: None, mistakes: None }
    }

    /// Returns an error with its causes.
    pub(super) fn of(exit: Exit, error: &dyn std::error::Error) -> Self {
        let mut chain = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(error) = cause {
            // A lower layer often repeats the words of the one above it.
            let text = error.to_string();
            if chain.last() != Some(&text) {
                chain.push(text);
            }
            cause = error.source();
        }
        Self { exit, chain, remedy: None, mistakes: None }
    }

    /// Puts what was attempted in front.
    pub(super) fn attempting(mut self, what: impl Into<String>) -> Self {
        self.chain.insert(0, what.into());
        self
    }

    /// Adds a circumstance to what was attempted.
    pub(super) fn noting(mut self, what: &str) -> Self {
        if let Some(first) = self.chain.first_mut() {
            *first = format!("{first} ({what})");
        }
        self
    }

    /// Adds what a person can do about it; a command in it can be typed as it stands.
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Returns what was attempted, without causes.
    pub(super) fn first(&self) -> &str {
        self.chain.first().map(String::as_str).unwrap_or_default()
    }

    /// Returns the code to end with.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// Returns it in a few words: what was attempted, or how many mistakes there are.
    pub(super) fn gist(&self) -> String {
        match &self.mistakes {
            Some(mistakes) => match mistakes.0.as_slice() {
                [only] => only.message.clone(),
                all => format!("{} mistakes", all.len()),
            },
            None => self.chain.join(": "),
        }
    }

    /// Returns what was attempted, with each cause, and what to do about it.
    pub(super) fn into_parts(self) -> (Vec<String>, Option<String>) {
        (self.chain, self.remedy)
    }

    /// Returns it as text, where it is one of several.
    pub(super) fn text(&self, ui: &Ui) -> String {
        report::error(&self.chain, self.remedy.as_deref(), ui.err)
    }

    /// Shows the error on the error output, and as JSON on the output where that was asked for.
    pub(super) fn show(&self, ui: &Ui) {
        if let Some(mistakes) = &self.mistakes {
            let (diagnostics, sources) = &**mistakes;
            let sources = &texts(sources);
            match ui.format {
                Format::Text | Format::Dot => {}
                Format::Json => ui.data(&report::json::check(diagnostics, sources)),
                Format::Markdown(command) => {
                    ui.data(&report::markdown::mistakes(command, diagnostics, sources));
                }
                Format::Sarif(command) => {
                    ui.data(&report::sarif::check(command, diagnostics, sources));
                }
            }
            let text = report::diagnostic::text(diagnostics, sources, ui.err.colours());
            ui.complain(&format!("{}. Exit {}.\n", text.trim_end(), self.exit.code()));
            return;
        }
        let (chain, remedy) = (&self.chain, self.remedy.as_deref());
        match ui.format {
            Format::Text | Format::Dot => {}
            Format::Json => ui.data(&report::json::failure(chain, remedy, self.exit.code())),
            Format::Markdown(command) => {
                ui.data(&report::markdown::failure(command, chain, remedy, ui.out));
            }
            Format::Sarif(command) => {
                ui.data(&report::sarif::failure(command, chain, remedy, ui.out));
            }
        }
        ui.complain(&report::error(chain, remedy, ui.err));
    }
}

/// Returns the texts that diagnostics point into, by file name.
pub(super) fn texts(sources: &[Source]) -> Vec<(Arc<str>, String)> {
    let text = |source: &Source| (Arc::clone(&source.name), source.text().into_owned());
    sources.iter().map(text).collect()
}

impl From<controller::Error> for Error {
    fn from(error: controller::Error) -> Self {
        match error {
            controller::Error::Configuration { diagnostics, sources } => Self {
                exit: Exit::Invalid,
                chain: vec!["the configuration has mistakes".to_owned()],
                remedy: None,
                mistakes: Some(Box::new((diagnostics, sources))),
            },
            controller::Error::File { ref cause, ref path, what } => {
                let remedy = match cause.kind() {
                    std::io::ErrorKind::PermissionDenied
                    | std::io::ErrorKind::ReadOnlyFilesystem
                        if what.contains("write") =>
                    {
                        let folder = path.parent().unwrap_or(path);
                        Some(format!(
                            "make {} writable: nself keeps the project's secrets there",
                            folder.display()
                        ))
                    }
                    std::io::ErrorKind::PermissionDenied => {
                        Some(format!("let this user read it: ls -l {}", path.display()))
                    }
                    std::io::ErrorKind::StorageFull => {
                        Some("free some disk space: df -h .".to_owned())
                    }
                    _ => None,
                };
                // A file that cannot be read is a configuration that cannot be used.
                let exit = if what.contains("read") { Exit::Invalid } else { Exit::Failed };
                Self { remedy, ..Self::of(exit, &error) }
            }
            controller::Error::VaultMissing { ref vault, .. } => {
                let remedy = format!(
                    "nself secret recover reads them back from the engine, or bring {} from where the \
                     project was applied first; new ones would not fit what is there",
                    vault.display()
                );
                Self::of(Exit::Invalid, &error).remedy(remedy)
            }
            controller::Error::History(ref cause) => {
                let remedy = match cause {
                    history::Error::Io { .. } => None,
                    history::Error::Newer { .. } => {
                        Some("use the nself that wrote it, or a later one".to_owned())
                    }
                    history::Error::Database { path, .. }
                    | history::Error::Damaged { path, .. }
                    | history::Error::Ledger { path, .. } => Some(format!(
                        "move it away, and the next apply begins another: mv {0} {0}.damaged",
                        path.display()
                    )),
                };
                Self { remedy, ..Self::of(Exit::Failed, &error) }
            }
            controller::Error::NoGeneration { generation: Some(_), ref known }
                if !known.is_empty() =>
            {
                let known: Vec<String> = known.iter().take(10).map(u64::to_string).collect();
                Self::of(Exit::Usage, &error).remedy(format!("there are: {}", known.join(", ")))
            }
            controller::Error::NoGeneration { .. } => {
                Self::of(Exit::Failed, &error).remedy("see what there is: nself history")
            }
            controller::Error::ImageGone { ref service, .. } => {
                let remedy = format!(
                    "bring the folder of {service} back to what it was then (git checkout), and \
                     repeat; nothing was changed"
                );
                Self::of(Exit::Failed, &error).remedy(remedy)
            }
            controller::Error::OtherEngine { .. } => {
                Self::of(Exit::Stale, &error).remedy("name the right one with --engine")
            }
            controller::Error::Stale { ref moved } => {
                let mut chain = vec![error.to_string()];
                chain.extend(moved.iter().map(report::moved));
                Self { exit: Exit::Stale, chain, remedy: None, mistakes: None }
            }
            controller::Error::VaultLocked(error) => vault(&error),
            controller::Error::Engine(error) => error.into(),
            controller::Error::Secret(error) => error.into(),
            controller::Error::Locked { ref holder, .. } => Self::of(Exit::Locked, &error)
                .noting(&report::since(holder))
                .remedy(unlock(holder, Holder::this_process().ok().as_ref())),
        }
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        use engine::{Error as E, Refusal};
        let whole = Self::of(Exit::Failed, &error);
        match &error {
            E::Unreachable { address, .. } => whole.remedy(match address.split_once("://") {
                Some(("unix", _)) => {
                    "is Docker running? Start it: sudo systemctl start docker · or name another \
                     engine with --engine"
                }
                Some(("ssh", _)) => "see nself help engine for what ssh:// needs there",
                Some(("tcp" | "http" | "https", _)) => {
                    "is it running there, and reachable from here? See nself help engine"
                }
                _ => "an address is like unix:///run/docker.sock or ssh://user@host",
            }),
            E::NotPermitted { address, .. } => whole.remedy(if address.starts_with("ssh:") {
                "let that account into the group docker there: sudo usermod -aG docker USER"
            } else {
                "join the group docker (sudo usermod -aG docker $USER, then log in again), or use \
                 sudo"
            }),
            E::Refused { kind: Refusal::DiskFull, .. } => {
                whole.remedy("the engine's disk is full; see what takes the room: docker system df")
            }
            E::Refused { kind: Refusal::PortTaken, .. } => {
                whole.remedy("free the port, or choose another one in nself.toml")
            }
            E::SecretMissing(name) => {
                Self { exit: Exit::Invalid, ..whole }.remedy(format!("nself secret set {name}"))
            }
            E::Newer { .. } => whole.remedy("use the nself that wrote it, or a later one"),
            E::Refused { .. } | E::NotReady { .. } | E::Failed { .. } => whole,
        }
    }
}

/// Returns what to do about a lock. Of a holder that is not here nothing can be known, so that a person
/// has to say that it is dead.
fn unlock(holder: &Holder, here: Option<&Holder>) -> String {
    match here.map(|here| holder.life(here)) {
        Some(Life::Alive | Life::Dead) => {
            "wait until that apply has ended, as --wait 2m does; looking is free: nself plan"
                .to_owned()
        }
        Some(Life::Unknown) | None => format!(
            "wait until it has ended. Whether it still runs cannot be checked from here; if you know that \
             it does not: {}",
            report::unlock(holder)
        ),
    }
}

/// Returns the folder a file is in, by a name that can be typed.
fn folder_of(path: &Path) -> &Path {
    let parent = path.parent().unwrap_or(path);
    if parent.as_os_str().is_empty() { Path::new(".") } else { parent }
}

impl From<InvalidName> for Error {
    fn from(error: InvalidName) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<secret::Error> for Error {
    fn from(error: secret::Error) -> Self {
        vault(&error)
    }
}

/// Says what to do about a vault that cannot be used.
fn vault(error: &secret::Error) -> Error {
    use secret::Error as E;
    match error {
        E::Io { path, source, .. } => {
            let whole = Error::of(Exit::Failed, error);
            match (source.kind(), folder_of(path).display()) {
                (ErrorKind::PermissionDenied, folder) => whole.remedy(format!(
                    "nself keeps secrets there; make it yours: sudo chown -R $USER {folder}"
                )),
                (ErrorKind::ReadOnlyFilesystem, folder) => whole.remedy(format!(
                    "nself keeps secrets there; make it writable, or work in a copy of {folder}"
                )),
                (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, folder) => {
                    whole.remedy(format!("free some disk space: df -h {folder}"))
                }
                _ => whole,
            }
        }
        E::Missing(missing) => {
            let commands = missing.iter().map(|(name, _)| format!("nself secret set {name}"));
            let commands: Vec<String> = commands.collect();
            Error::of(Exit::Invalid, error).remedy(commands.join(" && "))
        }
        E::Damaged { .. } => Error::of(Exit::Invalid, error)
            .remedy("put a copy of it in its place; nself never overwrites it"),
        E::Newer { .. } => {
            Error::of(Exit::Invalid, error).remedy("use the nself that wrote it, or a later one")
        }
        E::Sealed { .. } => Error::of(Exit::Invalid, error)
            .remedy("NSELF_AGE_KEY_FILE=PATH names the file with the identity (AGE-SECRET-KEY-1…)"),
        E::WrongIdentity { .. } => Error::of(Exit::Invalid, error).remedy(
            "name the right file in NSELF_AGE_KEY_FILE; or have one who can open it add the \
                 recipient of yours (age-keygen -y) to [vault] and run nself secret encrypt",
        ),
        E::Identity { .. } => {
            Error::of(Exit::Invalid, error).remedy("age-keygen -o FILE makes one")
        }
        E::Recipient(_) => Error::of(Exit::Invalid, error)
            .remedy("correct [vault] recipients; age-keygen -y KEY_FILE shows one"),
        E::NoRecipients { .. } => Error::of(Exit::Invalid, error)
            .remedy("nself secret decrypt, or name recipients in [vault] again"),
        E::Certificate { .. } => Error::of(Exit::Failed, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lock_from_elsewhere_is_a_persons_to_break() {
        let here = Holder::this_process().unwrap();
        assert!(!unlock(&here, Some(&here)).contains("--break"));
        let elsewhere = Holder { boot: "b".into(), host: "far".into(), ..here.clone() };
        let remedy = unlock(&elsewhere, Some(&here));
        assert!(remedy.contains("cannot be checked from here"), "{remedy}");
        assert!(remedy.ends_with("nself lock --break far"), "{remedy}");
    }
}
