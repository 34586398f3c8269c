//! Errors as people read them: what was attempted, why it failed, and what to do about it. The only place
//! that knows which error ends the program with which code.

use std::{io::ErrorKind, path::Path, sync::Arc};

use crate::{
    controller,
    engine::{self, Holder},
    model::{Diagnostic, InvalidName},
    report, secret,
    spec::Source,
};

use super::{exit::Exit, ui::Ui};

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
            if ui.json {
                ui.data(&report::json::check(diagnostics, &texts(sources)));
            }
            let text = report::diagnostic::text(diagnostics, &texts(sources), ui.err.colours());
            ui.complain(&format!("{}. Exit {}.\n", text.trim_end(), self.exit.code()));
            return;
        }
        if ui.json {
            let exit = self.exit.code();
            ui.data(&report::json::failure(&self.chain, self.remedy.as_deref(), exit));
        }
        ui.complain(&report::error(&self.chain, self.remedy.as_deref(), ui.err));
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
                    "bring {} back from where the project was applied first, or set each secret with \
                     nself secret set NAME; new ones would not fit what is there",
                    vault.display()
                );
                Self::of(Exit::Invalid, &error).remedy(remedy)
            }
            controller::Error::Engine(error) => error.into(),
            controller::Error::Secret(error) => error.into(),
            controller::Error::Locked { ref holder, ref project } => Self::of(Exit::Locked, &error)
                .noting(&since(holder))
                .remedy(unlock(project, holder, Holder::this_process().ok().as_ref())),
        }
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        use engine::{Error as E, Refusal};
        let whole = Self::of(Exit::Failed, &error);
        match &error {
            E::Unreachable { address, .. } if address.starts_with("unix:") => whole.remedy(
                "is Docker running? Start it: sudo systemctl start docker · or name another engine \
                 with --engine",
            ),
            E::Unreachable { address, .. } if !address.starts_with("tcp:") => {
                whole.remedy("an address is like unix:///run/docker.sock or tcp://host:2375")
            }
            E::Unreachable { .. } => {
                whole.remedy("is it running there, and reachable from here? See nself help engine")
            }
            E::NotPermitted { .. } => whole.remedy(
                "join the group docker (sudo usermod -aG docker $USER, then log in again), or use \
                 sudo",
            ),
            E::Refused { kind: Refusal::DiskFull, .. } => {
                whole.remedy("the engine's disk is full; see what takes the room: docker system df")
            }
            E::Refused { kind: Refusal::PortTaken, .. } => {
                whole.remedy("free the port, or choose another one in nself.toml")
            }
            E::SecretMissing(name) => {
                Self { exit: Exit::Invalid, ..whole }.remedy(format!("nself secret set {name}"))
            }
            E::Refused { .. } | E::NotReady { .. } | E::Failed { .. } => whole,
        }
    }
}

/// Returns which process holds a lock and since when, as far as the lock says.
fn since(holder: &Holder) -> String {
    let since = i64::try_from(holder.since).unwrap_or_default();
    match jiff::Timestamp::from_millisecond(since) {
        Ok(since) if holder.since > 0 => format!("process {}, since {since:.0}", holder.pid),
        _ => "since when is not known".to_owned(),
    }
}

/// Returns what to do about a lock. Of a holder that is not here nothing can be known, so that a person
/// has to say that it is dead.
fn unlock(project: &str, holder: &Holder, here: Option<&Holder>) -> String {
    let alike = |here: &Holder| here.boot == holder.boot && here.namespace == holder.namespace;
    if here.is_some_and(alike) {
        return "wait until that apply has ended; looking is free: nself plan".to_owned();
    }
    format!(
        "wait until it has ended. Whether it still runs cannot be checked from here; if you know that it \
         does not: docker rm {project}.lock"
    )
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
        use secret::Error as E;
        match &error {
            E::Io { path, source, .. } => {
                let whole = Self::of(Exit::Failed, &error);
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
                Self::of(Exit::Invalid, &error).remedy(commands.join(" && "))
            }
            E::Damaged { .. } => Self::of(Exit::Invalid, &error)
                .remedy("put a copy of it in its place; nself never overwrites it"),
            E::Newer { .. } => Self::of(Exit::Invalid, &error)
                .remedy("use the nself that wrote it, or a later one"),
            E::Certificate { .. } => Self::of(Exit::Failed, &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lock_from_elsewhere_is_a_persons_to_break() {
        let here = Holder { boot: "a".into(), namespace: "n".into(), ..Holder::default() };
        assert!(!unlock("shop", &here, Some(&here)).contains("docker rm"));
        let elsewhere =
            Holder { boot: "b".into(), since: 1_795_392_000_000, pid: 7, ..here.clone() };
        let remedy = unlock("shop-prod", &elsewhere, Some(&here));
        assert!(remedy.contains("cannot be checked from here"), "{remedy}");
        assert!(remedy.ends_with("docker rm shop-prod.lock"), "{remedy}");
        assert_eq!(since(&elsewhere), "process 7, since 2026-11-23T00:00:00Z");
        assert_eq!(since(&here), "since when is not known");
    }
}
