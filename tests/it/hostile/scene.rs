//! A project in a folder of its own, and the program called in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use assert_cmd::cargo::cargo_bin;

/// A folder with a project, and the engine its program talks to.
pub(super) struct Scene {
    folder: tempfile::TempDir,
    engine: String,
}

/// What a call of the program came to.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ended {
    /// Returns everything that was said, the output first, with the code.
    pub(super) fn whole(&self) -> String {
        let Self { code, out, err } = self;
        format!("{out}--- errors\n{err}--- exit {code}\n")
    }
}

impl Scene {
    /// Returns a project without an engine: whoever asks for one is told so.
    pub(super) fn without_engine(text: &str) -> Self {
        let scene = Self::on("", text);
        let engine = format!("unix://{}/none.sock", scene.folder().display());
        Self { engine, ..scene }
    }

    /// Returns a project on the engine at an address.
    pub(super) fn on(engine: &str, text: &str) -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap(), engine: engine.to_owned() };
        scene.write(text);
        scene
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes `nself.toml`.
    pub(super) fn write(&self, text: &str) {
        fs::write(self.path("nself.toml"), text).unwrap();
    }

    /// Returns the program in this folder, with an environment of its own.
    pub(super) fn program(&self, words: &str) -> Command {
        let mut command = Command::new(cargo_bin("nself"));
        self.surround(&mut command);
        command.args(words.split_whitespace());
        command
    }

    /// Gives a command this folder and an environment of its own.
    pub(super) fn surround(&self, command: &mut Command) {
        command
            .current_dir(self.folder())
            .env_clear()
            .env("HOME", self.folder())
            .env("COLUMNS", "120")
            .env("DOCKER_HOST", &self.engine)
            .stdin(Stdio::null());
    }

    pub(super) fn run(&self, words: &str) -> Ended {
        self.end(self.program(words))
    }

    /// Runs a command to its end; what differs from one time to the next has a name in its words.
    pub(super) fn end(&self, mut command: Command) -> Ended {
        let output = command.output().unwrap();
        let text = |bytes| self.steady(&String::from_utf8(bytes).unwrap());
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Starts the program and leaves it alone.
    pub(super) fn spawn(&self, words: &str) -> Child {
        let mut command = self.program(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits for a program that was left alone.
    pub(super) fn wait(&self, child: Child) -> Ended {
        let output = child.wait_with_output().unwrap();
        let text = |bytes| self.steady(&String::from_utf8(bytes).unwrap());
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Applies, and insists that this was all.
    pub(super) fn converge(&self) {
        let ended = self.run("apply -y");
        assert_eq!(ended.code, 0, "{}", ended.whole());
        let plan = self.run("plan --exit-code");
        assert_eq!(plan.code, 0, "not empty right after an apply: {}", plan.whole());
    }

    /// Puts names in the place of what differs from one time to the next.
    fn steady(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for folder in [self.folder().canonicalize().unwrap(), self.folder().to_owned()] {
            text = text.replace(folder.to_str().unwrap(), "HERE");
        }
        if !self.engine.is_empty() {
            text = text
                .replace(&self.engine.replace(self.folder().to_str().unwrap(), "HERE"), "ENGINE");
        }
        without_times(&text)
    }
}

/// Puts `T` in the place of each length of time: whatever stands before ` ms`, ` s` and ` min`.
fn without_times(text: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    for place in 1..words.len() {
        let unit = words[place].trim_end_matches([')', ';', ',', '\n', '.']);
        let unit = unit.split('\n').next().unwrap();
        let before = words[place - 1];
        let number = before.chars().all(|c| c.is_ascii_digit() || c == '.') && !before.is_empty();
        if number && matches!(unit, "ms" | "s" | "min") {
            words[place - 1] = "T";
        }
    }
    words.join(" ").replace("T ms", "T").replace("T min", "T").replace("T s", "T")
}

/// Waits until something holds, and fails when it does not within half a minute.
pub(super) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::yield_now();
    }
}

/// Puts `N` in the place of how often something was tried or started again, and shows what a log says
/// again and again once: how often that is depends on the machine.
pub(super) fn without_counts(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        // What one that is started again and again does at the moment is either.
        let line = &line.replace("running, after", "exit 3, starting again, after");
        let words: Vec<&str> = line.split(' ').collect();
        let counted = |place: usize| {
            let next = words.get(place + 1).map_or("", |word| word.trim_end_matches(','));
            matches!(next, "tries" | "restarts")
        };
        let word = |place: usize| if counted(place) { "N" } else { words[place] };
        let line = (0..words.len()).map(word).collect::<Vec<_>>().join(" ");
        let again = lines.last().is_some_and(|last| last.ends_with(line.trim_start()));
        if !again || line.is_empty() {
            lines.push(line);
        }
    }
    lines.join("\n") + "\n"
}
