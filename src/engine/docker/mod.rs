//! Docker's engine, and Podman's Docker-compatible socket: the only place that names bollard.
//!
//! `address` says where, `wire` carries requests (over TLS with `tls`, to other machines with `ssh`), `decode` turns what the engine says into compared texts, `defaults` is the one
//! table of what an engine fills in by itself, `dialect` of what another engine than Docker does otherwise, `observe` looks, `recorded` looks at answers that were written down, and the other files do one kind of
//! [`Op`] each. Nothing is chosen here: an effect is done as it is told or refused.

mod address;
mod wire;
mod server;
mod tls;
mod ssh;
mod refusal;
mod defaults;
mod dialect;
mod decode;
mod observe;
mod create;
mod container;
mod network;
mod volume;
mod image;
mod context;
mod files;
mod exec;
mod inner;
mod listen;
mod probe;
mod record;
mod console;
mod lock;
mod port;
mod socket;
mod pool;
mod host;
mod tool;
mod examine;
mod recorded;

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{OnceCell, mpsc};

pub use self::address::{Address, Client, InvalidAddress};
pub use self::recorded::{Unreadable, recorded};
use self::{defaults::Defaults, server::Server, wire::Wire};
use crate::{
    engine::{Cause, Engine, Error, Progress},
    model::Keyring,
    observed::EngineFacts,
    plan::Op,
};

/// A connection to an engine. Cloning it is cheap and shares the connections.
#[derive(Debug, Clone)]
pub struct Docker {
    api: bollard::Docker,
    wire: Arc<Wire>,
    address: String,
    server: Server,
    keyring: Arc<RwLock<Arc<Keyring>>>,
    progress: Option<mpsc::UnboundedSender<Progress>>,
    engine: Arc<OnceCell<EngineInfo>>,
}

/// What is asked of an engine once.
#[derive(Debug, Clone)]
struct EngineInfo {
    facts: EngineFacts,
    defaults: Defaults,
    machine: host::Machine,
}

/// Longer than any answer takes to begin; what takes longer by design says so itself.
const PATIENCE: u64 = 120;

impl Docker {
    /// Connects to `unix:///path`, or to `tcp://host:port` on this machine, and agrees on an API version.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::NotPermitted`].
    pub async fn connect(address: &str, keyring: Keyring) -> Result<Self, Error> {
        let read = Address::parse(address, &Client::default());
        let read = read.map_err(|error| Error::Unreachable {
            address: address.to_owned(),
            cause: Cause(error.to_string()),
        })?;
        Self::connect_to(&read, keyring).await
    }

    /// Connects and agrees on an API version.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::NotPermitted`].
    pub async fn connect_to(address: &Address, keyring: Keyring) -> Result<Self, Error> {
        let address = address.clone();
        let wire = Wire::new(&address).map_err(|error| Error::Unreachable {
            address: address.to_string(),
            cause: Cause(error.to_string()),
        })?;
        let server = match wire.ping().await {
            Ok(headers) => Server::read(&headers).ok_or_else(|| Error::Unreachable {
                address: address.to_string(),
                cause: Cause("what answers there is no engine".into()),
            })?,
            Err(error) => return Err(refusal::no_engine(&address.to_string(), &error)),
        };
        wire.speak(server.api.to_string());
        let wire = Arc::new(wire);
        let carrier = Arc::clone(&wire);
        let api = bollard::Docker::connect_with_custom_transport(
            move |request| {
                let carrier = Arc::clone(&carrier);
                async move { Ok(carrier.send(request).await?) }
            },
            Some("http://docker"),
            PATIENCE,
            &server.api,
        );
        let api = api.map_err(|error| Error::Unreachable {
            address: address.to_string(),
            cause: Cause(error.to_string()),
        })?;
        Ok(Self {
            api,
            wire,
            address: address.to_string(),
            server,
            keyring: Arc::new(RwLock::new(Arc::new(keyring))),
            progress: None,
            engine: Arc::default(),
        })
    }

    /// Returns the same connection, telling the progress of builds and pulls.
    #[must_use]
    pub fn with_progress(mut self, listener: mpsc::UnboundedSender<Progress>) -> Self {
        self.progress = Some(listener);
        self
    }

    /// Returns the address it was connected by.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the API version spoken.
    fn version(&self) -> (usize, usize) {
        let version = self.api.client_version();
        (version.major_version, version.minor_version)
    }

    fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, subject: &str, line: &str) {
        if let Some(listener) = &self.progress {
            let line = self.keyring().scrub(line);
            // Nobody listening any more is no reason to stop a build.
            let _ = listener.send(Progress { subject: subject.to_owned(), line });
        }
    }
}

impl Engine for Docker {
    fn unlock(&self, keyring: &Keyring) {
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring.clone());
    }

    async fn execute(&self, op: &Op) -> Result<(), Error> {
        match op {
            Op::Pull { image, from } => self.pull(image, from).await,
            Op::Build { image, build } => self.build(image, build).await,
            Op::RemoveImage { image } => self.remove_image(image).await,
            Op::CreateNetwork { network, labels } => self.create_network(network, labels).await,
            Op::RemoveNetwork { id } => self.remove_network(id).await,
            Op::CreateVolume { volume, labels } => self.create_volume(volume, labels).await,
            Op::RemoveVolume { name } => self.remove_volume(name).await,
            Op::WriteFiles { files, digest } => self.write_files(files, digest).await,
            Op::CheckFiles { container, check, dir } => {
                self.check_files(container, check, dir).await
            }
            Op::SwitchFiles { volume, digest } => self.switch_files(volume, digest).await,
            Op::Signal { container, signal } => self.signal(container, signal).await,
            Op::CreateContainer { container, name, labels, anonymous } => {
                self.create_container(container, name, labels, anonymous).await
            }
            Op::Start(target) => self.start(target).await,
            Op::Stop { container, grace } => self.stop(container, *grace).await,
            Op::Restart(target) => self.restart(target).await,
            Op::Unpause(target) => self.unpause(target).await,
            Op::Rename { container, to } => self.rename(container, to).await,
            Op::RemoveContainer(target) => self.remove_container(target).await,
            Op::Update { container, limits, restart } => {
                self.update(container, limits, *restart).await
            }
            Op::Connect { container, network, attachment } => {
                self.connect_network(container, network, attachment).await
            }
            Op::Disconnect { container, network } => {
                self.disconnect_network(container, network).await
            }
            Op::AwaitReady { container, probe, within } => {
                self.await_ready(container, probe, *within).await
            }
            Op::Ensure { inner, container } => self.ensure_inner(inner, container).await,
            Op::DropInner { inner, container } => self.drop_inner(inner, container).await,
            Op::WriteRecord { prefix, labels, record } => {
                self.write_record(prefix, labels, record).await
            }
            Op::RemoveRecord { prefix, labels } => self.remove_record(prefix, labels).await,
        }
    }
}
