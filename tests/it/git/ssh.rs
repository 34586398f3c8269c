//! Repositories over ssh: a server of the tests' own on this machine.

use std::{path::Path, process::Command, sync::OnceLock};

use nself::source::git::{Access, Error, Limits, Remote, Repository};

use super::forge::{Forge, access, main};
use crate::engine::companion::Companion;

struct Server {
    companion: Companion,
    port: u16,
}

/// Starts the server. There is `host`, whose key it has; `known`, `changed` and `unknown`, lists of hosts; and the
/// keys `guest` and `other`, of which it lets the first in.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let port = crate::port::free();
        let companion = Companion::start(|folder| {
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
            let (host, _, other) = (key("host"), key("guest"), key("other"));
            write("known hosts", &format!("[127.0.0.1]:{port} {host}"));
            write("changed", &format!("[127.0.0.1]:{port} {other}"));
            write("unknown", "");
            let place = folder.display();
            write(
                "sshd_config",
                &format!(
                    "ListenAddress 127.0.0.1:{port}\nHostKey {place}/host\nPidFile none\n\
                     AuthorizedKeysFile {place}/guest.pub\nStrictModes no\nUsePAM no\n\
                     PermitRootLogin yes\nAuthenticationMethods publickey\nMaxStartups 100\n\
                     LogLevel ERROR\n"
                ),
            );
            // The server wants an empty folder of this name when it runs as root.
            "mkdir -p /run/sshd\n$(command -v sshd || echo /usr/sbin/sshd) -D -e -f $PWD/sshd_config \
             < /dev/null &\ncat > /dev/null\nkill $!"
                .to_owned()
        });
        companion.until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Server { companion, port }
    })
}

fn remote(forge: &Forge, key: &str, hosts: &str) -> Remote {
    let Server { companion, port } = server();
    let user = nix_user();
    let path = forge.bare();
    Remote {
        url: format!("ssh://{user}@127.0.0.1:{port}{}", path.display()).parse().unwrap(),
        access: Access {
            ssh_key: Some(companion.folder.join(key)),
            known_hosts: Some(companion.folder.join(hosts)),
            ..access()
        },
        ..forge.remote(main())
    }
}

fn nix_user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn failure(forge: &Forge, remote: Remote) -> Error {
    forge.open(remote).await.unwrap().head().await.unwrap_err()
}

#[tokio::test]
async fn a_repository_is_fetched_over_ssh() {
    let forge = Forge::new();
    let watch = forge.open(remote(&forge, "guest", "known hosts")).await.unwrap();
    let first = watch.head().await.unwrap();
    let commit = forge.push("two");
    assert_eq!(watch.head().await.unwrap().commit, commit);
    watch.switch(&first.commit).await.unwrap();
}

#[tokio::test]
async fn who_is_not_known_is_not_talked_to() {
    let forge = Forge::new();
    for (key, hosts, words, remedy) in [
        ("guest", "unknown", "the host key of 127.0.0.1 is not known here", "ssh-keyscan"),
        ("guest", "nowhere", "the host key of 127.0.0.1 is not known here", "ssh-keyscan"),
        ("guest", "changed", "is not the one that is known", "ssh-keygen -R '[127.0.0.1]:"),
        ("other", "known hosts", "Permission denied (publickey)", "token or key"),
        ("nowhere", "known hosts", "Permission denied (publickey)", "token or key"),
    ] {
        let error = failure(&forge, remote(&forge, key, hosts)).await;
        assert!(matches!(error, Error::Denied { .. }), "{error:?}");
        assert!(!error.is_transient());
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.remedy().unwrap().contains(remedy), "{error:?}");
    }
    // Nobody was added to the lists.
    let unknown = server().companion.folder.join("unknown");
    assert_eq!(std::fs::read_to_string(unknown).unwrap(), "");
}

#[tokio::test]
async fn a_server_or_repository_that_is_not_there_is_told_apart() {
    let forge = Forge::new();
    let mut gone = remote(&forge, "guest", "known hosts");
    gone.url = format!("{}.away", gone.url).parse().unwrap();
    let error = failure(&forge, gone).await;
    assert!(matches!(error, Error::Gone { .. }), "{error:?}");
    let mut silent = remote(&forge, "guest", "known hosts");
    silent.url = "ssh://me@127.0.0.1:1/srv/shop.git".parse().unwrap();
    let error = failure(&forge, silent).await;
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let forge = Forge::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for url in [format!("ssh://me@127.0.0.1:{port}/a"), format!("http://127.0.0.1:{port}/a")] {
        let state = tempfile::tempdir().unwrap();
        let remote = Remote { url: url.parse().unwrap(), ..forge.remote(main()) };
        let patience = std::time::Duration::from_millis(300);
        let limits = Limits { patience, ..Limits::default() };
        let watch = Repository::open(state.path(), remote, limits).await.unwrap();
        let error = watch.head().await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert!(error.to_string().ends_with("no answer within 0.3 s"), "{error}");
        assert_ends(state.path());
    }
}

/// Waits until no process has the folder in its command line or environment.
fn assert_ends(folder: &Path) {
    let folder = folder.to_str().unwrap();
    let runs = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let mut lines = processes.map(|entry| std::fs::read(entry.path().join("cmdline")));
        lines.any(|line| String::from_utf8_lossy(&line.unwrap_or_default()).contains(folder))
    };
    let begun = std::time::Instant::now();
    while runs() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20));
        std::thread::yield_now();
    }
}
