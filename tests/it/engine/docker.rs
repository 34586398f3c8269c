//! Obligations of the real engine alone: what needs somebody who works on it by hand.

use std::future::Future;

use bollard::Docker as Api;
use nself::{desired::Field, engine::docker::Docker, observed::Live, plan::Op};

use super::{
    look_at, make, named,
    networks::{expected, network, on, places},
    run, twice,
};

const SOCKET: &str = "/var/run/docker.sock";

fn api() -> Api {
    Api::connect_with_socket(SOCKET, 60, bollard::API_DEFAULT_VERSION).unwrap()
}

/// Removes an image that a test built, where there is an engine that has it.
pub async fn remove_image(image: &str) {
    let Ok(api) = Api::connect_with_socket(SOCKET, 60, bollard::API_DEFAULT_VERSION) else {
        return;
    };
    let _ =
        api.remove_image(image, None::<bollard::query_parameters::RemoveImageOptions>, None).await;
}

async fn on_docker<F: Future<Output = ()> + Send + 'static>(
    obligation: impl FnOnce(Docker, String) -> F,
) {
    super::with_prefix(super::docker_engine().await, obligation).await;
}

#[tokio::test]
async fn a_place_on_a_removed_network_is_taken_anew() {
    on_docker(|engine, prefix| async move {
        let net = network(&engine, &prefix, "net").await;
        let container = make::sleeper(&format!("{prefix}-a"));
        let container = on(container, &[(&net, make::attached(&["x"]))]);
        make::up(&engine, &prefix, &container).await;
        run(&engine, Op::Stop { container: named(&container.name), grace: None }).await;
        api().remove_network(&net).await.unwrap();
        assert!(places(&look_at(&engine, &prefix, &container.name).await).is_empty());
        network(&engine, &prefix, "net").await;
        assert!(places(&look_at(&engine, &prefix, &container.name).await).is_empty());
        let connect = Op::Connect {
            container: named(&container.name),
            network: net.clone(),
            attachment: make::attached(&["x"]),
        };
        twice(&engine, connect).await;
        run(&engine, Op::Start(named(&container.name))).await;
        let seen = look_at(&engine, &prefix, &container.name).await;
        assert_eq!(seen.fields.get(&Field::NetworkMode.path()), Some(&Live::text(&net)));
        assert_eq!(
            places(&seen),
            expected(&[
                (format!("networks.{net}"), "attached"),
                (format!("aliases.{net}"), r#"["x"]"#),
            ])
        );
    })
    .await;
}
