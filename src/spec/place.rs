//! Texts of `nself.toml` that say where something answers: ports, addresses, domains, routes.
//!
//! Whether two services want the same place is judged elsewhere.

use std::{fmt, net::IpAddr, str::FromStr};

use super::value::InvalidText;
use crate::decode_text;

/// A port published on the host: `8080:80`, `127.0.0.1:5432:5432`, `[::1]:53:53/udp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The host's address; 127.0.0.1 when absent.
    pub address: Option<IpAddr>,
    /// The host's port; 0 where the engine chooses one at each start.
    pub host: u16,
    /// The port inside the container.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
}

impl FromStr for Publish {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let bad = || {
            InvalidText::new(
                text,
                "a published port, such as `8080:80`, `127.0.0.1:5432:5432` or `53:53/udp`",
            )
        };
        let (ports, protocol) = match text.split_once('/') {
            None => (text, "tcp"),
            Some((ports, "tcp")) => (ports, "tcp"),
            Some((ports, "udp")) => (ports, "udp"),
            Some(_) => return Err(bad()),
        };
        let (front, port) = ports.rsplit_once(':').ok_or_else(bad)?;
        let (address, host) = match front.rsplit_once(':') {
            None => (None, front),
            Some((address, host)) => {
                let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
                (Some(bare.unwrap_or(address).parse().map_err(|_| bad())?), host)
            }
        };
        let number = |text: &str| text.parse::<u16>().ok();
        let port = number(port).filter(|port| *port > 0);
        let (host, port) = number(host).zip(port).ok_or_else(bad)?;
        Ok(Self { address, host, port, protocol })
    }
}

/// An address of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub IpAddr);

impl FromStr for Address {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let wanted = "an address of the host, such as `127.0.0.1` or `0.0.0.0`";
        text.parse().map(Self).map_err(|_| InvalidText::new(text, wanted))
    }
}

/// Where a container finds a further host: an address, or `host-gateway` for the engine's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAddress(String);

impl FromStr for HostAddress {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        if text != "host-gateway" && text.parse::<IpAddr>().is_err() {
            return Err(InvalidText::new(
                text,
                "an address, such as `10.0.0.5`, or `host-gateway`",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A domain name, such as `shop.example.com`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Domain(String);

impl FromStr for Domain {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        if is_domain(text) {
            return Ok(Self(text.to_owned()));
        }
        let wanted = "a domain, such as `shop.example.com`, without `https://` and in lower case";
        Err(InvalidText::new(text, wanted))
    }
}

/// Where the gateway serves a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteName {
    /// Nowhere, although its kind would be served.
    None,
    /// At the project's domain itself: `@`.
    Apex,
    /// At a label below the project's domain: `api`.
    Label(String),
    /// At a host name of its own: `api.example.com`.
    Host(String),
}

impl RouteName {
    /// Returns the host name, or `None` if it is not served.
    pub fn host(&self, domain: &Domain) -> Option<String> {
        match self {
            Self::None => None,
            Self::Apex => Some(domain.to_string()),
            Self::Label(label) => Some(format!("{label}.{domain}")),
            Self::Host(host) => Some(host.clone()),
        }
    }
}

impl FromStr for RouteName {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        match text {
            "" => Ok(Self::None),
            "@" => Ok(Self::Apex),
            _ if !is_domain(text) => {
                let wanted = "a route: a label such as `api`, `@` for the domain itself, or a full \
                              host name, all in lower case";
                Err(InvalidText::new(text, wanted))
            }
            _ if text.contains('.') => Ok(Self::Host(text.to_owned())),
            _ => Ok(Self::Label(text.to_owned())),
        }
    }
}

fn is_domain(text: &str) -> bool {
    let good = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.chars().all(good)
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

impl HostAddress {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Domain {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

decode_text! {
    Publish, "a published port, such as \"8080:80\"";
    Address, "an address";
    HostAddress, "an address";
    Domain, "a domain";
    RouteName, "a route, such as \"api\"";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ports() {
        let read = |text: &str| text.parse::<Publish>().map(|p| (p.address, p.host, p.port)).ok();
        assert_eq!(read("8080:80"), Some((None, 8080, 80)));
        assert_eq!(read("127.0.0.1:1:2"), Some(("127.0.0.1".parse().ok(), 1, 2)));
        assert_eq!(read("[::1]:53:53/udp"), Some(("::1".parse().ok(), 53, 53)));
        for bad in ["80", "80:", "80:0", "1:70000", "x:1:2", "1:2/sctp", ":1:2"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn routes() {
        let domain: Domain = "shop.localhost".parse().unwrap();
        let host = |text: &str| text.parse::<RouteName>().ok().and_then(|r| r.host(&domain));
        assert_eq!(host("api").as_deref(), Some("api.shop.localhost"));
        assert_eq!(host("@").as_deref(), Some("shop.localhost"));
        assert_eq!(host("a.example.com").as_deref(), Some("a.example.com"));
        for bad in ["", "Api", "-a", "a_b", "a..b", "https://a"] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }
}
