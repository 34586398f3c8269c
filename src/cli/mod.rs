//! The command line: one file a command. The only room that prints, asks, reads the process environment
//! or chooses an exit code.

mod address;
mod adopt;
mod apply;
mod check;
mod clean;
mod completion;
mod destroy;
mod doctor;
mod drift;
mod error;
mod exec;
mod exit;
mod explain;
mod format;
mod graph;
mod help;
mod history;
mod import;
mod init;
mod interrupt;
mod live;
mod lock;
mod logs;
mod place;
mod plan;
mod reset;
mod restart;
mod rewrite;
mod rollback;
mod saved;
mod secret;
mod session;
mod show;
mod start;
mod status;
mod stop;
mod terminal;
mod trust;
mod ui;
mod urls;
mod version;
mod watch;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum, error::ErrorKind};

use self::{error::Error, exit::Exit, format::Format, interrupt::Interrupt, ui::Ui};

/// Runs a complete self-hosted backend from one file.
///
/// nself.toml says what should be. `nself plan` shows what would change, field by field and with reasons;
/// `nself apply` makes it so; `nself drift` tells when somebody changed it behind your back.
#[derive(Debug, Parser)]
#[command(
    name = "nself",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    before_long_help = "Examples:
  nself init && nself apply        a stack on this machine, from nothing
  nself plan                       what would change, and why
  nself -e prod drift --exit-code  for CI: 2 when reality has moved"
)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
struct Globals {
    /// The project's file [default: nself.toml here or in a folder above]
    #[arg(short, long, global = true, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Work in this folder
    #[arg(short = 'C', long, global = true, value_name = "FOLDER")]
    directory: Option<PathBuf>,
    /// The environment, as in [environments.NAME]
    #[arg(
        short,
        long,
        global = true,
        value_name = "NAME",
        env = "NSELF_ENVIRONMENT",
        hide_env_values = true
    )]
    environment: Option<String>,
    /// The engine's address; see `nself help engine`
    #[arg(long, global = true, value_name = "ADDRESS")]
    engine: Option<String>,
    /// Only errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Each call to the engine with its time; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Data for programs instead of text for people
    #[arg(long, global = true)]
    json: bool,
    /// When to colour: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    color: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Import(import::ImportArgs),
    Check(check::CheckArgs),
    Plan(plan::PlanArgs),
    Show(show::ShowArgs),
    Apply(apply::ApplyArgs),
    Rollback(rollback::RollbackArgs),
    History(history::HistoryArgs),
    Drift(drift::DriftArgs),
    Watch(Box<watch::WatchArgs>),
    Approve(watch::ApproveArgs),
    Retry(watch::RetryArgs),
    Adopt(adopt::AdoptArgs),
    #[command(visible_alias = "up")]
    Start(start::StartArgs),
    Stop(stop::StopArgs),
    Restart(restart::RestartArgs),
    #[command(visible_alias = "down")]
    Destroy(destroy::DestroyArgs),
    Reset(reset::ResetArgs),
    Clean(clean::CleanArgs),
    Status(status::StatusArgs),
    Logs(logs::LogsArgs),
    Exec(exec::ExecArgs),
    Urls(urls::UrlsArgs),
    Explain(explain::ExplainArgs),
    Graph(graph::GraphArgs),
    Lock(lock::LockArgs),
    Secret(secret::SecretArgs),
    Trust(trust::TrustArgs),
    Doctor(doctor::DoctorArgs),
    Completion(completion::CompletionArgs),
    Version(version::VersionArgs),
    Help(help::HelpArgs),
}

/// What every command is given.
struct Context {
    globals: Globals,
    ui: Ui,
    interrupt: Interrupt,
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error).into(),
    };
    let ui = Ui::new(&cli.globals, cli.command.format());
    own_up(ui);
    trace(cli.globals.verbose);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            Error::of(Exit::Internal, &error).attempting("cannot start").show(&ui);
            return Exit::Internal.into();
        }
    };
    let exit = runtime.block_on(run(cli, ui));
    // A thread that still waits for a line on the terminal must not keep the program.
    runtime.shutdown_background();
    exit.into()
}

async fn run(cli: Cli, ui: Ui) -> Exit {
    let Cli { globals, command } = cli;
    let context = Context { globals, ui, interrupt: Interrupt::default() };
    let done = tokio::select! {
        done = command.run(&context) => done,
        () = context.interrupt.leave(&ui) => return Exit::Interrupted,
    };
    done.unwrap_or_else(|error| {
        error.show(&ui);
        error.exit()
    })
}

impl Command {
    /// Returns what the result is to be written as, where the command has a choice and it was made.
    fn format(&self) -> Option<Format> {
        match self {
            Self::Plan(args) => args.format.of("plan"),
            Self::Drift(args) => args.format.of("drift"),
            Self::Check(args) => args.format(),
            Self::Graph(args) => args.format(),
            _ => None,
        }
    }

    async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self {
            Self::Init(args) => init::run(&args, context),
            Self::Import(args) => import::run(&args, context),
            Self::Check(args) => check::run(&args, context),
            Self::Plan(args) => plan::run(&args, context).await,
            Self::Show(args) => show::run(&args, context),
            Self::Apply(args) => apply::run(&args, context).await,
            Self::Rollback(args) => rollback::run(&args, context).await,
            Self::History(args) => history::run(&args, context),
            Self::Drift(args) => drift::run(&args, context).await,
            Self::Watch(args) => Box::pin(watch::run(&args, context)).await,
            Self::Approve(args) => watch::approve(&args, context).await,
            Self::Retry(args) => watch::retry(&args, context).await,
            Self::Adopt(args) => Box::pin(adopt::run(&args, context)).await,
            Self::Start(args) => start::run(&args, context).await,
            Self::Stop(args) => stop::run(&args, context).await,
            Self::Restart(args) => restart::run(&args, context).await,
            Self::Destroy(args) => destroy::run(&args, context).await,
            Self::Reset(args) => reset::run(&args, context).await,
            Self::Clean(args) => clean::run(&args, context).await,
            Self::Status(args) => status::run(&args, context).await,
            Self::Logs(args) => logs::run(&args, context).await,
            Self::Exec(args) => exec::run(&args, context).await,
            Self::Urls(args) => urls::run(&args, context),
            Self::Explain(args) => explain::run(&args, context),
            Self::Graph(args) => graph::run(&args, context).await,
            Self::Lock(args) => lock::run(&args, context).await,
            Self::Secret(args) => secret::run(&args, context).await,
            Self::Trust(args) => trust::run(&args, context),
            Self::Doctor(args) => doctor::run(&args, context).await,
            Self::Completion(args) => Ok(completion::run(&args, context)),
            Self::Version(args) => version::run(&args, context).await,
            Self::Help(args) => help::run(&args, context),
        }
    }
}

/// Says what clap has to say: help and version are results, the rest is a mistake of the command line.
fn refused(error: &clap::Error) -> Exit {
    // A reader that has gone away is no error.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        _ => Exit::Usage,
    }
}

/// Sends traces to the error output, from `-v` on.
/// Ends with the code for it when nself makes a mistake. What was begun stays as if it had been killed, and
/// the next apply goes on from there.
#[expect(clippy::disallowed_methods, clippy::exit, reason = "there is nothing to return to")]
fn own_up(ui: Ui) {
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or("no words");
        let place = panic.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
        let error = Error::new(Exit::Internal, format!("{said}{}", place.unwrap_or_default()))
            .attempting("this is a mistake in nself itself")
            .remedy(
                "report it with the command; if it was an apply, the next one goes on from here",
            );
        error.show(&ui);
        std::process::exit(Exit::Internal.code().into());
    }));
}

fn trace(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    let colour = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(false)
        .init();
}

/// Returns the definition of the whole command line.
fn definition() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_definition_is_consistent() {
        super::definition().debug_assert();
    }

    #[test]
    fn no_command_takes_the_name_of_an_option_that_holds_everywhere() {
        fn check(command: &clap::Command, everywhere: &[String]) {
            for command in command.get_subcommands() {
                for argument in command.get_arguments() {
                    // One that has the same long form is the same, said in a shorter way.
                    let id = argument.get_id().to_string();
                    let is_other = argument.get_long() != Some(&id);
                    let clashes = everywhere.contains(&id) && is_other;
                    assert!(!clashes, "{} has its own {id}", command.get_name());
                }
                check(command, everywhere);
            }
        }
        let definition = super::definition();
        let everywhere: Vec<String> =
            definition.get_arguments().map(|argument| argument.get_id().to_string()).collect();
        assert!(everywhere.contains(&"file".to_owned()));
        check(&definition, &everywhere);
    }
}
