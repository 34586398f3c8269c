//! The words every room speaks: names, sizes, images, texts with secrets in them, diagnostics.
//!
//! No I/O, no clock, and no knowledge of any service or engine. A value of these types is correct by
//! construction: whoever holds a [`ServiceName`] need not ask again whether it is a good name.

pub mod decode;
mod diagnostic;
mod digest;
mod image;
mod name;
mod resource;
mod schedule;
mod secret;
mod text;
mod unit;
mod watch;

pub use diagnostic::{Diagnostic, Label, Origin, Severity, Span};
pub use digest::Digest;
pub(crate) use digest::hex;
pub use image::{ImageRef, InvalidImage};
pub use name::{
    Instance, InvalidName, PolicyName, ProjectName, SecretName, ServiceName, VariableName,
};
pub use resource::{Inner, InnerKind, ResourceId};
pub use schedule::{InvalidSchedule, Schedule, Window, Zone};
pub use secret::{Fingerprint, Keyring, Sensitive};
pub use text::{Encoding, Part, Text};
pub use unit::{ByteSize, Cpus, InvalidUnit, Millis, Share};
pub use watch::WatchMode;
