//! Where the room listens.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _},
        net::{UnixListener as BlockingListener, UnixStream as BlockingStream},
    },
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, UnixListener};

/// Where the room listens: at an address, at a file, or both.
#[derive(Debug, Default)]
pub struct Listener {
    pub(super) tcp: Option<TcpListener>,
    pub(super) unix: Option<Socket>,
}

/// A socket that is a file. Whoever can open it is its owner, so nothing that comes over it needs a token. The
/// file goes when this does.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
}

/// Why the room cannot listen somewhere.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// An address.
    #[error("cannot listen at {address}: {source}; say another one, or stop what listens there")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else listens at the file.
    #[error("{path} is in use: another watcher of this project runs", path = path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A file.
    #[error("cannot {attempt} {path}: {source}", path = path.display())]
    File {
        /// What was attempted, such as `listen at`.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Listener {
    /// Listens at an address too. What is on the network shows it to whoever comes by: loopback is the address to
    /// take unless a person said otherwise.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn at_address(self, address: SocketAddr) -> Result<Self, ListenError> {
        let bound = TcpListener::bind(address).await;
        let tcp = bound.map_err(|source| ListenError::Address { address, source })?;
        Ok(Self { tcp: Some(tcp), ..self })
    }

    /// Listens at a file too, which only its owner can open. One that was left behind is replaced.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn at_file(self, path: &Path) -> Result<Self, ListenError> {
        let failed = |attempt: &'static str| {
            move |source| ListenError::File { attempt, path: path.to_owned(), source }
        };
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("look at")(error)),
            Ok(about) if !about.file_type().is_socket() => {
                let source = io::Error::other("it is there, and is no socket");
                return Err(failed("listen at")(source));
            }
            Ok(_) => {
                if BlockingStream::connect(path).is_ok() {
                    return Err(ListenError::InUse { path: path.to_owned() });
                }
                fs::remove_file(path).map_err(failed("remove"))?;
            }
        }
        let listener = bind(path).map_err(failed("listen at"))?;
        Ok(Self { unix: Some(Socket { listener, path: path.to_owned() }), ..self })
    }

    /// Returns the address that it listens at; of port 0, the one that was found.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref()?.local_addr().ok()
    }
}

/// Binds within a folder that nobody else can enter and moves the socket to its place, so that there is no moment
/// in which others could open it.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let beside = path.with_extension("new");
    match fs::remove_dir_all(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    fs::DirBuilder::new().mode(0o700).create(&beside)?;
    let made = beside.join("s");
    let bound = BlockingListener::bind(&made).and_then(|listener| {
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        fs::rename(&made, path)?;
        Ok(listener)
    });
    fs::remove_dir_all(&beside)?;
    UnixListener::from_std(bound?)
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Whoever comes next replaces one that could not be removed.
        let _ = fs::remove_file(&self.path);
    }
}
