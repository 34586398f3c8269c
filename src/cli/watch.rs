//! `nself watch`

mod ask;
mod home;
mod install;
mod origin;
mod tell;

pub(super) use ask::{ApproveArgs, RetryArgs, approve, retry};
use ask::{NowArgs, PauseArgs, ResumeArgs};

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};
use tokio::sync::mpsc;

use crate::{
    controller::{
        Project,
        watch::{Brief, Folder, Handle, Origin, Settings, run as run_loop},
    },
    history::read_ledger,
    model::Sensitive,
    sync::{Ledger, Status},
    web::{Face, Faces, Follows, Hooks, ListenError, Listener, Scope, Tokens, serve},
};

use self::{home::Home, install::InstallArgs, origin::GitArgs, tell::Teller};
use super::{Context, Error, Exit, place, session};

/// Follow a git branch, or this folder, and keep what runs as it says
///
/// Each commit is checked before anything is touched, applied, and counted as applied once everything is ready.
/// One that fails is undone as a whole and not tried again until the head moves. What somebody changes by hand is put
/// right, or only reported: [watch] in nself.toml says which. Ctrl-C finishes the running steps.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    before_help = "Examples:
  nself watch                                    this folder
  nself watch --git https://git.example.com/acme/shop.git --branch main
  nself watch --git git@example.com:acme/shop.git --webhook github=/etc/nself/hook-secret
  nself watch pause \"migrating by hand\""
)]
pub(super) struct WatchArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    git: GitArgs,
    /// Where the loop keeps what it remembers [default: .nself/watch, or nself-watch with --git]
    #[arg(long, value_name = "FOLDER", env = "NSELF_STATE", hide_env_values = true)]
    state: Option<PathBuf>,
    /// Where the status page, webhooks and metrics are served, or `none`
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7766")]
    listen: String,
    /// A name under which browsers reach the page, beside localhost; once for each
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// Take webhooks: github, gitlab, gitea, forgejo, bitbucket or generic, with the file of their secret
    #[arg(long, value_name = "PROVIDER=FILE")]
    webhook: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum What {
    Now(NowArgs),
    Pause(PauseArgs),
    Resume(ResumeArgs),
    Token(TokenArgs),
    Install(InstallArgs),
}

/// Make a token for the loop's API
///
/// It is shown once; what is kept is a hash of it. Over the loop's own socket, which commands on this machine use, none
/// is needed.
#[derive(Debug, Args)]
struct TokenArgs {
    /// Whose it is; shown with what is asked for with it
    name: String,
    /// Good for asking for a look only, as build servers do
    #[arg(long)]
    look: bool,
    /// The loop's folder
    #[arg(long, value_name = "FOLDER", env = "NSELF_STATE", hide_env_values = true)]
    state: Option<PathBuf>,
}

pub(super) async fn run(args: &WatchArgs, context: &Context) -> Result<Exit, Error> {
    match &args.what {
        Some(What::Now(args)) => return ask::now(args, context).await,
        Some(What::Pause(args)) => return ask::pause(args, context).await,
        Some(What::Resume(args)) => return ask::resume(args, context).await,
        Some(What::Token(args)) => return token(args, context),
        Some(What::Install(args)) => return install::install(args, context),
        None => {}
    }
    if args.git.is_wanted() {
        let home = Home::of_git(args.state.as_deref(), context)?;
        let origin = args.git.open(&home, context).await?;
        let follows = args.git.follows();
        return Box::pin(follow(args, &home, origin, follows, context)).await;
    }
    let place = place::find(&context.globals)?;
    let home = Home::of_folder(args.state.as_deref(), &place);
    Box::pin(follow(args, &home, Folder::new(place), Follows::default(), context)).await
}

/// Returns what a loop over a project remembers, and whether it runs; nothing where none ever did.
pub(super) fn remembered(project: &Project) -> Option<(Ledger, bool)> {
    let folder = std::path::absolute(project.folder()).ok()?;
    let home = Home::near(&folder)?;
    let runs = std::os::unix::net::UnixStream::connect(home.socket()).is_ok();
    let ledger = read_ledger(home.folder());
    ledger.inspect_err(|error| tracing::warn!("{error}")).ok().map(|ledger| (ledger, runs))
}

/// Runs the loop with its face on the network until it is asked to stop.
async fn follow<O: Origin>(
    args: &WatchArgs,
    home: &Home,
    origin: O,
    follows: Follows,
    context: &Context,
) -> Result<Exit, Error> {
    let cancel = context.interrupt.finishing();
    let listener = listener(args, home).await?;
    let address = listener.address();
    let status = tokio::sync::watch::Sender::new(Arc::new(Status::default()));
    let (ask, requests) = mpsc::channel(256);
    let handle = Handle::new(status.subscribe(), ask);
    let faces = Faces::new(hooks(args)?, Some(Tokens::in_folder(home.folder())), args.host.clone());
    faces.put_main(Face::new("main", handle.clone()).following(follows));
    let served = tokio::spawn(serve(listener, faces, cancel.clone()));
    let teller = Teller::new(args.git.reporting()?, address, &cancel);
    let printed = tell::print(&handle, context, &cancel);
    if let Some(address) = address {
        context.ui.remark(&format!("http://{address}/status shows how things are\n"));
    }
    let connect = async |project: &Project| session::connect(context, project).await;
    let brief = Brief {
        folder: home.folder().to_owned(),
        settings: Settings::default(),
        status,
        requests,
        read: &|project| teller.learn(project),
        cancel: &cancel,
    };
    let tell = |told| teller.tell(told);
    let ended = tokio::select! {
        ended = run_loop(origin, connect, brief, &|_, _| {}, &tell) => ended,
        () = teller.follow(&handle) => Ok(()),
    };
    cancel.cancel();
    // What is left to be told is told, and the page says goodbye.
    teller.finished().await;
    let _ = served.await;
    let _ = printed.await;
    ended.map_err(|error| Error::from(crate::controller::Error::from(error)))?;
    Ok(Exit::Done)
}

async fn listener(args: &WatchArgs, home: &Home) -> Result<Listener, Error> {
    home.make()?;
    let failed = |error: ListenError| Error::new(Exit::Failed, error.to_string());
    let listener = Listener::default().at_file(&home.socket()).map_err(failed)?;
    if args.listen == "none" {
        return Ok(listener);
    }
    let address: SocketAddr = args.listen.parse().map_err(|_| {
        let what = format!("`{}` is no address to listen at", args.listen);
        Error::usage(what).remedy("an IP address and a port, such as 127.0.0.1:7766, or none")
    })?;
    listener.at_address(address).await.map_err(failed)
}

fn hooks(args: &WatchArgs) -> Result<Hooks, Error> {
    args.webhook.iter().try_fold(Hooks::default(), |hooks, word| {
        let (provider, file) = word.split_once('=').ok_or_else(|| {
            Error::usage(format!("`{word}` is no webhook"))
                .remedy("--webhook PROVIDER=FILE, such as github=/etc/nself/hook-secret")
        })?;
        let secret = secret_in(file.as_ref(), "the secret of the webhook")?;
        hooks.with(provider, secret).map_err(|error| Error::usage(error.to_string()))
    })
}

/// Reads a secret that is all there is in a file.
#[expect(clippy::disallowed_methods, reason = "a file that the command line names")]
fn secret_in(file: &std::path::Path, what: &str) -> Result<Sensitive, Error> {
    let file = &place::handed_over(file);
    let text = std::fs::read_to_string(file).map_err(|error| {
        Error::of(Exit::Usage, &error).attempting(format!("cannot read {what}, {}", file.display()))
    })?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(Error::usage(format!("{what} is empty: {}", file.display())));
    }
    Ok(Sensitive::new(text))
}

fn token(args: &TokenArgs, context: &Context) -> Result<Exit, Error> {
    let home = Home::find(args.state.as_deref(), context)?;
    let scope = if args.look { Scope::Look } else { Scope::Everything };
    let tokens = Tokens::in_folder(home.folder());
    let (token, _) =
        tokens.create(&args.name, scope).map_err(|error| Error::of(Exit::Failed, &error))?;
    context.ui.print(&format!("{}\n", token.expose()));
    context
        .ui
        .remark("it is not shown again; it counts within a second, also for a loop that runs\n");
    Ok(Exit::Done)
}
