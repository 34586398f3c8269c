//! What the engine's machine has to spare. Read from the system where the engine is on this machine, and
//! left unknown elsewhere.
#![expect(clippy::disallowed_methods, reason = "what is free is read from the system")]

use std::{collections::BTreeSet, fs, net::Ipv4Addr, path::PathBuf};

use bollard::models::{Network as ApiNetwork, SystemInfo};
use tokio::net::UnixStream;

use super::{pool, socket};
use crate::observed::{Disk, Host, PortHolder};

/// What is known of the engine's machine once and for all.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// The process that answers, when it runs on this very machine.
    near: Option<u32>,
    data_root: PathBuf,
    /// Where the addresses of networks come from; `None` when not known.
    pools: Option<Vec<pool::Pool>>,
}

impl Machine {
    /// Works out where an engine that was reached at `address` is.
    pub(super) async fn of(address: &str, info: &SystemInfo, podman: bool) -> Self {
        let pid = peer(address).await.filter(|_| is_here(info));
        let given = info.default_address_pools.iter().flatten();
        let given: Vec<pool::Pool> =
            given.filter_map(|pool| pool::Pool::of(pool.base.as_deref()?, pool.size?)).collect();
        // Podman has rules of its own for this, and does not tell them.
        let pools = match (podman, given.is_empty()) {
            (true, _) => None,
            (false, true) => Some(pool::usual()),
            (false, false) => Some(given),
        };
        let data_root = info.docker_root_dir.clone().unwrap_or_default().into();
        Self { near: pid, data_root, pools }
    }

    /// Looks at what is left, and at who has the `wanted` ports that no container publishes.
    pub(super) fn look(
        &self,
        networks: &[ApiNetwork],
        wanted: &BTreeSet<u16>,
        published: &BTreeSet<u16>,
    ) -> (Host, Vec<PortHolder>) {
        let mut taken = subnets(networks);
        let Some(pid) = self.near else {
            let networks_left = self.pools.as_ref().map(|pools| pool::left(pools, &taken));
            return (Host { networks_left, ..Host::default() }, Vec::new());
        };
        // The engine gives a network no addresses that its machine has a way to already.
        taken.extend(routes(&read(&format!("/proc/{pid}/net/route"))));
        let host = Host {
            memory_free: field(&read("/proc/meminfo"), "MemAvailable:").map(|kib| kib * 1024),
            disk: self.disk(pid),
            networks_left: self.pools.as_ref().map(|pools| pool::left(pools, &taken)),
        };
        let open: BTreeSet<u16> = wanted.difference(published).copied().collect();
        (host, socket::holders(pid, &open))
    }

    fn disk(&self, pid: u32) -> Option<Disk> {
        if !self.data_root.is_absolute() {
            return None;
        }
        // As the engine sees it; who may not look through its eyes uses their own.
        let inside = self.data_root.strip_prefix("/").ok()?;
        let inside = PathBuf::from(format!("/proc/{pid}/root")).join(inside);
        let stat = rustix::fs::statvfs(&inside).or_else(|_| rustix::fs::statvfs(&self.data_root));
        let stat = stat.ok()?;
        Some(Disk { free: stat.f_bavail * stat.f_frsize, total: stat.f_blocks * stat.f_frsize })
    }
}

/// Returns the process that listens at a socket, if it is one that this process can see.
async fn peer(address: &str) -> Option<u32> {
    let stream = UnixStream::connect(address.strip_prefix("unix://")?).await.ok()?;
    let pid = stream.peer_cred().ok()?.pid()?;
    u32::try_from(pid).ok().filter(|pid| *pid > 0)
}

/// Returns whether the engine describes this machine: behind a socket there may be a tunnel, or a virtual
/// machine.
fn is_here(info: &SystemInfo) -> bool {
    let this = rustix::system::uname();
    let memory = field(&read("/proc/meminfo"), "MemTotal:").map(|kib| kib * 1024);
    info.name.as_deref() == this.nodename().to_str().ok()
        && info.kernel_version.as_deref() == this.release().to_str().ok()
        && memory.is_some()
        && info.mem_total.and_then(|total| u64::try_from(total).ok()) == memory
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Returns the number behind a key of `/proc/meminfo`.
fn field(table: &str, key: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

fn subnets(networks: &[ApiNetwork]) -> Vec<pool::Net> {
    let configs = networks.iter().filter_map(|network| network.ipam.as_ref()?.config.as_ref());
    let subnets = configs.flatten().filter_map(|config| config.subnet.as_deref());
    subnets.filter_map(pool::Net::parse).collect()
}

/// Reads the kernel's table of routes, without the default ones.
fn routes(table: &str) -> Vec<pool::Net> {
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
        let (address, mask) = (number(1)?.swap_bytes(), number(7)?.swap_bytes());
        (mask != 0).then(|| pool::Net::new(Ipv4Addr::from(address), mask.leading_ones()))
    };
    table.lines().skip(1).filter_map(route).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_tables_are_read() {
        let meminfo = "MemTotal:       24684096 kB\nMemAvailable:   23067108 kB\n";
        assert_eq!(field(meminfo, "MemAvailable:"), Some(23_067_108));
        assert_eq!(field(meminfo, "SwapTotal:"), None);
        let route = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        assert_eq!(routes(route), [pool::Net::parse("172.17.0.0/16").unwrap()]);
        assert_eq!(routes(""), []);
    }

    #[test]
    fn an_engine_elsewhere_is_not_mistaken_for_one_here() {
        let this = rustix::system::uname();
        let memory = field(&read("/proc/meminfo"), "MemTotal:").unwrap() * 1024;
        let here = SystemInfo {
            name: this.nodename().to_str().ok().map(str::to_owned),
            kernel_version: this.release().to_str().ok().map(str::to_owned),
            mem_total: i64::try_from(memory).ok(),
            ..SystemInfo::default()
        };
        assert!(is_here(&here));
        assert!(!is_here(&SystemInfo { name: Some("docker-desktop".into()), ..here.clone() }));
        assert!(!is_here(&SystemInfo { mem_total: Some(1), ..here }));
        assert!(!is_here(&SystemInfo::default()));
    }
}
