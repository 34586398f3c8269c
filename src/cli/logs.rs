//! `nself logs`

use std::collections::BTreeSet;

use clap::Args;
use futures_util::{StreamExt as _, stream};

use crate::{
    controller::{self, Options, Pass},
    engine::{Console as _, LogSelection},
    model::{Millis, ServiceName},
    report,
};

use super::{Context, Error, Exit, session};

/// Show the logs of services
///
/// Lines of several services are in the order of their times, each with the service's name in front.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself logs api --tail 50     the last lines of one service
  nself logs -f                everything, as it comes
  nself logs api --since 10m   of the last ten minutes")]
pub(super) struct LogsArgs {
    /// The services [default: all]
    services: Vec<String>,
    /// The project's file; its short form is taken here
    #[arg(long, value_name = "FILE", help_heading = "Everywhere")]
    file: Option<std::path::PathBuf>,
    /// Go on with lines to come
    #[arg(short = 'f', long)]
    follow: bool,
    /// Only so many of the last lines of each container
    #[arg(long, short = 'n', value_name = "LINES")]
    tail: Option<u64>,
    /// Only lines of that time on: 10m, or 2026-03-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<u64>,
    /// With the time of each line
    #[arg(short, long)]
    timestamps: bool,
}

/// Returns the seconds since 1970 that a text stands for.
fn since(text: &str) -> Result<u64, String> {
    let milliseconds = match text.parse::<Millis>() {
        Ok(Millis(ago)) => {
            let now = jiff::Timestamp::now().as_millisecond();
            now - i64::try_from(ago).unwrap_or(now)
        }
        Err(_) => text
            .parse::<jiff::Timestamp>()
            .map_err(|_| "a time is like 10m, 2h or 2026-03-01T12:00:00Z".to_owned())?
            .as_millisecond(),
    };
    Ok(u64::try_from(milliseconds / 1000).unwrap_or(0))
}

pub(super) async fn run(args: &LogsArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let services = session::services(&project, &args.services)?;
    let engine = session::engine(context, &project).await?;
    let pass = Box::pin(controller::plan(&engine, &project, &Options::default(), false)).await?;
    let sources = sources(&pass, &services);
    if sources.is_empty() {
        let error = Error::new(Exit::Failed, "none of these services has a container yet");
        return Err(error.remedy("nself apply"));
    }
    let width = sources.iter().map(|(_, name)| name.chars().count()).max().unwrap_or(0);
    let named = |container: &str| {
        let source = sources.iter().find(|(known, _)| known == container);
        source.map_or_else(|| container.to_owned(), |(_, name)| name.clone())
    };
    let selection = LogSelection {
        follow: args.follow,
        tail: args.tail,
        since: args.since,
        // The times put the lines of several containers in order.
        timestamps: args.timestamps || (!args.follow && sources.len() > 1),
    };
    let print = |line: &crate::engine::LogLine| {
        let service = named(&line.container);
        let text = project.keyring.scrub(&line.text);
        let line = report::LogLine {
            service: &service,
            at: line.at.as_deref().filter(|_| args.timestamps),
            stream: if line.is_error { "stderr" } else { "stdout" },
            text: &text,
        };
        if context.ui.json {
            context.ui.data(&report::json::log(&line));
        } else {
            context.ui.data(&report::log(&line, width, context.ui.out));
        }
    };
    let logs = sources.iter().map(|(container, _)| Box::pin(engine.logs(container, &selection)));
    let mut lines = stream::select_all(logs);
    let mut waiting = Vec::new();
    while let Some(line) = lines.next().await {
        let line = line?;
        if selection.follow || sources.len() == 1 {
            print(&line);
        } else {
            waiting.push(line);
        }
    }
    waiting.sort_by(|a, b| a.at.cmp(&b.at));
    waiting.iter().for_each(print);
    Ok(Exit::Done)
}

/// Returns the containers that are there, each with the name its lines go by.
fn sources(pass: &Pass, services: &BTreeSet<ServiceName>) -> Vec<(String, String)> {
    let chosen = |service: &ServiceName| services.is_empty() || services.contains(service);
    let there = |name: &str| {
        pass.observed.containers.iter().any(|seen| seen.owner.is_ours() && seen.name == name)
    };
    pass.desired
        .containers()
        .filter(|container| chosen(&container.service) && there(&container.name))
        .map(|container| {
            let name = match container.replica {
                1 => container.service.to_string(),
                number => format!("{}-{number}", container.service),
            };
            (container.name.clone(), name)
        })
        .collect()
}
