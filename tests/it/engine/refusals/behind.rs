//! What somebody does behind nself's back, on each engine.

use std::{io, net::TcpListener as Listener};

use bollard::{Docker as Api, models::NetworkCreateRequest};
use nself::{
    engine::{docker::Docker, sim::Sim},
    observed::{PortHolder, PortUser, State, label},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::super::docker;

pub enum Deed {
    /// Freezes a container.
    Pause(String),
    /// Makes another network of a name, with the same labels.
    SecondNetwork(String),
    /// Removes a network that only stopped containers are on.
    RemoveNetwork(String),
    /// Has a program listen on a port of the machine.
    Listen(u16),
    /// Has a registry at a port of the machine answer that it has nothing.
    EmptyRegistry(u16),
}

/// What is over when it is dropped.
pub enum Lasting {
    Port(#[expect(dead_code, reason = "its end is what it is for")] Listener),
    Registry(tokio::task::JoinHandle<()>),
}

impl Drop for Lasting {
    fn drop(&mut self) {
        match self {
            Self::Port(_) => {}
            Self::Registry(task) => task.abort(),
        }
    }
}

/// An engine that others have a hand in.
pub trait Open {
    /// Does something. What it returns is kept as long as it is to last.
    fn behind_the_back(&self, deed: Deed) -> impl Future<Output = Option<Lasting>> + Send;
}

impl Open for Sim {
    async fn behind_the_back(&self, deed: Deed) -> Option<Lasting> {
        let mut world = self.world();
        match deed {
            Deed::Pause(name) => world.set_state(&name, State::Paused),
            Deed::SecondNetwork(name) => {
                let number = world.number();
                let there = world.networks.values().find(|(seen, _)| seen.name == name);
                let (mut seen, labels) = there.unwrap().clone();
                seen.id = format!("n{number:08}");
                world.networks.insert(seen.id.clone(), (seen, labels));
            }
            Deed::RemoveNetwork(name) => world.networks.retain(|_, (seen, _)| seen.name != name),
            Deed::Listen(port) => world.programs.push(PortHolder {
                address: "127.0.0.1".into(),
                port,
                protocol: "tcp".into(),
                by: PortUser::Unknown,
            }),
            Deed::EmptyRegistry(port) => {
                world.unknown_images.insert(format!("127.0.0.1:{port}/none:1"));
            }
        }
        None
    }
}

impl Open for Docker {
    async fn behind_the_back(&self, deed: Deed) -> Option<Lasting> {
        let api = docker::api();
        match deed {
            Deed::Pause(name) => api.pause_container(&name).await.unwrap(),
            Deed::SecondNetwork(name) => second_network(&api, name).await,
            Deed::RemoveNetwork(name) => api.remove_network(&name).await.unwrap(),
            Deed::Listen(port) => {
                return Some(Lasting::Port(Listener::bind(("127.0.0.1", port)).unwrap()));
            }
            Deed::EmptyRegistry(port) => {
                let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
                return Some(Lasting::Registry(tokio::spawn(async move {
                    while answer(&listener).await.is_ok() {}
                })));
            }
        }
        None
    }
}

async fn second_network(api: &Api, name: String) {
    let all = api.list_networks(None).await.unwrap();
    let there = all.into_iter().find(|network| network.name.as_ref() == Some(&name));
    let labels = there.unwrap().labels;
    assert!(labels.as_ref().unwrap().contains_key(label::PROJECT));
    let request = NetworkCreateRequest { name, labels, ..NetworkCreateRequest::default() };
    api.create_network(request).await.unwrap();
}

/// Answers one question as a registry does that has no image.
async fn answer(listener: &TcpListener) -> io::Result<()> {
    const NOTHING: &str =
        r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
    let (mut stream, _) = listener.accept().await?;
    let mut asked = [0; 4096];
    let length = stream.read(&mut asked).await?;
    let is_greeting = asked[..length].starts_with(b"GET /v2/ ");
    let status = if is_greeting { "200 OK" } else { "404 Not Found" };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Docker-Distribution-Api-Version: registry/2.0\r\nConnection: close\r\n\r\n",
        NOTHING.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(NOTHING.as_bytes()).await
}
