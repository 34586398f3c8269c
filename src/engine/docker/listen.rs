//! The engine's events, as far as they can make a difference.

use bollard::{models::EventMessage, query_parameters::EventsOptionsBuilder};
use futures_util::{StreamExt as _, stream::BoxStream};

use super::{Docker, refusal::gone};
use crate::{
    engine::{Error, Happening, Listen},
    observed::label,
};

/// What can make a difference, by the type of the object. `exec_…`, `attach`, `top`, `archive-path` and the like
/// cannot: nself's own probes cause them.
const TELLING: &[(&str, &[&str])] = &[
    (
        "container",
        &[
            "create",
            "start",
            "die",
            "stop",
            "pause",
            "unpause",
            "rename",
            "update",
            "destroy",
            "oom",
            "health_status",
        ],
    ),
    ("network", &["create", "connect", "disconnect", "destroy"]),
    ("volume", &["create", "destroy"]),
];

impl Listen for Docker {
    fn listen(&self, prefix: &str) -> BoxStream<'static, Result<Happening, Error>> {
        let (types, events): (Vec<_>, Vec<_>) = TELLING.iter().copied().unzip();
        let texts = |words: &mut dyn Iterator<Item = &str>| words.map(str::to_owned).collect();
        let filters = [
            ("type", texts(&mut types.into_iter())),
            ("event", texts(&mut events.into_iter().flatten().copied())),
        ];
        let options = EventsOptionsBuilder::new().filters(&filters.into_iter().collect()).build();
        let (address, prefix) = (self.address().to_owned(), prefix.to_owned());
        let told = self.api.events(Some(options)).filter_map(move |event| {
            let told = match event {
                Ok(event) => happening(event, &prefix).map(Ok),
                Err(error) => Some(Err(gone(&address, &error))),
            };
            std::future::ready(told)
        });
        told.boxed()
    }
}

/// Returns what happened, if it was to an object of the project, and to none of nself's own helpers.
fn happening(event: EventMessage, prefix: &str) -> Option<Happening> {
    let mut attributes = event.actor?.attributes?;
    // The event of a network's member has the network's name, and that of a renamed container the new one.
    let name = attributes.remove("name").filter(|name| is_ours(name, prefix)).or_else(|| {
        attributes.remove("oldName").map(|name| name.trim_start_matches('/').to_owned())
    });
    let name = name.filter(|name| is_ours(name, prefix))?;
    let is_tool = attributes.contains_key(label::HELPER);
    (!is_tool).then(|| Happening { name, what: event.action.unwrap_or_default() })
}

/// Returns whether an object with this name can be of the project. No name of a service has a dot, but for a
/// replacement on its way in; all else with one is nself's own.
fn is_ours(name: &str, prefix: &str) -> bool {
    let rest = name.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('-') && !rest.contains('.')))
}
