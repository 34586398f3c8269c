//! Networks of a simulated engine, and containers' places on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use super::{
    execute::{get, get_mut, live, refuse, taken_unless_ours},
    world::{SimContainer, World},
};
use crate::{
    desired::{Attachment, Field, Network, Resource, Value},
    engine::{Error, Refusal},
    model::Keyring,
    observed::{Live, Owner, SeenContainer, SeenNetwork, State},
    plan::Target,
};

const MTU: &str = "com.docker.network.driver.mtu";
/// A network this small has no address left for anybody but the engine.
const SMALLEST: u32 = 30;

pub(super) fn create(
    world: &mut World,
    network: &Network,
    labels: &BTreeMap<String, String>,
    keyring: &Keyring,
) -> Result<(), Error> {
    let what = "make the network";
    if let Some(there) = the_one(world, &network.name, what)? {
        return taken_unless_ours(what, &world.networks[&there].1, labels);
    }
    if let Some(text) = &network.subnet {
        let Some(wanted) = Subnet::parse(text) else {
            return refuse(what, Refusal::Invalid, "invalid subnet");
        };
        let mut others = world.networks.values().filter_map(|(seen, _)| Subnet::of(seen));
        if wanted.bits > SMALLEST || others.any(|other| other.overlaps(wanted)) {
            return refuse(what, Refusal::SubnetTaken, "pool overlaps, or has no room");
        }
    }
    if network.options.get(MTU).is_some_and(|mtu| mtu.parse::<u32>().is_err()) {
        return refuse(what, Refusal::Invalid, "the option has no such value");
    }
    let number = world.number();
    let id = format!("n{number:08}");
    let fields = live(&Resource::Network(network.clone()).fields(), keyring)?;
    let seen = SeenNetwork {
        id: id.clone(),
        name: network.name.clone(),
        owner: Owner::Foreign,
        created: format!("{number:08}"),
        fields,
        members: BTreeSet::new(),
    };
    world.networks.insert(id, (seen, labels.clone()));
    Ok(())
}

pub(super) fn remove(world: &mut World, id: &str) {
    if let Some((seen, _)) = world.networks.remove(id) {
        for container in world.containers.values_mut() {
            detach(container, &seen.name);
        }
    }
}

pub(super) fn connect(
    world: &mut World,
    target: &Target,
    network: &str,
    attachment: &Attachment,
) -> Result<(), Error> {
    let what = "attach to the network";
    must_be(world, network, what)?;
    let seen = &get(world, target)?.seen;
    if seen.fields.get(&Field::NetworkMode.path()).is_none() {
        let why = "it was made without networks";
        return refuse(what, Refusal::Unsupported, why);
    }
    if let Some(address) = &attachment.ipv4 {
        address_is_free(world, seen, network, address, what)?;
    }
    let container = get_mut(world, target)?;
    detach(container, network);
    attach(container, network, attachment);
    Ok(())
}

/// Returns the id of the network of a name, if there is one.
pub(super) fn the_one(world: &World, name: &str, what: &str) -> Result<Option<String>, Error> {
    let mut named = world.networks.values().filter(|(seen, _)| seen.name == name);
    let first = named.next();
    if named.next().is_some() {
        return refuse(what, Refusal::Ambiguous, "there are two networks of that name");
    }
    Ok(first.map(|(seen, _)| seen.id.clone()))
}

/// Refuses when a name does not stand for exactly one network.
pub(super) fn must_be(world: &World, name: &str, what: &str) -> Result<(), Error> {
    match the_one(world, name, what)? {
        Some(_) => Ok(()),
        None => refuse(what, Refusal::NotFound, "no such network"),
    }
}

/// Refuses an address that a container cannot have on a network, where it runs or is about to.
pub(super) fn address_is_free(
    world: &World,
    seen: &SeenContainer,
    network: &str,
    address: &str,
    what: &str,
) -> Result<(), Error> {
    let there = world.networks.values().find(|(seen, _)| seen.name == network);
    let Some(subnet) = there.and_then(|(seen, _)| Subnet::of(seen)) else {
        return refuse(what, Refusal::Invalid, "the network has no subnet of its own");
    };
    let inside = address.parse().ok().filter(|address| subnet.has(*address));
    let Some(wanted) = inside else {
        return refuse(what, Refusal::Invalid, "it is not an address of the subnet");
    };
    let place = Field::Address.key(network);
    let is_theirs = world.containers.values().any(|other| {
        other.seen.id != seen.id
            && matches!(other.seen.state, State::Running | State::Paused)
            && other.seen.fields.get(&place) == Some(&Live::text(address))
    });
    if is_theirs || subnet.is_the_engines(wanted) {
        return refuse(what, Refusal::AddressTaken, "address already in use");
    }
    Ok(())
}

pub(super) fn attach(container: &mut SimContainer, network: &str, attachment: &Attachment) {
    for (path, value) in attachment.fields(network).0 {
        if let Value::Plain(text) = value {
            container.seen.fields.insert(path, text);
        }
    }
}

/// Takes a container off a network.
pub(super) fn detach(container: &mut SimContainer, network: &str) {
    container.seen.fields.0.retain(|path, _| {
        !(matches!(path.field, Field::Network | Field::Alias | Field::Address)
            && path.key == network)
    });
}

/// The addresses of a network: the first of them, and how many bits they have in common.
#[derive(Clone, Copy)]
struct Subnet {
    first: u32,
    bits: u32,
}

impl Subnet {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let bits = bits.parse().ok().filter(|bits| (1..=32).contains(bits))?;
        let address: Ipv4Addr = address.parse().ok()?;
        Some(Self { first: address.to_bits() & mask(bits), bits })
    }

    fn of(seen: &SeenNetwork) -> Option<Self> {
        let Live::Text(text) = seen.fields.get(&Field::Subnet.path())? else { return None };
        let subnets: Vec<String> = serde_json::from_str(text.expose()).ok()?;
        Self::parse(subnets.first()?)
    }

    fn has(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.bits) == self.first
    }

    fn overlaps(self, other: Self) -> bool {
        let shared = mask(self.bits.min(other.bits));
        self.first & shared == other.first & shared
    }

    /// The engine has the first address after the network's own, and nobody has the last.
    fn is_the_engines(self, address: Ipv4Addr) -> bool {
        let last = self.first | !mask(self.bits);
        [self.first, self.first + 1, last].contains(&address.to_bits())
    }
}

fn mask(bits: u32) -> u32 {
    u32::MAX << (32 - bits)
}
