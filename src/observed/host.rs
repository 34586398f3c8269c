//! What the engine's machine has to spare, as far as that can be known.

use crate::model::ResourceId;

/// What the engine's machine has left for further things. Only an engine on this machine can be asked for
/// all of it; what is not known is `None`, and nothing is ever decided on that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Bytes of memory that programs could have without swapping.
    pub memory_free: Option<u64>,
    /// The disk that holds images and volumes.
    pub disk: Option<Disk>,
    /// How many more networks whose addresses the engine chooses can be made, at most; 256 is that or
    /// more.
    pub networks_left: Option<u32>,
}

/// A disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that an ordinary user could still write.
    pub free: u64,
    /// Bytes it has in all.
    pub total: u64,
}

impl Disk {
    /// Below this many free bytes, and a fiftieth of the disk where that is less, nothing more is put on
    /// it: a full disk takes down what runs.
    const FLOOR: u64 = 512 << 20;

    /// Returns how many bytes have to be free before anything is built, pulled or stored.
    pub fn floor(self) -> u64 {
        Self::FLOOR.min(self.total / 50)
    }

    /// Returns whether there is no room for anything more.
    pub fn is_full(self) -> bool {
        self.free < self.floor()
    }
}

/// A port of the host that somebody else has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortHolder {
    /// The address; `0.0.0.0` for all.
    pub address: String,
    /// The port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Who has it.
    pub by: PortUser,
}

/// Who has a port of the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortUser {
    /// A container that is not ours, by name.
    Container(String),
    /// A program of the engine's machine.
    Program {
        /// The program's name.
        name: String,
        /// Its process.
        pid: u32,
    },
    /// A program of which this user may know no more.
    Unknown,
}

impl PortHolder {
    /// Returns whether who has this port keeps another from having `port` at `address`.
    pub fn keeps(&self, address: &str, port: u16, protocol: &str) -> bool {
        let everywhere = "0.0.0.0";
        self.port == port
            && self.protocol == protocol
            && (self.address == address || self.address == everywhere || address == everywhere)
    }
}

impl std::fmt::Display for PortUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Container(name) => write!(f, "the container {name}"),
            Self::Program { name, pid } => write!(f, "{name} (process {pid})"),
            Self::Unknown => f.write_str("another user's program"),
        }
    }
}

/// A tool of an apply that is on the engine: a lock, or a container that files are put in through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenTool {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: ToolPurpose,
    /// Who uses it, as far as it says, such as `process 4711 of deploy on web1`.
    pub user: String,
    /// Whether whoever uses it is known to have ended.
    pub abandoned: bool,
}

/// What a tool is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolPurpose {
    /// It is the project's lock.
    Lock,
    /// Files go into this volume through it.
    Writer(String),
}

/// An image that nself built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnImage {
    /// Its id.
    pub id: String,
    /// Its names.
    pub tags: Vec<String>,
    /// Its size in bytes, layers that it shares included.
    pub size: u64,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
    /// Whether a container was made of it, running or not.
    pub used: bool,
}

impl OwnImage {
    /// Returns the resource it is, by name or, where it has none any more, by id.
    pub fn resource(&self) -> ResourceId {
        ResourceId::Image(self.tags.first().unwrap_or(&self.id).clone())
    }
}

/// What an engine says when it is asked how it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkup {
    /// What it is: `docker` or `podman`.
    pub kind: String,
    /// Its whole version, such as `20.10.24+dfsg1`.
    pub version: String,
    /// The API version agreed on, such as `1.41`.
    pub api: String,
    /// By how many milliseconds its clock is ahead of ours; `None` when it does not tell the time.
    pub clock_ahead: Option<i64>,
    /// What it warns of, in its own words.
    pub warnings: Vec<String>,
    /// Bytes of memory its machine has; 0 when unknown.
    pub memory: u64,
    /// What its machine has to spare.
    pub host: Host,
}
