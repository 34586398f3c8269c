//! What exists: the types of one dated look at the engine. Nothing is collected or chosen here.

mod applied;
mod host;
mod record;
mod seen;

pub use applied::{Applied, Mark, label};
pub use host::{Checkup, Disk, Host, OwnImage, PortHolder, PortUser, SeenTool, ToolPurpose};
pub use record::{Record, Unreadable};
pub use seen::{
    EngineFacts, FileStat, Health, InnerState, Live, LiveFields, Observed, Owner, Request,
    SeenContainer, SeenFiles, SeenImage, SeenNetwork, SeenVolume, State,
};
