//! The compared properties of a resource, flat: one path, one canonical text.
//!
//! Desired, last-applied and live state all come in this form, so comparing is comparing texts. The
//! canonical text of a value is the same whoever wrote it; see each variant.

use std::{collections::BTreeMap, fmt};

use crate::model::Text;

/// The value of a [`Field::Mount`] whose volume nobody gave a name. Images ask for such volumes; nself does not.
pub const NAMELESS_VOLUME: &str = "volume::rw";

macro_rules! fields {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $word:literal, )+) => {
        /// What is compared. The word is what people see in plans and write in `ignore` rules.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field { $( $(#[doc = $doc])+ $variant, )+ }

        impl Field {
            /// All fields.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the field's word.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

fields! {
    /// Name of a container.
    Name = "name",
    /// Image reference; compared as image id.
    Image = "image",
    /// JSON array of strings.
    Command = "command",
    /// JSON array of strings.
    Entrypoint = "entrypoint",
    /// One variable a key.
    Env = "env",
    /// `user` or `user:group`.
    User = "user",
    /// A path.
    Workdir = "workdir",
    /// A host name.
    Hostname = "hostname",
    /// A person's label, one a key.
    Label = "labels",
    /// `volume:NAME:rw` or `bind:PATH:ro`, keyed by path inside; see [`NAMELESS_VOLUME`].
    Mount = "mounts",
    /// Mount options, keyed by path inside.
    Tmpfs = "tmpfs",
    /// Sorted JSON array of `address:port`, keyed by `port/protocol`.
    Port = "ports",
    /// `attached`, keyed by network name.
    Network = "networks",
    /// Sorted JSON array of names, keyed by network name.
    Alias = "aliases",
    /// IPv4 address, keyed by network name.
    Address = "address",
    /// The network a container was created with.
    NetworkMode = "network_mode",
    /// Bytes.
    Memory = "limits.memory",
    /// Bytes of memory and swap together; -1 for no limit.
    Swap = "limits.swap",
    /// Bytes.
    Reservation = "limits.reservation",
    /// Billionths of a processor.
    Cpus = "limits.cpus",
    /// A weight.
    CpuShares = "limits.cpu_shares",
    /// A list of processors.
    Cpuset = "limits.cpuset",
    /// A count.
    Pids = "limits.pids",
    /// `always`, `unless-stopped`, `on-failure[:N]`.
    Restart = "restart",
    /// JSON array, the first word as the engine has it (`CMD`, `CMD-SHELL`, `NONE`).
    HealthTest = "health.test",
    /// Milliseconds.
    HealthInterval = "health.interval",
    /// Milliseconds.
    HealthTimeout = "health.timeout",
    /// A count.
    HealthRetries = "health.retries",
    /// Milliseconds.
    HealthStartPeriod = "health.start_period",
    /// Sorted JSON array without `CAP_`.
    CapabilitiesAdded = "capabilities.add",
    /// Sorted JSON array without `CAP_`.
    CapabilitiesDropped = "capabilities.drop",
    /// `true`.
    Privileged = "privileged",
    /// Sorted JSON array.
    Security = "security",
    /// `true`.
    ReadOnly = "read_only",
    /// One kernel parameter a key.
    Sysctl = "sysctls",
    /// `soft:hard`, one a key.
    Ulimit = "ulimits",
    /// Bytes.
    Shm = "shm",
    /// JSON array, in order.
    DnsServers = "dns.servers",
    /// JSON array, in order.
    DnsSearch = "dns.search",
    /// JSON array, in order.
    DnsOptions = "dns.options",
    /// Sorted JSON array of `name:address`.
    ExtraHosts = "extra_hosts",
    /// Sorted JSON array.
    Groups = "groups",
    /// A signal's name.
    StopSignal = "stop.signal",
    /// Seconds.
    StopGrace = "stop.grace",
    /// A driver's name.
    LogDriver = "log.driver",
    /// One option a key.
    LogOption = "log.options",
    /// Sorted JSON array of `host:container:permissions`.
    Devices = "devices",
    /// `true`.
    Init = "init",
    /// A mode.
    IpcNamespace = "namespaces.ipc",
    /// A mode.
    PidNamespace = "namespaces.pid",
    /// A mode.
    UtsNamespace = "namespaces.uts",
    /// A mode.
    UserNamespace = "namespaces.users",
    /// A mode.
    CgroupNamespace = "namespaces.cgroup",
    /// Anything else of the engine's host configuration that is not at its default, one a key. nself
    /// never sets these, so any value is somebody else's.
    Other = "engine",
    /// What a container is doing: `running`, `stopped`, `done` are wanted; seen are also `paused`,
    /// `created`, `exited N`, `restarting N`, `dead`.
    State = "state",
    /// Driver of a network or volume.
    Driver = "driver",
    /// Driver option of a network or volume, one a key.
    DriverOption = "options",
    /// Whether a network has no way out.
    Internal = "internal",
    /// Sorted JSON array of a network's subnets; only when fixed.
    Subnet = "subnet",
    /// Digest of what an image was built from.
    BuiltFrom = "built_from",
    /// Content of a generated file, keyed by its path.
    Content = "file",
    /// Octal permission bits of a generated file, keyed by its path.
    FileMode = "file_mode",
    /// `uid:gid` of a generated file, keyed by its path.
    FileOwner = "file_owner",
    /// Digest of the set of files that a service was told to load.
    Loaded = "loaded",
    /// An attribute of a thing inside a service, one a key.
    Attribute = "attribute",
}

/// The place of one compared value: a field, and for maps the key in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// The field.
    pub field: Field,
    /// The key; empty for a field that is not a map.
    pub key: String,
}

/// A desired value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A canonical text.
    Plain(String),
    /// A text with secrets in it.
    Secret(Text),
}

/// The compared values of one resource. What is absent is at the image's or engine's default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(pub BTreeMap<Path, Value>);

impl Field {
    /// Returns the path of `key` in this field.
    pub fn key(self, key: impl fmt::Display) -> Path {
        Path { field: self, key: key.to_string() }
    }

    /// Returns the path of this field, which is not a map.
    pub fn path(self) -> Path {
        Path { field: self, key: String::new() }
    }
}

impl Path {
    /// Reads what [`Path`]'s `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let exact = Field::ALL.iter().find(|field| field.word() == text);
        if let Some(field) = exact {
            return Some(field.path());
        }
        // The longest word wins: `limits.memory` is a field, and `labels.x` a key of one.
        Field::ALL
            .iter()
            .filter_map(|field| {
                let key = text.strip_prefix(field.word())?.strip_prefix('.')?;
                Some((field.word().len(), field.key(key)))
            })
            .max_by_key(|(length, _)| *length)
            .map(|(_, path)| path)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            return f.write_str(self.field.word());
        }
        write!(f, "{}.{}", self.field.word(), self.key)
    }
}

impl Value {
    /// Returns a plain value.
    pub fn plain(value: impl ToString) -> Self {
        Self::Plain(value.to_string())
    }

    /// Returns the value of a text, secret if there is a secret in it.
    pub fn of(text: &Text) -> Self {
        text.as_plain().map_or_else(|| Self::Secret(text.clone()), Self::Plain)
    }
}

impl Fields {
    /// Adds a value.
    pub fn insert(&mut self, path: Path, value: Value) {
        self.0.insert(path, value);
    }

    /// Adds a value of a field that is not a map.
    pub fn set(&mut self, field: Field, value: impl ToString) {
        self.insert(field.path(), Value::plain(value));
    }

    /// Adds a value, if there is one.
    pub fn set_if(&mut self, field: Field, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.set(field, value);
        }
    }

    /// Adds one value for each key.
    pub fn set_each(&mut self, field: Field, values: &BTreeMap<String, String>) {
        for (key, value) in values {
            self.insert(field.key(key), Value::plain(value));
        }
    }

    /// Returns the value at `path`.
    pub fn get(&self, path: &Path) -> Option<&Value> {
        self.0.get(path)
    }
}

/// Returns the canonical text of a list.
pub(crate) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    serde_json::to_string(&items).expect("a list of strings is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_back() {
        for text in ["name", "limits.memory", "env.LOG_LEVEL", "mounts./var/lib/x", "labels.a.b"] {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Path::parse("nonsense"), None);
        for field in Field::ALL {
            assert_eq!(Path::parse(&field.path().to_string()), Some(field.path()));
        }
    }
}
