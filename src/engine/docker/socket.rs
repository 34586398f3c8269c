//! Which programs listen on ports of the engine's machine.
#![expect(clippy::disallowed_methods, reason = "who listens is read from the system")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use crate::observed::{PortHolder, PortUser};

/// The program by which the engine passes on what arrives at a published port. Whose it is says the
/// list of containers.
const PROXY: &str = "docker-proxy";

/// A socket that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) protocol: &'static str,
    inode: u64,
}

/// Returns who has which of `ports` where the process `pid` is, the engine's own doing aside.
pub(super) fn holders(pid: u32, ports: &BTreeSet<u16>) -> Vec<PortHolder> {
    if ports.is_empty() {
        return Vec::new();
    }
    let mut found = listeners(pid);
    found.retain(|listener| ports.contains(&listener.port));
    if found.is_empty() {
        return Vec::new();
    }
    let passed_on = passed_on();
    found.retain(|listener| !passed_on.contains(&listener.port));
    let inodes: BTreeSet<u64> = found.iter().map(|listener| listener.inode).collect();
    let users = users(&inodes);
    let unknown = PortUser::Unknown;
    let holder = |listener: &Listener| PortHolder {
        address: listener.reach(),
        port: listener.port,
        protocol: listener.protocol.to_owned(),
        by: users.get(&listener.inode).unwrap_or(&unknown).clone(),
    };
    let holders: BTreeSet<PortHolder> = found.iter().map(holder).collect();
    holders.into_iter().collect()
}

/// Returns all sockets that listen where the process `pid` is.
pub(super) fn listeners(pid: u32) -> Vec<Listener> {
    let tables = [("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp")];
    let read = |(file, protocol)| {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{file}")).unwrap_or_default();
        sockets(&table, protocol)
    };
    tables.into_iter().flat_map(read).collect()
}

impl Listener {
    /// Returns the address as the engine would write it. A socket for all addresses of version 6 mostly
    /// has those of version 4 too, and only trying tells.
    fn reach(&self) -> String {
        match self.address {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
                let everywhere = (Ipv4Addr::UNSPECIFIED, self.port);
                let is_free = match self.protocol {
                    "udp" => UdpSocket::bind(everywhere).is_ok(),
                    _ => TcpListener::bind(everywhere).is_ok(),
                };
                if is_free { "::".to_owned() } else { Ipv4Addr::UNSPECIFIED.to_string() }
            }
            address => address.to_canonical().to_string(),
        }
    }
}

/// Reads one of the kernel's tables of sockets.
fn sockets(table: &str, protocol: &'static str) -> Vec<Listener> {
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state) = (fields.get(1)?, *fields.get(3)?);
        // One that listens, or one of UDP without a peer, for which there is no other state.
        let listens = if protocol == "udp" { state == "07" } else { state == "0A" };
        let (address, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let (address, inode) = (address_of(address)?, fields.get(9)?.parse().ok()?);
        listens.then_some(Listener { address, port, protocol, inode })
    };
    table.lines().skip(1).filter_map(socket).collect()
}

/// Reads an address as the kernel writes it: words of four bytes, in the machine's own order.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let number = u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(number.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// Returns the processes that have sockets open. Those of other users may not be looked into.
pub(super) fn users(inodes: &BTreeSet<u64>) -> BTreeMap<u64, PortUser> {
    let mut users = BTreeMap::new();
    for (pid, place) in processes() {
        let files = fs::read_dir(place.join("fd")).into_iter().flatten().flatten();
        for link in files.filter_map(|file| fs::read_link(file.path()).ok()) {
            let Some(inode) = socket_of(link.as_os_str().as_bytes()) else { continue };
            if inodes.contains(&inode) && !users.contains_key(&inode) {
                let name = fs::read_to_string(place.join("comm")).unwrap_or_default();
                users.insert(inode, PortUser::Program { name: name.trim().to_owned(), pid });
            }
        }
    }
    users
}

/// Returns the ports of the host that the engine passes on.
fn passed_on() -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    for (_, place) in processes() {
        let name = fs::read_to_string(place.join("comm")).unwrap_or_default();
        if name.trim() != PROXY {
            continue;
        }
        let line = fs::read(place.join("cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        let named = words.windows(2).filter(|pair| pair[0] == b"-host-port");
        ports.extend(named.filter_map(|pair| str::from_utf8(pair[1]).ok()?.parse::<u16>().ok()));
    }
    ports
}

fn processes() -> impl Iterator<Item = (u32, std::path::PathBuf)> {
    let entries = fs::read_dir(Path::new("/proc")).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

/// Reads `socket:[4711]`.
fn socket_of(link: &[u8]) -> Option<u64> {
    let number = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_listens_is_told_from_one_that_talks() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n   \
             0: 0100007F:0050 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 7 1\n   \
             1: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9 1\n";
        let localhost = IpAddr::from([127, 0, 0, 1]);
        let listener = Listener { address: localhost, port: 80, protocol: "tcp", inode: 9 };
        assert_eq!(sockets(table, "tcp"), [listener]);
        assert_eq!(sockets("nonsense\nmore: of it\n", "tcp"), []);
    }

    #[test]
    fn addresses_of_both_versions_are_read() {
        assert_eq!(address_of("0100007F"), "127.0.0.1".parse().ok());
        assert_eq!(address_of("00000000000000000000000001000000"), "::1".parse().ok());
        let mapped = address_of("0000000000000000FFFF00000100007F").unwrap();
        assert_eq!(mapped.to_canonical(), "127.0.0.1".parse::<IpAddr>().unwrap());
        assert_eq!(address_of("xyz"), None);
    }

    #[test]
    fn programs_of_this_machine_are_found() {
        let both = TcpListener::bind("[::]:0").unwrap();
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let ports = [&both, &one].map(|listener| listener.local_addr().unwrap().port());
        let found = holders(std::process::id(), &ports.into());
        let me = |port: u16| {
            let holder = found.iter().find(|holder| holder.port == port).unwrap();
            let PortUser::Program { pid, .. } = &holder.by else { panic!("{holder:?}") };
            assert_eq!(*pid, std::process::id());
            holder.address.clone()
        };
        assert_eq!(me(ports[0]), "0.0.0.0");
        assert_eq!(me(ports[1]), "127.0.0.1");
        assert_eq!(holders(std::process::id(), &BTreeSet::new()), []);
    }
}
