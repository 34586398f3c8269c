//! The text of `nself.toml`, with an overlay behind a line `#@ overlay`.

use std::{collections::BTreeMap, sync::Arc};

use nself::{
    desired::{self, Compiled, Facts},
    model::{Diagnostic, Digest, Severity},
    report::diagnostic::{Colour, text as shown},
    spec::{self, Input, Source, Spec},
};

use super::text;

/// Parses, compiles and checks.
///
/// # Panics
/// When a mistake points outside of the text or drives a terminal, when a comment behind the last line
/// changes what the file says, or when what was compiled does not hold together.
pub fn check(bytes: &[u8]) {
    let mut files = text::files("nself.toml", bytes).into_iter();
    let main = files.next().map(|(name, bytes)| Source::new(name, bytes)).expect("there is one");
    let overlay = files.find(|(name, _)| *name == "overlay");
    let overlay = overlay.map(|(_, bytes)| Source::new("nself.prod.toml", bytes));
    let environment = overlay.is_some().then(|| "prod".parse().expect("a name"));
    let process = BTreeMap::from([
        ("PORT".to_owned(), "8080".to_owned()),
        ("ODD".to_owned(), "\u{1b}[31m ü ${var.x} $${ } \" ' \\ \u{7f}".to_owned()),
        ("UNASKED".to_owned(), text::HUSH.to_owned()),
    ]);
    let input = Input { main, overlay, environment, process };
    let sources: Vec<(Arc<str>, String)> = [Some(&input.main), input.overlay.as_ref()]
        .into_iter()
        .flatten()
        .map(|source| (source.name.clone(), source.text().into_owned()))
        .collect();
    let problems = match spec::parse(&input) {
        Ok(parsed) => {
            assert!(parsed.warnings.iter().all(|one| one.severity == Severity::Warning));
            same_with_a_comment_behind(&input, &parsed.spec);
            text::sound(&parsed.warnings, &sources);
            compiled(&parsed.spec)
        }
        Err(problems) => {
            assert!(problems.iter().any(|one| one.severity == Severity::Error));
            problems
        }
    };
    text::sound(&problems, &sources);
    let all = shown(&problems, &sources, Colour::Plain);
    let asked = bytes.windows(7).any(|window| window == b"UNASKED");
    assert!(asked || !all.contains(text::HUSH), "{all}");
    spec::environments(&input.main);
}

/// Compiles and looks at what came out.
fn compiled(spec: &Spec) -> Vec<Diagnostic> {
    match desired::compile(spec, &facts(spec)) {
        Ok(Compiled { desired, warnings }) => {
            assert_eq!(desired::check(&desired), []);
            assert!(desired.order().is_ok(), "what is sound has an order");
            for (id, resource) in &desired.resources {
                assert_eq!(id.to_string().parse().as_ref(), Ok(id), "a name reads back");
                for path in resource.fields().0.keys() {
                    let read = desired::Path::parse(&path.to_string());
                    assert_eq!(read.as_ref(), Some(path), "a path reads back");
                }
            }
            warnings
        }
        Err(problems) => {
            assert!(problems.iter().any(|one| one.severity == Severity::Error));
            problems
        }
    }
}

fn same_with_a_comment_behind(input: &Input, spec: &Spec) {
    let mut longer = input.clone();
    longer.main.bytes.extend(b"\n# the end\n");
    let again = spec::parse(&longer).map(|parsed| parsed.spec);
    assert_eq!(again.as_ref(), Ok(spec), "a comment changes what the file says");
}

/// Every folder can be read.
fn facts(spec: &Spec) -> Facts {
    let builds = spec.services.iter().filter_map(|(name, service)| {
        let build = service.settings.build.as_ref()?;
        Some((name.clone(), Digest::of(build.value.context.as_bytes())))
    });
    Facts { now: 1_795_392_000_000, contexts: builds.collect(), ..Facts::default() }
}
