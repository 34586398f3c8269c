//! Times, and what else is written in a form of its own.

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::html::Html;

/// Adds a time as people read it, with the exact one behind it. The script counts on from there.
pub(super) fn time(page: &mut Html, at: u64, now: u64) {
    page.tag("<time data-at=\"").number(at).tag("\"");
    let exact = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    if let Some(exact) = exact.map(|exact| exact.to_string()) {
        page.tag(" datetime=\"").text(&exact).tag("\" title=\"").text(&exact).tag("\"");
    }
    page.tag(">").text(&apart(at, now)).tag("</time>");
}

/// Returns how far away a time is.
pub(super) fn apart(at: u64, now: u64) -> String {
    let seconds = at.abs_diff(now) / 1000;
    if seconds == 0 {
        return "just now".to_owned();
    }
    let (number, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "min"),
        3600..86_400 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    if at > now { format!("in {number} {unit}") } else { format!("{number} {unit} ago") }
}

/// Returns how long something took.
pub(super) fn took(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// Returns a text as a piece of a path.
pub(in crate::web) fn path(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Returns a word as a shell reads it.
pub(super) fn word(text: &str) -> String {
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, ':' | '/' | '.' | '_' | '-' | '@' | '+' | ',' | '=')
    };
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_unit() {
        assert_eq!(apart(1000, 1500), "just now");
        assert_eq!(apart(1000, 60_000), "59 s ago");
        assert_eq!(apart(3_600_000, 0), "in 1 h");
        assert_eq!(apart(0, 86_400_000 * 3), "3 d ago");
        assert_eq!(
            (took(999), took(1449), took(61_000)),
            ("999 ms".into(), "1.4 s".into(), "1 min 1 s".into())
        );
    }

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!(word("remove:volume/shop-data"), "remove:volume/shop-data");
        assert_eq!(word("a'b;c"), "'a'\\''b;c'");
    }
}
