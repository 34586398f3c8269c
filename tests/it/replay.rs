//! The corpora of the fuzz targets, through the same checks: `fuzz/README.md` says how they grow.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use fuzz::CHECKS;

/// What takes longer goes on for ever: every file takes some milliseconds.
const PATIENCE: Duration = Duration::from_mins(2);
/// What threads of the runtime have.
const STACK: usize = 2 << 20;

#[test]
fn kept_inputs_hold() {
    let (done, ended) = mpsc::channel();
    let runs = CHECKS.map(|(target, check)| {
        let done = done.clone();
        let run = move || {
            for file in inputs(target) {
                let bytes = fs::read(&file).unwrap();
                // What is not ended by a panic, a full stack, is at least named.
                let name = format!("{target}/{}", file.file_name().unwrap().to_string_lossy());
                let held = std::panic::catch_unwind(|| check(&bytes));
                assert!(held.is_ok(), "{name} does not hold");
            }
            done.send(target).unwrap();
        };
        thread::Builder::new().name(target.to_owned()).stack_size(STACK).spawn(run).unwrap()
    });
    drop(done);
    let mut left: BTreeSet<&str> = CHECKS.iter().map(|(target, _)| *target).collect();
    while !left.is_empty() {
        match ended.recv_timeout(PATIENCE) {
            Ok(target) => _ = left.remove(target),
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("{left:?} do not come to an end"),
            // The others ended otherwise, and say how.
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    for run in runs {
        let target = run.thread().name().unwrap_or_default().to_owned();
        assert!(run.join().is_ok(), "{target}: see above");
    }
}

/// The cases of other tests hold, too.
#[test]
fn cases_hold() {
    for folder in ["spec", "compile", "plan"] {
        for case in crate::case::paths(folder) {
            fuzz::spec::check(&fs::read(case).unwrap());
        }
    }
}

#[test]
fn every_target_has_its_parts_and_the_corpora_stay_small() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let names: BTreeSet<String> = CHECKS.map(|(target, _)| target.to_owned()).into();
    for (target, _) in CHECKS {
        let file = format!("fuzz_targets/{target}.rs");
        assert!(manifest.contains(&format!("path = \"{file}\"")), "{target} is not in Cargo.toml");
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert!(text.contains(&format!("nself_fuzz::{target}::check(data)")), "{text}");
    }
    let folders = fs::read_dir(root().join("corpus")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(folders.collect::<BTreeSet<_>>(), names, "a corpus for each target");
    let files: Vec<_> = names.iter().flat_map(|target| inputs(target)).collect();
    let size: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(size < 300 << 10, "the corpora have {size} bytes");
}

fn inputs(target: &str) -> Vec<PathBuf> {
    let folder = root().join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|_| panic!("{}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}
