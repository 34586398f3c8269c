//! Who holds a project's lock.

use crate::engine::{Holder, Life};

use super::style::{Style, clean};

/// Returns who holds the lock of a project and what can be known of it, with what to do about it.
pub fn lock(project: &str, holder: Option<(&Holder, Life)>, style: Style) -> String {
    let Some((holder, life)) = holder else {
        return format!("{project} is free: nobody is applying\n");
    };
    let (state, next) = match life {
        Life::Alive => ("it runs", None),
        Life::Dead => ("it has ended, and the next apply takes the lock", None),
        Life::Unknown => (
            "whether it still runs cannot be checked from here",
            Some(format!("if you know that it does not: {}", unlock(holder))),
        ),
    };
    let mut out = format!("{project} is held by {}\n    {state}\n", held_by(holder));
    if let Some(next) = next {
        let next = next.replacen("nself ", &format!("{} ", style.program), 1);
        out += &format!("    {next}\n");
    }
    out
}

/// Returns a holder in words: the user, the host, the process, and since when.
pub fn held_by(holder: &Holder) -> String {
    clean(&format!("{} on {} ({})", holder.user, holder.host, since(holder)))
}

/// Returns which process holds a lock and since when, as far as the lock says.
pub fn since(holder: &Holder) -> String {
    match moment(holder) {
        Some(since) => format!("process {}, since {since}", holder.pid),
        None => "since when is not known".to_owned(),
    }
}

/// Returns the command that takes a lock away from a holder.
pub fn unlock(holder: &Holder) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let host = if !holder.host.is_empty() && holder.host.chars().all(plain) {
        holder.host.clone()
    } else {
        format!("'{}'", clean(&holder.host).replace('\'', r"'\''"))
    };
    format!("nself lock --break {host}")
}

/// Returns since when, in the form of RFC 3339; `None` when the lock does not say.
pub(super) fn moment(holder: &Holder) -> Option<String> {
    let since = i64::try_from(holder.since).ok().filter(|since| *since > 0)?;
    let since = jiff::Timestamp::from_millisecond(since).ok()?;
    Some(format!("{since:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_reads_like_this() {
        let holder = Holder {
            user: "ann".into(),
            host: "far".into(),
            pid: 7,
            since: 1_795_392_000_000,
            ..Holder::default()
        };
        let text = lock("shop", Some((&holder, Life::Unknown)), Style::plain());
        assert_eq!(
            text,
            "shop is held by ann on far (process 7, since 2026-11-23T00:00:00Z)\n    whether it still runs \
             cannot be checked from here\n    if you know that it does not: nself lock --break far\n"
        );
        assert_eq!(unlock(&Holder::default()), "nself lock --break ''");
        let odd = Holder { host: "a b".into(), ..Holder::default() };
        assert_eq!(unlock(&odd), "nself lock --break 'a b'");
        assert_eq!(since(&odd), "since when is not known");
    }
}
