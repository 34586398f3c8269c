//! `[[policy]]`: what a project never wants to run, always wants to have, and how much at once may change.
//!
//! One table is one rule. What a rule means for a container is `desired`'s business, and what comes of it
//! `plan`'s.

use crate::{
    model::{
        Diagnostic, PolicyName, ServiceName, Share,
        decode::{Decode, Node, NodeValue, Shape, Sourced},
    },
    table, words,
};

table! {
    /// `[[policy]]`: one of `deny`, `require` and the three that begin with `max_`.
    pub struct PolicyRule {
        /// The rule's name, shown when it bites: `--allow policy:NAME` releases what it holds.
        pub name: Sourced<PolicyName>,
        /// What no container may be or have.
        pub deny: Option<Sourced<Denied>>,
        /// What every container must have.
        pub require: Option<Sourced<Required>>,
        /// How many of the containers, networks, volumes and things inside services may be removed at once: a number, or a share such as "25%".
        pub max_removals: Option<Sourced<Amount>>,
        /// How many containers may be made anew at once: a number, or a share such as "25%".
        pub max_recreates: Option<Sourced<Amount>>,
        /// How many running containers may be stopped at once, for a while or for good: a number, or a share such as "25%".
        pub max_unavailable: Option<Sourced<Amount>>,
        /// The services whose containers it is for. Default: all, the gateway among them.
        pub services: Vec<Sourced<ServiceName>>,
        /// The services whose containers it is not for.
        pub except: Vec<Sourced<ServiceName>>,
        /// "refuse" (nothing at all is applied), "hold" (that change waits for `--allow policy:NAME`) or "warn". Default: "hold".
        pub effect: Option<Sourced<RuleEffect>>,
    }
}

words! {
    /// What no container may be or have.
    pub enum Denied {
        /// All rights on the host.
        Privileged = "privileged",
        /// A namespace of the host.
        HostNamespaces = "host-namespaces",
        /// The engine's socket, or a folder it lies in.
        DockerSocket = "docker-socket",
        /// A path of the host.
        BindMounts = "bind-mounts",
        /// A device of the host.
        Devices = "devices",
        /// A capability beyond the engine's own.
        AddedCapabilities = "added-capabilities",
        /// A pulled image with the tag `latest`.
        LatestTag = "latest-tag",
        /// A pulled image that is not given by digest.
        Unpinned = "unpinned",
        /// A port on every address of the host.
        PublishEverywhere = "publish-everywhere",
        /// The user root, where the file or the kind says so. An image's own user is not known.
        RootUser = "root-user",
    }
}

words! {
    /// What every container must have.
    pub enum Required {
        /// A limit of memory.
        Memory = "limits.memory",
        /// A limit of processors.
        Cpus = "limits.cpus",
        /// A limit of processes.
        Pids = "limits.pids",
        /// A way to see that it is ready. A job ends, and needs none.
        Health = "health",
        /// A read-only root file system.
        ReadOnly = "read_only",
        /// A user of its own choice, not the image's.
        User = "user",
        /// A restart rule. A job ends, and needs none.
        Restart = "restart",
        /// The security option of this name.
        NoNewPrivileges = "no-new-privileges",
        /// All capabilities dropped, before some are added.
        DroppedCapabilities = "cap_drop",
    }
}

words! {
    /// What comes of a rule that bites.
    pub enum RuleEffect {
        /// Nothing at all is applied.
        Refuse = "refuse",
        /// The change waits for a release.
        Hold = "hold",
        /// It is said.
        Warn = "warn",
    }
}

/// The name of the rule that `refuse_over` makes.
pub(crate) const REFUSE_OVER: &str = "refuse-over";

/// How many at most: a number, or a share of what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Count(u32),
    /// So much of the whole.
    Share(Share),
}

impl Amount {
    /// Returns whether `part` of `whole` is more.
    pub fn is_exceeded(self, part: usize, whole: usize) -> bool {
        match self {
            Self::Count(count) => u32::try_from(part).unwrap_or(u32::MAX) > count,
            Self::Share(share) => share.is_exceeded(part, whole),
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Share(share) => write!(f, "{share}"),
        }
    }
}

impl Decode for Amount {
    fn shape() -> Shape {
        let count = Shape::Integer { min: 0, max: i64::from(u32::MAX) };
        Shape::Either(vec![count, Share::shape()])
    }

    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        match &node.value {
            NodeValue::Integer(number) => {
                let count = u32::try_from(*number).ok();
                if count.is_none() {
                    let message = format!("{number} is not a number of resources");
                    problems.push(Diagnostic::error("out-of-range", message).at(&node.origin, ""));
                }
                count.map(Self::Count)
            }
            NodeValue::String(_) => Share::decode(node, problems).map(Self::Share),
            _ => node.mismatch("a whole number, or a share such as \"25%\"", problems),
        }
    }
}
