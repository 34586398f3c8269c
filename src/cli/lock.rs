//! `nself lock`, and waiting for it.

use clap::Args;
use tokio::sync::mpsc::unbounded_channel;

use crate::{
    controller::Wait,
    engine::{Holder, Life, Lock as _},
    model::Millis,
    report,
};

use super::{Context, Error, Exit, Ui, session};

/// Show who is applying, and break a lock that nobody gives back
///
/// One apply at a time works on a project on each engine, whichever user, folder or machine it was started
/// from. The lock of a process that died on this machine is free at once. Of one that died elsewhere nothing
/// can be known from here: once you know, break its lock by the name of its host.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself lock                   who has it, and since when
  nself apply --wait 2m        wait for them
  nself lock --break web1      what died on web1 does not hold it any more")]
pub(super) struct LockArgs {
    /// Break the lock that was taken on this host; one whose process runs here is not broken
    #[arg(long = "break", value_name = "HOST")]
    host: Option<String>,
}

/// How long to wait for it.
#[derive(Debug, Args)]
pub(super) struct Patience {
    /// Wait so long while somebody else applies, such as 2m [default: end with 6]
    #[arg(long, value_name = "TIME")]
    wait: Option<Millis>,
}

impl Patience {
    /// Returns how long to wait; whoever is waited for is shown.
    pub(super) fn wait(&self, ui: Ui) -> Option<Wait> {
        let longest = self.wait?.duration();
        let (tell, mut told) = unbounded_channel::<Holder>();
        tokio::spawn(async move {
            while let Some(holder) = told.recv().await {
                let holder = report::held_by(&holder);
                ui.remark(&format!("waiting for {holder} · Ctrl-C stops waiting\n"));
            }
        });
        Some(Wait { longest, tell })
    }
}

pub(super) async fn run(args: &LockArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let engine = session::engine(context, &project).await?;
    let prefix = project.spec.prefix();
    let (holder, here) = (engine.holder(&prefix).await?, Holder::this_process()?);
    let held = holder.as_ref().map(|holder| (holder, holder.life(&here)));
    let ui = context.ui;
    let Some(host) = &args.host else {
        show(&prefix, held, ui);
        return Ok(Exit::Done);
    };
    let Some((holder, life)) = held else {
        show(&prefix, None, ui);
        return Ok(Exit::Done);
    };
    let held_by = report::held_by(holder);
    if holder.host != *host {
        let error = Error::usage(format!("the lock of {prefix} is not held on {host}: {held_by}"));
        return Err(error.remedy("nself lock"));
    }
    if life == Life::Alive {
        let error = Error::new(Exit::Locked, format!("{prefix} is being applied by {held_by}"));
        let remedy = format!("wait until it has ended, or end it: kill {}", holder.pid);
        return Err(error.noting("its process runs").remedy(remedy));
    }
    if !engine.take_away(&prefix, holder).await? {
        let error =
            Error::new(Exit::Locked, format!("the lock of {prefix} changed hands just now"));
        return Err(error.remedy("nself lock"));
    }
    if ui.json {
        ui.data(&report::json::lock(&prefix, held, true));
    }
    ui.print(&format!("broke the lock of {prefix}: it was held by {held_by}\n"));
    Ok(Exit::Done)
}

fn show(prefix: &str, held: Option<(&Holder, Life)>, ui: Ui) {
    if ui.json {
        ui.data(&report::json::lock(prefix, held, false));
    }
    ui.print(&report::lock(prefix, held, ui.out));
}
