#![expect(clippy::disallowed_methods, reason = "who listens here is read from the system")]
//! Who has a port of the host that a container was to publish.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::ffi::OsStrExt as _,
};

use super::Docker;

impl Docker {
    /// Returns the address that an engine's words say is taken, and who has it, as far as that can be
    /// found out.
    pub(super) async fn holder_of_port(&self, words: &str) -> Option<String> {
        let taken = address_in(words)?;
        let by = match self.publisher(taken).await {
            Some(container) => Some(format!("the container {container}")),
            None if self.wire.is_local() => {
                tokio::task::spawn_blocking(move || listener(taken)).await.ok().flatten()
            }
            None => None,
        };
        let by = by.unwrap_or_else(|| "another program on the engine's machine".to_owned());
        Some(format!("{taken} of the host is taken by {by}"))
    }

    /// Returns the name of the running container that publishes on an address.
    async fn publisher(&self, taken: SocketAddr) -> Option<String> {
        let running = self.containers("all=false", "list containers").await.ok()?;
        let publishes = |port: &bollard::models::PortSummary| {
            let address: Option<IpAddr> = port.ip.as_deref().and_then(|ip| ip.parse().ok());
            port.public_port == Some(taken.port())
                && address.is_none_or(|address| overlap(address, taken.ip()))
        };
        let holder = running.into_iter().find(|one| one.ports.iter().flatten().any(publishes))?;
        Some(holder.names?.first()?.trim_start_matches('/').to_owned())
    }
}

/// Returns the address in the engine's words: `Bind for 0.0.0.0:80 failed: …`, or `listen tcp4
/// 127.0.0.1:80: bind: …`.
fn address_in(words: &str) -> Option<SocketAddr> {
    words.split_whitespace().find_map(|word| word.trim_end_matches(':').parse().ok())
}

/// An unspecified address stands for all of them.
fn overlap(a: IpAddr, b: IpAddr) -> bool {
    a == b || a.is_unspecified() || b.is_unspecified()
}

/// Returns the process of this machine that listens on an address. Of other users' processes nothing
/// more can be known than that they are there.
fn listener(taken: SocketAddr) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6"];
    let tables = tables.iter().filter_map(|path| fs::read_to_string(path).ok());
    let inode = tables.into_iter().find_map(|table| socket_in(&table, taken.port()))?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let holder = processes.into_iter().find(|process| {
        let files = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|link| link.as_os_str().as_bytes() == socket.as_bytes())
    });
    let Some(holder) = holder else { return Some("another user's program".to_owned()) };
    let name = fs::read_to_string(holder.path().join("comm")).ok()?;
    Some(format!("{} (process {})", name.trim(), holder.file_name().to_string_lossy()))
}

/// Returns the inode of the socket that listens on a port, in the kernel's table of sockets.
fn socket_in(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        // A socket that listens, or one of UDP, which has no other state without a peer.
        let listens = matches!(state, "0A" | "07");
        let (_, number) = local.rsplit_once(':')?;
        let is_it = listens && u16::from_str_radix(number, 16).ok()? == port;
        is_it.then(|| fields.nth(5)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_the_engines_words() {
        for words in [
            "driver failed programming external connectivity on endpoint a (9f): Error starting \
             userland proxy: listen tcp4 127.0.0.1:80: bind: address already in use",
            "driver failed: Bind for 127.0.0.1:80 failed: port is already allocated",
        ] {
            assert_eq!(address_in(words), "127.0.0.1:80".parse().ok(), "{words}");
        }
        assert_eq!(address_in("no such image: a:80"), None);
    }

    #[test]
    fn a_socket_that_listens_is_told_from_one_that_talks() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n   \
             0: 0100007F:0050 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 7 1\n   \
             1: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9 1\n";
        assert_eq!(socket_in(table, 80), Some(9));
        assert_eq!(socket_in(table, 81), None);
    }
}
