//! What a plan can be about, by name.

use std::{fmt, str::FromStr};

use super::{InvalidName, ServiceName};

/// The identity of one resource, stable over its whole life: `container/shop-api`,
/// `volume/shop-postgres-data`, `postgres/shop/extension/vector`.
///
/// The order is the order in which a plan lists things.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceId {
    /// An image, by reference.
    Image(String),
    /// A network, by its name on the engine.
    Network(String),
    /// A volume, by its name on the engine.
    Volume(String),
    /// The generated files in a configuration volume, by the name of the container that reads them.
    Files(String),
    /// A container, by its name on the engine.
    Container(String),
    /// A thing inside a service.
    Inner(Inner),
}

/// A resource inside a running service, such as a database in a Postgres server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inner {
    /// The service it lives in.
    pub service: ServiceName,
    /// What it is.
    pub kind: InnerKind,
    /// The database it lives in; `None` for what belongs to the whole server.
    pub database: Option<String>,
    /// Its name.
    pub name: String,
}

/// The kinds of inner resources, in the order in which they must come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InnerKind {
    /// A login or group role.
    Role,
    /// A database.
    Database,
    /// A schema of a database.
    Schema,
    /// An extension installed in a database.
    Extension,
    /// The privileges one role has on one object.
    Grant,
    /// Who may not log in any more, now that whoever uses the service has gone over to another login.
    Login,
}

impl InnerKind {
    /// All kinds, in order.
    pub const ALL: [Self; 6] =
        [Self::Role, Self::Database, Self::Schema, Self::Extension, Self::Grant, Self::Login];

    /// Returns whether removing it takes data with it.
    pub fn holds_data(self) -> bool {
        match self {
            Self::Database | Self::Schema => true,
            Self::Role | Self::Login | Self::Extension | Self::Grant => false,
        }
    }

    /// Returns the word used in resource names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Database => "database",
            Self::Schema => "schema",
            Self::Extension => "extension",
            Self::Grant => "grant",
            Self::Login => "login",
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(name) => write!(f, "image/{name}"),
            Self::Network(name) => write!(f, "network/{name}"),
            Self::Volume(name) => write!(f, "volume/{name}"),
            Self::Files(name) => write!(f, "files/{name}"),
            Self::Container(name) => write!(f, "container/{name}"),
            Self::Inner(Inner { service, kind, database: None, name }) => {
                write!(f, "{service}/{}/{name}", kind.word())
            }
            Self::Inner(Inner { service, kind, database: Some(database), name }) => {
                write!(f, "{service}/{database}/{}/{name}", kind.word())
            }
        }
    }
}

impl FromStr for ResourceId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let unknown =
            || InvalidName(format!("`{text}` is not a resource, such as container/shop-api"));
        let (class, rest) = text.split_once('/').ok_or_else(unknown)?;
        if rest.is_empty() {
            return Err(unknown());
        }
        let name = rest.to_owned();
        Ok(match class {
            "image" => Self::Image(name),
            "network" => Self::Network(name),
            "volume" => Self::Volume(name),
            "files" => Self::Files(name),
            "container" => Self::Container(name),
            service => {
                let service = ServiceName::new(service)?;
                let kind_of = |word: &str| InnerKind::ALL.into_iter().find(|k| k.word() == word);
                let (first, tail) = rest.split_once('/').ok_or_else(unknown)?;
                if let Some(kind) = kind_of(first) {
                    return Ok(Self::Inner(Inner {
                        service,
                        kind,
                        database: None,
                        name: tail.into(),
                    }));
                }
                let (word, name) = tail.split_once('/').ok_or_else(unknown)?;
                let kind = kind_of(word).ok_or_else(unknown)?;
                let database = Some(first.to_owned());
                Self::Inner(Inner { service, kind, database, name: name.to_owned() })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back() {
        for text in [
            "image/debian:bookworm-slim",
            "container/shop-api-2",
            "volume/shop-postgres-data",
            "postgres/role/reporter",
            "postgres/shop/extension/vector",
        ] {
            assert_eq!(text.parse::<ResourceId>().unwrap().to_string(), text);
        }
        assert!("api".parse::<ResourceId>().is_err());
        assert!("pg/x/y/z".parse::<ResourceId>().is_err());
    }
}
