//! Cases that are files: `NAME.toml` is read, and what comes of it is compared with `NAME.txt`.
//!
//! `NSELF_UPDATE=1 cargo test` writes the `.txt` files anew. A case may begin with `# environment: prod`
//! and `# set: NAME=value` lines; `NAME.overlay` beside it is the environment's own file.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use nself::spec::{Input, Source};

/// Runs `show` on every case of a folder below `tests/it`.
pub(crate) fn each(folder: &str, mut show: impl FnMut(&Input) -> String) {
    let cases = paths(folder);
    let differs = |path: &PathBuf| {
        let shown = show(&input(path));
        difference(&path.with_extension("txt"), &shown)
    };
    let failed: Vec<_> = cases.iter().filter_map(differs).collect();
    assert!(failed.is_empty(), "these differ from their .txt files:\n{}", failed.join("\n"));
}

/// Compares `shown` with a file below `tests/it`.
pub(crate) fn compare(file: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(file);
    if let Some(difference) = difference(&path, shown) {
        panic!("{difference}");
    }
}

fn difference(path: &Path, shown: &str) -> Option<String> {
    if std::env::var_os("NSELF_UPDATE").is_some() {
        fs::write(path, shown).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    let diff = similar::TextDiff::from_lines(expected.as_str(), shown);
    let name = path.display().to_string();
    (expected != shown).then(|| diff.unified_diff().header(&name, "now").to_string())
}

/// Returns one case of a folder below `tests/it`.
pub(crate) fn named(folder: &str, name: &str) -> Input {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(folder);
    input(&folder.join(name).with_extension("toml"))
}

/// Runs `look` on every case of a folder below `tests/it`.
pub(crate) fn each_input(folder: &str, mut look: impl FnMut(&Input)) {
    for case in paths(folder) {
        look(&input(&case));
    }
}

/// Returns the texts of a case by file name.
pub(crate) fn sources(input: &Input) -> Vec<(Arc<str>, String)> {
    let files = [Some(&input.main), input.overlay.as_ref()].into_iter().flatten();
    files.map(|source| (source.name.clone(), source.text().into_owned())).collect()
}

/// Returns the cases of a folder below `tests/it`.
pub(crate) fn paths(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(folder);
    let mut cases: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no cases in {}", folder.display());
    cases
}

/// Reads one case.
pub(crate) fn input(path: &Path) -> Input {
    let bytes = fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let header = |key: &str| {
        let prefix = format!("# {key}: ");
        text.lines().filter_map(|line| Some(line.strip_prefix(&prefix)?.to_owned())).collect()
    };
    let environments: Vec<String> = header("environment");
    let set: Vec<String> = header("set");
    let overlay = path.with_extension("overlay");
    Input {
        main: Source::new("nself.toml", bytes),
        overlay: fs::read(overlay).ok().map(|bytes| Source::new("nself.prod.toml", bytes)),
        environment: environments.first().map(|name| name.parse().unwrap()),
        process: set
            .iter()
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<BTreeMap<_, _>>(),
    }
}
