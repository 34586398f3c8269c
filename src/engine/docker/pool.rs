//! How many more networks the engine has addresses for.

use std::net::Ipv4Addr;

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Net {
    first: u32,
    bits: u32,
}

/// A range that is cut into networks of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pool {
    whole: Net,
    /// The length of the prefix of each piece.
    bits: u32,
}

/// Where nobody counts any further.
const MANY: u32 = 256;

impl Net {
    /// Returns the range of `bits` leading bits that `address` is in.
    pub(super) fn new(address: Ipv4Addr, bits: u32) -> Self {
        Self { first: u32::from(address) & mask(bits), bits: bits.min(32) }
    }

    /// Reads `172.17.0.0/16`; `None` for addresses of version 6.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Self::new(address.parse().ok()?, bits))
    }

    fn overlaps(self, other: Self) -> bool {
        let mask = mask(self.bits.min(other.bits));
        self.first & mask == other.first & mask
    }
}

impl Pool {
    /// Returns the pool of `base` in pieces of `size` leading bits.
    pub(super) fn of(base: &str, size: i64) -> Option<Self> {
        let whole = Net::parse(base)?;
        let bits = u32::try_from(size).ok().filter(|bits| (whole.bits..=32).contains(bits))?;
        Some(Self { whole, bits })
    }

    fn pieces(&self) -> impl Iterator<Item = Net> {
        let (first, bits) = (self.whole.first, self.bits);
        let count = 1u64 << (bits - self.whole.bits);
        let step = 1u64 << (32 - bits);
        (0..count).filter_map(move |number| {
            let first = u32::try_from(u64::from(first) + number * step).ok()?;
            Some(Net { first, bits })
        })
    }
}

/// Returns what Docker uses where nothing else is set.
pub(super) fn usual() -> Vec<Pool> {
    let pools = [
        ("172.17.0.0/16", 16),
        ("172.18.0.0/16", 16),
        ("172.19.0.0/16", 16),
        ("172.20.0.0/14", 16),
        ("172.24.0.0/14", 16),
        ("172.28.0.0/14", 16),
        ("192.168.0.0/16", 20),
    ];
    pools.into_iter().filter_map(|(base, size)| Pool::of(base, size)).collect()
}

/// Counts the pieces of `pools` that touch nothing `taken`, up to 256.
pub(super) fn left(pools: &[Pool], taken: &[Net]) -> u32 {
    let pieces = pools.iter().flat_map(Pool::pieces);
    let free = pieces.filter(|piece| !taken.iter().any(|other| piece.overlaps(*other)));
    u32::try_from(free.take(MANY as usize).count()).unwrap_or(MANY)
}

fn mask(bits: u32) -> u32 {
    u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<Net> {
        texts.iter().map(|text| Net::parse(text).unwrap()).collect()
    }

    #[test]
    fn pieces_that_are_taken_do_not_count() {
        assert_eq!(left(&usual(), &[]), 31);
        assert_eq!(left(&usual(), &nets(&["172.17.0.0/16", "192.168.1.0/24"])), 29);
        // One large network can have many pieces of a pool.
        assert_eq!(left(&usual(), &nets(&["192.168.0.0/17"])), 23);
        assert_eq!(left(&usual(), &nets(&["0.0.0.0/0"])), 0);
        assert_eq!(left(&usual(), &nets(&["10.0.0.0/8"])), 31);
    }

    #[test]
    fn odd_pools_are_read_or_left_out() {
        let small = [Pool::of("10.99.0.0/28", 30).unwrap()];
        assert_eq!(left(&small, &nets(&["10.99.0.4/30"])), 3);
        assert_eq!(left(&[Pool::of("10.0.0.0/8", 24).unwrap()], &[]), 256);
        assert_eq!(left(&[Pool::of("255.255.255.255/32", 32).unwrap()], &[]), 1);
        assert_eq!(Pool::of("fd00::/8", 64), None);
        assert_eq!(Pool::of("10.0.0.0/16", 8), None);
        assert_eq!(Net::parse("10.0.0.0/33"), None);
    }
}
