//! What should exist: concrete resources and their graph, with nothing left to choose.
//!
//! No I/O. What this room may not fetch comes in as [`Facts`].

mod check;
mod compile;
mod container;
mod explain;
mod field;
mod order;
mod resource;
mod rule;

pub use crate::catalog::{Check, HealthCheck, InnerDriver, Probe, Reload};
pub use crate::spec::{Amount, Denied, Required, RuleEffect};
pub use check::check;
pub use compile::{Compiled, compile};
pub use container::{
    Attachment, Capabilities, Class, Container, Dns, HostBinding, Limits, Log, Mount, MountSource,
    Namespaces, Phase, PortKey, Restart, Stop, Ulimit,
};
pub use explain::{Explained, explain};
pub use field::{Field, Fields, NAMELESS_VOLUME, Path, Value};
pub use resource::{
    Build, BuildContext, Desired, Facts, File, Files, Form, Ignore, Image, ImageOrigin,
    InnerResource, Network, Resource, SecretNeed, Url, Volume,
};
pub use rule::{Demand, Measure, Offence, Rule, Whom};
