//! Text from elsewhere, so that it says itself and does nothing: no table ends early, no tag opens, nobody
//! is called by an `@`.

use super::super::style::clean;

/// Returns text for a sentence or a cell of a table, on one line.
pub(super) fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            // Neither a mention nor a link to an issue is made where something stands behind the sign.
            '@' | '#' => {
                out.push(c);
                out.push('\u{200b}');
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '$' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Returns text as code within a line, also in a cell of a table.
pub(super) fn code(text: &str) -> String {
    let text = line(text);
    let ticks = "`".repeat(longest_run(&text) + 1);
    let edge = text.is_empty() || text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let space = if edge { " " } else { "" };
    // The cells of a table are cut before code is looked for.
    format!("{ticks}{space}{}{space}{ticks}", text.replace('|', "\\|"))
}

/// Returns text within a tag of HTML, on one line.
pub(super) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// Returns text as a block of code that nothing in it can end.
pub(super) fn fenced(language: &str, text: &str) -> String {
    let text = clean(text);
    let ticks = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{ticks}{language}\n{text}\n{ticks}\n")
}

fn line(text: &str) -> String {
    clean(text).split(['\n', '\t']).collect::<Vec<_>>().join(" ")
}

/// Returns how many backticks stand together at most.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_does_nothing() {
        let odd = "@root <b>a|b</b> [x](y) *c* `d` #12\n# e \u{1b}[31m&amp; $f$ ![g]";
        let said = prose(odd);
        insta::assert_snapshot!(said.replace('\u{200b}', "·"), @r"
        @·root \<b\>a\|b\</b\> \[x\](y) \*c\* \`d\` #·12 #· e \&amp; \$f\$ \!\[g\]
        ");
    }

    #[test]
    fn code_holds_backticks_and_pipes() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a|b"), r"`a\|b`");
        assert_eq!(code("`a``b"), "``` `a``b ```");
        assert_eq!(code("a\nb"), "`a b`");
        assert_eq!(code(""), "`  `");
    }

    #[test]
    fn nothing_ends_a_block() {
        assert_eq!(fenced("diff", "+ ```` x"), "`````diff\n+ ```` x\n`````\n");
        assert_eq!(html("</code>\n@x"), "&lt;/code&gt; @x");
    }
}
