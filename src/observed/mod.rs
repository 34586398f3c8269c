//! What exists: the types of one dated look at the engine. Nothing is collected or chosen here.

mod applied;
mod record;
mod seen;

pub use applied::{Applied, Mark, label};
pub use record::Record;
pub use seen::{
    EngineFacts, FileStat, Health, InnerState, Live, LiveFields, Observed, Owner, PortHolder,
    Request, SeenContainer, SeenFiles, SeenImage, SeenNetwork, SeenVolume, State,
};
