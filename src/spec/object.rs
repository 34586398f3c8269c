//! Objects of the engine that a file names itself: networks, volumes, and who is on them.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr, str::FromStr};

use super::value::{InsidePath, InvalidText};
use crate::{
    decode_text,
    model::{
        Diagnostic,
        decode::{Decode, Node, NodeValue, Shape, Sourced},
    },
    table,
};

/// A name on the engine, such as `shop_default`: a letter or digit, then also `_`, `.` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName(String);

/// Engines take longer names only for volumes; a container's is its host name, too.
const LONGEST: usize = 128;

impl FromStr for ObjectName {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins || !text.chars().all(good) || text.len() > LONGEST {
            let wanted = "a name on the engine: a letter or digit, then also `_`, `.` and `-`";
            return Err(InvalidText::new(text, wanted));
        }
        Ok(Self(text.to_owned()))
    }
}

impl ObjectName {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a volume is mounted: `/data`, or `/data:ro`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeTarget {
    /// The path inside.
    pub path: InsidePath,
    /// Whether it cannot be written through this mount.
    pub read_only: bool,
}

impl FromStr for VolumeTarget {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let (path, read_only) = match text.rsplit_once(':') {
            Some((path, "ro")) => (path, true),
            Some((path, "rw")) => (path, false),
            Some(_) | None => (text, false),
        };
        Ok(Self { path: path.parse()?, read_only })
    }
}

/// The places at which one volume is mounted; at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct VolumeTargets(pub Vec<Sourced<VolumeTarget>>);

impl Decode for VolumeTargets {
    fn shape() -> Shape {
        Shape::Either(vec![VolumeTarget::shape(), Shape::List(Box::new(VolumeTarget::shape()))])
    }

    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        match &node.value {
            NodeValue::String(_) => Sourced::decode(node, problems).map(|one| Self(vec![one])),
            NodeValue::Array(items) if !items.is_empty() => Vec::decode(node, problems).map(Self),
            _ => node.mismatch("a path inside the container, or a list of them", problems),
        }
    }
}

/// The networks a service is on, by their names in the file, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Places(pub BTreeMap<ObjectName, Sourced<Place>>);

table! {
    /// A service's place on one network.
    pub struct Place {
        /// Names that it answers to there, beside its own.
        pub aliases: Vec<Sourced<ObjectName>>,
        /// A fixed address; the network needs a `subnet` then.
        pub address: Option<Sourced<Ipv4Addr>>,
    }
}

impl Decode for Places {
    fn shape() -> Shape {
        Shape::Either(vec![
            Shape::List(Box::new(ObjectName::shape())),
            Shape::Map(Box::new(Place::shape())),
        ])
    }

    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        match &node.value {
            NodeValue::Array(_) => {
                let names = Vec::<Sourced<ObjectName>>::decode(node, problems)?;
                let place = |name: Sourced<ObjectName>| {
                    let place = Place { aliases: Vec::new(), address: None };
                    (name.value, Sourced { value: place, origin: name.origin })
                };
                Some(Self(names.into_iter().map(place).collect()))
            }
            NodeValue::Table(_) => BTreeMap::decode(node, problems).map(Self),
            _ => node.mismatch("a list of networks, or a table of them", problems),
        }
    }
}

table! {
    /// `[networks.NAME]`
    pub struct NetworkRule {
        /// Its name on the engine. Default: PROJECT-NAME, and PROJECT for `default`.
        pub name: Option<Sourced<ObjectName>>,
        /// Whether it belongs to somebody else: it is used, and neither made, changed nor removed.
        pub external: Option<Sourced<bool>>,
        /// Whether it has no way out.
        pub internal: Option<Sourced<bool>>,
        /// A fixed subnet, such as "10.5.0.0/16".
        pub subnet: Option<Sourced<String>>,
        /// Options of the bridge driver.
        pub options: BTreeMap<String, Sourced<String>>,
    }
}

table! {
    /// `[volumes.NAME]`: a volume that several services share, or that has a name of its own.
    pub struct VolumeRule {
        /// Its name on the engine. Default: PROJECT-NAME.
        pub name: Option<Sourced<ObjectName>>,
        /// Whether it belongs to somebody else: it is used, and neither made nor removed.
        pub external: Option<Sourced<bool>>,
        /// Its driver. Default: local.
        pub driver: Option<Sourced<String>>,
        /// Options of the driver.
        pub options: BTreeMap<String, Sourced<String>>,
    }
}

decode_text! {
    ObjectName, "a name on the engine";
    VolumeTarget, "a path inside the container, such as \"/data:ro\"";
    Ipv4Addr, "an address, such as \"10.5.0.7\"";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_targets() {
        for good in ["shop_default", "a", "9.x-y_z"] {
            good.parse::<ObjectName>().unwrap();
        }
        for bad in ["", "_a", "a b", "ü", &"x".repeat(129)] {
            assert!(bad.parse::<ObjectName>().is_err(), "{bad}");
        }
        let target = |text: &str| {
            text.parse::<VolumeTarget>().map(|t| (t.path.to_string(), t.read_only)).ok()
        };
        assert_eq!(target("/a:ro"), Some(("/a".into(), true)));
        assert_eq!(target("/a"), Some(("/a".into(), false)));
        assert_eq!(target("/a:z"), None);
    }
}
