//! Plans, drift, events and states as text, JSON, Markdown and SARIF.
//!
//! Values go in, a `String` comes out: nothing is printed, looked up or decided here. Text follows a few
//! rules: the first line says where we are; one line a resource, its fields below; what is at stake stands
//! in capitals; every refusal carries the command that lifts it; numbers have units; colour only adds.
#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "a page is put together line by line, and reads best that way"
)]

mod back;
pub mod diagnostic;
mod doctor;
mod drift;
mod error;
mod explain;
mod field;
pub mod graph;
mod history;
pub mod json;
mod lock;
mod log;
pub mod markdown;
mod outcome;
mod plan;
mod progress;
mod removal;
pub mod sarif;
mod stale;
mod status;
mod style;
mod unit;
mod urls;
mod value;
mod verdict;
mod watch;

pub use back::lasting;
pub use doctor::{Detail, doctor, doctor_json};
pub use drift::drift;
pub use error::error;
pub use explain::explain;
pub use history::{between, generation, history};
pub use lock::{held_by, lock, since, unlock};
pub use log::{LogLine, log};
pub use outcome::{Ending, ending, outcome};
pub use plan::plan;
pub use progress::{back, brief, line, step};
pub use removal::{Removal, removal, removal_json};
pub use stale::moved;
pub use status::{ServiceStatus, Status, status};
pub use style::Style;
pub use unit::{Unit, unit};
pub use urls::urls;
pub use verdict::{Summary, Verdict};
pub use watch::ledger;
