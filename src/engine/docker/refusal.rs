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

/// Returns why an engine tells nothing any more.
pub(super) fn gone(address: &str, error: &Api) -> Error {
    unreached(address, error).unwrap_or_else(|| no_engine(address, error))
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
    // Of an address on a network it says just this; of a port, that it cannot be listened at.
    let is_address = status == Some(403) && words.trim() == "address already in use";
    if is_address || says(&["is already allocated to container"]) {
        return Refusal::AddressTaken;
    }
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
    if says(&["pool overlaps", "non-overlapping", "no available addresses on this pool"]) {
        return Refusal::SubnetTaken;
    }
    if says(&["bind source path does not exist", "error gathering device information"])
        || (says(&["failed to mount local volume"]) && says(&["no such file or directory"]))
    {
        return Refusal::HostPathMissing;
    }
    // What the process is to have is set up before it is run, and by the same program.
    if says(&[
        "error mounting",
        "error setting rlimit",
        "wrong rlimit value",
        "is not in a separate kernel namespace",
        "write /proc/sys/",
        "the minimum allowed cpu-shares",
        "uids and gids must be in range",
        "cannot assign requested address",
        "decoding seccomp profile failed",
    ]) {
        return Refusal::Invalid;
    }
    if says(&["unable to find user", "unable to find group", "executable file not found"])
        || (says(&["unable to start container process", "starting container process caused"])
            && says(&["exec: \"", "exec /", "chdir to cwd"]))
    {
        return Refusal::NotExecutable;
    }
    // Docker's client for registries says what Go's network library says.
    if says(&["dial tcp", "no such host", "tls handshake timeout", "client.timeout exceeded"]) {
        return Refusal::NoRegistry;
    }
    if says(&["is already in use by", "already exists"]) {
        return Refusal::NameTaken;
    }
    if says(&["is in use", "has active endpoints", "is being used", "in use by", "is using its"]) {
        return Refusal::InUse;
    }
    if says(&["is not running", "is paused", "paused container", "non running container"]) {
        return Refusal::NotRunning;
    }
    if matches!(status, Some(405 | 501))
        || says(&[
            "not supported",
            "not implemented",
            "error looking up logging plugin",
            "error looking up volume plugin",
            "private (none) mode",
            "client version",
        ])
    {
        return Refusal::Unsupported;
    }
    // That another container is missing is told as a fault of the one that asks for it.
    if status == Some(404) || says(&["no such container"]) {
        return Refusal::NotFound;
    }
    // Docker's own checks answer 400, and those of its networks 500.
    if status == Some(400)
        || says(&[
            "failed to parse",
            "invalid subnet",
            "invalid address",
            "invalid ipv4",
            "invalid --",
        ])
    {
        return Refusal::Invalid;
    }
    Refusal::Other
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
            (403, "Address already in use", "AddressTaken"),
            (403, "Pool overlaps with other one on this address space", "SubnetTaken"),
            (
                500,
                "could not find an available, non-overlapping IPv4 address pool among the defaults",
                "SubnetTaken",
            ),
            (
                400,
                "runc create failed: unable to start container process: exec: \"x\": executable file \
                 not found in $PATH: unknown",
                "NotExecutable",
            ),
            (500, "unable to find user x: no matching entries in passwd file", "NotExecutable"),
            (
                500,
                "runc create failed: unable to start container process: error during container init: \
                 error mounting \"tmpfs\" to rootfs at \"/x\": invalid argument: unknown",
                "Invalid",
            ),
            (500, "runc create failed: wrong rlimit value: RLIMIT_X: unknown", "Invalid"),
            (500, "listen tcp4 192.0.2.7:1: bind: cannot assign requested address", "Invalid"),
            (
                500,
                "runc create failed: unable to start container process: can't get final child's PID \
                 from pipe: EOF: unknown",
                "Other",
            ),
            (400, "Minimum memory limit allowed is 6MB", "Invalid"),
            (
                400,
                "client version 1.99 is too new. Maximum supported API version is 1.41",
                "Unsupported",
            ),
            (400, "No such container: nope", "NotFound"),
            (409, "Container x is not running", "NotRunning"),
            (409, "cannot start a paused container, try unpause instead", "NotRunning"),
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
