//! The command line of nself.

fn main() -> std::process::ExitCode {
    nself::cli::main()
}
