//! Podman, behind the socket it has for Docker's clients.
//!
//! A private one, in namespaces of its own: it has its own networks and firewall, whatever else runs on
//! the machine.

use std::{os::unix::net::UnixStream, process::Command, sync::OnceLock};

use nself::engine::docker::Docker;

use super::{IMAGE, companion::Companion};

/// Podman.
pub async fn engine() -> Docker {
    let address = format!("unix://{}", service().folder.join("podman.sock").display());
    Docker::connect(&address, super::keyring()).await.expect("Podman")
}

/// Starts Podman and gives it the one image.
fn service() -> &'static Companion {
    static SERVICE: OnceLock<Companion> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let service = Companion::start(|folder| {
            let place = folder.display();
            let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
            write(
                "containers.conf",
                &format!(
                    "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
                     [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
                     runtime = \"runc\"\ntmp_dir = \"{place}/tmp\"\n\
                     [network]\nnetwork_backend = \"netavark\"\n\
                     network_config_dir = \"{place}/networks\"\n"
                ),
            );
            write(
                "storage.conf",
                &format!(
                    "[storage]\ndriver = \"overlay\"\nrunroot = \"{place}/run\"\n\
                     graphroot = \"{place}/root\"\n"
                ),
            );
            SCRIPT.to_owned()
        });
        let socket = service.folder.join("podman.sock");
        service.until(|| UnixStream::connect(&socket).is_ok());
        let load = format!("docker save {IMAGE} | podman --url unix://{} load", socket.display());
        let loaded = Command::new("sh").args(["-c", &load]).output().unwrap();
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
        service
    })
}

/// All that it started goes with the first process of its own world, and that with `unshare`, which heeds
/// no other signal.
const SCRIPT: &str = r#"
export CONTAINERS_CONF="$PWD/containers.conf" CONTAINERS_STORAGE_CONF="$PWD/storage.conf"
unshare --net --mount --pid --fork --kill-child --mount-proc sh -c '
    ip link set lo up
    mkdir -p /run/netns /run/containers
    for own in /dev/shm /run/netns /run/containers; do mount -t tmpfs tmpfs "$own"; done
    exec podman system service --time=0 "unix://$PWD/podman.sock"' < /dev/null &
cat > /dev/null
kill -KILL $!
wait $!
umount "$PWD/root/overlay" 2> /dev/null
"#;
