//! Names of hosts: where they lead, and which certificate answers there.

use super::{
    CertificateFact, Facts, Finding, Level, Lookup, NameFact, Trust, Verdict, engine::rough,
};

/// A certificate with less than this left should have been renewed by some apply.
const SOON: u64 = 14 * 24 * 60 * 60 * 1000;

pub(super) fn dns(facts: &Facts) -> Verdict {
    if facts.state().is_none() {
        return Verdict::not_checked("no project");
    }
    if facts.names.is_empty() {
        return Verdict::Well("no service has a route".to_owned());
    }
    let (local, public): (Vec<&NameFact>, Vec<&NameFact>) =
        facts.names.iter().partition(|name| is_local(&name.host));
    let mut findings: Vec<Finding> = public.into_iter().filter_map(leads_elsewhere).collect();
    let silent: Vec<&str> = local
        .iter()
        .filter(|name| !matches!(name.lookup, Lookup::Leads { .. }))
        .map(|name| name.host.as_str())
        .collect();
    if let Some(first) = silent.first() {
        let port = port(facts, first);
        let at = if port == "443" { String::new() } else { format!(":{port}") };
        findings.push(Finding::new(
            Level::Note,
            format!("this system does not know {}", silent.join(", ")),
            "browsers know names below localhost by themselves; curl and others ask the system",
            format!(
                "curl --resolve {first}:{port}:127.0.0.1 https://{first}{at}/, or install \
                 libnss-myhostname"
            ),
        ));
    }
    let names: Vec<&str> = facts.names.iter().map(|name| name.host.as_str()).collect();
    Verdict::of(findings, format!("{} lead here", names.join(", ")))
}

/// Returns the port at which the gateway answers for a host.
fn port(facts: &Facts, host: &str) -> String {
    let urls = facts.state().into_iter().flat_map(|state| &state.desired.urls);
    let ports = urls.filter_map(|url| {
        let place = url.url.strip_prefix("https://")?.strip_prefix(host)?;
        place.strip_prefix(':').map(str::to_owned)
    });
    ports.into_iter().next().unwrap_or_else(|| "443".to_owned())
}

fn leads_elsewhere(name: &NameFact) -> Option<Finding> {
    let NameFact { host, lookup } = name;
    match lookup {
        Lookup::Leads { here: true, .. } => None,
        Lookup::Leads { to, here: false } => {
            let to: Vec<String> = to.iter().map(ToString::to_string).collect();
            Some(Finding::new(
                Level::Warning,
                format!("{host} leads to {}, which is not the engine's machine", to.join(", ")),
                "visitors arrive there and not here, unless a router or proxy passes them on",
                format!("let the A and AAAA records of {host} point here"),
            ))
        }
        Lookup::Unknown => Some(Finding::new(
            Level::Error,
            format!("there is no name {host}"),
            "nobody can reach it",
            format!("add an A record for {host}, or use a domain below localhost"),
        )),
        Lookup::Offline(why) => Some(Finding::new(
            Level::Note,
            format!("{host} could not be looked up"),
            why.as_str(),
            format!("getent hosts {host}, once this machine is online"),
        )),
    }
}

pub(super) fn certificate(facts: &Facts) -> Verdict {
    if facts.state().is_none() {
        return Verdict::not_checked("no project");
    }
    if facts.certificates.is_empty() {
        return Verdict::Well("none needed".to_owned());
    }
    let findings: Vec<Finding> =
        facts.certificates.iter().flat_map(|one| faults(one, facts.now)).collect();
    let expires = facts.certificates.iter().filter_map(|one| one.expires).min();
    if findings.is_empty() && expires.is_none() {
        return Verdict::not_checked("the first apply makes it");
    }
    let left = expires.map_or(0, |expires| expires.saturating_sub(facts.now));
    Verdict::of(findings, format!("good for {}", rough(left)))
}

fn faults(one: &CertificateFact, now: u64) -> Vec<Finding> {
    let CertificateFact { wanted, hosts, expires, trust } = one;
    let Some(hosts) = hosts else { return Vec::new() };
    let name = wanted.first().map_or("", String::as_str);
    let mut findings = Vec::new();
    let mut add = |level, what: String, why: &str, remedy: &str| {
        findings.push(Finding::new(level, what, why, remedy));
    };
    match expires {
        None => add(
            Level::Error,
            format!("the certificate of {name} cannot be read"),
            "the gateway will not start with it",
            "nself apply makes another one",
        ),
        Some(expires) if *expires <= now => add(
            Level::Error,
            format!("the certificate of {name} expired {} ago", rough(now - expires)),
            "browsers refuse it",
            "nself apply renews it",
        ),
        Some(expires) if *expires - now < SOON => add(
            Level::Warning,
            format!("the certificate of {name} expires in {}", rough(expires - now)),
            "browsers refuse it from then on",
            "nself apply renews it",
        ),
        Some(_) => {}
    }
    let missing: Vec<&str> =
        wanted.iter().filter(|host| !hosts.contains(*host)).map(String::as_str).collect();
    if !missing.is_empty() {
        add(
            Level::Error,
            format!("the certificate is not for {}", missing.join(", ")),
            "browsers refuse it there",
            "nself apply makes another one",
        );
    }
    match trust {
        Trust::Untrusted => add(
            Level::Note,
            "this system does not trust your local authority".to_owned(),
            "browsers and curl warn of every page",
            "nself trust install",
        ),
        Trust::Stranger => add(
            Level::Warning,
            format!("the certificate of {name} is of another authority than yours"),
            "it was made on another machine or by another user; trusting yours does not help",
            "nself apply makes another one",
        ),
        Trust::Trusted | Trust::Unknown => {}
    }
    findings
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}
