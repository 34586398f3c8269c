//! The file of the machine's project, small enough to be read in a story.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use proptest::prelude::*;

/// A service of the pool. It needs only services before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Db,
    Setup,
    Api,
    Web,
}

pub(super) const NAMES: [Name; 4] = [Name::Db, Name::Setup, Name::Api, Name::Web];

/// What an image's tag stands for before anybody moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tag {
    One,
    Two,
    /// Never becomes ready.
    Bad,
}

/// Which volume is at `/data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Keeps {
    Data,
    Files,
}

#[derive(Clone, PartialEq)]
pub(super) struct Service {
    pub(super) tag: Tag,
    pub(super) level: u8,
    pub(super) memory: Option<u8>,
    pub(super) keeps: Option<Keeps>,
    pub(super) port: Option<u8>,
    pub(super) needs: BTreeSet<Name>,
    pub(super) job: bool,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct File(pub(super) BTreeMap<Name, Service>);

/// What is true of the engine's machine only.
#[derive(Debug, Clone)]
pub(super) struct Naming {
    pub(super) project: String,
    pub(super) ports: [u16; 2],
}

/// One change to the file.
#[derive(Clone)]
pub(super) enum Edit {
    Add(Name, Service),
    Remove(Name),
    Rename(Name, Name),
    Tag(Name, Tag),
    Level(Name, u8),
    Memory(Name, Option<u8>),
    Keeps(Name, Option<Keeps>),
    Port(Name, Option<u8>),
    Needs(Name, BTreeSet<Name>),
    Job(Name, bool),
}

impl Name {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Db => "db",
            Self::Setup => "setup",
            Self::Api => "api",
            Self::Web => "web",
        }
    }
}

impl Tag {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
            Self::Bad => "bad",
        }
    }
}

impl Keeps {
    fn text(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Files => "files",
        }
    }
}

impl Naming {
    pub(super) fn container(&self, name: Name) -> String {
        format!("{}-{}", self.project, name.text())
    }

    pub(super) fn volume(&self, name: Name, keeps: Keeps) -> String {
        format!("{}-{}", self.container(name), keeps.text())
    }

    pub(super) fn image(&self, tag: Tag) -> String {
        format!("{}-img:{}", self.project, tag.text())
    }
}

impl Service {
    /// Returns the bytes of memory it is limited to.
    pub(super) fn memory(&self) -> Option<u64> {
        self.memory.map(|size| (u64::from(size) + 1) * (32 << 20))
    }
}

impl File {
    pub(super) fn names(&self) -> Vec<Name> {
        self.0.keys().copied().collect()
    }

    /// Returns the services that a service starts after.
    pub(super) fn needs(&self, name: Name) -> impl Iterator<Item = Name> {
        let needs = self.0[&name].needs.iter();
        needs.copied().filter(move |need| *need < name && self.0.contains_key(need))
    }

    /// Returns the port of the host that a service has: of two that want one, the first.
    pub(super) fn port(&self, name: Name) -> Option<u8> {
        let port = self.0[&name].port?;
        let mut before = self.0.iter().filter(|(other, _)| **other < name);
        (!before.any(|(_, other)| other.port == Some(port))).then_some(port)
    }

    pub(super) fn text(&self, naming: &Naming) -> String {
        let mut text = format!("[project]\nname = \"{}\"\n", naming.project);
        for (name, service) in &self.0 {
            let word = name.text();
            let (kind, command) =
                if service.job { ("job", "true") } else { ("container", "sleep infinity") };
            let command: Vec<&str> = command.split(' ').collect();
            text += &format!(
                "[services.{word}]\nkind = \"{kind}\"\nimage = \"{}\"\ninit = true\n\
                 command = {command:?}\nready_within = \"3s\"\nstop_grace = \"2s\"\n\
                 env = {{ LEVEL = \"{}\" }}\n",
                naming.image(service.tag),
                service.level,
            );
            if let Some(memory) = service.memory() {
                text += &format!("limits = {{ memory = \"{}M\" }}\n", memory >> 20);
            }
            if let Some(keeps) = service.keeps {
                text += &format!("volumes = {{ {} = \"/data\" }}\n", keeps.text());
            }
            if let Some(port) = self.port(*name) {
                let port = naming.ports[usize::from(port)];
                text += &format!("publish = [\"127.0.0.1:{port}:80\"]\n");
            }
            let needs: Vec<&str> = self.needs(*name).map(Name::text).collect();
            text += &format!("needs = {needs:?}\n");
        }
        text
    }

    pub(super) fn allows(&self, edit: &Edit) -> bool {
        match edit {
            Edit::Add(name, _) => !self.0.contains_key(name),
            Edit::Remove(name) => self.0.contains_key(name) && self.0.len() > 1,
            Edit::Rename(from, to) => self.0.contains_key(from) && !self.0.contains_key(to),
            Edit::Tag(name, _)
            | Edit::Level(name, _)
            | Edit::Memory(name, _)
            | Edit::Keeps(name, _)
            | Edit::Port(name, _)
            | Edit::Needs(name, _)
            | Edit::Job(name, _) => self.0.contains_key(name),
        }
    }

    pub(super) fn edit(&mut self, edit: &Edit) {
        let mut change = |name: &Name, change: &dyn Fn(&mut Service)| {
            if let Some(service) = self.0.get_mut(name) {
                change(service);
            }
        };
        match edit {
            Edit::Add(name, service) => _ = self.0.insert(*name, service.clone()),
            Edit::Remove(name) => _ = self.0.remove(name),
            Edit::Rename(from, to) => {
                let service = self.0.remove(from).expect("what is renamed is there");
                self.0.insert(*to, service);
            }
            Edit::Tag(name, tag) => change(name, &|service| service.tag = *tag),
            Edit::Level(name, level) => change(name, &|service| service.level = *level),
            Edit::Memory(name, memory) => change(name, &|service| service.memory = *memory),
            Edit::Keeps(name, keeps) => change(name, &|service| service.keeps = *keeps),
            Edit::Port(name, port) => change(name, &|service| service.port = *port),
            Edit::Needs(name, needs) => change(name, &|service| service.needs.clone_from(needs)),
            Edit::Job(name, job) => change(name, &|service| service.job = *job),
        }
    }
}

pub(super) fn name() -> impl Strategy<Value = Name> {
    prop::sample::select(&NAMES)
}

fn tag() -> impl Strategy<Value = Tag> {
    prop_oneof![5 => Just(Tag::One), 4 => Just(Tag::Two), 1 => Just(Tag::Bad)]
}

fn keeps() -> impl Strategy<Value = Option<Keeps>> {
    prop_oneof![2 => Just(None), 4 => Just(Some(Keeps::Data)), 1 => Just(Some(Keeps::Files))]
}

fn needs() -> impl Strategy<Value = BTreeSet<Name>> {
    prop::collection::btree_set(name(), 0..3)
}

pub(super) fn service() -> impl Strategy<Value = Service> {
    (
        prop_oneof![9 => Just(Tag::One), 1 => Just(Tag::Two)],
        0..3u8,
        prop::option::of(0..2u8),
        keeps(),
        prop::option::weighted(0.3, 0..2u8),
        needs(),
        prop::bool::weighted(0.15),
    )
        .prop_map(|(tag, level, memory, keeps, port, needs, job)| Service {
            tag,
            level,
            memory,
            keeps,
            port,
            needs,
            job,
        })
}

pub(super) fn file() -> impl Strategy<Value = File> {
    prop::collection::btree_map(name(), service(), 1..4).prop_map(File)
}

pub(super) fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        2 => (name(), service()).prop_map(|(name, service)| Edit::Add(name, service)),
        2 => name().prop_map(Edit::Remove),
        1 => (name(), name()).prop_map(|(from, to)| Edit::Rename(from, to)),
        3 => (name(), tag()).prop_map(|(name, tag)| Edit::Tag(name, tag)),
        2 => (name(), 0..3u8).prop_map(|(name, level)| Edit::Level(name, level)),
        2 => (name(), prop::option::of(0..2u8)).prop_map(|(name, to)| Edit::Memory(name, to)),
        2 => (name(), keeps()).prop_map(|(name, keeps)| Edit::Keeps(name, keeps)),
        1 => (name(), prop::option::of(0..2u8)).prop_map(|(name, port)| Edit::Port(name, port)),
        1 => (name(), needs()).prop_map(|(name, needs)| Edit::Needs(name, needs)),
        1 => (name(), any::<bool>()).prop_map(|(name, job)| Edit::Job(name, job)),
    ]
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tag, level, memory, keeps, port, needs, job } = self;
        let kind = if *job { "job" } else { "service" };
        write!(f, "{kind} of image {}, level {level}", tag.text())?;
        if memory.is_some() {
            write!(f, ", memory {}M", self.memory().unwrap_or_default() >> 20)?;
        }
        if let Some(keeps) = keeps {
            write!(f, ", keeps {}", keeps.text())?;
        }
        if let Some(port) = port {
            write!(f, ", port {port}")?;
        }
        if !needs.is_empty() {
            write!(f, ", needs {needs:?}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(name, service) => write!(f, "{name:?} comes into the file: {service:?}"),
            Self::Remove(name) => write!(f, "{name:?} goes out of the file"),
            Self::Rename(from, to) => write!(f, "{from:?} is called {to:?} in the file"),
            Self::Tag(name, tag) => write!(f, "the file: {name:?} of image {}", tag.text()),
            Self::Level(name, level) => write!(f, "the file: {name:?} with level {level}"),
            Self::Memory(name, memory) => {
                write!(f, "the file: {name:?} with memory {memory:?}")
            }
            Self::Keeps(name, keeps) => write!(f, "the file: {name:?} keeps {keeps:?}"),
            Self::Port(name, port) => write!(f, "the file: {name:?} on port {port:?}"),
            Self::Needs(name, needs) => write!(f, "the file: {name:?} needs {needs:?}"),
            Self::Job(name, true) => write!(f, "the file: {name:?} is a job"),
            Self::Job(name, false) => write!(f, "the file: {name:?} is a service"),
        }
    }
}
