//! What the statements say. That a real server understands them is tested where one runs.

use super::*;
use crate::catalog::postgres::script::connect;

fn inner(kind: InnerKind, database: Option<&str>, name: &str) -> Inner {
    let service = ServiceName::new("postgres").unwrap();
    Inner { service, kind, database: database.map(str::to_owned), name: name.to_owned() }
}

fn text(statement: &Statement) -> &str {
    statement.stdin.expose()
}

#[test]
fn names_and_texts_cannot_break_out() {
    assert_eq!(identifier("we\"ird"), "\"we\"\"ird\"");
    assert_eq!(literal("it's"), "'it''s'");
    assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    assert_eq!(connect("a=\"'b"), "\\connect -reuse-previous=on 'postgresql:///a%3D%22%27b'");
}

#[test]
fn passwords_never_travel_in_clear() {
    let password = "correct horse battery staple";
    let attributes = BTreeMap::from([
        (LOGIN.to_owned(), Sensitive::new("true")),
        (PASSWORD.to_owned(), Sensitive::new(password)),
    ]);
    let statement = ensure("postgres", "postgres", &inner(InnerKind::Role, None, "app"), &attributes);
    assert!(!text(&statement).contains(password));
    assert!(text(&statement).contains("PASSWORD 'SCRAM-SHA-256$4096:"));
    assert!(!statement.argv.join(" ").contains("SCRAM"));
}

#[test]
fn an_answer_that_ends_early_is_an_error() {
    assert!(read("").is_err());
    let role = r#"{"service":"postgres","kind":"role","name":"app","attributes":{"login":true,"connection_limit":-1,"member_of":["b","a"],"password":"SCRAM"}}"#;
    assert!(read(role).is_err());
    assert!(read("{\"done\":true}\nmore").is_err());
    assert!(read("ERROR:  no\n{\"done\":true}").is_err());
    let inside = read(&format!("{role}\n{{\"done\":true}}\n")).unwrap();
    let app = &inside[&inner(InnerKind::Role, None, "app")];
    assert_eq!(app["login"], Attribute::Text("true".into()));
    assert_eq!(app["connection_limit"], Attribute::Text("-1".into()));
    assert_eq!(app["member_of"], Attribute::Text(r#"["a","b"]"#.into()));
    assert_eq!(app["password"], Attribute::Verifier("SCRAM".into()));
}

#[test]
fn looking_writes_nothing() {
    let wanted = [
        inner(InnerKind::Role, None, "we\"ird"),
        inner(InnerKind::Extension, Some("shop"), "pg_trgm"),
    ];
    let statement = look("postgres", "postgres", &wanted.iter().collect::<Vec<_>>());
    let script = text(&statement);
    assert_eq!(script.matches("SET default_transaction_read_only = on;").count(), 2);
    assert!(script.find("\\connect").unwrap() > script.find("we\"ird").unwrap());
    assert!(script.ends_with("SELECT '{\"done\":true}';\n"));
}

#[test]
fn privileges_are_put_in_the_words_of_the_server() {
    let words = |target: &str, words: &[&str]| {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        Target::parse(target).unwrap().privileges(&words)
    };
    assert_eq!(words("database:shop", &["temp", "connect"]).unwrap(), ["CONNECT", "TEMPORARY"]);
    assert_eq!(words("schema:api", &["all"]).unwrap(), ["CREATE", "USAGE"]);
    assert!(words("schema:api", &["CONNECT"]).is_err());
    assert!(words("schema:api", &[]).is_err());
    assert_eq!(Target::parse("table:x"), None);
}
