//! Ports of this machine for one test each.

use std::{
    net::{TcpListener, UdpSocket},
    sync::atomic::{AtomicU16, Ordering},
};

/// Where they begin and end: below those that the system gives to connections of all programs, which come
/// and go, and above those that well-known programs have.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Returns a port that nobody has, and that no other test of this run gets.
pub(crate) fn free() -> u16 {
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    loop {
        let place = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start + place) % COUNT;
        let everywhere = ("0.0.0.0", port);
        if TcpListener::bind(everywhere).is_ok() && UdpSocket::bind(everywhere).is_ok() {
            return port;
        }
    }
}
