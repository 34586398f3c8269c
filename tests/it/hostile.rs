//! The program where everything is against it: bad files, a missing or damaged vault, images that do not
//! exist, services that never come up, an engine that dies, fills up or is not ours to use, and people
//! who kill it in the middle.
//!
//! Each case goes through the real binary, with nothing of this process's environment, and looks at three
//! things: the exit code, the words, and that nothing was lost or half-made.

mod back;
mod bench;
mod cut;
mod failing;
mod file;
mod full;
mod odd;
mod output;
mod part;
mod port;
mod saved;
mod scene;
mod vault;

use bench::Bench;
use scene::{Ended, Scene};
