//! Mistakes in where services answer: ports of the host, host names.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use crate::{
    model::{Diagnostic, Origin, ServiceName},
    spec::{Service, Spec},
};

/// Adds what is wrong with ports and routes.
pub(super) fn check(spec: &Spec, problems: &mut Vec<Diagnostic>) {
    routes(spec, problems);
    ports(spec, problems);
}

fn routes(spec: &Spec, problems: &mut Vec<Diagnostic>) {
    let mut hosts: BTreeMap<String, (&ServiceName, Origin)> = BTreeMap::new();
    for (name, service) in &spec.services {
        let Some((host, origin)) = spec.route(service) else { continue };
        if service.port().is_none() {
            let message = format!("`{name}` has a route and no `port`");
            problems.push(
                Diagnostic::error("no-port", message)
                    .at(&origin, "where would requests go?")
                    .help("say on which port it answers: port = 8000"),
            );
        }
        if host.len() > 253 {
            let problem = Diagnostic::error("bad-value", "the host name is longer than 253");
            problems.push(problem.at(&origin, ""));
        }
        if let Some((first, place)) = hosts.get(&host) {
            let message = format!("both `{first}` and `{name}` want to be {host}");
            let problem = Diagnostic::error("route-twice", message)
                .at(where_routed(service, &origin), format!("the route of {name}"))
                .at(where_routed(&spec.services[*first], place), format!("the route of {first}"))
                .help("give one of them another `route`");
            problems.push(problem);
        } else {
            hosts.insert(host, (name, origin));
        }
    }
}

/// A route that a kind brings along is blamed on the service.
fn where_routed<'a>(service: &'a Service, origin: &'a Origin) -> &'a Origin {
    match origin {
        Origin::File { .. } => origin,
        Origin::Kind(_) | Origin::Default | Origin::Computed(_) => &service.origin,
    }
}

/// One port of the host that somebody wants.
struct Wanted<'a> {
    by: &'a str,
    address: IpAddr,
    port: u16,
    protocol: &'static str,
    origin: Origin,
}

fn ports(spec: &Spec, problems: &mut Vec<Diagnostic>) {
    let mut by_port: BTreeMap<(u16, &str), Vec<Wanted<'_>>> = BTreeMap::new();
    for wanted in wanted(spec) {
        let others = by_port.entry((wanted.port, wanted.protocol)).or_default();
        let clash = others.iter().find(|other| {
            let any = other.address.is_unspecified() || wanted.address.is_unspecified();
            any || other.address == wanted.address
        });
        if let Some(other) = clash {
            let message = format!(
                "port {}/{} of the host is wanted by both {} and {}",
                wanted.port, wanted.protocol, other.by, wanted.by
            );
            problems.push(
                Diagnostic::error("port-twice", message)
                    .at(&wanted.origin, format!("by {}", wanted.by))
                    .at(&other.origin, format!("by {}", other.by))
                    .help("publish one of them on another port"),
            );
        }
        others.push(wanted);
    }
}

fn wanted(spec: &Spec) -> Vec<Wanted<'_>> {
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut all = Vec::new();
    let is_served = |service: &Service| spec.route(service).is_some();
    if spec.services.values().any(is_served) {
        let gateway = &spec.gateway;
        let address = spec.gateway_address().parse().unwrap_or(local);
        let ports =
            [(spec.http_port(), &gateway.http_port), (spec.https_port(), &gateway.https_port)];
        for (port, written) in ports {
            let origin = written.as_ref().map_or(Origin::Default, |port| port.origin.clone());
            all.push(Wanted { by: "the gateway", address, port, protocol: "tcp", origin });
        }
    }
    for (name, service) in &spec.services {
        let fixed = service.settings.publish.iter().filter(|publish| publish.value.host != 0);
        for publish in fixed {
            all.push(Wanted {
                by: name.as_str(),
                address: publish.value.address.unwrap_or(local),
                port: publish.value.host,
                protocol: publish.value.protocol,
                origin: publish.origin.clone(),
            });
        }
    }
    all
}
