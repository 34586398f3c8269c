//! Small texts as Compose reads them: command lines, durations, sizes, published ports.

use crate::model::{ByteSize, Millis};

/// Splits a command line as a shell would, without putting anything in. `None` when a quote is open.
pub(super) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            '\n' => {}
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => match chars.next()? {
                '\n' => {}
                c => word.get_or_insert_default().push(c),
            },
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// Reads `1m30s`, `500ms`, or a bare number of seconds.
pub(super) fn duration(text: &str) -> Option<Millis> {
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1000).map(Millis);
    }
    let mut rest = text;
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let factor = match &rest[..letters] {
            "us" | "µs" => 0.001,
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            _ => return None,
        };
        total += number * factor;
        rest = &rest[letters..];
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "durations are some thousand milliseconds"
    )]
    let whole = total.round() as u64;
    (!text.is_empty()).then_some(Millis(whole))
}

/// Reads `64M`, `1.5gb` or bytes.
pub(super) fn size(text: &str) -> Option<ByteSize> {
    let upper = text.trim().to_ascii_uppercase();
    let upper = upper.strip_suffix("IB").or(upper.strip_suffix('B')).unwrap_or(&upper);
    upper.replace(' ', "").parse().ok()
}

/// Reads a short `ports` entry into what `publish` says, one for each port of a range.
pub(super) fn ports(text: &str) -> Option<Vec<String>> {
    let (text, protocol) = text.rsplit_once('/').unwrap_or((text, "tcp"));
    if !matches!(protocol, "tcp" | "udp") {
        return None;
    }
    let (front, inside) = match text.rsplit_once(':') {
        Some((front, inside)) => (Some(front), inside),
        None => (None, text),
    };
    let (address, outside) = match front {
        None => ("0.0.0.0", ""),
        Some(front) => match front.rsplit_once(':') {
            // All of an IPv6 address and no port: `[::1]::80`.
            Some((address, port)) if !port.contains(']') => (address, port),
            Some(_) => (front, ""),
            None if front.contains('.') => (front, ""),
            None => ("0.0.0.0", front),
        },
    };
    let address = if address.contains(':') && !address.starts_with('[') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    published(&address, outside, inside, protocol)
}

/// Joins the parts of a published port; an empty `outside` lets the engine choose.
pub(super) fn published(
    address: &str,
    outside: &str,
    inside: &str,
    protocol: &str,
) -> Option<Vec<String>> {
    let inside = range(inside)?;
    let outside = if outside.is_empty() { vec![0; inside.len()] } else { range(outside)? };
    if inside.len() != outside.len() {
        return None;
    }
    let suffix = if protocol == "udp" { "/udp" } else { "" };
    let pairs = outside.into_iter().zip(inside);
    Some(pairs.map(|(out, inside)| format!("{address}:{out}:{inside}{suffix}")).collect())
}

/// More ports than this in one range are a mistake.
const LONGEST_RANGE: u16 = 1000;

fn range(text: &str) -> Option<Vec<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last - first < LONGEST_RANGE).then(|| (first..=last).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_split() {
        let words = |line| split(line).map(|words| words.join("|"));
        assert_eq!(
            words("sh -c \"a 'b' \\\"c\\\"\" d\\ e ''").as_deref(),
            Some("sh|-c|a 'b' \"c\"|d e|")
        );
        assert_eq!(words("  "), Some(String::new()));
        assert_eq!(words("a 'b"), None);
    }

    #[test]
    fn durations_and_sizes() {
        assert_eq!(duration("1m30s"), Some(Millis(90_000)));
        assert_eq!(duration("1.5s"), Some(Millis(1500)));
        assert_eq!(duration("10"), Some(Millis(10_000)));
        assert_eq!(duration("x").or(duration("10q")), None);
        assert_eq!(size("1.5gb"), Some(ByteSize(3 << 29)));
        assert_eq!(size("64m"), Some(ByteSize(64 << 20)));
    }

    #[test]
    fn ports_are_published_everywhere_unless_said() {
        let joined = |text| ports(text).map(|ports| ports.join(" "));
        assert_eq!(joined("80").as_deref(), Some("0.0.0.0:0:80"));
        assert_eq!(joined("8080:80/udp").as_deref(), Some("0.0.0.0:8080:80/udp"));
        assert_eq!(joined("127.0.0.1:1:2").as_deref(), Some("127.0.0.1:1:2"));
        assert_eq!(joined("127.0.0.1::80").as_deref(), Some("127.0.0.1:0:80"));
        assert_eq!(joined("[::1]:1:2").as_deref(), Some("[::1]:1:2"));
        assert_eq!(
            joined("3000-3001:4000-4001").as_deref(),
            Some("0.0.0.0:3000:4000 0.0.0.0:3001:4001")
        );
        assert_eq!(joined("1-2:3"), None);
        assert_eq!(joined("80/sctp"), None);
    }
}
