//! From the text of `nself.toml` to a [`Spec`], or to every mistake at once.
//!
//! No I/O: files and environment come in as values. What comes out is typed and complete in itself; what
//! a kind adds to it is `desired`'s business.

mod settings;
mod template;

pub use settings::{
    Build, Gateway, Health, IgnoreRule, Images, LimitSettings, Project, SecretRule, SecretSource,
    Settings, SourceWord,
};
pub use template::{Reference, Template, TemplatePart};

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    catalog,
    model::{Instance, Origin, ProjectName, SecretName, ServiceName, decode::Sourced},
};

/// What the person wrote, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The name of the main file, as the person named it.
    pub file: Arc<str>,
    /// The project's name.
    pub name: Sourced<ProjectName>,
    /// What marks its objects; the name when the file has no `project.id`.
    pub id: String,
    /// The domain; `NAME.localhost` when the file has none.
    pub domain: Sourced<String>,
    /// Whether the production rules hold.
    pub production: bool,
    /// The chosen environment.
    pub environment: Option<Instance>,
    /// The instance, when the environment lives beside others on one engine (`project.instance`).
    pub instance: Option<Instance>,
    /// The engine's address, when the file names one.
    pub engine: Option<Sourced<String>>,
    /// The services, the gateway not among them.
    pub services: BTreeMap<ServiceName, Service>,
    /// The gateway.
    pub gateway: Gateway,
    /// Images.
    pub images: Images,
    /// Rules for secrets that are declared; others are generated.
    pub secrets: BTreeMap<SecretName, SecretRule>,
    /// What is not compared.
    pub ignore: Vec<IgnoreRule>,
}

/// One service.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Where it begins.
    pub origin: Origin,
    /// What its kind reads of it, and by that its kind.
    pub options: catalog::Options,
    /// What every service can have.
    pub settings: Settings,
}
