//! Programs that tests have beside them, shared by all tests of a run.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A program that ends, and whose folder goes, when this process does: it lives on the pipe to it.
pub struct Companion {
    pub folder: PathBuf,
    _child: Child,
}

impl Companion {
    /// Runs a shell script in a folder of its own. The script ends with the end of its input.
    pub fn start(prepare: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let script = prepare(&folder);
        let log = std::fs::File::create(folder.join("log")).unwrap();
        // The last line has the shell stay, so that it can tidy up.
        let script = format!("{script}\nrm -rf \"$PWD\"\n");
        let child = Command::new("/bin/sh")
            .args(["-c", &script])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { folder, _child: child }
    }

    /// Waits until something holds; says what the program printed if it never does.
    pub fn until(&self, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
