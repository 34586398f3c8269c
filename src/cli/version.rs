//! `nself version`

use clap::Args;

use crate::{
    engine::{Observe as _, docker::Docker},
    model::Keyring,
    observed::Request,
    report::{self, json::EngineVersion},
};

use super::{Context, Error, Exit, address, place};

/// Show the version, and the engine it would use
///
/// An engine that does not answer is said to be so, and is no failure.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself version                this program and the engine
  nself version --json         for bug reports and programs
  nself --version              only this program")]
pub(super) struct VersionArgs {}

pub(super) async fn run(_: &VersionArgs, context: &Context) -> Result<Exit, Error> {
    let flag = context.globals.engine.as_deref();
    let choice = address::choose(flag, None, &place::variables());
    let address = match choice.check() {
        Err(error) if flag.is_some() => return Err(error),
        other => other,
    };
    let facts = match address {
        Ok(address) => match Docker::connect_to(&address, Keyring::default()).await {
            Ok(engine) => engine.observe(&Request::default()).await.map(|seen| seen.engine),
            Err(error) => Err(error),
        }
        .map_err(Error::from),
        Err(error) => Err(error),
    };
    let (name, api, error) = match facts {
        Ok(facts) => (Some(facts.name), Some(facts.api), None),
        Err(error) => (None, None, Some(error.first().to_owned())),
    };
    let (version, address, by) =
        (env!("CARGO_PKG_VERSION"), choice.address.as_str(), choice.by.as_str());
    if context.ui.json {
        let engine = EngineVersion {
            address,
            chosen_by: by,
            name: name.as_deref(),
            api: api.as_deref(),
            error: error.as_deref(),
        };
        context.ui.data(&report::json::version(version, engine));
    }
    let answer = match (&name, &api) {
        (Some(name), Some(api)) => format!("{name}, API {api}"),
        _ => error.unwrap_or_default(),
    };
    context.ui.print(&format!("nself {version}\nengine {answer}\n  at {address} ({by})\n"));
    Ok(Exit::Done)
}
