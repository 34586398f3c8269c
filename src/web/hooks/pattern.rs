//! Patterns with `*`, in time that grows with the product of both lengths and no faster.

/// Returns whether a pattern fits the whole text. `*` fits any text, also none.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last star stands, and up to where it reaches so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, reach)) = star else { return false };
                star = Some((at, reach + 1));
                p = at + 1;
                t = reach + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Returns whether a pattern fits a file, or a folder that it is in. A folder that is everything is `.` or empty.
pub(super) fn covers(pattern: &str, path: &str) -> bool {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    matches!(pattern, "" | ".")
        || fits(pattern, path)
        || path.match_indices('/').any(|(end, _)| fits(pattern, &path[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text) in [
            ("main", "main"),
            ("*", ""),
            ("a*b*c", "axxbbxc"),
            ("preview/*", "preview/a/b"),
            ("**", "x"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("main", "main2"), ("a*b", "ac"), ("preview/*", "preview"), ("", "a")]
        {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
        assert!(!fits(&"*a".repeat(200), &"a".repeat(199)));
    }

    #[test]
    fn a_folder_covers_what_is_in_it() {
        assert!(covers("apps/web", "apps/web/src/x.rs") && covers("./apps/", "apps/x"));
        assert!(covers(".", "x") && covers("*.toml", "apps/nself.toml"));
        assert!(!covers("apps/web", "apps/webx/y") && !covers("apps", "other/apps"));
    }
}
