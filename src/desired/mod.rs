//! What should exist: concrete resources and their graph, with nothing left to choose.
//!
//! No I/O. What this room may not fetch comes in as [`Facts`].

mod container;
mod field;
mod resource;

pub use crate::catalog::{Check, HealthCheck, InnerDriver, Probe, Reload};
pub use container::{
    Attachment, Capabilities, Class, Container, Dns, HostBinding, Limits, Log, Mount, MountSource,
    Namespaces, Phase, PortKey, Restart, Stop, Ulimit,
};
pub use field::{Field, Fields, Path, Value};
pub use resource::{
    Build, BuildContext, Desired, Facts, File, Files, Ignore, Image, ImageOrigin, InnerResource,
    Network, Resource, SecretNeed, Url, Volume,
};
