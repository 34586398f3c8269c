//! README quotes the benchmark as it was measured.

use std::{fs, path::Path};

const BEGIN: &str = "<!-- benchmark: tests/bench/run writes this -->";
const END: &str = "<!-- benchmark ends -->";

const RESULTS: &str = "tests/bench/RESULTS.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What stands between the marks of a file.
fn quoted(file: &str) -> String {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let (_, behind) = text.split_once(BEGIN).unwrap_or_else(|| panic!("{file} has no {BEGIN}"));
    let (quoted, _) = behind.split_once(END).unwrap_or_else(|| panic!("{file} has no {END}"));
    quoted.trim().to_owned()
}

#[test]
fn readme_quotes_the_results_of_the_benchmark() {
    // Before the whole table was measured there is nothing to quote.
    let published = if root().join(RESULTS).exists() { quoted(RESULTS) } else { String::new() };
    assert_eq!(quoted("README.md"), published, "README.md does not quote {RESULTS}");
}
