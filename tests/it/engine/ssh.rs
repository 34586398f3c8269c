//! Engines of other machines: an ssh server of the tests' own on this one.

use std::{
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use nself::{
    engine::{
        Error,
        docker::{Address, Client, Docker},
    },
    model::Keyring,
};

use super::companion::Companion;

/// The engine of this machine, over ssh.
pub async fn engine() -> Docker {
    Docker::connect_to(&address("lab", "known"), super::keyring())
        .await
        .expect("an engine behind ssh")
}

fn address(place: &str, hosts: &str) -> Address {
    let ssh = server().folder.join(format!("ssh-{hosts}"));
    let client = Client { ssh: ssh.display().to_string(), ..Client::default() };
    Address::parse(&format!("ssh://{place}"), &client).unwrap()
}

/// Starts the server, and writes configurations for `ssh` that lead to it under the name `lab`.
fn server() -> &'static Companion {
    static SERVER: OnceLock<Companion> = OnceLock::new();
    SERVER.get_or_init(|| {
        let port = crate::port::free();
        let server = Companion::start(|folder| {
            let key = |name: &str| {
                let made = Command::new("ssh-keygen")
                    .args(["-q", "-t", "ed25519", "-N", "", "-f", name])
                    .current_dir(folder)
                    .status()
                    .expect("these tests want openssh-client");
                assert!(made.success());
                std::fs::read_to_string(folder.join(format!("{name}.pub"))).unwrap()
            };
            let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
            let (host, _, _) = (key("host"), key("guest"), key("other"));
            write("known", &format!("[127.0.0.1]:{port} {host}"));
            let other = std::fs::read_to_string(folder.join("other.pub")).unwrap();
            write("changed", &format!("[127.0.0.1]:{port} {other}"));
            write("unknown", "");
            let place = folder.display();
            for hosts in ["known", "changed", "unknown"] {
                write(
                    &format!("config-{hosts}"),
                    &format!(
                        "Host lab stranger\n HostName 127.0.0.1\n Port {port}\n\
                         Host nowhere\n HostName 127.0.0.1\n Port 1\n\
                         Host lab\n IdentityFile {place}/guest\n\
                         Host stranger\n IdentityFile {place}/other\n\
                         Host *\n IdentitiesOnly yes\n UserKnownHostsFile {place}/{hosts}\n \
                         GlobalKnownHostsFile none\n"
                    ),
                );
                let program = format!("ssh-{hosts}");
                write(&program, &format!("#!/bin/sh\nexec ssh -F {place}/config-{hosts} \"$@\"\n"));
                let executable = Command::new("chmod").arg("+x").arg(folder.join(&program)).status();
                assert!(executable.unwrap().success());
            }
            write(
                "sshd_config",
                &format!(
                    "ListenAddress 127.0.0.1:{port}\nHostKey {place}/host\nPidFile none\n\
                     AuthorizedKeysFile {place}/guest.pub\nStrictModes no\nUsePAM no\n\
                     PermitRootLogin yes\nAuthenticationMethods publickey\nMaxStartups 100\n\
                     Subsystem sftp internal-sftp\nLogLevel ERROR\n"
                ),
            );
            // The server wants an empty folder of this name when it runs as root.
            "mkdir -p /run/sshd\n$(command -v sshd || echo /usr/sbin/sshd) -D -e -f $PWD/sshd_config \
             < /dev/null &\ncat > /dev/null\nkill $!"
                .to_owned()
        });
        server.until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    })
}

async fn failure(address: Address) -> Error {
    Docker::connect_to(&address, Keyring::default()).await.unwrap_err()
}

#[tokio::test]
async fn failures_of_ssh_are_told_with_their_cause() {
    let stranger = address("stranger", "known");
    for (address, words) in [
        (address("lab", "unknown"), "ssh: the host key of lab is not known here; compare it"),
        (address("lab", "changed"), "ssh: the host key of lab is not the one that is known"),
        (stranger, "ssh: stranger is not let in: "),
        (address("nowhere", "known"), "ssh: connect to host 127.0.0.1 port 1: Connection refused"),
        (
            address("lab/run/none.sock", "known"),
            "there is no socket /run/none.sock on lab; there is",
        ),
    ] {
        match failure(address).await {
            Error::Unreachable { cause, .. } => {
                assert!(cause.to_string().starts_with(words), "{cause}");
            }
            other => panic!("{other:?}"),
        }
    }
    let nothing = Client { ssh: "/nowhere/ssh".into(), ..Client::default() };
    let error = failure(Address::parse("ssh://lab", &nothing).unwrap()).await;
    assert!(format!("{error:?}").contains("/nowhere/ssh"), "{error:?}");
}

/// Returns whether a process runs whose command line has this word in it.
fn runs(word: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.map(|entry| std::fs::read(entry.path().join("cmdline")));
    lines.any(|line| String::from_utf8_lossy(&line.unwrap_or_default()).contains(word))
}

#[test]
fn nothing_stays_of_a_program_that_ends() {
    let project = tempfile::tempdir().unwrap();
    std::fs::write(project.path().join("nself.toml"), "project = { name = \"ends\" }\n").unwrap();
    // While the folder is removed the next signal comes.
    let tools = tempfile::tempdir().unwrap();
    let rm = tools.path().join("rm");
    std::fs::write(&rm, "#!/bin/sh\nkill -TERM 0\nexec /bin/rm \"$@\"\n").unwrap();
    std::fs::set_permissions(&rm, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
    for signal in ["KILL", "INT", "TERM"] {
        let scratch = tempfile::tempdir().unwrap();
        // It asks, and nobody answers.
        let socket = scratch.path().join("silent.sock");
        let silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let mut asking = Command::new(env!("CARGO_BIN_EXE_nself"))
            .args(["--engine", &format!("ssh://lab{}", socket.display()), "plan"])
            .env("NSELF_SSH", server().folder.join("ssh-known"))
            .env("TMPDIR", scratch.path())
            .env("PATH", &path)
            .current_dir(project.path())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let (_connection, _) = silent.accept().unwrap();
        let forwarded = || std::fs::read_dir(scratch.path()).unwrap().count() > 1;
        assert!(forwarded());
        let killed = Command::new("kill").args(["-s", signal, &asking.id().to_string()]).status();
        assert!(killed.unwrap().success());
        asking.wait().unwrap();
        let begun = Instant::now();
        while forwarded() || runs(&socket.display().to_string()) {
            assert!(begun.elapsed() < Duration::from_secs(20), "after {signal}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
