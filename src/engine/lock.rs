#![expect(clippy::disallowed_methods, reason = "who holds a lock is read from the system")]
//! The lock: one apply at a time for each project instance on each engine.
//!
//! It lives on the engine, so that it holds whichever machine, user or folder an apply comes from. Who
//! holds it is written on it, so that the next one can tell a holder that works from one that died.

use std::{collections::BTreeMap, fs, future::Future};

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

use super::{Cause, Error};

/// An engine that keeps locks.
pub trait Lock: Sync {
    /// Takes the lock of the project whose names begin with `prefix`, unless somebody alive has it.
    fn acquire(
        &self,
        prefix: &str,
        holder: &Holder,
    ) -> impl Future<Output = Result<Attempt, Error>> + Send;

    /// Gives a lock back. One that is gone is given back.
    fn release(&self, held: Held) -> impl Future<Output = Result<(), Error>> + Send;

    /// Returns who has the lock. Never waits.
    fn holder(&self, prefix: &str) -> impl Future<Output = Result<Option<Holder>, Error>> + Send;

    /// Takes the lock away from `holder`, who is not asked. Returns whether that one still had it.
    fn take_away(
        &self,
        prefix: &str,
        holder: &Holder,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Comes back when the lock was given back. An engine that cannot tell never comes back, and one that
    /// can may have missed it: whoever waits has to look again now and then.
    fn given_back(&self, prefix: &str) -> impl Future<Output = ()> + Send;
}

/// What came of asking for a lock.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours until released.
    Held(Held),
    /// Somebody has it.
    Busy(Box<Holder>),
}

/// A lock that is held. It stays held when this value is dropped: only a release, or the end of this
/// process, gives it back.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a lock that is not released is held until this process ends"]
pub struct Held {
    /// What it stands under on the engine.
    pub id: String,
}

/// What can be known of a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Its process runs on this machine.
    Alive,
    /// Its process has ended.
    Dead,
    /// It is on another machine, or in a container, where nobody here can see it.
    Unknown,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holder {
    /// The boot of the machine, new at each start of it.
    pub boot: String,
    /// The machine itself; empty when it has no id.
    pub machine: String,
    /// The namespace in which the process id counts.
    pub namespace: String,
    /// The process.
    pub pid: u32,
    /// When the process started, in clock ticks since the boot: ids are used again.
    pub started: u64,
    /// The user.
    pub user: String,
    /// The host's name.
    pub host: String,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
}

/// What a label of a lock is called: `dev.nself.lock.boot` and so on.
const LABEL: &str = "dev.nself.lock.";

impl Holder {
    /// Returns who this process is.
    ///
    /// # Errors
    /// [`Error::Failed`] on a system without `/proc`.
    pub fn this_process() -> Result<Self, Error> {
        let read = |path: &str| {
            let text = fs::read_to_string(path);
            text.map(|text| text.trim().to_owned()).map_err(|error| unknown(path, &error))
        };
        let namespace = "/proc/self/ns/pid";
        let namespace = fs::read_link(namespace).map_err(|error| unknown(namespace, &error))?;
        let pid = std::process::id();
        Ok(Self {
            boot: read("/proc/sys/kernel/random/boot_id")?,
            machine: read("/etc/machine-id").unwrap_or_default(),
            namespace: namespace.to_string_lossy().into_owned(),
            pid,
            started: started(pid),
            user: user(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            since: jiff::Timestamp::now().as_millisecond().try_into().unwrap_or_default(),
        })
    }

    /// Returns whether this holder is known to be dead, as seen by `observer`.
    pub fn is_dead(&self, observer: &Self) -> bool {
        self.life(observer) == Life::Dead
    }

    /// Returns what `observer` can know of this holder.
    pub fn life(&self, observer: &Self) -> Life {
        if self.boot != observer.boot {
            // The same machine has started again since. Copies of one disk have one machine id, so the
            // host's name has to agree as well.
            let same = !self.machine.is_empty()
                && self.machine == observer.machine
                && self.host == observer.host;
            return if same { Life::Dead } else { Life::Unknown };
        }
        if self.namespace != observer.namespace {
            return Life::Unknown;
        }
        if ended(self.pid, self.started) { Life::Dead } else { Life::Alive }
    }

    /// Returns the labels that say who holds a lock.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let Self { boot, machine, namespace, pid, started, user, host, since } = self;
        let parts = [
            ("boot", boot.clone()),
            ("machine", machine.clone()),
            ("namespace", namespace.clone()),
            ("pid", pid.to_string()),
            ("started", started.to_string()),
            ("user", user.clone()),
            ("host", host.clone()),
            ("since", since.to_string()),
        ];
        parts.into_iter().map(|(key, value)| (format!("{LABEL}{key}"), value)).collect()
    }

    /// Reads what [`labels`](Self::labels) wrote. What is missing is empty, so that a lock that somebody
    /// made by hand is still a lock.
    pub fn from_labels(labels: &BTreeMap<String, String>) -> Self {
        let text = |key: &str| labels.get(&format!("{LABEL}{key}")).cloned().unwrap_or_default();
        Self {
            boot: text("boot"),
            machine: text("machine"),
            namespace: text("namespace"),
            pid: text("pid").parse().unwrap_or_default(),
            started: text("started").parse().unwrap_or_default(),
            user: text("user"),
            host: text("host"),
            since: text("since").parse().unwrap_or_default(),
        }
    }
}

/// Returns whether the process that started then is known to have ended. What cannot be read, because
/// `/proc` hides the processes of others, does not show that it has: a lock is not taken from the living.
fn ended(pid: u32, started: u64) -> bool {
    let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    // Another user's process may not be signalled, and is there.
    if test_kill_process(id) == Err(Errno::SRCH) {
        return true;
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    match stat.map_or(Run::Unknown, |stat| run(&stat)) {
        Run::Since(start) => started != 0 && start != started,
        Run::Ended => true,
        Run::Unknown => false,
    }
}

/// Returns when a process of this namespace started; 0 when that cannot be read.
fn started(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    match stat.map_or(Run::Unknown, |stat| run(&stat)) {
        Run::Since(start) => start,
        Run::Ended | Run::Unknown => 0,
    }
}

/// What an entry of `/proc` says of a process.
#[derive(Debug, PartialEq, Eq)]
enum Run {
    /// It runs since then, in clock ticks since the boot.
    Since(u64),
    /// It has ended, and nobody has waited for it yet.
    Ended,
    /// The entry cannot be read.
    Unknown,
}

fn run(stat: &str) -> Run {
    // The second field is the program's name in parentheses and may have anything in it.
    let Some((_, fields)) = stat.rsplit_once(')') else { return Run::Unknown };
    let mut fields = fields.split_ascii_whitespace();
    if matches!(fields.next(), Some("Z" | "X")) {
        return Run::Ended;
    }
    // The start is field 22; the state, just taken, was field 3.
    fields.nth(18).and_then(|start| start.parse().ok()).map_or(Run::Unknown, Run::Since)
}

fn user() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    named.unwrap_or(uid)
}

fn unknown(path: &str, error: &std::io::Error) -> Error {
    Error::Failed {
        what: "finding out who this process is".to_owned(),
        output: Cause(format!("{path}: {error}")).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dead_are_known_to_be_dead() {
        let here = Holder::this_process().unwrap();
        assert!(!here.is_dead(&here));
        assert_eq!(Holder::from_labels(&here.labels()), here);
        let reused = Holder { started: here.started + 1, ..here.clone() };
        assert!(reused.is_dead(&here));
        assert_eq!(here.life(&here), Life::Alive);
        let elsewhere = Holder { namespace: "pid:[1]".into(), ..reused.clone() };
        assert_eq!(elsewhere.life(&here), Life::Unknown);
        let other_machine = Holder { boot: "b".into(), host: "h".into(), ..reused };
        assert!(!other_machine.is_dead(&here));
        assert!(!Holder::default().is_dead(&here));
    }

    #[test]
    fn what_cannot_be_read_is_alive() {
        let entry =
            |state: &str, start: &str| format!("7 (a) b) {state} {}{start} 0", "0 ".repeat(18));
        assert_eq!(run(&entry("S", "42")), Run::Since(42));
        assert_eq!(run(&entry("Z", "42")), Run::Ended);
        assert_eq!(run(&entry("S", "?")), Run::Unknown);
        assert_eq!(run(""), Run::Unknown);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let at = started(child.id());
        assert!(!ended(child.id(), at));
        child.kill().unwrap();
        // Dead, and nobody has waited for it.
        let zombie = || fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        while !zombie().contains(") Z") {
            std::thread::yield_now();
        }
        assert!(ended(child.id(), at));
        child.wait().unwrap();
        assert!(ended(child.id(), at));
        assert!(ended(0, 1) && ended(u32::MAX, 1));
    }
}
