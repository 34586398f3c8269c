//! `nself trust`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::{
    cert::{
        Authority,
        store::{self, Change, Places, Standing, Store},
    },
    report::{self, json::StoreJson},
};

use super::{Context, Error, Exit, place};

/// Make this system and its browsers trust your local certificates
///
/// The certificates of your projects are issued by an authority of your own, whose key never leaves this
/// machine. Once the system trusts it, so do curl and browsers. The system's store belongs to root; where
/// that is needed, the exact commands are shown.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself trust install          trust your own authority on this machine
  nself trust status           which stores trust it
  nself trust uninstall        take it out again, and nothing else")]
pub(super) struct TrustArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Put the authority into the stores of this system and of this user's browsers
    Install(ActionArgs),
    /// Take exactly this authority out of them
    Uninstall(ActionArgs),
    /// Show which stores trust it
    Status,
}

#[derive(Debug, Args)]
struct ActionArgs {
    /// Only show the commands that would do it
    #[arg(long)]
    dry_run: bool,
}

/// Returns the stores of this machine and user.
pub(super) fn stores() -> Vec<Store> {
    let variables = place::variables();
    let set = |name: &str| variables.get(name).filter(|value| !value.is_empty());
    let programs = set("PATH").map(|path| std::env::split_paths(path).collect());
    let mut programs: Vec<PathBuf> = programs.unwrap_or_default();
    // Programs for root are often not on a user's path.
    programs.extend(["/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from));
    let home = set("HOME").map(PathBuf::from);
    store::find(&Places { root: PathBuf::from("/"), home, programs })
}

pub(super) fn run(args: &TrustArgs, context: &Context) -> Result<Exit, Error> {
    let file = Authority::path_in(&place::authority(&place::variables()));
    let stores = stores();
    let (install, dry_run) = match &args.action {
        Action::Status => return status(&file, &stores, context),
        Action::Install(ActionArgs { dry_run }) => (true, *dry_run),
        Action::Uninstall(ActionArgs { dry_run }) => (false, *dry_run),
    };
    let pem = read(&file)?;
    if stores.is_empty() {
        let error = Error::new(Exit::Failed, "no store of certificates was found on this machine");
        return Err(error.remedy(format!("hand {} to what is to trust it", file.display())));
    }
    let mut rows = Vec::new();
    let mut exit = Exit::Done;
    for store in &stores {
        let command = || {
            if install { store.install_command(&pem, &file) } else { store.uninstall_command(&pem) }
        };
        let standing = store.standing(&pem);
        let is_done = standing == if install { Standing::Trusted } else { Standing::Absent };
        let change = match (dry_run, install) {
            (true, _) if is_done => Change::Nothing,
            (true, _) => {
                rows.push(row(store, "would", None, Some(command())));
                continue;
            }
            (false, true) => store.install(&pem, &file),
            (false, false) => store.uninstall(&pem),
        };
        rows.push(match change {
            Change::Made if install => row(store, "trusts it now", None, None),
            Change::Made => row(store, "trusts it no more", None, None),
            Change::Nothing if install => row(store, "trusts it already", None, None),
            Change::Nothing => row(store, "did not trust it", None, None),
            Change::NeedsRoot(command) => {
                exit = Exit::Failed;
                row(store, "needs root", None, Some(command))
            }
            Change::Failed(why) => {
                exit = Exit::Failed;
                row(store, "failed", Some(why), Some(command()))
            }
        });
    }
    show(&file, rows, context);
    Ok(exit)
}

fn status(file: &Path, stores: &[Store], context: &Context) -> Result<Exit, Error> {
    let pem = read(file)?;
    let rows = stores.iter().map(|store| match store.standing(&pem) {
        Standing::Trusted => row(store, "trusts it", None, None),
        Standing::Pending => {
            row(store, "has not taken it up", None, Some(store.install_command(&pem, file)))
        }
        Standing::Absent => {
            row(store, "does not trust it", None, Some("nself trust install".into()))
        }
        Standing::Unknown(why) => row(store, "not known", Some(why), None),
    });
    show(file, rows.collect(), context);
    Ok(Exit::Done)
}

fn row(
    store: &Store,
    state: &'static str,
    why: Option<String>,
    command: Option<String>,
) -> StoreJson {
    let (name, place) = (store.name.clone(), store.place().to_owned());
    StoreJson { store: name, place, state, why, command }
}

fn show(file: &Path, stores: Vec<StoreJson>, context: &Context) {
    let mut lines = vec![format!("authority {}", file.display())];
    for StoreJson { store, place, state, why, command } in &stores {
        lines.push(format!("  {store:<10} {state}   {}", place.display()));
        let said = [("why ", why), ("next", command)];
        let said = said.into_iter().filter_map(|(label, said)| Some((label, said.as_ref()?)));
        lines.extend(said.map(|(label, said)| format!("             {label}  {said}")));
    }
    if stores.is_empty() {
        lines.push("  no store of certificates was found on this machine".to_owned());
    }
    if context.ui.json {
        context.ui.data(&report::json::trust(file, stores));
    }
    context.ui.print(&(lines.join("\n") + "\n"));
}

#[expect(clippy::disallowed_methods, reason = "the certificate is what is handed on")]
fn read(file: &Path) -> Result<String, Error> {
    std::fs::read_to_string(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::new(Exit::Failed, "there is no local authority yet")
            .remedy("nself apply makes it with the first certificate"),
        _ => Error::of(Exit::Failed, &error).attempting(format!("cannot read {}", file.display())),
    })
}
