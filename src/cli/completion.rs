//! `nself completion`

use clap::Args;
use clap_complete::Shell;

use super::{Context, Exit};

/// Write completions for a shell
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself completion bash > ~/.local/share/bash-completion/completions/nself
  nself completion zsh > ~/.zfunc/_nself
  nself completion fish > ~/.config/fish/completions/nself.fish")]
pub(super) struct CompletionArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionArgs, context: &Context) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::definition(), "nself", &mut script);
    context.ui.data(&String::from_utf8_lossy(&script));
    Exit::Done
}
