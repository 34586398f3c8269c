//! The desired state as a whole, and the resources that are not containers.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    Class, Container, Path, Phase, Rule,
    field::{Field, Fields, Value},
};
use crate::{
    catalog::{Check, InnerDriver, InnerSpec, Reload},
    model::{
        Digest, ImageRef, Inner, Instance, Keyring, Origin, ProjectName, ResourceId, SecretName,
        ServiceName, Text,
    },
};

/// Everything that should exist for one project instance.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The project's name, the first part of every name on the engine.
    pub project: ProjectName,
    /// What marks objects as this project's; see `project.id`.
    pub project_id: String,
    /// The environment, if it lives beside others on one engine.
    pub instance: Option<Instance>,
    /// The resources.
    pub resources: BTreeMap<ResourceId, Resource>,
    /// For each resource those that must be there (for a container: ready) before it is touched, each
    /// with the reason in words, such as `needs postgres`.
    pub after: BTreeMap<ResourceId, BTreeMap<ResourceId, String>>,
    /// Resources that the file gives a name of their own, which need not begin with the project's.
    pub named: BTreeSet<ResourceId>,
    /// Networks and volumes that belong to somebody else: they are used as they are.
    pub external: BTreeSet<ResourceId>,
    /// Where each value comes from.
    pub origins: BTreeMap<(ResourceId, Path), Origin>,
    /// What is not compared.
    pub ignore: Vec<Ignore>,
    /// The policies.
    pub rules: Vec<Rule>,
    /// The secrets that some resource refers to, and where each comes from.
    pub secrets: BTreeMap<SecretName, SecretNeed>,
    /// Where to click.
    pub urls: Vec<Url>,
    /// The forms that a service may have, by its container: today's, which stands in `resources`, and
    /// those of earlier versions of nself. See [`Earlier`](crate::catalog::Earlier).
    pub forms: BTreeMap<ResourceId, Vec<Form>>,
}

/// How a service is started, and what it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The command; `None` is the image's own.
    pub command: Option<Vec<String>>,
    /// Its generated files, as in [`Files`].
    pub files: BTreeMap<String, File>,
}

/// A resource that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// An image.
    Image(Image),
    /// A network.
    Network(Network),
    /// A volume.
    Volume(Volume),
    /// The files in a configuration volume.
    Files(Files),
    /// A container.
    Container(Box<Container>),
    /// A thing inside a service.
    Inner(InnerResource),
}

/// An image that should be on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The name by which containers use it.
    pub reference: ImageRef,
    /// Where it comes from.
    pub origin: ImageOrigin,
}

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageOrigin {
    /// Pulled under this reference (through a mirror, a different one), then tagged.
    Pull(ImageRef),
    /// Built.
    Build(Build),
}

/// A build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// What goes in.
    pub context: BuildContext,
    /// Digest of everything that goes in, build arguments included. An image carries it as a label.
    pub digest: Digest,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// How long it takes, for people; empty when not known.
    pub effort: String,
}

/// The files a build is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildContext {
    /// A folder of the person's, with the path of the Dockerfile in it.
    Folder {
        /// The folder.
        path: PathBuf,
        /// The Dockerfile, relative to the folder.
        dockerfile: String,
        /// The stage to build.
        target: Option<String>,
    },
    /// A recipe: paths and contents. The machine's CA bundle is among them as `ca-bundle.crt`.
    Recipe(BTreeMap<String, String>),
}

/// A bridge network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its name on the engine.
    pub name: String,
    /// Whether it has no way out.
    pub internal: bool,
    /// Driver options.
    pub options: BTreeMap<String, String>,
    /// A fixed subnet, else the engine chooses.
    pub subnet: Option<String>,
}

/// A named volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its name on the engine.
    pub name: String,
    /// The service it belongs to.
    pub service: ServiceName,
    /// Whether it holds nothing but files that nself can write again.
    pub disposable: bool,
    /// Driver.
    pub driver: String,
    /// Driver options.
    pub options: BTreeMap<String, String>,
}

/// A set of files in a configuration volume, and what makes its reader load them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The volume.
    pub volume: String,
    /// The container that reads them.
    pub container: String,
    /// Where the volume is mounted in it.
    pub mount: String,
    /// The files by path.
    pub files: BTreeMap<String, File>,
    /// Numeric owner and group.
    pub owner: (u32, u32),
    /// The check before use.
    pub check: Option<Check>,
    /// What makes the reader take up new files.
    pub reload: Reload,
}

/// One generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What it reads as.
    pub content: Text,
    /// Permission bits.
    pub mode: u32,
}

/// A thing that should exist inside a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerResource {
    /// Its identity.
    pub id: Inner,
    /// The container through which it is seen and changed.
    pub container: String,
    /// How to talk to the service.
    pub driver: InnerDriver,
    /// Its attributes.
    pub spec: InnerSpec,
}

/// A rule that some values are not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignore {
    /// The service it is for.
    pub service: ServiceName,
    /// The path, or a whole field when the key is empty.
    pub path: Path,
    /// Why, in the person's words.
    pub reason: String,
    /// The last day it holds, as `YYYY-MM-DD`; `None` is for ever.
    pub until: Option<String>,
    /// Where it is written.
    pub origin: Origin,
}

/// Where a secret's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretNeed {
    /// Random characters, made at the first apply.
    Random {
        /// How many.
        length: u16,
    },
    /// A person must give it; without it nothing is applied.
    Given {
        /// Where it is referred to.
        origin: Origin,
    },
    /// The PEM chain of a certificate for these host names, issued by the user's own authority.
    CertificateChain {
        /// The hosts, sorted.
        hosts: Vec<String>,
        /// The secret that holds the key to it.
        key: SecretName,
    },
    /// The PEM key of the certificate whose chain refers to it.
    CertificateKey,
}

/// A place to click.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    /// The service behind it.
    pub service: ServiceName,
    /// The address.
    pub url: String,
}

/// What `compile` needs to know of the world, gathered beforehand.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Milliseconds since 1970.
    pub now: u64,
    /// The folder that paths in the file are relative to.
    pub folder: PathBuf,
    /// Digests of the build contexts of services.
    pub contexts: BTreeMap<ServiceName, Digest>,
    /// The machine's CA bundle for builds, PEM; empty when there is none to add.
    pub ca_bundle: String,
    /// Services that a person stopped.
    pub suspended: BTreeSet<ServiceName>,
    /// How often each secret has changed, where it has.
    pub turns: BTreeMap<SecretName, u32>,
}

impl Desired {
    /// Returns the container of that name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        match self.resources.get(&ResourceId::Container(name.to_owned()))? {
            Resource::Container(container) => Some(container),
            _ => None,
        }
    }

    /// Returns all containers, by name.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        self.resources.values().filter_map(|resource| match resource {
            Resource::Container(container) => Some(&**container),
            _ => None,
        })
    }

    /// Returns the same project with nothing in it: what `destroy` converges to.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self {
            resources: BTreeMap::new(),
            after: BTreeMap::new(),
            named: BTreeSet::new(),
            external: BTreeSet::new(),
            origins: BTreeMap::new(),
            // Whoever asks for everything to go means all of it.
            rules: Vec::new(),
            secrets: BTreeMap::new(),
            urls: Vec::new(),
            ..self.clone()
        }
    }

    /// Marks the containers of services that a person stopped. A job has nothing to stop.
    pub fn suspend(&mut self, services: &BTreeSet<ServiceName>) {
        for resource in self.resources.values_mut() {
            if let Resource::Container(container) = resource
                && services.contains(&container.service)
                && container.class == Class::Daemon
            {
                container.phase = Phase::Suspended;
            }
        }
    }

    /// Returns what all names on the engine begin with: `shop`, or `shop-preview`.
    pub fn prefix(&self) -> String {
        match &self.instance {
            None => self.project.to_string(),
            Some(instance) => format!("{}-{instance}", self.project),
        }
    }
}

impl Url {
    /// Returns the host name in it.
    pub fn host(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split([':', '/']).next().unwrap_or(rest)
    }
}

impl Resource {
    /// Returns what is compared with the engine. The content of generated files and the attributes of
    /// inner resources are among it; an image's id is not, since only the engine knows it.
    pub fn fields(&self) -> Fields {
        let mut all = Fields::default();
        match self {
            Self::Image(Image { reference: _, origin }) => match origin {
                ImageOrigin::Pull(_) => {}
                ImageOrigin::Build(build) => all.set(Field::BuiltFrom, &build.digest),
            },
            Self::Network(Network { name: _, internal, options, subnet }) => {
                all.set(Field::Driver, "bridge");
                all.set_if(Field::Internal, internal.then_some(true));
                all.set_each(Field::DriverOption, options);
                all.set_if(
                    Field::Subnet,
                    subnet.as_ref().map(|subnet| super::field::list([subnet])),
                );
            }
            Self::Volume(Volume { name: _, service: _, disposable: _, driver, options }) => {
                all.set(Field::Driver, driver);
                all.set_each(Field::DriverOption, options);
            }
            Self::Files(files) => {
                for (path, file) in &files.files {
                    all.insert(Field::Content.key(path), Value::of(&file.content));
                }
            }
            Self::Container(container) => return container.fields(),
            Self::Inner(inner) => {
                for (key, value) in &inner.spec.attributes {
                    all.insert(Field::Attribute.key(key), Value::of(value));
                }
            }
        }
        all
    }
}

impl Resource {
    /// Returns the texts that may have secrets in them, with their paths.
    pub fn texts(&self) -> Vec<(Path, &Text)> {
        match self {
            Self::Container(container) => {
                container.env.iter().map(|(key, text)| (Field::Env.key(key), text)).collect()
            }
            Self::Files(files) => {
                let files = files.files.iter();
                files.map(|(path, file)| (Field::Content.key(path), &file.content)).collect()
            }
            Self::Inner(inner) => {
                let attributes = inner.spec.attributes.iter();
                attributes.map(|(key, text)| (Field::Attribute.key(key), text)).collect()
            }
            Self::Image(_) | Self::Network(_) | Self::Volume(_) => Vec::new(),
        }
    }

    /// Returns the secrets it refers to.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        self.texts().into_iter().flat_map(|(_, text)| text.secrets())
    }
}

impl Files {
    /// Returns the digest of the whole set: paths, modes, owner and contents, secret ones by their
    /// fingerprint. `None` when a secret is not known yet.
    pub fn digest(&self, keyring: &Keyring) -> Option<Digest> {
        let mut parts: Vec<Vec<u8>> = vec![format!("{:?}", self.owner).into_bytes()];
        for (path, file) in &self.files {
            let content = match file.content.as_plain() {
                Some(plain) => plain,
                None => keyring.fingerprint_of(&file.content)?.as_str().to_owned(),
            };
            parts.push(format!("{path} {:o}", file.mode).into_bytes());
            parts.push(content.into_bytes());
        }
        Some(Digest::of_parts(parts.iter().map(Vec::as_slice)))
    }
}
