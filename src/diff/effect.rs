//! What it takes to put a field right: one table over all fields.

use crate::desired::Field;

/// What it takes, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// A call to the engine; the container goes on running.
    InPlace,
    /// New files and a signal; the container goes on running.
    Reload,
    /// A stop and a start of the same container.
    Restart,
    /// A new container in the place of the old one.
    Recreate,
    /// The same, and data may be lost or left behind.
    DataAtRisk,
}

/// Returns what a field takes in general. What the engine cannot do in place, and limits that are
/// taken away (which it cannot either), are decided where the values are known; so is whether a service
/// loads new files by a signal or by a restart.
pub fn effect(field: Field) -> Effect {
    match field {
        Field::Name
        | Field::Network
        | Field::Alias
        | Field::Address
        | Field::Memory
        | Field::Swap
        | Field::Reservation
        | Field::Cpus
        | Field::CpuShares
        | Field::Cpuset
        | Field::Pids
        | Field::Restart
        | Field::State
        | Field::Attribute => Effect::InPlace,
        Field::Content | Field::FileMode | Field::FileOwner | Field::Loaded => Effect::Reload,
        Field::Image
        | Field::Command
        | Field::Entrypoint
        | Field::Env
        | Field::User
        | Field::Workdir
        | Field::Hostname
        | Field::Label
        | Field::Mount
        | Field::Tmpfs
        | Field::Port
        | Field::NetworkMode
        | Field::HealthTest
        | Field::HealthInterval
        | Field::HealthTimeout
        | Field::HealthRetries
        | Field::HealthStartPeriod
        | Field::CapabilitiesAdded
        | Field::CapabilitiesDropped
        | Field::Privileged
        | Field::Security
        | Field::ReadOnly
        | Field::Sysctl
        | Field::Ulimit
        | Field::Shm
        | Field::DnsServers
        | Field::DnsSearch
        | Field::DnsOptions
        | Field::ExtraHosts
        | Field::Groups
        | Field::StopSignal
        | Field::StopGrace
        | Field::LogDriver
        | Field::LogOption
        | Field::Devices
        | Field::Init
        | Field::IpcNamespace
        | Field::PidNamespace
        | Field::UtsNamespace
        | Field::UserNamespace
        | Field::CgroupNamespace
        | Field::Other
        | Field::Driver
        | Field::DriverOption
        | Field::Internal
        | Field::Subnet
        | Field::BuiltFrom => Effect::Recreate,
    }
}

/// Returns whether a field is one of those that an engine's update call changes.
pub fn is_updated(field: Field) -> bool {
    sticks(field) || matches!(field, Field::Pids | Field::Restart)
}

/// Returns whether the engine cannot take this value away in place: 0 means "leave" to it.
/// Source: `docker update` on API 1.41, where only `PidsLimit` takes 0 for "no limit".
pub(super) fn sticks(field: Field) -> bool {
    matches!(
        field,
        Field::Memory
            | Field::Swap
            | Field::Reservation
            | Field::Cpus
            | Field::CpuShares
            | Field::Cpuset
    )
}

/// Returns whether a live value of this field can be anything a person typed, a password included.
pub(super) fn is_free_text(field: Field) -> bool {
    matches!(
        field,
        Field::Env
            | Field::Command
            | Field::Entrypoint
            | Field::Label
            | Field::HealthTest
            | Field::Content
            | Field::DriverOption
            | Field::LogOption
            | Field::Other
    )
}
