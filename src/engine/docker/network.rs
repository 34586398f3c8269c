//! Networks, and containers' places on them.
//!
//! The engine makes a second network under a used name without a word, and then cannot tell them apart.
//! So networks are spoken of by id, and a name that stands for two is refused.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{
    Ipam, IpamConfig, Network as ApiNetwork, NetworkConnectRequest, NetworkCreateRequest,
    NetworkDisconnectRequest,
};

use super::{
    Docker,
    create::{endpoint, owned},
    refusal,
};
use crate::{
    desired::{Attachment, Network},
    engine::{Error, Refusal},
    observed::label,
    plan::Target,
};

impl Docker {
    pub(super) async fn create_network(
        &self,
        network: &Network,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let Network { name, internal, options, subnet } = network;
        let what = || format!("create network {name}");
        if let Some(there) = self.network_named(name, &what()).await? {
            let there = there.labels.unwrap_or_default();
            let same = |key: &str| there.get(key) == labels.get(key);
            if labels.contains_key(label::PROJECT) && same(label::PROJECT) && same(label::INSTANCE)
            {
                return Ok(());
            }
            let why = "a network of that name is there and is not ours";
            return Err(self.refusal(what(), Refusal::NameTaken, why));
        }
        let mut labels: BTreeMap<String, String> = labels.clone();
        let asked = self.server.dialect.asked_of_network(network);
        labels.extend(asked.map(|asked| (label::ASKED.to_owned(), asked)));
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".into()),
            internal: Some(*internal),
            options: Some(owned(options)),
            labels: Some(owned(&labels)),
            ipam: subnet.clone().map(|subnet| Ipam {
                config: Some(vec![IpamConfig { subnet: Some(subnet), ..IpamConfig::default() }]),
                ..Ipam::default()
            }),
            ..NetworkCreateRequest::default()
        };
        let made = self.api.create_network(request).await;
        made.map(drop).map_err(|error| self.refused(what(), &error))
    }

    pub(super) async fn remove_network(&self, id: &str) -> Result<(), Error> {
        let what = || format!("remove network {id}");
        let Some(there) = self.networks(&what()).await?.into_iter().find(|network| is(network, id))
        else {
            return Ok(());
        };
        let what = || format!("remove network {}", there.name.as_deref().unwrap_or(id));
        // Stopped containers too: a place on a removed network makes their next start fail.
        for container in self.containers("all=true", &what()).await? {
            let places = container.network_settings.and_then(|settings| settings.networks);
            let is_there = places
                .into_iter()
                .flatten()
                .filter_map(|(_, place)| place.network_id)
                // Podman has the name for the id.
                .any(|at| at == id || Some(&at) == there.name.as_ref());
            if let (true, Some(container)) = (is_there, container.id) {
                self.detach(id, &container, &what()).await?;
            }
        }
        let removed = refusal::found(self.api.remove_network(id).await);
        removed.map(drop).map_err(|error| self.refused(what(), &error))
    }

    pub(super) async fn connect_network(
        &self,
        target: &Target,
        network: &str,
        attachment: &Attachment,
    ) -> Result<(), Error> {
        let what = || format!("connect {} to network {network}", target.name());
        let ids = self.network_ids([&network.to_owned()]).await?;
        let id = ids.get(network).cloned().unwrap_or_default();
        let mut there = self.inspect(target.reference(), &what()).await?;
        let container = there.text("Id").unwrap_or_default();
        let mut config = there.object("Config");
        let dialect = self.server.dialect;
        if let Some(address) = &attachment.ipv4
            && !dialect.tells_address(&config.map("Labels"), network, address)
        {
            let why = "this engine gives no fixed address to a container that is there";
            return Err(self.refusal(what(), Refusal::Unsupported, why));
        }
        let short = container.get(..12).unwrap_or_default();
        let hostname = config.text("Hostname").filter(|name| name != short);
        let mut places = there.object("NetworkSettings").object("Networks");
        let mut left = None;
        if places.has(network) {
            let mut place = places.object(network);
            let Attachment { aliases, ipv4 } = attachment;
            let wanted: BTreeSet<String> = aliases.iter().chain(&hostname).cloned().collect();
            let live: BTreeSet<String> =
                place.texts("Aliases").into_iter().filter(|alias| alias != short).collect();
            let at = place.text("NetworkID");
            let fixed = place.object("IPAMConfig").text("IPv4Address");
            let same_place = live == wanted && fixed == *ipv4;
            // A container that never ran may have its place noted by name only.
            if same_place && at.as_ref().is_none_or(|at| *at == id) {
                return Ok(());
            }
            // On a removed network of the same name there is nothing to detach from.
            if at.as_ref().is_none_or(|at| *at == id) {
                self.detach(&id, &container, &what()).await?;
                left = Some(Attachment { aliases: live, ipv4: fixed });
            }
        }
        let join = |attachment: &Attachment| {
            let request = NetworkConnectRequest {
                container: container.clone(),
                endpoint_config: Some(endpoint(attachment, hostname.as_deref(), None)),
            };
            self.api.connect_network(&id, request)
        };
        let Err(error) = join(attachment).await else { return Ok(()) };
        if let Some(left) = left {
            // A place that was there beats none; what is told is why the other one is not to be had.
            let _ = join(&left).await;
        }
        Err(self.refused(what(), &error))
    }

    pub(super) async fn disconnect_network(
        &self,
        target: &Target,
        network: &str,
    ) -> Result<(), Error> {
        let what = || format!("disconnect {} from network {network}", target.name());
        let Some(mut there) = self.look_up(target, &what()).await? else { return Ok(()) };
        let container = there.text("Id").unwrap_or_default();
        let mut places = there.object("NetworkSettings").object("Networks");
        if !places.has(network) {
            return Ok(());
        }
        let at = places.object(network).text("NetworkID");
        let at = at.unwrap_or_else(|| network.to_owned());
        self.detach(&at, &container, &what()).await
    }

    /// Returns the ids of networks by name; every name must stand for exactly one.
    pub(super) async fn network_ids(
        &self,
        names: impl IntoIterator<Item = &String>,
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut names = names.into_iter().peekable();
        if names.peek().is_none() {
            return Ok(BTreeMap::new());
        }
        let all = self.networks("list networks").await?;
        let mut ids = BTreeMap::new();
        for name in names {
            let what = || format!("use network {name}");
            let found = self.only(name, &all, &what())?;
            let id = found.and_then(|network| network.id.clone());
            let missing = || self.refusal(what(), Refusal::NotFound, "there is no such network");
            ids.insert(name.clone(), id.ok_or_else(missing)?);
        }
        Ok(ids)
    }

    async fn network_named(&self, name: &str, what: &str) -> Result<Option<ApiNetwork>, Error> {
        let all = self.networks(what).await?;
        Ok(self.only(name, &all, what)?.cloned())
    }

    fn only<'a>(
        &self,
        name: &str,
        all: &'a [ApiNetwork],
        what: &str,
    ) -> Result<Option<&'a ApiNetwork>, Error> {
        let mut named = all.iter().filter(|network| network.name.as_deref() == Some(name));
        let first = named.next();
        if named.next().is_some() {
            let why = format!("there are two networks of the name {name}");
            return Err(self.refusal(what, Refusal::Ambiguous, why));
        }
        Ok(first)
    }

    async fn networks(&self, what: &str) -> Result<Vec<ApiNetwork>, Error> {
        self.api.list_networks(None).await.map_err(|error| self.refused(what, &error))
    }

    async fn detach(&self, network: &str, container: &str, what: &str) -> Result<(), Error> {
        let request =
            NetworkDisconnectRequest { container: container.to_owned(), force: Some(true) };
        let Err(error) = self.api.disconnect_network(network, request).await else {
            return Ok(());
        };
        let is_gone = refusal::status(&error) == Some(404)
            || error.to_string().contains("is not connected to");
        if is_gone { Ok(()) } else { Err(self.refused(what, &error)) }
    }
}

fn is(network: &ApiNetwork, id: &str) -> bool {
    network.id.as_deref() == Some(id)
}
