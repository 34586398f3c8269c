//! The vocabulary of effects: everything nself ever does to an engine.

use std::collections::BTreeMap;

use crate::{
    desired::{
        Attachment, Build, Check, Container, Files, InnerResource, Limits, Network, Probe, Restart,
        Volume,
    },
    model::{Digest, ImageRef, Millis},
    observed::Record,
};

/// One effect. Doing what is already done succeeds, so that a plan can be applied again after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Pulls `from` and tags it as `image`.
    Pull {
        /// The name containers use.
        image: ImageRef,
        /// The name to pull; another one when there is a mirror.
        from: ImageRef,
    },
    /// Builds an image.
    Build {
        /// The name containers use.
        image: ImageRef,
        /// What to build.
        build: Build,
    },
    /// Takes a name from an image, and removes the image with its last one. One that a container was made
    /// of stays.
    RemoveImage {
        /// The name, or the id of an image without one.
        image: String,
    },
    /// Makes a network, unless one of that name is there.
    CreateNetwork {
        /// The network.
        network: Network,
        /// Its labels.
        labels: BTreeMap<String, String>,
    },
    /// Removes a network after detaching whatever is on it.
    RemoveNetwork {
        /// Its id.
        id: String,
    },
    /// Makes a volume, unless one of that name is there with the same driver and options.
    CreateVolume {
        /// The volume.
        volume: Volume,
        /// Its labels.
        labels: BTreeMap<String, String>,
    },
    /// Removes a volume with all that is in it.
    RemoveVolume {
        /// Its name.
        name: String,
    },
    /// Writes a complete set of files beside those in use, into a folder named after `digest`.
    WriteFiles {
        /// The files.
        files: Files,
        /// The folder.
        digest: Digest,
    },
    /// Runs a check on a set of files that is written and not yet in use.
    CheckFiles {
        /// The container in which to run it.
        container: Target,
        /// The check.
        check: Check,
        /// The folder that takes the place of `{dir}`.
        dir: String,
    },
    /// Points `current` at a set of files, and removes the sets before the last.
    SwitchFiles {
        /// The volume.
        volume: String,
        /// The set.
        digest: String,
    },
    /// Sends a signal to a container's first process.
    Signal {
        /// The container.
        container: Target,
        /// The signal.
        signal: String,
    },
    /// Makes a container and attaches it to all its networks, without starting it. One that is there
    /// under that name with the same labels is kept; a different one of ours is replaced.
    CreateContainer {
        /// The container.
        container: Box<Container>,
        /// The name it gets for now.
        name: String,
        /// Its labels, the person's own included.
        labels: BTreeMap<String, String>,
        /// Volumes without a name that are carried over, by path.
        anonymous: BTreeMap<String, String>,
    },
    /// Starts a container.
    Start(Target),
    /// Stops a container with its own signal, and kills it when the grace is over.
    Stop {
        /// The container.
        container: Target,
        /// The grace; the container's own when absent.
        grace: Option<Millis>,
    },
    /// Stops and starts a container.
    Restart(Target),
    /// Unfreezes a container.
    Unpause(Target),
    /// Gives a container another name.
    Rename {
        /// The container.
        container: Target,
        /// The new name.
        to: String,
    },
    /// Removes a container, stopped or not. Volumes stay.
    RemoveContainer(Target),
    /// Changes limits and restart policy in place.
    Update {
        /// The container.
        container: Target,
        /// The limits as they are to be.
        limits: Limits,
        /// The restart policy as it is to be.
        restart: Restart,
    },
    /// Attaches a container to a network, anew if it is attached in another way.
    Connect {
        /// The container.
        container: Target,
        /// The network's name.
        network: String,
        /// How.
        attachment: Attachment,
    },
    /// Detaches a container from a network.
    Disconnect {
        /// The container.
        container: Target,
        /// The network's name.
        network: String,
    },
    /// Waits until a container is ready.
    AwaitReady {
        /// The container.
        container: Target,
        /// How one sees it.
        probe: Probe,
        /// How long it may take.
        within: Millis,
    },
    /// Brings something inside a service to what it should be: creates it or sets its attributes.
    Ensure {
        /// What.
        inner: InnerResource,
        /// The container.
        container: Target,
    },
    /// Removes something inside a service.
    DropInner {
        /// What.
        inner: InnerResource,
        /// The container.
        container: Target,
    },
    /// Replaces the project's memory.
    WriteRecord {
        /// What the names of this project's objects begin with.
        prefix: String,
        /// The labels that mark it as ours.
        labels: BTreeMap<String, String>,
        /// The memory.
        record: Record,
    },
    /// Forgets the project's memory.
    RemoveRecord {
        /// What the names of this project's objects begin with.
        prefix: String,
        /// The labels that mark it as ours: another project's names may begin alike.
        labels: BTreeMap<String, String>,
    },
}

/// A container: by id when it was there before the plan, by name when the plan makes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An existing container.
    Id {
        /// Its id.
        id: String,
        /// Its name when it was seen, for people.
        name: String,
    },
    /// Whatever has this name.
    Name(String),
}

impl Target {
    /// Returns what the engine is asked for.
    pub fn reference(&self) -> &str {
        match self {
            Self::Id { id, .. } => id,
            Self::Name(name) => name,
        }
    }

    /// Returns the name, for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Id { name, .. } | Self::Name(name) => name,
        }
    }
}
