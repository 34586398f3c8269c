//! Compared values as people read them: `536870912` in `limits.memory` is `512M`.

use crate::{
    desired::{Field, Path},
    diff::Shown,
    model::{ByteSize, Cpus, Millis},
};

use super::style::clean;

/// Returns both sides of a change. Two secrets share one `(secret)` in front.
pub(super) fn pair(path: &Path, before: &Shown, after: &Shown) -> (String, String) {
    match (before, after) {
        (Shown::Secret(a), Shown::Secret(b)) => {
            (format!("(secret) #{}", a.short()), format!("#{}", b.short()))
        }
        _ => (shown(path, before), shown(path, after)),
    }
}

/// Returns one value.
pub(super) fn shown(path: &Path, value: &Shown) -> String {
    match value {
        Shown::Absent => absent(path.field).to_owned(),
        Shown::Plain(text) => plain(path.field, text),
        Shown::Secret(fingerprint) => format!("(secret) #{}", fingerprint.short()),
        Shown::SecretToCome => "(secret, generated at apply)".to_owned(),
        Shown::Hidden => "(hidden)".to_owned(),
    }
}

/// What it means that nothing is set.
fn absent(field: Field) -> &'static str {
    match field {
        Field::Memory
        | Field::Swap
        | Field::Reservation
        | Field::Cpus
        | Field::Cpuset
        | Field::Pids => "no limit",
        Field::Privileged | Field::ReadOnly | Field::Init | Field::Internal => "false",
        Field::Restart => "no",
        Field::Network => "detached",
        Field::HealthTest => "none",
        Field::HealthStartPeriod => "0s",
        Field::Content | Field::State => "absent",
        _ => "unset",
    }
}

fn plain(field: Field, text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    let number = text.parse::<u64>().ok();
    match (field, number) {
        (Field::Memory | Field::Swap | Field::Reservation | Field::Shm, Some(bytes)) => {
            return ByteSize(bytes).to_string();
        }
        (Field::Swap, None) if text == "-1" => return "no limit".to_owned(),
        (Field::Cpus, Some(billionths)) => return Cpus(billionths).to_string(),
        (Field::HealthInterval | Field::HealthTimeout | Field::HealthStartPeriod, Some(millis)) => {
            return Millis(millis).to_string();
        }
        (Field::StopGrace, Some(seconds)) => return format!("{seconds}s"),
        _ => {}
    }
    if let Some(items) = list(text) {
        return match field {
            Field::Command | Field::Entrypoint | Field::HealthTest => command(&items),
            _ if items.is_empty() => "none".to_owned(),
            _ => clean(&items.join(", ")),
        };
    }
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    if digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return digits[..12].to_owned();
    }
    match field {
        // What a person typed may hold spaces at its end, or nothing at all.
        Field::Env | Field::Label | Field::Attribute | Field::Other => {
            format!("\"{}\"", clean(text).replace('\n', "\\n"))
        }
        _ => clean(text).replace('\n', "\\n"),
    }
}

/// Reads a list in its canonical text.
pub(super) fn list(text: &str) -> Option<Vec<String>> {
    text.starts_with('[').then(|| serde_json::from_str(text).ok()).flatten()
}

/// Returns a command as one would type it.
fn command(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let simple = !word.is_empty()
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c));
        if simple { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    clean(&quoted.collect::<Vec<_>>().join(" ")).replace('\n', "\\n")
}

/// Returns a number of bytes in three digits and a unit, for amounts that are measured.
pub(super) fn amount(bytes: u64) -> String {
    ByteSize(bytes).rounded()
}

/// Returns a measured duration: `41 ms`, `1.4 s`, `2 min`, `3 h 5 min`, `3 d 4 h`.
pub(super) fn took(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis} ms"),
        1..10 => format!("{seconds}.{} s", millis % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        return format!("{large} {large_unit}");
    }
    format!("{large} {large_unit} {small} {small_unit}")
}

/// Returns a count with its noun: `1 step`, `2 steps`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fingerprint;

    fn check(field: Field, text: &str, expected: &str) {
        assert_eq!(shown(&field.path(), &Shown::Plain(text.into())), expected);
    }

    #[test]
    fn values_have_units() {
        check(Field::Memory, "536870912", "512M");
        check(Field::Memory, "536870913", "536870913");
        check(Field::Swap, "-1", "no limit");
        check(Field::Cpus, "500000000", "0.5");
        check(Field::HealthInterval, "10000", "10s");
        check(Field::StopGrace, "30", "30s");
        check(Field::Security, r#"["a","b"]"#, "a, b");
        check(Field::Command, r#"["sh","-c","echo it's"]"#, r"sh -c 'echo it'\''s'");
        check(Field::User, "", "\"\"");
        check(Field::Env, "", "\"\"");
        check(Field::Env, "info ", "\"info \"");
        check(Field::Env, "\u{1b}[2Jgone", "\"gone\"");
        check(Field::BuiltFrom, &"ab".repeat(32), "abababababab");
        assert_eq!(shown(&Field::Memory.path(), &Shown::Absent), "no limit");
    }

    #[test]
    fn secrets_are_fingerprints() {
        let secret = |digits| Shown::Secret(Fingerprint::stored(digits));
        let path = Field::Env.key("DATABASE_URL");
        let (before, after) = pair(&path, &secret("4f2a99"), &secret("91c0ff"));
        assert_eq!((before.as_str(), after.as_str()), ("(secret) #4f2a", "#91c0"));
    }

    #[test]
    fn amounts_and_durations_are_short() {
        assert_eq!(
            [148 << 20, 1_288_490_188, 512].map(amount),
            ["148 M", "1.1 G", "512 B"].map(str::to_owned)
        );
        assert_eq!(
            [41, 1400, 61_000, 11_100_000, 273_600_000].map(took),
            ["41 ms", "1.4 s", "1 min", "3 h 5 min", "3 d 4 h"].map(str::to_owned)
        );
    }
}
