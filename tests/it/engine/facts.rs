//! What Docker's engine does by itself, that nself is built around. When an engine stops doing so, the
//! test that fails says which part of nself can go.

use bollard::{
    Docker as Api,
    models::{
        ContainerCreateBody, ContainerInspectResponse, ContainerUpdateBody, EndpointSettings,
        HostConfig, Mount, MountType, NetworkConnectRequest, NetworkCreateRequest,
        NetworkingConfig, PortBinding, ResourcesUlimits, VolumeCreateRequest,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, RenameContainerOptionsBuilder,
        UploadToContainerOptionsBuilder,
    },
};
use nself::{engine::Refusal, plan::Op};

use super::{
    IMAGE,
    docker::{api, on_docker},
    labels, make, named, refused, run,
};

const MIB: i64 = 1 << 20;

/// A body with the labels by which the test cleans up.
fn body(prefix: &str, host: HostConfig) -> ContainerCreateBody {
    let id = nself::model::ResourceId::Container("fact".into());
    ContainerCreateBody {
        image: Some(IMAGE.into()),
        cmd: Some(["sleep", "1000"].map(str::to_owned).into()),
        labels: Some(labels(prefix, &id).into_iter().collect()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

async fn create(api: &Api, name: &str, body: ContainerCreateBody) -> Result<String, (u16, String)> {
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    api.create_container(Some(options), body).await.map(|made| made.id).map_err(answer)
}

async fn inspect(api: &Api, name: &str) -> ContainerInspectResponse {
    api.inspect_container(name, None).await.unwrap()
}

async fn network(api: &Api, prefix: &str, name: &str) -> String {
    let id = nself::model::ResourceId::Network("fact".into());
    let request = NetworkCreateRequest {
        name: format!("{prefix}-{name}"),
        labels: Some(labels(prefix, &id).into_iter().collect()),
        ..NetworkCreateRequest::default()
    };
    api.create_network(request).await.unwrap().id
}

fn answer(error: bollard::errors::Error) -> (u16, String) {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, message } => {
            (status_code, message)
        }
        other => panic!("{other}"),
    }
}

fn on(network: &str) -> HostConfig {
    HostConfig { network_mode: Some(network.to_owned()), ..HostConfig::default() }
}

#[tokio::test]
async fn updates_leave_out_what_they_cannot_do() {
    on_docker(|_, prefix| async move {
        let api = api();
        let name = format!("{prefix}-a");
        let limited = HostConfig {
            memory: Some(64 * MIB),
            memory_swap: Some(64 * MIB),
            cpu_shares: Some(512),
            pids_limit: Some(100),
            ..on("none")
        };
        create(&api, &name, body(&prefix, limited)).await.unwrap();
        let host = async || inspect(&api, &name).await.host_config.unwrap();
        let update = async |body| api.update_container(&name, body).await.map_err(answer);

        // Above the limit of memory and swap together.
        let alone = ContainerUpdateBody { memory: Some(128 * MIB), ..Default::default() };
        assert_eq!(update(alone).await.unwrap_err().0, 409);
        let together = ContainerUpdateBody {
            memory: Some(128 * MIB),
            memory_swap: Some(256 * MIB),
            ..Default::default()
        };
        update(together).await.unwrap();
        // 0 is "as it was", but for processes.
        let nothing = ContainerUpdateBody {
            memory: Some(0),
            cpu_shares: Some(0),
            pids_limit: Some(0),
            ..Default::default()
        };
        update(nothing).await.unwrap();
        let live = host().await;
        assert_eq!((live.memory, live.cpu_shares), (Some(128 * MIB), Some(512)));
        assert!(live.pids_limit.is_none_or(|limit| limit == 0));
        // Said to be done, and not done.
        let ulimit = ResourcesUlimits { name: Some("nofile".into()), soft: Some(9), hard: Some(9) };
        let ulimits = ContainerUpdateBody { ulimits: Some(vec![ulimit]), ..Default::default() };
        update(ulimits).await.unwrap();
        assert_eq!(host().await.ulimits, None);
        // One way of saying it excludes the other.
        let cpus = ContainerUpdateBody { nano_cpus: Some(500_000_000), ..Default::default() };
        update(cpus).await.unwrap();
        let quota = ContainerUpdateBody {
            cpu_quota: Some(50_000),
            cpu_period: Some(100_000),
            ..Default::default()
        };
        assert!(update(quota).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn two_networks_of_one_name_are_possible_and_refused_by_us() {
    on_docker(|engine, prefix| async move {
        let api = api();
        let (first, second) =
            (network(&api, &prefix, "net").await, network(&api, &prefix, "net").await);
        assert_ne!(first, second);
        let network = make::network(&format!("{prefix}-net"));
        let kind = refused(&engine, make::network_creation(&prefix, &network)).await;
        assert_eq!(kind, Refusal::Ambiguous);
        let mut container = make::sleeper(&format!("{prefix}-a"));
        container.networks.insert(network.name, make::attached(&[]));
        assert_eq!(refused(&engine, make::creation(&prefix, &container)).await, Refusal::Ambiguous);
        let seen = super::look(&engine, &prefix).await.networks;
        assert_eq!(seen.len(), 2);
        run(&engine, Op::RemoveNetwork { id: second }).await;
        assert_eq!(super::look(&engine, &prefix).await.networks[0].id, first);
    })
    .await;
}

#[tokio::test]
async fn an_id_beside_the_name_tells_networks_apart() {
    on_docker(|_, prefix| async move {
        let api = api();
        let (wanted, _) =
            (network(&api, &prefix, "net").await, network(&api, &prefix, "net").await);
        let name = format!("{prefix}-net");
        let mut pinned = body(&prefix, on(&name));
        let place = EndpointSettings { network_id: Some(wanted.clone()), ..Default::default() };
        pinned.networking_config =
            Some(NetworkingConfig { endpoints_config: Some([(name.clone(), place)].into()) });
        create(&api, &format!("{prefix}-pinned"), pinned).await.unwrap();
        api.start_container(&format!("{prefix}-pinned"), None).await.unwrap();
        let settings = inspect(&api, &format!("{prefix}-pinned")).await.network_settings.unwrap();
        assert_eq!(settings.networks.unwrap()[&name].network_id.as_ref(), Some(&wanted));
        // Without it the start fails.
        create(&api, &format!("{prefix}-loose"), body(&prefix, on(&name))).await.unwrap();
        let started = api.start_container(&format!("{prefix}-loose"), None).await;
        assert!(answer(started.unwrap_err()).1.contains("ambiguous"));
    })
    .await;
}

#[tokio::test]
async fn places_are_given_one_by_one_and_gain_names() {
    on_docker(|_, prefix| async move {
        let api = api();
        let (a, b) = (format!("{prefix}-net"), format!("{prefix}-b"));
        network(&api, &prefix, "net").await;
        network(&api, &prefix, "b").await;
        let mut two = body(&prefix, on(&a));
        let places = [&a, &b].map(|name| (name.clone(), EndpointSettings::default()));
        two.networking_config = Some(NetworkingConfig { endpoints_config: Some(places.into()) });
        let refused = create(&api, &format!("{prefix}-two"), two).await.unwrap_err();
        assert_eq!(refused.0, 400);

        let name = format!("{prefix}-one");
        let mut one = body(&prefix, on(&a));
        one.hostname = Some("called".into());
        let id = create(&api, &name, one).await.unwrap();
        let request = NetworkConnectRequest { container: name.clone(), endpoint_config: None };
        api.connect_network(&b, request).await.unwrap();
        let aliases = async |network: &str| {
            let settings = inspect(&api, &name).await.network_settings.unwrap();
            let mut aliases =
                settings.networks.unwrap()[network].aliases.clone().unwrap_or_default();
            aliases.sort();
            aliases
        };
        assert!(aliases(&a).await.is_empty());
        let mut gained = vec!["called".to_owned(), id[..12].to_owned()];
        gained.sort();
        assert_eq!(aliases(&b).await, gained);
        api.start_container(&name, None).await.unwrap();
        assert_eq!(aliases(&a).await, gained);
    })
    .await;
}

#[tokio::test]
async fn ports_are_published_only_when_exposed_and_not_on_internal_networks() {
    on_docker(|_, prefix| async move {
        let api = api();
        network(&api, &prefix, "net").await;
        let name = format!("{prefix}-a");
        let binding = PortBinding { host_ip: Some("127.0.0.1".into()), host_port: None };
        let mut host = on(&format!("{prefix}-net"));
        host.port_bindings = Some([("80/tcp".to_owned(), Some(vec![binding]))].into());
        create(&api, &name, body(&prefix, host.clone())).await.unwrap();
        api.start_container(&name, None).await.unwrap();
        let ports = inspect(&api, &name).await.network_settings.unwrap().ports;
        assert!(ports.unwrap_or_default().is_empty());
        let mut exposed = body(&prefix, host);
        exposed.exposed_ports = Some(vec!["80/tcp".into()]);
        create(&api, &format!("{prefix}-b"), exposed).await.unwrap();
        api.start_container(&format!("{prefix}-b"), None).await.unwrap();
        let ports = inspect(&api, &format!("{prefix}-b")).await.network_settings.unwrap().ports;
        assert!(ports.unwrap()["80/tcp"].is_some());
    })
    .await;
}

#[tokio::test]
async fn volumes_keep_their_options_without_a_word() {
    on_docker(|_, prefix| async move {
        let api = api();
        let id = nself::model::ResourceId::Volume("fact".into());
        let mut request = VolumeCreateRequest {
            name: Some(format!("{prefix}-v")),
            labels: Some(labels(&prefix, &id).into_iter().collect()),
            ..VolumeCreateRequest::default()
        };
        api.create_volume(request.clone()).await.unwrap();
        request.driver_opts = Some([("type".to_owned(), "tmpfs".to_owned())].into());
        assert!(api.create_volume(request).await.unwrap().options.is_empty());
    })
    .await;
}

#[tokio::test]
async fn uploads_fail_on_read_only_roots_and_get_lost_in_memory() {
    on_docker(|_, prefix| async move {
        let api = api();
        let name = format!("{prefix}-a");
        let read_only = format!("{prefix}-b");
        let mut host = on("none");
        host.tmpfs = Some([("/mem".to_owned(), String::new())].into());
        create(&api, &name, body(&prefix, host.clone())).await.unwrap();
        host.readonly_rootfs = Some(true);
        create(&api, &read_only, body(&prefix, host)).await.unwrap();
        let upload = async |container: &str, path: &str| {
            let options = UploadToContainerOptionsBuilder::new().path(path).build();
            let mut archive = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_size(1);
            header.set_mode(0o644);
            archive.append_data(&mut header, "file", &b"x"[..]).unwrap();
            let archive = archive.into_inner().unwrap();
            let sent = api.upload_to_container(
                container,
                Some(options),
                bollard::body_full(archive.into()),
            );
            sent.await.map_err(answer)
        };
        assert!(upload(&read_only, "/srv").await.unwrap_err().1.contains("read-only"));
        api.start_container(&name, None).await.unwrap();
        upload(&name, "/mem").await.unwrap();
        let options = bollard::exec::StartExecOptions { detach: true, ..Default::default() };
        let config = bollard::models::ExecConfig {
            cmd: Some(["test", "-e", "/mem/file"].map(str::to_owned).into()),
            ..Default::default()
        };
        let exec = api.create_exec(&name, config).await.unwrap().id;
        api.start_exec(&exec, Some(options)).await.unwrap();
        let code = loop {
            let state = api.inspect_exec(&exec).await.unwrap();
            if state.running == Some(false) {
                break state.exit_code;
            }
        };
        assert_eq!(code, Some(1));
    })
    .await;
}

#[tokio::test]
async fn names_are_taken_for_beginnings_of_ids_and_not_given_twice() {
    on_docker(|_, prefix| async move {
        let api = api();
        let name = format!("{prefix}-a");
        let id = create(&api, &name, body(&prefix, on("none"))).await.unwrap();
        assert_eq!(inspect(&api, &id[..6]).await.id, Some(id));
        let own = RenameContainerOptionsBuilder::new().name(&name).build();
        assert!(api.rename_container(&name, own).await.is_err());
        let again = create(&api, &name, body(&prefix, on("none"))).await;
        assert_eq!(again.unwrap_err().0, 409);
    })
    .await;
}

#[tokio::test]
async fn nameless_volumes_are_in_the_mounts_alone() {
    on_docker(|_, prefix| async move {
        let api = api();
        let name = format!("{prefix}-a");
        let mut nameless = body(&prefix, on("none"));
        nameless.volumes = Some(vec!["/data".into()]);
        create(&api, &name, nameless).await.unwrap();
        let live = inspect(&api, &name).await;
        let host = live.host_config.unwrap();
        assert_eq!((host.binds, host.mounts), (None, None));
        assert_eq!(live.mounts.unwrap()[0].name.as_ref().unwrap().len(), 64);
    })
    .await;
}

#[tokio::test]
async fn a_missing_volume_is_made_by_mounting_it() {
    on_docker(|_, prefix| async move {
        let api = api();
        let name = format!("{prefix}-made");
        let mount = Mount {
            typ: Some(MountType::VOLUME),
            source: Some(name.clone()),
            target: Some("/data".into()),
            ..Mount::default()
        };
        let mut host = on("none");
        host.mounts = Some(vec![mount]);
        create(&api, &format!("{prefix}-a"), body(&prefix, host)).await.unwrap();
        assert!(api.inspect_volume(&name).await.unwrap().labels.is_empty());
        api.remove_container(&format!("{prefix}-a"), Some(super::docker::force())).await.unwrap();
        api.remove_volume(&name, None::<bollard::query_parameters::RemoveVolumeOptions>)
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_removed_network_fails_the_next_start() {
    on_docker(|engine, prefix| async move {
        let api = api();
        let id = network(&api, &prefix, "net").await;
        let name = format!("{prefix}-a");
        create(&api, &name, body(&prefix, on(&format!("{prefix}-net")))).await.unwrap();
        api.start_container(&name, None).await.unwrap();
        run(&engine, Op::Stop { container: named(&name), grace: Some(nself::model::Millis(0)) })
            .await;
        api.remove_network(&id).await.unwrap();
        network(&api, &prefix, "net").await;
        let started = api.start_container(&name, None).await.unwrap_err();
        assert_eq!(answer(started).0, 404);
    })
    .await;
}
