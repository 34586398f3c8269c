//! What somebody does behind nself's back, on each engine.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use bollard::{Docker as Api, models::NetworkCreateRequest};
use nself::{
    engine::{docker::Docker, sim::Sim},
    observed::{PortHolder, PortUser, State, label},
    plan::Op,
};

use super::super::{Tested, docker, make};

pub enum Deed {
    /// Freezes a container.
    Pause(String),
    /// Makes another network of a name, for the project given.
    SecondNetwork(String, String),
    /// Removes a network that only stopped containers are on.
    RemoveNetwork(String),
    /// Has a program listen on a port of the machine.
    Listen(u16),
    /// Has a registry at a port of the machine answer that it has nothing.
    EmptyRegistry(u16),
}

/// What is over when it is dropped.
pub struct Lasting(#[expect(dead_code, reason = "its end is what it is for")] TcpListener);

impl Tested for Sim {
    async fn behind_the_back(&self, deed: Deed) -> Option<Lasting> {
        let mut world = self.world();
        match deed {
            Deed::Pause(name) => world.set_state(&name, State::Paused),
            Deed::SecondNetwork(_, name) => {
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

impl Tested for Docker {
    async fn behind_the_back(&self, deed: Deed) -> Option<Lasting> {
        // An engine reached by another way is the one of this machine.
        let socket = self.address().strip_prefix("unix://").unwrap_or(docker::SOCKET);
        let api = Api::connect_with_socket(socket, 60, bollard::API_DEFAULT_VERSION).unwrap();
        match deed {
            Deed::Pause(name) => api.pause_container(&name).await.unwrap(),
            Deed::SecondNetwork(project, name) => {
                let network = make::network(&name);
                let Op::CreateNetwork { labels, .. } = make::network_creation(&project, &network)
                else {
                    unreachable!()
                };
                assert!(labels.contains_key(label::PROJECT));
                let request = NetworkCreateRequest {
                    name,
                    labels: Some(labels.into_iter().collect()),
                    ..NetworkCreateRequest::default()
                };
                api.create_network(request).await.unwrap();
            }
            Deed::RemoveNetwork(name) => api.remove_network(&name).await.unwrap(),
            Deed::Listen(port) => {
                return Some(Lasting(TcpListener::bind(("127.0.0.1", port)).unwrap()));
            }
            Deed::EmptyRegistry(port) => {
                let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
                let ours = listener.try_clone().unwrap();
                std::thread::spawn(move || {
                    for stream in ours.incoming().take(6) {
                        let Ok(mut stream) = stream else { return };
                        let mut asked = [0; 4096];
                        let _ = stream.read(&mut asked);
                        let found = asked.starts_with(b"GET /v2/ ");
                        let status = if found { "200 OK" } else { "404 Not Found" };
                        let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
                        let _ = write!(
                            stream,
                            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nDocker-Distribution-Api-Version: registry/2.0\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                            body.len()
                        );
                    }
                });
                return Some(Lasting(listener));
            }
        }
        None
    }
}
