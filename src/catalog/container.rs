//! A person's own service: an image or a build, and a port.

use super::{Blueprint, Context, Kind, Offer};
use crate::{
    model::{Diagnostic, Text},
    table,
};

/// The kind.
pub const KIND: Kind = Kind {
    name: "container",
    summary: "Your own service, from an image or a folder with a Dockerfile.",
    image: None,
    releases: &[],
    recipe: None,
    port: None,
    offers: &[
        Offer { key: "url", doc: "http://HOST:PORT on the project's network" },
        Offer { key: "host", doc: "host name on the project's network" },
        Offer { key: "port", doc: "the port it answers on" },
    ],
    route: None,
    is_job: false,
};

table! {
    /// A container has no options beyond those of every service.
    pub struct Options {}
}

/// Draws up the service: everything comes from what every service can have.
pub fn blueprint(_: &Options, _: &Context<'_>) -> Blueprint {
    Blueprint::default()
}

/// Returns where it answers. `url` and `port` need a `port` in the file.
pub fn offers(_: &Options, context: &Context<'_>) -> Vec<(&'static str, Text)> {
    let host = context.service.as_str();
    let mut offers = vec![("host", Text::plain(host))];
    if let Some(port) = context.port {
        offers.push(("url", Text::plain(format!("http://{host}:{port}"))));
        offers.push(("port", Text::plain(port.to_string())));
    }
    offers
}

/// Finds nothing wrong.
pub fn check(_: &Options, _: &Context<'_>) -> Vec<Diagnostic> {
    Vec::new()
}
