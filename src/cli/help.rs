//! `nself help`

use clap::Args;

use super::{Context, Error, Exit};

/// Explain a command or a topic
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself help apply             the same as nself apply --help
  nself help exit-codes        what a script can rely on
  nself help engine            how the engine is chosen")]
pub(super) struct HelpArgs {
    /// A command, or one of: exit-codes, engine, allow, environment
    topic: Vec<String>,
}

/// Pages that are about no single command.
type Topic = (&'static str, fn() -> String);

/// All of them.
const TOPICS: &[Topic] = &[
    ("exit-codes", exit_codes),
    ("engine", || ENGINE.to_owned()),
    ("allow", || ALLOW.to_owned()),
    ("environment", || ENVIRONMENT.to_owned()),
];

const ENGINE: &str = "\
How the engine is chosen, first match first:

  --engine ADDRESS             on the command line; nself says so where it contradicts the file
  engine = \"ADDRESS\"           in nself.toml, or in its [environments.NAME]
  DOCKER_HOST                  as for docker
  the docker context           DOCKER_CONTEXT, else the current one of ~/.docker/config.json
  unix:///var/run/docker.sock

An ADDRESS is unix:///path/to/socket or tcp://host:port; ssh:// is not supported yet in this version.
`nself version` shows what was chosen.
";

const ALLOW: &str = "\
What would destroy data, or take what is not this project's, is held: it stands in the plan, apply does
all else and ends with 4. You release it by name:

  --allow remove:volume/NAME       delete a volume and all that is in it
  --allow replace:container/NAME   put ours in the place of a container that is not ours
  --allow adopt:volume/NAME        take what is there as ours, as it is

`nself plan` prints the exact command under each held resource. -y releases nothing.
";

const ENVIRONMENT: &str = "\
Variables of the shell that nself reads:

  NSELF_ENVIRONMENT            the environment, as -e
  DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG   see nself help engine
  NSELF_AGE_KEY_FILE           a file with the age identity that opens an encrypted vault
  NSELF_AGE_KEY                that identity itself
  NO_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM     colour
  COLUMNS                      the width of pages
  HOME, XDG_DATA_HOME          where your own certificate authority is kept

Nothing else enters a plan, but for what nself.toml declares under [variables].
";

fn exit_codes() -> String {
    let lines = Exit::ALL.iter().map(|exit| format!("  {:>3}  {}", exit.code(), exit.meaning()));
    let lines: Vec<String> = lines.collect();
    format!("How nself ends:\n\n{}\n", lines.join("\n"))
}

pub(super) fn run(args: &HelpArgs, context: &Context) -> Result<Exit, Error> {
    let mut command = super::definition();
    command.build();
    if let [topic] = args.topic.as_slice()
        && let Some((_, page)) = TOPICS.iter().find(|(name, _)| name == topic)
    {
        context.ui.data(&page());
        return Ok(Exit::Done);
    }
    let mut found = &mut command;
    for word in &args.topic {
        found = found.find_subcommand_mut(word).ok_or_else(|| {
            let topics: Vec<&str> = TOPICS.iter().map(|(name, _)| *name).collect();
            Error::usage(format!("there is no command and no topic `{word}`"))
                .remedy(format!("nself help, or nself help {}", topics.join(" | ")))
        })?;
    }
    context.ui.data(&found.render_long_help().ansi().to_string());
    if args.topic.is_empty() {
        let topics: Vec<&str> = TOPICS.iter().map(|(name, _)| *name).collect();
        context.ui.data(&format!("\nTopics (nself help TOPIC): {}\n", topics.join(", ")));
    }
    Ok(Exit::Done)
}
