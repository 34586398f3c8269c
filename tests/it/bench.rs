//! README quotes the benchmark as it was measured.

use std::{fs, path::Path};

const BEGIN: &str = "<!-- benchmark: tests/bench/run writes this -->";
const END: &str = "<!-- benchmark ends -->";

/// What stands between the marks of a file.
fn quoted(file: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (_, behind) = text
        .split_once(BEGIN)
        .unwrap_or_else(|| panic!("{file} has no {BEGIN}"));
    let (quoted, _) = behind
        .split_once(END)
        .unwrap_or_else(|| panic!("{file} has no {END}"));
    quoted.trim().to_owned()
}

#[test]
fn readme_quotes_the_results_of_the_benchmark() {
    let published = quoted("tests/bench/RESULTS.md");
    assert!(
        published.starts_with('|'),
        "RESULTS.md has no summary: run tests/bench/run"
    );
    assert_eq!(
        quoted("README.md"),
        published,
        "README.md does not quote tests/bench/RESULTS.md"
    );
}
