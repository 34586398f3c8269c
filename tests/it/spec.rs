//! Configurations with mistakes, and what is said of them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use nself::{
    desired,
    report::diagnostic::{Colour, text},
    spec::{Input, Source, parse},
};

use crate::{case, compile};

#[test]
fn mistakes_are_explained() {
    case::each("spec", |input| {
        let diagnostics = match parse(input) {
            Ok(parsed) => parsed.warnings,
            Err(diagnostics) => diagnostics,
        };
        text(&diagnostics, &case::sources(input), Colour::Plain)
    });
}

/// Every code that is written somewhere in the rooms must come up in some case.
#[test]
fn every_diagnostic_has_a_case() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = BTreeSet::new();
    case::each_input("spec", |input| match parse(input) {
        Ok(parsed) => seen.extend(parsed.warnings.iter().map(|problem| problem.code.to_owned())),
        Err(found) => seen.extend(found.iter().map(|problem| problem.code.to_owned())),
    });
    let mut written = BTreeSet::new();
    for folder in ["src/spec", "src/model", "src/desired/compile"] {
        codes(&root.join(folder), &mut written);
    }
    case::each_input("compile", |input| {
        let Ok(parsed) = parse(input) else { return };
        let compiled = desired::compile(&parsed.spec, &compile::facts(&parsed.spec));
        let problems = compiled.map_or_else(|problems| problems, |compiled| compiled.warnings);
        seen.extend(problems.iter().map(|problem| problem.code.to_owned()));
    });
    // Too large to keep as a case; its unit test is beside it.
    written.remove("too-large");
    let missing: Vec<_> = written.difference(&seen).collect();
    assert!(missing.is_empty(), "no case shows {missing:?}");
}

fn codes(folder: &std::path::Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for start in ["Diagnostic::error(", "Diagnostic::warning("] {
            for (index, _) in text.match_indices(start) {
                let rest = text[index + start.len()..].trim_start();
                if let Some(code) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                    found.insert(code.to_owned());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Whatever a file turns into by accident: nothing panics, mistakes can be shown, and what passes
    /// compiles to something that holds together or is refused.
    #[test]
    fn damaged_files_do_no_harm(
        case in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..40_usize, "[\\[\\]{}=.,$#a-z0-9\"'\n ü-]{0,12}"),
            1..4,
        ),
    ) {
        let paths = [case::paths("spec"), case::paths("compile")].concat();
        let mut input = case::input(&paths[case.index(paths.len())]);
        let mut bytes = input.main.bytes.clone();
        for (at, length, instead) in cuts {
            let start = at.index(bytes.len() + 1);
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, instead.bytes());
        }
        input.main.bytes = bytes;
        let problems = match parse(&input) {
            Ok(parsed) => match desired::compile(&parsed.spec, &compile::facts(&parsed.spec)) {
                Ok(compiled) => {
                    prop_assert_eq!(desired::check(&compiled.desired), []);
                    compiled.warnings
                }
                Err(problems) => problems,
            },
            Err(problems) => problems,
        };
        text(&problems, &case::sources(&input), Colour::Ansi);
    }
}

#[test]
fn five_thousand_services_are_quick() {
    use std::fmt::Write as _;
    let mut file = "[project]\nname = \"many\"\n".to_owned();
    for index in 0..5000 {
        let port = 10_000 + index;
        // A chain, so that depth is tried, too.
        let next = if index < 4999 { format!("${{s{}.host}}", index + 1) } else { String::new() };
        writeln!(
            file,
            "[services.s{index}]\nimage = \"acme/s:{index}\"\nport = 80\nroute = \"r{index}\"\n\
             publish = [\"{port}:80\"]\nenv = {{ A = \"x{next}y\", B = \"${{secret.b}}\" }}\n",
        )
        .unwrap();
    }
    let input = Input {
        main: Source::new("nself.toml", file),
        overlay: None,
        environment: None,
        process: std::collections::BTreeMap::new(),
    };
    let start = std::time::Instant::now();
    let parsed = parse(&input);
    let spec = parsed.unwrap().spec;
    let desired = desired::compile(&spec, &compile::facts(&spec)).unwrap().desired;
    let took = start.elapsed();
    assert_eq!(desired::check(&desired), []);
    assert_eq!(desired.containers().count(), 5001);
    assert!(took.as_secs_f64() < 8.0, "an unoptimised build took {took:?}");
}
