//! The file behind the history.

use std::{
    fs::{DirBuilder, OpenOptions},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use super::{Begun, Ended, Error};
use crate::model::Digest;

/// The form of the file that this nself writes.
const FORM: u32 = 1;

/// How long a write waits for another one of this file. Two environments of one project may end at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// `entry` holds what happened, `text` what entries refer to by digest. The columns behind `hash` are
/// for people with an SQLite shell.
const SCHEMA: &str = "
    CREATE TABLE text (digest TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE entry (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        kind   TEXT NOT NULL CHECK (kind IN ('begun', 'ended')),
        begun  INTEGER REFERENCES entry (number),
        body   TEXT NOT NULL,
        hash   TEXT NOT NULL,
        generation INTEGER AS (json_extract(body, '$.generation')),
        at         TEXT AS (datetime(json_extract(body, '$.at') / 1000, 'unixepoch'))
    );
    CREATE INDEX entry_begun ON entry (begun);
    CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT raise(ABORT, 'entries are only added'); END;
    CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry BEGIN SELECT raise(ABORT, 'entries are only added'); END;
    PRAGMA user_version = 1;
";

/// A project's history on disk.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    connection: Connection,
}

/// One apply, from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The number of the entry that began it.
    pub number: i64,
    /// How it began.
    pub begun: Begun,
    /// How it ended; `None` when it goes on or was cut off.
    pub ended: Option<Ended>,
}

/// A history whose entries are all as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many there are.
    pub entries: usize,
    /// The digest that stands for all of them.
    pub head: String,
}

/// The first entry that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its number.
    pub entry: i64,
    /// What is wrong, in a clause.
    pub what: String,
}

/// A row of `entry`.
struct Row {
    number: i64,
    kind: String,
    begun: Option<i64>,
    body: String,
    hash: String,
}

impl History {
    /// Opens the history in `folder` for writing, and makes it where there is none.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = file(folder);
        let io = |attempt| {
            let path = path.clone();
            move |source| Error::Io { attempt, path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io("make"))?;
        // SQLite would make it readable for everybody.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.open(&path).map_err(io("write"))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut history = Self::connect(path, flags)?;
        history.prepare()?;
        Ok(history)
    }

    /// Opens the history in `folder` for reading; `None` where there is none.
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = file(folder);
        // An empty file is one whose making was cut off.
        let is_there = std::fs::metadata(&path).is_ok_and(|file| file.len() > 0);
        if !is_there {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let history = Self::connect(path, flags)?;
        match history.form()? {
            // Its making was cut off.
            0 => Ok(None),
            FORM => Ok(Some(history)),
            found => Err(Error::Newer { path: history.path, found, known: FORM }),
        }
    }

    /// Writes that an apply begins, and returns the entry's number.
    pub fn begin(&mut self, begun: &Begun) -> Result<i64, Error> {
        self.append("begun", None, &json(begun), begun.configuration.texts())
    }

    /// Writes how the apply that `begun` began has ended.
    pub fn end(&mut self, begun: i64, ended: &Ended) -> Result<(), Error> {
        self.append("ended", Some(begun), &json(ended), std::iter::empty()).map(drop)
    }

    /// Returns the last applies of one environment on one engine, the latest first; all of them when
    /// `most` is `None`. Without an engine, those on any.
    pub fn runs(
        &self,
        environment: Option<&str>,
        engine: Option<&str>,
        most: Option<usize>,
    ) -> Result<Vec<Run>, Error> {
        let failed = self.failed("read");
        let most = most.map_or(-1, |most| i64::try_from(most).unwrap_or(i64::MAX));
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT b.number, b.body, e.number, e.body FROM entry b LEFT JOIN entry e ON e.begun = b.number
                 WHERE b.kind = 'begun' AND json_extract(b.body, '$.configuration.environment') IS ?1
                   AND (?2 IS NULL OR json_extract(b.body, '$.engine') = ?2)
                 ORDER BY b.number DESC LIMIT ?3",
            )
            .map_err(&failed)?;
        let rows = statement.query_map(params![environment, engine, most], |row| {
            let ended: (Option<i64>, Option<String>) = (row.get(2)?, row.get(3)?);
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, ended))
        });
        let mut runs = Vec::new();
        for row in rows.map_err(&failed)? {
            let (number, body, ended) = row.map_err(&failed)?;
            let damaged =
                |entry| move |source| Error::Damaged { path: self.path.clone(), entry, source };
            let mut begun: Begun = serde_json::from_str(&body).map_err(damaged(number))?;
            for text in begun.configuration.texts_mut() {
                text.text = self.text(&text.digest)?;
            }
            let ended = match ended {
                (Some(number), Some(body)) => {
                    Some(serde_json::from_str(&body).map_err(damaged(number))?)
                }
                _ => None,
            };
            runs.push(Run { number, begun, ended });
        }
        Ok(runs)
    }

    /// Checks that every entry is as it was written and follows the one before it.
    pub fn verify(&self) -> Result<std::result::Result<Verified, Broken>, Error> {
        let failed = self.failed("read");
        let mut statement = self
            .connection
            .prepare("SELECT number, kind, begun, body, hash FROM entry ORDER BY number")
            .map_err(&failed)?;
        let rows = statement.query_map([], Row::of).map_err(&failed)?;
        let (mut head, mut entries) = (String::new(), 0);
        for row in rows {
            let row = row.map_err(&failed)?;
            entries += 1;
            let broken = |what: &str| Broken { entry: row.number, what: what.to_owned() };
            // AUTOINCREMENT counts without gaps as long as nothing is removed or taken back.
            if row.number != entries {
                return Ok(Err(broken(&format!("entry {entries} is missing before it"))));
            }
            if chain(&head, &row) != row.hash {
                return Ok(Err(broken("it is not what was written")));
            }
            if let Some(text) = self.changed_text(&row)? {
                return Ok(Err(broken(&format!("the text of {text} is not what was written"))));
            }
            head = row.hash;
        }
        let entries = usize::try_from(entries).unwrap_or_default();
        Ok(Ok(Verified { entries, head }))
    }

    /// Returns the name of a text of this entry that does not read as it did.
    fn changed_text(&self, row: &Row) -> Result<Option<String>, Error> {
        if row.kind != "begun" {
            return Ok(None);
        }
        let Ok(begun) = serde_json::from_str::<Begun>(&row.body) else { return Ok(None) };
        for text in begun.configuration.texts() {
            if Digest::of(self.text(&text.digest)?.as_bytes()).as_str() != text.digest {
                return Ok(Some(text.name.clone()));
            }
        }
        Ok(None)
    }

    fn connect(path: PathBuf, flags: OpenFlags) -> Result<Self, Error> {
        let open = || {
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(PATIENCE)?;
            connection.pragma_update(None, "foreign_keys", true)?;
            Ok(connection)
        };
        let connection = open().map_err(failed("open", &path))?;
        Ok(Self { path, connection })
    }

    fn form(&self) -> Result<u32, Error> {
        let form = self.connection.pragma_query_value(None, "user_version", |row| row.get(0));
        form.map_err(self.failed("read"))
    }

    /// Makes the tables of an empty file; two that begin at once make them once.
    fn prepare(&mut self) -> Result<(), Error> {
        match self.form()? {
            FORM => return Ok(()),
            0 => {}
            found => return Err(Error::Newer { path: self.path.clone(), found, known: FORM }),
        }
        let failed = failed("make", &self.path);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        let form: u32 = transaction
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(&failed)?;
        if form == 0 {
            transaction.execute_batch(SCHEMA).map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)
    }

    fn append<'a>(
        &mut self,
        kind: &str,
        begun: Option<i64>,
        body: &str,
        texts: impl Iterator<Item = &'a super::Text>,
    ) -> Result<i64, Error> {
        let failed = failed("write", &self.path);
        let write = || {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for text in texts {
                let keep = "INSERT OR IGNORE INTO text (digest, text) VALUES (?1, ?2)";
                transaction.execute(keep, params![text.digest, text.text])?;
            }
            let last = "SELECT number, hash FROM entry ORDER BY number DESC LIMIT 1";
            let last: Option<(i64, String)> =
                transaction.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let (last, head) = last.unwrap_or_default();
            let mut row = Row {
                number: last + 1,
                kind: kind.to_owned(),
                begun,
                body: body.to_owned(),
                hash: String::new(),
            };
            row.hash = chain(&head, &row);
            transaction.execute(
                "INSERT INTO entry (number, kind, begun, body, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![row.number, row.kind, row.begun, row.body, row.hash],
            )?;
            transaction.commit()?;
            Ok(row.number)
        };
        write().map_err(failed)
    }

    fn text(&self, digest: &str) -> Result<String, Error> {
        let text =
            self.connection
                .query_row("SELECT text FROM text WHERE digest = ?1", [digest], |row| row.get(0));
        text.optional().map(Option::unwrap_or_default).map_err(self.failed("read"))
    }

    fn failed(&self, attempt: &'static str) -> impl Fn(rusqlite::Error) -> Error {
        failed(attempt, &self.path)
    }
}

impl Row {
    fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            kind: row.get(1)?,
            begun: row.get(2)?,
            body: row.get(3)?,
            hash: row.get(4)?,
        })
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("history.db")
}

/// Returns the digest of an entry that follows the one with the digest `head`.
fn chain(head: &str, row: &Row) -> String {
    let number = row.number.to_string();
    let begun = row.begun.map(|begun| begun.to_string()).unwrap_or_default();
    let parts = [head, &number, &row.kind, &begun, &row.body];
    Digest::of_parts(parts.map(str::as_bytes)).as_str().to_owned()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("entries have text keys only")
}

fn failed(attempt: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> Error + use<> {
    let path = path.to_owned();
    // Its causes say the same once more, with the number of the error in front.
    move |error| Error::Database { attempt, path: path.clone(), cause: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Command, Configuration, Found, Text};

    fn begun(generation: u64) -> Begun {
        Begun {
            at: 1_700_000_000_000,
            project: "shop".into(),
            instance: None,
            engine: "E".into(),
            generation,
            command: Command::Apply,
            user: "ann".into(),
            host: "desk".into(),
            nself: "0.1.0".into(),
            returns_to: None,
            revision: None,
            configuration: Configuration {
                main: Text::new("nself.toml", format!("# {generation}\n")),
                ..Configuration::default()
            },
            secrets: [("token".to_owned(), "abcd".to_owned())].into(),
            changes: Vec::new(),
        }
    }

    fn ended(generation: u64) -> Ended {
        let steps = Vec::new();
        Ended { at: 1, generation, found: Found::Done, steps, away: [("a".to_owned(), 7)].into() }
    }

    #[test]
    fn what_is_written_reads_back_the_latest_first() {
        let folder = tempfile::tempdir().unwrap();
        assert!(History::read(folder.path()).unwrap().is_none());
        let mut history = History::open(folder.path()).unwrap();
        let first = history.begin(&begun(1)).unwrap();
        history.end(first, &ended(1)).unwrap();
        history.begin(&begun(2)).unwrap();
        let mut other = begun(9);
        other.configuration.environment = Some("prod".into());
        history.begin(&other).unwrap();
        let history = History::read(folder.path()).unwrap().unwrap();
        let runs = history.runs(None, Some("E"), None).unwrap();
        assert_eq!(runs.len(), 2);
        assert_eq!((&runs[0].begun, &runs[0].ended), (&begun(2), &None));
        assert_eq!((&runs[1].begun, &runs[1].ended), (&begun(1), &Some(ended(1))));
        assert_eq!(history.runs(Some("prod"), None, None).unwrap()[0].begun, other);
        assert!(history.runs(None, Some("F"), None).unwrap().is_empty());
        assert_eq!(history.runs(None, None, Some(1)).unwrap().len(), 1);
        assert_eq!(history.verify().unwrap().unwrap().entries, 4);
    }

    #[test]
    fn a_changed_past_shows() {
        let tampering = [
            ("UPDATE entry SET body = replace(body, 'ann', 'bob') WHERE number = 1", 1),
            ("DELETE FROM entry WHERE number = 2", 3),
            ("DELETE FROM entry WHERE number = 1", 2),
            ("UPDATE entry SET begun = 3 WHERE number = 2", 2),
            ("UPDATE text SET text = 'x'", 1),
            ("DELETE FROM text", 1),
        ];
        for (statement, entry) in tampering {
            let folder = tempfile::tempdir().unwrap();
            let mut history = History::open(folder.path()).unwrap();
            for generation in 1..3 {
                let number = history.begin(&begun(generation)).unwrap();
                history.end(number, &ended(generation)).unwrap();
            }
            assert!(history.verify().unwrap().is_ok());
            let file = Connection::open(file(folder.path())).unwrap();
            if !statement.contains(" text") {
                // By accident nothing is changed.
                assert!(file.execute(statement, []).is_err(), "{statement}");
            }
            let disarm =
                "DROP TRIGGER entry_stays; DROP TRIGGER entry_is_kept; PRAGMA foreign_keys = off";
            file.execute_batch(disarm).unwrap();
            file.execute(statement, []).unwrap();
            let found = history.verify().unwrap().map_err(|broken| broken.entry);
            assert_eq!(found, Err(entry), "{statement}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes the file that cannot be used")]
    fn what_cannot_be_used_says_so_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(file(folder.path()), "no database, and long enough to be looked at")
            .unwrap();
        assert!(matches!(History::read(folder.path()), Err(Error::Database { .. })));
        assert!(matches!(History::open(folder.path()), Err(Error::Database { .. })));
        assert!(std::fs::read_to_string(file(folder.path())).unwrap().starts_with("no database"));
        let folder = tempfile::tempdir().unwrap();
        drop(History::open(folder.path()).unwrap());
        let newer = Connection::open(file(folder.path())).unwrap();
        newer.pragma_update(None, "user_version", 2).unwrap();
        for opened in [History::open(folder.path()).map(Some), History::read(folder.path())] {
            assert!(matches!(opened, Err(Error::Newer { found: 2, known: 1, .. })));
        }
    }

    #[test]
    fn writers_at_once_keep_one_chain() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let folder = folder.path();
                scope.spawn(move || {
                    let mut history = History::open(folder).unwrap();
                    for generation in 0..5 {
                        history.begin(&begun(writer * 10 + generation)).unwrap();
                    }
                });
            }
        });
        let history = History::read(folder.path()).unwrap().unwrap();
        assert_eq!(history.verify().unwrap().unwrap().entries, 20);
    }
}
