//! The rules of the house, as a test: who may use whom, where the engine's library may be named, what
//! every file must have.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Room → the rooms it may use. This table is the dependency diagram.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("catalog", &["model"]),
    ("spec", &["model", "catalog"]),
    ("desired", &["model", "catalog", "spec"]),
    ("observed", &["model", "catalog", "desired"]),
    ("diff", &["model", "catalog", "desired", "observed"]),
    ("plan", &["model", "catalog", "desired", "observed", "diff"]),
    ("doctor", &["model", "desired", "observed", "diff", "plan"]),
    ("compose", &["model", "catalog", "spec"]),
    ("edit", &["model", "catalog", "spec", "desired", "observed", "diff", "compose"]),
    ("sync", &["model"]),
    ("source", &["model", "sync"]),
    ("notice", &["model", "sync"]),
    ("secret", &["model", "desired"]),
    ("cert", &["model", "secret"]),
    ("history", &["model", "sync"]),
    ("engine", &["model", "catalog", "desired", "observed", "plan", "source"]),
    ("apply", &["model", "desired", "plan", "engine"]),
    (
        "controller",
        &[
            "model", "catalog", "spec", "desired", "observed", "diff", "plan", "doctor", "sync",
            "source", "notice", "secret", "cert", "history", "engine", "apply",
        ],
    ),
    (
        "report",
        &[
            "model",
            "catalog",
            "spec",
            "desired",
            "observed",
            "diff",
            "plan",
            "doctor",
            "sync",
            "history",
            "engine",
            "controller",
        ],
    ),
    ("web", &["model", "sync", "history", "controller", "report"]),
    (
        "cli",
        &[
            "model",
            "catalog",
            "spec",
            "desired",
            "observed",
            "diff",
            "plan",
            "doctor",
            "sync",
            "compose",
            "edit",
            "source",
            "notice",
            "secret",
            "cert",
            "history",
            "engine",
            "apply",
            "controller",
            "report",
            "web",
        ],
    ),
];

/// Rooms that take values and return values.
const PURE: &[&str] = &[
    "model", "catalog", "spec", "desired", "observed", "diff", "plan", "doctor", "compose", "edit",
    "sync", "report",
];

/// A library → the only places that may name it.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("bollard", &["engine/docker"]),
    ("petgraph", &["desired"]),
    ("rcgen", &["cert"]),
    ("toml", &["spec", "secret"]),
    ("toml_edit", &["compose", "edit"]),
    ("serde_saphyr", &["compose"]),
    ("clap", &["cli"]),
    ("rusqlite", &["history"]),
    ("age", &["secret"]),
    ("indicatif", &["cli"]),
    ("axum", &["web"]),
    ("prometheus_client", &["web"]),
    ("notify", &["source"]),
    ("lettre", &["notice"]),
];

/// Who may turn a secret into bytes.
const MAY_EXPOSE: &[&str] = &[
    "model", "catalog", "diff", "observed", "engine", "source", "notice", "secret", "cert", "web",
    "cli", "plan", "edit",
];

#[test]
fn rooms_use_only_rooms_above_them() {
    let mut wrong = Vec::new();
    for (place, text) in sources() {
        let Some(room) = room(&place) else { continue };
        let allowed = ROOMS.iter().find(|(name, _)| *name == room).map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else {
            wrong.push(format!("{place}: the room `{room}` is not in the table"));
            continue;
        };
        for (used, _) in ROOMS {
            if *used != room && !allowed.contains(used) && uses(&text, used) {
                wrong.push(format!("{place}: `{room}` may not use `{used}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_points_up() {
    for (index, (room, allowed)) in ROOMS.iter().enumerate() {
        for used in *allowed {
            let above = ROOMS[..index].iter().any(|(name, _)| name == used);
            assert!(above, "{room} uses {used}, which does not stand above it");
        }
    }
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let table: Vec<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    assert_eq!(declared, table, "lib.rs declares the rooms in reading order");
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (place, text) in sources() {
        for (library, homes) in LIBRARIES {
            let at_home = homes.iter().any(|home| place.starts_with(home));
            let path = format!("{library}::");
            let is_named = |line: &str| {
                line.match_indices(&path).any(|(start, _)| {
                    let before = line[..start].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                })
            };
            let named = code(&text).any(is_named);
            if named && !at_home {
                wrong.push(format!("{place}: names {library}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_do_not_touch_the_world() {
    let forbidden = [
        "std::fs",
        "std::env",
        "std::process",
        "std::net",
        "tokio::",
        "SystemTime",
        "Instant::now",
    ];
    let mut wrong = Vec::new();
    for (place, text) in sources() {
        if !room(&place).is_some_and(|room| PURE.contains(&room.as_str())) {
            continue;
        }
        for line in code(&text) {
            if let Some(word) = forbidden.iter().find(|word| line.contains(**word)) {
                wrong.push(format!("{place}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn secrets_are_revealed_where_they_must_be_only() {
    for (place, text) in sources() {
        let exposes = code(&text).any(|line| line.contains(".expose()"));
        let may = room(&place).is_none_or(|room| MAY_EXPOSE.contains(&room.as_str()));
        assert!(!exposes || may, "{place} reveals secrets");
    }
}

#[test]
fn every_file_says_what_it_is_for_and_fits_on_a_few_screens() {
    let mut wrong = Vec::new();
    for (place, text) in sources() {
        let first = text.lines().find(|line| !line.starts_with("#!"));
        if !first.is_some_and(|line| line.starts_with("//!")) {
            wrong.push(format!("{place}: does not begin with what it is for"));
        }
        let lines = code(&text).count();
        if lines > 500 {
            wrong.push(format!("{place}: {lines} lines of code"));
        }
        if text.lines().any(|line| line.ends_with([' ', '\t'])) {
            wrong.push(format!("{place}: space at the end of a line"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_kind_and_every_test_file_is_registered() {
    let catalog = fs::read_to_string(root().join("src/catalog/mod.rs")).unwrap();
    let shared = ["mod", "blueprint", "inner", "kind", "probe", "tests"];
    for file in files(&root().join("src/catalog")) {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_kind =
            file.parent().unwrap().ends_with("catalog") && !shared.contains(&name.as_str());
        assert!(!is_kind || catalog.contains(&format!("{name} => ")), "{name} is not in kinds!");
    }
    let tests = fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for entry in fs::read_dir(root().join("tests/it")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_test = path.extension().is_some_and(|ending| ending == "rs") && name != "main";
        assert!(!is_test || tests.contains(&format!("mod {name};")), "{name} is not in main.rs");
    }
}

#[test]
fn licences_are_known() {
    let metadata = std::process::Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform=x86_64-unknown-linux-gnu",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let good = |licence: &str| {
        let known = [
            "MIT",
            "Apache-2.0",
            "BSD-3-Clause",
            "BSD-2-Clause",
            "ISC",
            "Zlib",
            "Unicode-3.0",
            "Unlicense",
            "0BSD",
            "CC0-1.0",
            "BSL-1.0",
            "CDLA-Permissive-2.0",
            "MIT-0",
            "Apache-2.0 WITH LLVM-exception",
            "MPL-2.0",
        ];
        let words = licence.replace(['(', ')'], "").replace('/', " OR ");
        words.split(" AND ").all(|part| part.split(" OR ").any(|one| known.contains(&one.trim())))
    };
    let mut unknown = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or("none");
        if !good(licence) {
            unknown.insert(package["name"].to_string(), licence.to_owned());
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the path below `src` and the text of every source file.
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    files(&src)
        .into_iter()
        .map(|path| {
            let place = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
            (place, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// Returns the room a file is in; `None` for `lib.rs` and `main.rs`.
fn room(place: &str) -> Option<String> {
    let first = place.split('/').next()?;
    let room = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(room, "lib" | "main")).then(|| room.to_owned())
}

/// Returns the lines of a file that are code, without its tests.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
}

/// Returns whether code uses a room: `crate::room`, also in a grouped import.
fn uses(text: &str, room: &str) -> bool {
    let code: String = code(text).collect::<Vec<_>>().join(" ");
    if code.contains(&format!("crate::{room}::")) || code.contains(&format!("crate::{room};")) {
        return true;
    }
    code.split("use crate::{").skip(1).any(|group| {
        let mut depth = 1;
        let mut item = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && c == ',' {
                if names(&item, room) {
                    return true;
                }
                item.clear();
            } else if depth == 1 {
                item.push(c);
            }
        }
        names(&item, room)
    })
}

fn names(item: &str, room: &str) -> bool {
    let item = item.trim();
    item == room || item.starts_with(&format!("{room}::"))
}
