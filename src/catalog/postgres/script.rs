//! What psql reads: sessions with safe names, and quoting.

use crate::{
    catalog::Statement,
    model::{Encoding, Inner, Sensitive},
};

/// What psql reads.
pub(super) struct Script(String);

impl Script {
    pub(super) fn new() -> Self {
        let mut script = Self(String::new());
        script.line("\\encoding UTF8");
        script.settle();
        script
    }

    /// Begins a session: with safe names and a bound on waiting.
    fn settle(&mut self) {
        self.line("SET search_path = '';");
        self.line("SET lock_timeout = '20s';");
        self.line("SET client_min_messages = warning;");
    }

    pub(super) fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// Runs `statement` unless there is a row in `rows`.
    pub(super) fn unless(&mut self, rows: &str, statement: &str) {
        let statement = literal(statement);
        self.line(&format!("SELECT {statement} WHERE NOT EXISTS (SELECT FROM {rows}) \\gexec"));
    }

    /// Goes to the database of `inner`, which must be there.
    pub(super) fn at(&mut self, inner: &Inner, body: impl FnOnce(&mut Self)) {
        if let Some(database) = &inner.database {
            self.line(&connect(database));
            self.settle();
        }
        body(self);
    }

    /// Goes to a database for the length of `body`, if it is there.
    pub(super) fn in_database(&mut self, database: &str, body: impl FnOnce(&mut Self)) {
        self.line(&format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = {} AND datallowconn) \
             AS is_there \\gset",
            literal(database)
        ));
        self.line("\\if :is_there");
        self.line(&connect(database));
        self.settle();
        body(self);
        self.line("\\endif");
    }

    pub(super) fn statement(self, role: &str, database: &str) -> Statement {
        let argv = [
            "psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password",
            "--set=ON_ERROR_STOP=1", "--host=/var/run/postgresql", "--port=5432",
        ];
        let mut argv: Vec<String> = argv.map(String::from).to_vec();
        argv.push(format!("--username={role}"));
        argv.push(format!("--dbname={database}"));
        Statement { argv, user: Some("postgres".into()), stdin: Sensitive::new(self.0) }
    }
}

/// Returns the psql command that goes to a database. It stands in a URL: in any other form psql would
/// take some name for a connection string, or its quotes for its own.
pub(super) fn connect(database: &str) -> String {
    format!("\\connect -reuse-previous=on 'postgresql:///{}'", Encoding::Url.apply(database))
}

/// Returns a name as SQL reads it.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns a text as SQL reads it, whatever the server thinks of backslashes.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        return format!("E'{}'", quoted.replace('\\', "\\\\"));
    }
    format!("'{quoted}'")
}
