//! A unit of systemd that runs the loop with as few rights as it can do with.

use std::fmt::Write as _;

/// What a unit runs, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unit {
    /// What the loop is for, such as `shop · prod`.
    pub title: String,
    /// The program, an absolute path.
    pub program: String,
    /// Its arguments. `%` and `$` in them mean nothing to systemd.
    pub arguments: Vec<String>,
    /// The folder it works in, an absolute path; the state folder when absent.
    pub folder: Option<String>,
    /// As whom it runs; a user that is there only while it runs when absent.
    pub user: Option<String>,
    /// Further groups, such as `docker`, whose members may use the engine's socket.
    pub groups: Vec<String>,
    /// The name of its folder below `/var/lib`, which it may write to, such as `nself-shop`.
    pub state: String,
    /// Further paths that it may write to, such as `.nself` beside a file that is not in its state folder.
    pub writable: Vec<String>,
    /// Files with keys and tokens, by the name under which it finds each in `$CREDENTIALS_DIRECTORY`. systemd reads
    /// them, so that its user need not be able to.
    pub credentials: Vec<(String, String)>,
    /// Variables of its environment. `%d` in a value is the folder with the credentials; any other `%` means itself.
    pub environment: Vec<(String, String)>,
}

/// What is the same in every unit: what it may do at all. It sees all of `/proc`, because that is how it knows whether
/// another nself that holds the lock is still alive.
const FENCE: &str = "\
# It needs the network and the engine's socket, and nothing else of this machine.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0077
";

/// Returns the text of a unit. It is for `/etc/systemd/system`.
pub fn unit(unit: &Unit) -> String {
    let Unit { title, program, arguments, folder, user, groups, state, .. } = unit;
    let mut out = String::new();
    let mut line = |text: &str| {
        out += text;
        out.push('\n');
    };
    line("# Written by nself watch install, which writes it anew.");
    line("[Unit]");
    line(&format!("Description=nself watch: {}", flat(title)));
    line("Documentation=man:systemd.service(5)");
    line("Wants=network-online.target");
    line("After=network-online.target docker.service podman.socket");
    line("# However often it fails, it is started again.");
    line("StartLimitIntervalSec=0");
    line("");
    line("[Service]");
    line("Type=exec");
    let command: Vec<String> =
        std::iter::once(program).chain(arguments).map(|word| argument(word)).collect();
    line(&format!("ExecStart={}", command.join(" ")));
    if let Some(user) = user {
        line(&format!("User={}", flat(user)));
    } else {
        line("DynamicUser=yes");
        line(&format!("Environment=HOME=%S/{}", flat(state)));
    }
    if !groups.is_empty() {
        let groups: Vec<String> = groups.iter().map(|group| flat(group)).collect();
        line(&format!("SupplementaryGroups={}", groups.join(" ")));
    }
    line(&format!("StateDirectory={}", flat(state)));
    line("StateDirectoryMode=0700");
    match folder {
        Some(folder) => line(&format!("WorkingDirectory={}", flat(folder))),
        None => line(&format!("WorkingDirectory=%S/{}", flat(state))),
    }
    for path in &unit.writable {
        line(&format!("ReadWritePaths={}", quoted(&specifier(path))));
    }
    for (name, path) in &unit.credentials {
        line(&format!("LoadCredential={}:{}", flat(name), flat(path)));
    }
    for (name, value) in &unit.environment {
        let value = specifier(value).replace("%%d", "%d");
        line(&format!("Environment={}", quoted(&format!("{name}={value}"))));
    }
    line("Restart=on-failure");
    line("RestartSec=5s");
    line(
        "# From systemd 254 on it waits longer each time; before that, as long as the first time.",
    );
    line("RestartSteps=6");
    line("RestartMaxDelaySec=5min");
    line(
        "# The configuration is invalid, or the command line is wrong: trying again does not help.",
    );
    line("RestartPreventExitStatus=3 64");
    line("# A step that has begun is ended first.");
    line("KillSignal=SIGTERM");
    line("KillMode=mixed");
    line("TimeoutStopSec=15min");
    line("");
    line(FENCE);
    line("[Install]");
    line("WantedBy=multi-user.target");
    out
}

/// Returns a word of a command line: in quotes where it needs them, and with nothing in it that systemd would put
/// something else in the place of.
fn argument(word: &str) -> String {
    let word = specifier(word).replace('$', "$$");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,$".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word } else { quoted(&word) }
}

/// Returns a text with every `%` doubled: alone it begins a specifier.
fn specifier(text: &str) -> String {
    text.replace('%', "%%")
}

/// Returns a text between double quotes, in which lines do not end and quotes do not close.
fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            c if c.is_ascii_control() => {
                write!(out, "\\x{:02x}", u32::from(c)).expect("writing to a String cannot fail");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Returns a text for a line of its own.
fn flat(text: &str) -> String {
    specifier(text).replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_what_they_are() {
        assert_eq!(argument("--git"), "--git");
        assert_eq!(argument("100%"), "100%%");
        assert_eq!(argument("$HOME"), "$$HOME");
        assert_eq!(argument(""), "\"\"");
        assert_eq!(argument("a b"), "\"a b\"");
        assert_eq!(argument("a\"b\\c\n;"), "\"a\\\"b\\\\c\\n;\"");
        assert_eq!(argument(";"), "\";\"");
        assert_eq!(argument("{a}"), "\"{a}\"");
    }

    #[test]
    fn a_title_is_one_line() {
        let text = unit(&Unit { title: "a\n[Service]\nUser=root".to_owned(), ..Unit::default() });
        assert!(text.contains("Description=nself watch: a [Service] User=root\n"), "{text}");
        assert!(!text.contains("\nUser=root"));
    }
}
