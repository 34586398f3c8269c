//! The gateway: the one service that nobody writes down, in front of all that have a route.

use crate::{
    catalog::{Certificate, Options, Site, gateway},
    desired::{SecretNeed, Url},
    model::{Digest, Origin, SecretName, ServiceName, Text, decode::Table},
    spec::{GATEWAY, Service, Settings},
};

use super::{draft::Draft, service};

/// Adds the gateway, its certificate and the addresses behind it, if some service has a route.
pub(super) fn add(draft: &mut Draft<'_>) {
    let spec = draft.spec;
    let mut sites = Vec::new();
    let https_port = match spec.https_port() {
        443 => String::new(),
        other => format!(":{other}"),
    };
    for (name, service) in &spec.services {
        let (Some((host, _)), Some(port)) = (spec.route(service), service.port()) else { continue };
        draft
            .desired
            .urls
            .push(Url { service: name.clone(), url: format!("https://{host}{https_port}") });
        sites.push(Site { host, upstream: name.to_string(), port, body_limit: None });
    }
    if sites.is_empty() {
        return;
    }
    sites.sort();
    let Some((name, service)) = written(draft) else { return };
    let certificate = certificate(draft, &sites);
    let mut context = spec.context(&name, &service);
    context.sites = &sites;
    context.certificate = certificate.as_ref();
    service::add(draft, &name, &service, &context);
}

/// Returns the gateway as if somebody had written it down.
fn written(draft: &Draft<'_>) -> Option<(ServiceName, Service)> {
    let body_limit = draft.spec.gateway.body_limit.as_ref().map(|limit| limit.value);
    let options = Options::Gateway(gateway::Options { body_limit });
    let settings = Settings::decode_keys(&Table::new(), None, &mut Vec::new())?;
    let service = Service { origin: Origin::Kind(GATEWAY), options, settings };
    Some((ServiceName::new(GATEWAY).ok()?, service))
}

/// Adds the secrets of a certificate for all sites. Their names follow the hosts, so that another set
/// of hosts is another certificate.
fn certificate(draft: &mut Draft<'_>, sites: &[Site]) -> Option<Certificate> {
    let hosts: Vec<String> = sites.iter().map(|site| site.host.clone()).collect();
    let digest = Digest::of_parts(hosts.iter().map(String::as_bytes));
    let short = &digest.as_str()[..8];
    let chain = SecretName::new(&format!("tls_chain_{short}")).ok()?;
    let key = SecretName::new(&format!("tls_key_{short}")).ok()?;
    let need = SecretNeed::CertificateChain { hosts: hosts.clone(), key: key.clone() };
    draft.desired.secrets.insert(chain.clone(), need);
    draft.desired.secrets.insert(key.clone(), SecretNeed::CertificateKey);
    Some(Certificate { hosts, chain: Text::secret(chain), key: Text::secret(key) })
}
