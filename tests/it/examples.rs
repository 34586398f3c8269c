//! Every example is good for something: it validates and parses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nself::spec;

use crate::{case, compile};

/// Returns the file of each project of the examples.
fn projects() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            // Hidden folders hold what an example that ran left there.
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
            if path.is_dir() && !is_hidden {
                folders.push(path);
            } else if path.ends_with("nself.toml") {
                files.push(path);
            }
        }
    }
    assert!(files.len() >= 4, "{files:?}");
    files
}

#[test]
fn the_schema_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/nself.schema.json");
    let schema = serde_json::to_string_pretty(&spec::schema()).unwrap() + "\n";
    if std::env::var_os("NSELF_UPDATE").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == schema, "schemas/nself.schema.json is old: NSELF_UPDATE=1 cargo test");
}

#[test]
fn examples_validate_against_the_schema() {
    let validator = jsonschema::draft202012::new(&spec::schema()).unwrap();
    for path in projects() {
        let text = fs::read_to_string(&path).unwrap();
        let value: serde_json::Value = toml::from_str(&text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
}

#[test]
fn examples_compile() {
    for path in projects() {
        let input = case::input(&path);
        assert!(compile::compile(&input).containers().count() > 0);
    }
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let validator = jsonschema::draft202012::new(&spec::schema()).unwrap();
    let valid = |text: &str| {
        let value: serde_json::Value = toml::from_str(text).unwrap();
        validator.is_valid(&value)
    };
    let project = "[project]\nname = \"a\"\n";
    assert!(valid(&format!(
        "{project}[services.api]\nimage = \"a:1\"\nbuild = {{ context = \".\" }}\n"
    )));
    assert!(valid(&format!("{project}[environments.prod]\nproject.domain = \"a.example.com\"\n")));
    assert!(!valid(&format!("{project}[services.api]\nimagee = \"a:1\"\n")));
    assert!(!valid(&format!("{project}[services.api]\nkind = \"nothing\"\n")));
    assert!(!valid(&format!("{project}[services.api]\nport = \"80\"\n")));
    assert!(!valid("[services.api]\nimage = \"a:1\"\n"));
}
