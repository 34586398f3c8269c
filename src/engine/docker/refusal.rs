//! What an engine's refusal means.

use std::io;

use bollard::errors::Error as Api;

use super::{Docker, wire};
use crate::engine::{Cause, Error, Refusal};

impl Docker {
    /// Returns the error of a failed call; `what` is a verb phrase such as `start shop-api`.
    pub(super) fn refused(&self, what: impl Into<String>, error: &Api) -> Error {
        if let Some(error) = unreached(&self.address, error) {
            return error;
        }
        let words = match error {
            Api::DockerResponseServerError { message, .. } => message.trim().to_owned(),
            Api::DockerStreamError { error } => error.trim().to_owned(),
            Api::RequestTimeoutError => "it did not answer in time".to_owned(),
            other => chain(other),
        };
        let kind = classify(status(error), &words);
        Error::Refused { what: what.into(), cause: Cause(self.keyring().scrub(&words)), kind }
    }

    /// Returns a refusal of our own.
    pub(super) fn refusal(
        &self,
        what: impl Into<String>,
        kind: Refusal,
        why: impl Into<String>,
    ) -> Error {
        Error::Refused { what: what.into(), cause: Cause(self.keyring().scrub(&why.into())), kind }
    }
}

/// Returns why an engine could not be asked; `None` when it answered.
fn unreached(address: &str, error: &Api) -> Option<Error> {
    let (address, cause) = (address.to_owned(), Cause(chain(error)));
    Some(match transport(error)? {
        io::ErrorKind::PermissionDenied => Error::NotPermitted { address, cause },
        _ => Error::Unreachable { address, cause },
    })
}

/// Returns why what answers at an address did not answer as an engine does.
pub(super) fn no_engine(address: &str, error: &Api) -> Error {
    let address = address.to_owned();
    let words = match error {
        _ if let Some(error) = unreached(&address, error) => return error,
        // So says Go's server, as the engines' is.
        Api::DockerResponseServerError { message, .. }
            if message.contains("HTTP request to an HTTPS server") =>
        {
            format!("{}: {}", message.trim(), wire::MAYBE_TLS)
        }
        Api::DockerResponseServerError { message, .. } if !message.is_empty() => {
            message.trim().to_owned()
        }
        other => chain(other),
    };
    Error::Unreachable { address, cause: Cause(words) }
}

/// Returns the HTTP status of a refusal.
pub(super) fn status(error: &Api) -> Option<u16> {
    match error {
        // Podman has no status of its own for a name that is taken.
        Api::DockerResponseServerError { status_code: 500, message }
            if message.contains("name") && message.contains("is already in use") =>
        {
            Some(409)
        }
        Api::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Returns whether an engine stumbled over a process that ended while it looked.
pub(super) fn is_ending(error: &Api) -> bool {
    matches!(error, Api::DockerResponseServerError { status_code: 500, message }
        if message.contains("/proc/") && message.contains("no such process"))
}

/// Turns "there is no such thing" into `None`.
pub(super) fn found<T>(result: Result<T, Api>) -> Result<Option<T>, Api> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

fn transport(error: &Api) -> Option<io::ErrorKind> {
    match error {
        Api::IOError { err } => Some(err.kind()),
        Api::HyperResponseError { .. } => Some(io::ErrorKind::ConnectionAborted),
        _ => None,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        source = cause.source();
    }
    words
}

/// The engine has statuses for few refusals; the rest is told by its words, which have been the same
/// since 1.24.
fn classify(status: Option<u16>, words: &str) -> Refusal {
    let words = words.to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    if says(&["port is already allocated", "address already in use", "ports are not available"]) {
        return Refusal::PortTaken;
    }
    if says(&["no space left on device", "disk quota exceeded"]) {
        return Refusal::DiskFull;
    }
    if says(&["no such image", "manifest unknown", "pull access denied"])
        || (says(&["manifest for"]) && says(&["not found"]))
    {
        return Refusal::ImageMissing;
    }
    if says(&["unable to start container process", "starting container process caused"]) {
        return Refusal::NotExecutable;
    }
    // Docker's client for registries says what Go's network library says.
    if says(&["dial tcp", "no such host", "tls handshake timeout", "client.timeout exceeded"]) {
        return Refusal::NoRegistry;
    }
    if says(&["is already in use by", "already exists"]) {
        return Refusal::NameTaken;
    }
    if says(&["is in use", "has active endpoints", "is being used", "in use by"]) {
        return Refusal::InUse;
    }
    if matches!(status, Some(405 | 501)) || says(&["not supported", "not implemented"]) {
        return Refusal::Unsupported;
    }
    if status == Some(404) { Refusal::NotFound } else { Refusal::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        for (status, words, kind) in [
            (
                409,
                "Conflict. The container name \"/a\" is already in use by container \"x\"",
                "NameTaken",
            ),
            (
                500,
                "driver failed: Bind for 0.0.0.0:80 failed: port is already allocated",
                "PortTaken",
            ),
            (500, "listen tcp4 0.0.0.0:80: bind: address already in use", "PortTaken"),
            (404, "No such image: nope:1", "ImageMissing"),
            (500, "Get \"https://r/v2/\": dial tcp: lookup r: no such host", "NoRegistry"),
            (404, "No such container: nope", "NotFound"),
            (409, "remove v: volume is in use - [x]", "InUse"),
            (403, "error while removing network: network n id x has active endpoints", "InUse"),
            (500, "write /x: no space left on device", "DiskFull"),
            (500, "something else", "Other"),
        ] {
            assert_eq!(format!("{:?}", classify(Some(status), words)), kind, "{words}");
        }
    }
}
