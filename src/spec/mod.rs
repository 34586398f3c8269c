//! From the text of `nself.toml` to a [`Spec`], or to every mistake at once.
//!
//! No I/O: files and environment come in as values. What comes out is typed and complete in itself; what
//! a kind adds to it is `desired`'s business.

mod check;
mod effective;
mod external;
mod object;
mod overlay;
mod parse;
mod place;
mod policy;
mod read;
mod schema;
mod service;
mod settings;
mod template;
mod value;
mod variable;
mod watch;

pub(crate) use effective::DEFAULT_NETWORK;
pub use object::{NetworkRule, ObjectName, Place, Places, VolumeRule, VolumeTarget, VolumeTargets};
pub use parse::{Input, Parsed, environments, parse};
pub use place::{Address, Domain, HostAddress, Publish, RouteName};
pub(crate) use policy::REFUSE_OVER;
pub use policy::{Amount, Denied, PolicyRule, Required, RuleEffect};
pub use read::Source;
pub use schema::schema;
pub(crate) use service::GATEWAY;
pub use settings::{
    Build, BuildTable, Gateway, Health, IgnoreRule, Images, LimitSettings, Project, SecretRule,
    SecretSource, Settings, SourceWord, Variable, Vault,
};
pub use template::{InvalidReference, Reference, Template, TemplatePart};
pub use value::{
    Bind, Capability, Day, Device, EnvName, InsidePath, InvalidText, ProcessLimit, RestartRule,
};
pub use watch::{Channel, NotifyRule, Reach, Watch, WindowRule};

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    catalog,
    model::{
        Instance, Origin, ProjectName, SecretName, ServiceName, Share, VariableName,
        decode::Sourced,
    },
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
    pub domain: Sourced<Domain>,
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
    /// The networks that are declared; `default` is there without that.
    pub networks: BTreeMap<ObjectName, NetworkRule>,
    /// The volumes that are declared: shared ones, and those with names of their own.
    pub volumes: BTreeMap<ObjectName, VolumeRule>,
    /// Images.
    pub images: Images,
    /// The declared variables with their values.
    pub variables: BTreeMap<VariableName, Sourced<String>>,
    /// What was read from the process environment, as the variables declare it.
    pub process: BTreeMap<String, String>,
    /// Rules for secrets that are declared; others are generated.
    pub secrets: BTreeMap<SecretName, SecretRule>,
    /// Whom the file with the secrets is encrypted to.
    pub vault: Vault,
    /// What `nself watch` does.
    pub watch: Watch,
    /// What is not compared.
    pub ignore: Vec<IgnoreRule>,
    /// What is never to run, always to be had, and how much may change at once.
    pub policies: Vec<PolicyRule>,
    /// The share of what is there that may be removed without a word.
    pub refuse_over: Option<Sourced<Share>>,
    /// Where values stood that an environment replaced.
    pub overridden: Overridden,
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

/// For values that took the place of others: where those others stand, the nearest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overridden(BTreeMap<(Arc<str>, usize), Vec<Origin>>);

impl Overridden {
    /// Returns what the value at `origin` took the place of.
    pub fn by(&self, origin: &Origin) -> &[Origin] {
        Self::key(origin).and_then(|key| self.0.get(&key)).map_or(&[], Vec::as_slice)
    }

    fn key(origin: &Origin) -> Option<(Arc<str>, usize)> {
        match origin {
            Origin::File { file, span, .. } => Some((Arc::clone(file), span.start)),
            Origin::Kind(_) | Origin::Default | Origin::Computed(_) => None,
        }
    }
}
