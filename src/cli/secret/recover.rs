//! `nself secret recover`

use clap::Args;

use crate::{
    cli::{Context, Error, Exit, session},
    controller::{self, Project, Recovery},
    desired::SecretNeed,
    engine::ReadOnly,
    report,
    secret::Vault,
};

/// Read the secrets of a running project back from its engine
///
/// For a copy of the project without its .nself/: the values are where they were delivered, in the
/// environment and the files of its containers. What is found is put into a new vault; what the vault has
/// already stays. Nothing on the engine is changed.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself secret recover && nself plan")]
pub(super) struct RecoverArgs {}

pub(super) async fn run(
    _: &RecoverArgs,
    project: &Project,
    vault: Vault,
    context: &Context,
) -> Result<Exit, Error> {
    let engine = ReadOnly::new(session::engine(context, project).await?);
    let recovery = controller::recover(&engine, project).await?;
    let Recovery { found, lost, differing } = &recovery;
    if context.ui.json {
        context.ui.data(&report::json::recovered(&recovery));
    }
    let (names, path) = (super::list_of(found), vault.path());
    let mut lines = vec![if found.is_empty() {
        "nothing was found that the vault does not have".to_owned()
    } else {
        format!("recovered into {}: {names}", path.display())
    }];
    for (name, ids) in differing {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let ids = ids.join(", ");
        lines.push(format!(
            "{name}: another value stands in {ids}, which the next apply puts right"
        ));
    }
    for (name, need) in lost {
        let remedy = match need {
            SecretNeed::Random { .. } => format!(
                "nself secret set {name} if you have it, else the next apply makes a new one and \
                 brings it to all who use it"
            ),
            SecretNeed::Given { .. } => format!("nself secret set {name}"),
            SecretNeed::CertificateChain { .. } | SecretNeed::CertificateKey => {
                "the next apply issues a new certificate".to_owned()
            }
        };
        lines.push(format!("{name}: not found anywhere; {remedy}"));
    }
    context.ui.print(&(lines.join("\n") + "\n"));
    Ok(Exit::Done)
}
