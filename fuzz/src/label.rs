//! What objects of the engine carry: names of resources, labels of what was applied, records.

use nself::{
    desired::{Field, Path},
    model::{Fingerprint, Inner, InnerKind, ResourceId, ServiceName},
    observed::{Applied, Mark, Record},
};

/// Reads the bytes as each of them, and makes up labels, records and names of them.
///
/// # Panics
/// When what is read does not read the same again once it is written, or when a value does not read back.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(applied) = Applied::parse(text) {
        reads_back(&applied);
    }
    if let Ok(record) = Record::parse(text) {
        assert_eq!(Record::parse(&record.to_text()).as_ref(), Ok(&record));
        record.in_place.values().for_each(reads_back);
    }
    if let Ok(id) = text.parse::<ResourceId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Some(path) = Path::parse(text) {
        assert_eq!(Path::parse(&path.to_string()), Some(path));
    }
    made_up(text);
}

/// A label of any values, and a name of each kind, read back. Each line is a value with its key.
fn made_up(text: &str) {
    let mut applied = Applied::default();
    let mut record = Record::default();
    for (index, line) in text.lines().enumerate() {
        let mut parts = line.splitn(3, '\t');
        let mut part = || parts.next().unwrap_or_default();
        let (word, key, value) = (part(), part(), part());
        let number = word.bytes().fold(index, |sum, byte| sum * 31 % 4096 + usize::from(byte));
        let field = Field::ALL[number % Field::ALL.len()];
        let value = value.to_owned();
        let mark = match number % 3 {
            0 => Mark::Plain(value),
            1 => Mark::Digest(value),
            _ => Mark::Secret(Fingerprint::stored(&value)),
        };
        applied.0.insert(field.key(key), mark);
        let id = id(number, word, key);
        assert_eq!(id.to_string().parse().as_ref(), Ok(&id));
        record.resources.insert(id.clone());
        record.adopted.insert(id.clone(), word.replace(' ', ""));
        record.jobs.insert(id.clone(), key.to_owned());
        record.in_place.insert(id, Applied::default());
    }
    reads_back(&applied);
    assert_eq!(Record::parse(&record.to_text()), Ok(record));
}

/// A resource of these words. The engine's names have at least one character and no slash.
fn id(number: usize, word: &str, key: &str) -> ResourceId {
    let name = format!("n{}", word.replace('/', "_"));
    match number % 6 {
        0 => ResourceId::Image(format!("n{word}")),
        1 => ResourceId::Network(name),
        2 => ResourceId::Volume(name),
        3 => ResourceId::Files(name),
        4 => ResourceId::Container(name),
        _ => ResourceId::Inner(Inner {
            service: ServiceName::new(word)
                .unwrap_or_else(|_| ServiceName::new("postgres").expect("a name")),
            kind: InnerKind::ALL[number % InnerKind::ALL.len()],
            database: (number % 7 > 2).then(|| key.to_owned()),
            name: word.to_owned(),
        }),
    }
}

/// Written and read, a label holds the same values, the longest as digests if it was too long.
fn reads_back(applied: &Applied) {
    let text = applied.to_text();
    let read = Applied::parse(&text).expect("what is written can be read");
    assert!(read.0.keys().eq(applied.0.keys()), "{applied:?} became {read:?}");
    for (path, mark) in &applied.0 {
        let same = match (mark, &read.0[path]) {
            (Mark::Plain(value), Mark::Digest(_)) => {
                read.0[path].matches(value, &nself::model::Keyring::default()) == Some(true)
            }
            (before, after) => before == after,
        };
        assert!(same, "{path}: {mark:?} became {:?}", read.0[path]);
    }
    assert_eq!(read.to_text(), text);
    let short = |mark: &Mark| match mark {
        Mark::Plain(value) => value.len() <= 65,
        Mark::Digest(_) | Mark::Secret(_) => true,
    };
    assert!(text.len() <= 8192 || read.0.values().all(short), "a label of {} bytes", text.len());
}
