//! Networks, and places on them.

use std::collections::BTreeMap;

use nself::{
    desired::{Attachment, Container, Field, Probe},
    engine::{Engine, Refusal},
    model::Millis,
    observed::{Live, SeenContainer},
    plan::Op,
};

use super::{look, look_at, make, named, other_project, refused, request, run, twice};

pub async fn network<E: Engine>(engine: &E, prefix: &str, name: &str) -> String {
    let network = make::network(&format!("{prefix}-{name}"));
    run(engine, make::network_creation(prefix, &network)).await;
    network.name
}

pub fn on(container: Container, networks: &[(&str, Attachment)]) -> Container {
    let networks = networks.iter().map(|(name, place)| ((*name).to_owned(), place.clone()));
    Container { networks: networks.collect(), ..container }
}

pub fn places(seen: &SeenContainer) -> BTreeMap<String, String> {
    let of_interest = [Field::Network, Field::Alias, Field::Address];
    let fields = seen.fields.0.iter().filter(|(path, _)| of_interest.contains(&path.field));
    fields
        .map(|(path, live)| {
            let (Live::Text(value) | Live::Verifier(value)) = live;
            (path.to_string(), value.expose().to_owned())
        })
        .collect()
}

pub fn expected(places: &[(String, &str)]) -> BTreeMap<String, String> {
    places.iter().map(|(path, value)| (path.clone(), (*value).to_owned())).collect()
}

pub async fn making_one_twice_keeps_it<E: Engine>(engine: &E, prefix: &str) {
    let mut network = make::network(&format!("{prefix}-net"));
    network.internal = true;
    network.options.insert("com.docker.network.bridge.enable_icc".into(), "true".into());
    twice(engine, make::network_creation(prefix, &network)).await;
    let seen = look(engine, prefix).await.networks;
    assert_eq!(seen.len(), 1);
    let fields = nself::desired::Resource::Network(network).fields();
    for (path, value) in fields.0 {
        let nself::desired::Value::Plain(value) = value else { panic!("{path}") };
        assert_eq!(seen[0].fields.get(&path), Some(&Live::text(value)), "{path}");
    }
    assert_eq!(seen[0].fields.0.len(), 3);
}

pub async fn a_name_of_somebody_else_is_refused<E: Engine>(engine: &E, prefix: &str) {
    let network = make::network(&format!("{prefix}-net"));
    run(engine, make::network_creation(&other_project(prefix), &network)).await;
    let kind = refused(engine, make::network_creation(prefix, &network)).await;
    assert_eq!(kind, Refusal::NameTaken);
    assert!(look(engine, prefix).await.networks.is_empty());
    let mut request = request(prefix);
    request.names.insert(nself::model::ResourceId::Network(network.name));
    let seen = engine.observe(&request).await.unwrap().networks;
    assert_eq!(seen.len(), 1);
    assert!(!seen[0].owner.is_ours());
}

pub async fn one_with_containers_is_removed<E: Engine>(engine: &E, prefix: &str) {
    let net = network(engine, prefix, "net").await;
    for name in ["runs", "ended"] {
        let container = make::sleeper(&format!("{prefix}-{name}"));
        let container = on(container, &[(&net, make::attached(&[]))]);
        make::up(engine, prefix, &container).await;
    }
    let ended = named(&format!("{prefix}-ended"));
    run(engine, Op::Stop { container: ended, grace: None }).await;
    let seen = look(engine, prefix).await;
    let members = [format!("{prefix}-ended"), format!("{prefix}-runs")];
    assert_eq!(seen.networks[0].members, members.into());
    twice(engine, Op::RemoveNetwork { id: seen.networks[0].id.clone() }).await;
    let seen = look(engine, prefix).await;
    assert!(seen.networks.is_empty());
    assert!(seen.containers.iter().all(|container| places(container).is_empty()));
}

pub async fn places_are_taken_and_left<E: Engine>(engine: &E, prefix: &str) {
    let (subnet, address) = make::subnet();
    let mut fixed = make::network(&format!("{prefix}-fixed"));
    fixed.subnet = Some(subnet);
    run(engine, make::network_creation(prefix, &fixed)).await;
    let net = network(engine, prefix, "net").await;
    let container = make::sleeper(&format!("{prefix}-a"));
    let container = on(container, &[(&net, make::attached(&["one"]))]);
    make::up(engine, prefix, &container).await;
    let connect = |network: &str, attachment: Attachment| Op::Connect {
        container: named(&container.name),
        network: network.to_owned(),
        attachment,
    };
    let here = async || places(&look_at(engine, prefix, &container.name).await);

    // While it runs and while it does not.
    for running in [true, false] {
        if !running {
            run(engine, Op::Stop { container: named(&container.name), grace: None }).await;
        }
        let place = Attachment { ipv4: Some(address.clone()), ..make::attached(&["b", "a"]) };
        let mut wanted = expected(&[
            (format!("networks.{net}"), "attached"),
            (format!("aliases.{net}"), r#"["two"]"#),
            (format!("networks.{}", fixed.name), "attached"),
            (format!("aliases.{}", fixed.name), r#"["a","b"]"#),
            (format!("address.{}", fixed.name), &address),
        ]);
        if look(engine, prefix).await.engine.updates_in_place {
            twice(engine, connect(&fixed.name, place)).await;
        } else {
            // It could not tell the address afterwards, so only a new container gets one.
            let kind = refused(engine, connect(&fixed.name, place)).await;
            assert_eq!(kind, Refusal::Unsupported);
            twice(engine, connect(&fixed.name, make::attached(&["b", "a"]))).await;
            wanted.remove(&format!("address.{}", fixed.name));
        }
        twice(engine, connect(&net, make::attached(&["two"]))).await;
        assert_eq!(here().await, wanted, "running: {running}");
        twice(engine, connect(&fixed.name, make::attached(&[]))).await;
        let leave =
            Op::Disconnect { container: named(&container.name), network: fixed.name.clone() };
        twice(engine, leave).await;
        assert_eq!(
            here().await,
            expected(&[
                (format!("networks.{net}"), "attached"),
                (format!("aliases.{net}"), r#"["two"]"#),
            ])
        );
    }
    run(engine, Op::Start(named(&container.name))).await;
    assert!(look_at(engine, prefix, &container.name).await.addresses.contains_key(&net));
}

pub async fn fixed_subnets_are_seen_and_others_are_not<E: Engine>(engine: &E, prefix: &str) {
    let (subnet, _) = make::subnet();
    network(engine, prefix, "any").await;
    let mut fixed = make::network(&format!("{prefix}-fixed"));
    fixed.subnet = Some(subnet.clone());
    run(engine, make::network_creation(prefix, &fixed)).await;
    let seen = look(engine, prefix).await.networks;
    assert_eq!(seen[0].fields.get(&Field::Subnet.path()), None);
    let text = format!("[\"{subnet}\"]");
    assert_eq!(seen[1].fields.get(&Field::Subnet.path()), Some(&Live::text(text)));
}

pub async fn a_missing_network_is_refused<E: Engine>(engine: &E, prefix: &str) {
    let container = make::sleeper(&format!("{prefix}-a"));
    let container = on(container, &[(&format!("{prefix}-none"), make::attached(&[]))]);
    assert_eq!(refused(engine, make::creation(prefix, &container)).await, Refusal::NotFound);
    assert!(look(engine, prefix).await.containers.is_empty());
}

pub async fn several_are_there_before_the_first_start<E: Engine>(engine: &E, prefix: &str) {
    let mut networks = Vec::new();
    for name in ["x", "y", "z"] {
        networks.push((network(engine, prefix, name).await, make::attached(&[name])));
    }
    let networks: Vec<(&str, Attachment)> =
        networks.iter().map(|(name, place)| (name.as_str(), place.clone())).collect();
    let container = on(make::sleeper(&format!("{prefix}-a")), &networks);
    run(engine, make::creation(prefix, &container)).await;
    let before = places(&look_at(engine, prefix, &container.name).await);
    assert_eq!(before.len(), 6);
    // A place lost by an apply that was cut off is found again.
    let network = networks[2].0.to_owned();
    run(engine, Op::Disconnect { container: named(&container.name), network }).await;
    run(engine, make::creation(prefix, &container)).await;
    assert_eq!(places(&look_at(engine, prefix, &container.name).await), before);
    run(engine, Op::Start(named(&container.name))).await;
    assert_eq!(look_at(engine, prefix, &container.name).await.addresses.len(), 3);
}

pub async fn a_name_leads_to_its_container<E: Engine>(engine: &E, prefix: &str) {
    let net = network(engine, prefix, "net").await;
    for (name, alias) in [("a", "asks"), ("b", "database")] {
        let container = make::sleeper(&format!("{prefix}-{name}"));
        let container = on(container, &[(&net, make::attached(&[alias]))]);
        make::up(engine, prefix, &container).await;
    }
    let wait = Op::AwaitReady {
        container: named(&format!("{prefix}-a")),
        probe: Probe::Exec(["getent", "hosts", "database"].map(str::to_owned).into()),
        within: Millis(10_000),
    };
    run(engine, wait).await;
}
