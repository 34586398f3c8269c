//! `nself secret rotate`

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;

use crate::{
    cli::{Context, Error, Exit},
    controller::Project,
    desired::{Desired, Resource, SecretNeed},
    model::{InnerKind, SecretName},
    secret::Vault,
};

/// Give secrets new random values, which the next apply brings everywhere
///
/// The services know the new value before anybody uses it, those who use it go over one after another,
/// and then the old value is not valid any more. With a Postgres, its services change between two logins;
/// a Redis takes both passwords meanwhile. What fails goes back to the old value. A secret that a person
/// gives is changed with `nself secret set`, in the same way.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself secret rotate postgres           the passwords of a service
  nself secret rotate session_key        one secret
  nself secret rotate --all-generated    every secret that nself made
  nself secret rotate redis --cancel     not after all, as long as it was not applied")]
pub(super) struct RotateArgs {
    /// Secrets, or services that have passwords
    #[arg(required_unless_present = "all_generated")]
    names: Vec<String>,
    /// Every secret that nself made, but certificates, which are renewed by themselves
    #[arg(long)]
    all_generated: bool,
    /// Keep the old values after all
    #[arg(long)]
    cancel: bool,
}

pub(super) fn run(
    args: &RotateArgs,
    project: &Project,
    mut vault: Vault,
    context: &Context,
) -> Result<Exit, Error> {
    super::insist_on_vault(project, &vault)?;
    let desired = project.draw(super::now())?.desired;
    let mut names = BTreeSet::new();
    for name in &args.names {
        names.extend(meant(name, &desired, project)?);
    }
    if args.cancel {
        if args.all_generated {
            names.extend(vault.pending());
        }
        let names: Vec<SecretName> = names.into_iter().collect();
        let gone = vault.abandon(&names, &project.keyring)?;
        let said =
            if gone.is_empty() { "nothing was pending".to_owned() } else { super::list_of(&gone) };
        context.ui.print(&format!("the old values stay: {said}\n"));
        return Ok(Exit::Done);
    }
    let mut lengths = BTreeMap::new();
    for (name, need) in &desired.secrets {
        let is_there = project.keyring.get(name).is_some();
        match need {
            SecretNeed::Random { length } if args.all_generated || names.contains(name) => {
                if is_there {
                    lengths.insert(name.clone(), *length);
                }
            }
            SecretNeed::Given { .. } if names.contains(name) => {
                let message = format!("the value of {name} is given by a person");
                let remedy = format!("nself secret set {name}");
                return Err(Error::usage(message).remedy(remedy));
            }
            SecretNeed::CertificateChain { .. } | SecretNeed::CertificateKey
                if names.contains(name) =>
            {
                let message = format!("{name} belongs to a certificate, which renews by itself");
                return Err(Error::usage(message));
            }
            SecretNeed::Random { .. }
            | SecretNeed::Given { .. }
            | SecretNeed::CertificateChain { .. }
            | SecretNeed::CertificateKey => {}
        }
    }
    if lengths.is_empty() {
        context.ui.print("none of them has a value yet: they are made at the next apply\n");
        return Ok(Exit::Done);
    }
    vault.rotate(&lengths, super::now())?;
    let names: Vec<SecretName> = lengths.into_keys().collect();
    let said = super::list_of(&names);
    context.ui.print(&format!(
        "new values for {said}\nnself plan shows where they go; nself apply brings them there\n"
    ));
    Ok(Exit::Done)
}

/// Returns the secrets that a word means: one, or the passwords of a service.
fn meant(word: &str, desired: &Desired, project: &Project) -> Result<BTreeSet<SecretName>, Error> {
    if let Ok(name) = SecretName::new(word)
        && desired.secrets.contains_key(&name)
    {
        return Ok(BTreeSet::from([name]));
    }
    let of_service = |resource: &&Resource| match resource {
        Resource::Inner(inner) => {
            inner.id.service.as_str() == word && inner.id.kind == InnerKind::Role
        }
        Resource::Files(files) => {
            let reader = desired.container(&files.container);
            reader.is_some_and(|container| container.service.as_str() == word)
        }
        Resource::Image(_)
        | Resource::Network(_)
        | Resource::Volume(_)
        | Resource::Container(_) => false,
    };
    let found = desired.resources.values().filter(of_service).flat_map(Resource::secrets);
    let found: BTreeSet<SecretName> = found.cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let is_service = project.spec.services.keys().any(|name| name.as_str() == word);
    if is_service {
        let message = format!("{word} has no password of its own");
        return Err(Error::usage(message).remedy("nself secret list shows who uses what"));
    }
    let all: Vec<&str> = desired.secrets.keys().map(SecretName::as_str).collect();
    let near = all
        .iter()
        .map(|known| (strsim::jaro_winkler(known, word), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let error = Error::usage(format!("there is no secret or service `{word}` in this project"));
    Err(match near {
        Some((_, known)) => error.remedy(format!("did you mean {known}?")),
        None => error.remedy("nself secret list"),
    })
}
