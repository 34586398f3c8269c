//! `nself history`

use clap::{Args, Subcommand};

use crate::{
    controller, diff,
    history::{self, History, Run},
    report,
};

use super::{Context, Error, Exit, place};

/// Show what was applied, by whom, when, and with what result
///
/// Each apply that did something is kept in .nself/history.db, with the digest of the one before it. It is
/// the history of this folder: what was applied from elsewhere is in the history there.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself history                the last applies
  nself history show 12        what one of them did; --toml prints its nself.toml
  nself history diff 11 12     what differs between two generations
  nself history verify         whether an entry was changed since it was written")]
pub(super) struct HistoryArgs {
    #[command(subcommand)]
    command: Option<HistoryCommand>,
    /// How many to show
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    last: usize,
}

#[derive(Debug, Subcommand)]
enum HistoryCommand {
    /// Show one apply with its changes and failures
    Show {
        /// The generation
        generation: u64,
        /// Print the nself.toml it was made from instead
        #[arg(long)]
        toml: bool,
    },
    /// Show what differs between two generations
    Diff {
        /// The earlier one
        from: u64,
        /// The later one [default: the last]
        to: Option<u64>,
    },
    /// Check that every entry is as it was written
    Verify,
}

pub(super) fn run(args: &HistoryArgs, context: &Context) -> Result<Exit, Error> {
    let place = place::find(&context.globals)?;
    let folder = place.file.with_file_name(".nself");
    let history = History::read(&folder).map_err(controller::Error::from)?;
    let environment = place.environment.as_deref();
    let runs = |most| match &history {
        None => Ok(Vec::new()),
        Some(history) => history
            .runs(environment, None, most)
            .map_err(|e| Error::from(controller::Error::from(e))),
    };
    let ui = context.ui;
    match args.command {
        None => {
            let runs = runs(Some(args.last))?;
            if ui.json {
                ui.data(&report::json::history(&runs));
            }
            ui.print(&report::history(&runs, ui.out));
        }
        Some(HistoryCommand::Show { generation, toml }) => {
            let runs = runs(None)?;
            let run = found(&runs, generation)?;
            if toml {
                // As data: it is meant to be written to a file.
                ui.data(&run.begun.configuration.main.text);
            } else if ui.json {
                ui.data(&report::json::generation(run));
            } else {
                ui.print(&report::generation(run, ui.out));
            }
        }
        Some(HistoryCommand::Diff { from, to }) => {
            let runs = runs(None)?;
            let last = runs.first().map_or(from, |run| *run.generations().end());
            let to = to.unwrap_or(last);
            let differences = {
                let (before, after) = (found(&runs, from)?, found(&runs, to)?);
                let compiled = |run| -> Result<_, Error> {
                    let project = controller::recall(&place, run)?;
                    let compiled = super::session::compiled(&project)?;
                    Ok((compiled.desired, project.keyring))
                };
                let (old, new) = (compiled(before)?, compiled(after)?);
                diff::between((&old.0, &old.1), (&new.0, &new.1))
            };
            if ui.json {
                ui.data(&report::json::between(from, to, &differences));
            }
            ui.print(&report::between(from, to, &differences, ui.out));
        }
        Some(HistoryCommand::Verify) => return verify(history.as_ref(), context),
    }
    Ok(Exit::Done)
}

fn found(runs: &[Run], generation: u64) -> Result<&Run, Error> {
    let known = runs.iter().map(|run| *run.generations().end()).collect();
    let missing = controller::Error::NoGeneration { generation: Some(generation), known };
    history::of_generation(runs, generation).ok_or_else(|| missing.into())
}

fn verify(history: Option<&History>, context: &Context) -> Result<Exit, Error> {
    let ui = context.ui;
    let Some(history) = history else {
        ui.print("nothing was applied from here yet\n");
        return Ok(Exit::Done);
    };
    let verified = history.verify().map_err(controller::Error::from)?;
    if ui.json {
        ui.data(&report::json::verified(&verified));
    }
    match verified {
        Ok(good) => {
            let head = &good.head[..good.head.len().min(12)];
            ui.print(&format!(
                "{} entries, each as it was written; the last is {head}\n",
                good.entries
            ));
            Ok(Exit::Done)
        }
        Err(broken) => {
            let message = format!("entry {} of the history: {}", broken.entry, broken.what);
            Err(Error::new(Exit::Failed, message)
                .remedy("entries before it are as they were written; keep a copy, and find out who wrote to it"))
        }
    }
}
