//! Writing into `nself.toml`: values that are live on an engine, put where the file says them.
//!
//! Pure: texts in, texts out. Comments and formatting stay. Of each compared field one table says how the
//! file says it, or why it cannot.

mod accept;
mod adopt;
mod document;
mod way;

pub use accept::{Acceptance, Changed, Refusal, Wish, accept};
pub use adopt::{Adopted, NotAdopted, adopt};
