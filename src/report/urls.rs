//! Where to click.

use crate::desired::Desired;

use super::style::{Style, Tone, columns, pad};

/// Returns the addresses with the service behind each.
pub fn urls(desired: &Desired, style: Style) -> String {
    if desired.urls.is_empty() {
        return "no service has a route; give one with `route = \"api\"`\n".to_owned();
    }
    list(desired, "", style)
}

/// The same, after an apply that ended well.
pub(super) fn ready(desired: &Desired, style: Style) -> String {
    list(desired, "ready", style)
}

fn list(desired: &Desired, word: &str, style: Style) -> String {
    let width = desired.urls.iter().map(|url| columns(&url.url)).max().unwrap_or(0);
    let line = |url: &crate::desired::Url| {
        let text = if word.is_empty() { url.service.as_str() } else { word };
        format!("{}   {text}\n", style.paint(Tone::Strong, &pad(&url.url, width)))
    };
    desired.urls.iter().map(line).collect()
}
