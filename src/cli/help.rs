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
    /// A command, or one of: exit-codes, engine, allow, environment, json
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
    ("policy", || POLICY.to_owned()),
    ("json", json),
];

const ENGINE: &str = "\
How the engine is chosen, first match first:

  --engine ADDRESS             on the command line; nself says so where it contradicts the file
  engine = \"ADDRESS\"           in nself.toml, or in its [environments.NAME]
  DOCKER_HOST                  as for docker
  the docker context           DOCKER_CONTEXT, else the current one of ~/.docker/config.json
  unix:///var/run/docker.sock

An ADDRESS is one of:

  unix:///path/to/socket       Docker, or Podman: unix:///run/podman/podman.sock
  ssh://user@host:port/socket  the same on another machine; all but the host may be left out
  tcp://host:port              TLS where there are certificates; else only on this machine
  https://host:port            TLS
  http://host:port             no encryption: only in a network that is yours alone

ssh:// runs the system's ssh, or NSELF_SSH, with your own configuration, keys, known hosts and jump
hosts; it never asks, so try `ssh user@host` once. There it needs a shell, the right to forward
sockets, and an account that may use the engine's socket: /var/run/docker.sock unless you name another.

TLS wants a folder with ca.pem, and cert.pem and key.pem where the engine checks its clients:
DOCKER_CERT_PATH, or with DOCKER_TLS_VERIFY=1 alone ~/.docker, or what the docker context has. The
engine's certificate is always checked.

On another machine, folders that nself.toml mounts are that machine's, and ports are published there.
Whether a service is ready is asked by a shell inside it there; without one by its health check.
Podman changes no limits in place, so there a container is replaced where Docker would update it.
`nself version` shows what was chosen.
";

const ALLOW: &str = "\
What would destroy data, or take what is not this project's, is held: it stands in the plan, apply does
all else and ends with 4. You release it by name:

  --allow remove:volume/NAME       delete a volume and all that is in it
  --allow replace:container/NAME   put ours in the place of a container that is not ours
  --allow adopt:volume/NAME        take what is there as ours, as it is
  --allow policy:NAME              whatever a [[policy]] of nself.toml holds
  --allow policy:refuse-over       removals that are more at once than `refuse_over` lets pass

`nself plan` prints the exact command under each held resource. -y releases nothing.
";

const ENVIRONMENT: &str = "\
Variables of the shell that nself reads:

  NSELF_ENVIRONMENT            the environment, as -e
  DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG,
  DOCKER_CERT_PATH, DOCKER_TLS_VERIFY, NSELF_SSH   see nself help engine
  NSELF_AGE_KEY_FILE           a file with the age identity that opens an encrypted vault
  NSELF_AGE_KEY                that identity itself
  NO_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM     colour
  COLUMNS                      the width of pages
  HOME, XDG_DATA_HOME          where your own certificate authority is kept

Nothing else enters a plan, but for what nself.toml declares under [variables].
";

const POLICY: &str = "\
Rules over every plan, each in a [[policy]] of nself.toml with a name of its own:

  [[policy]]
  name   = \"no-privileged\"
  deny   = \"privileged\"
  except = [\"runner\"]           # or services = [\"api\"]; all of them by default
  effect = \"refuse\"

A rule says one of these:

  deny             privileged           all rights on the host
                   host-namespaces      a namespace of the host
                   docker-socket        the engine's socket, or a folder it lies in
                   bind-mounts          a path of the host
                   devices              a device of the host
                   added-capabilities   a capability beyond the engine's own
                   latest-tag           a pulled image with the tag latest
                   unpinned             a pulled image without a digest
                   publish-everywhere   a port on every address of the host
                   root-user            user root in the file; an image's own user is not known
  require          limits.memory, limits.cpus, limits.pids, health, read_only, user, restart,
                   no-new-privileges, cap_drop (ALL); a job needs no health and no restart
  max_removals     containers, networks, volumes and things inside services that go at once
  max_recreates    containers that are made anew at once
  max_unavailable  running containers that are stopped at once, for a while or for good

The last three are numbers, or shares such as \"25%\" of what is there. What comes of a rule that bites:

  hold      the change waits for --allow policy:NAME, all else is done (the default)
  refuse    nothing at all is applied, and nothing releases it
  warn      it is said

refuse_over = \"30%\" in [project], or --refuse-over 30%, holds all removals when more than that would go at
once: a file that lost its services in a merge does no harm. In production it is 50% of four resources or
more. `nself destroy` is exempt. A [[environments.NAME.policy]] takes the place of all rules of the file.
";

/// The part of the page on JSON that stands before the list of outputs.
const JSON: &str = "\
Every command that prints data takes --json. Commands that go on print one JSON object a line. A command
that ends without its result prints an object with `error`, or with `diagnostics` where the file has
mistakes, and ends with its usual code.

What you can rely on: each object says its `format_version`. Its first number moves when a key goes or
means something else; its second one when keys or words are added, so let your reader pass over what it
does not know. A plan follows Terraform's JSON plan representation, so that tools for that one read it:
its `format_version` is Terraform's, and what is ours alone lies under `nself`, with our own. Secrets stand
as fingerprints.

The schemas, each in schemas/NAME.schema.json:

";

/// The part behind it.
const FORMATS: &str = "
For other readers: plan and drift take --format markdown (a comment on a pull request; its first line is a
hidden marker to find it again by) and --format sarif (SARIF 2.1.0, for code scanning); check takes
--format sarif, graph takes --format dot.
";

fn json() -> String {
    let outputs = crate::report::json::OUTPUTS.iter();
    let lines = outputs.map(|output| format!("  {:<8}  {}\n", output.name, output.printed_by));
    format!("{JSON}{}{FORMATS}", lines.collect::<Vec<_>>().concat())
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{Denied, Required, RuleEffect};

    #[test]
    fn the_page_of_policies_has_every_word() {
        let words = Denied::ALL.iter().map(|denied| denied.word());
        let words = words.chain(Required::ALL.iter().map(|required| required.word()));
        for word in words.chain(RuleEffect::ALL.iter().map(|effect| effect.word())) {
            assert!(POLICY.contains(word), "{word}");
        }
    }
}
