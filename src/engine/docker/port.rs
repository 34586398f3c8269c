//! Who has a port of the host that a container was to publish.

use std::net::{IpAddr, SocketAddr};

use super::{Docker, socket};

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
    let ports = [taken.port()].into();
    let holders = socket::holders(std::process::id(), &ports);
    holders.first().map(|holder| holder.by.to_string())
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
}
