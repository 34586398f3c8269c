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
            Self::Inner(Inner { service, kind, database, name }) => {
                if CLASSES.contains(&service.as_str()) {
                    write!(f, "{MARK}")?;
                }
                write!(f, "{service}/")?;
                if let Some(database) = database {
                    write!(f, "{}/", escaped(database))?;
                }
                write!(f, "{}/{name}", kind.word())
            }
        }
    }
}

/// The words before the slash of what is no inner resource.
const CLASSES: [&str; 5] = ["image", "network", "volume", "files", "container"];
/// Stands before a name that would be taken for a word of these, or of a kind: no name begins with it.
const MARK: char = '%';

/// Returns the name of a database as it stands between slashes.
fn escaped(database: &str) -> String {
    if kind_of(database).is_some() {
        return format!("{MARK}{database}");
    }
    database.replace('%', "%25").replace('/', "%2F")
}

fn unescaped(text: &str) -> String {
    match text.strip_prefix(MARK) {
        Some(word) if kind_of(word).is_some() => word.to_owned(),
        _ => text.replace("%2F", "/").replace("%25", "%"),
    }
}

fn kind_of(word: &str) -> Option<InnerKind> {
    InnerKind::ALL.into_iter().find(|kind| kind.word() == word)
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
                let marked = service.strip_prefix(MARK).filter(|word| CLASSES.contains(word));
                let service = ServiceName::new(marked.unwrap_or(service))?;
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
                let database = Some(unescaped(first));
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
        // What could be taken for something else.
        for (service, database) in
            [("postgres", "role"), ("files", "a/b"), ("volume", "%2F"), ("image", "%role")]
        {
            let id = ResourceId::Inner(Inner {
                service: ServiceName::new(service).unwrap(),
                kind: InnerKind::Extension,
                database: Some(database.to_owned()),
                name: "schema/x".to_owned(),
            });
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert!("pg/x/y/z".parse::<ResourceId>().is_err());
    }
}
