//! A notice as Slack takes it. Mattermost takes the same, and Discord at addresses that end in `/slack`; both read
//! the text and not the blocks.

use serde_json::json;

use super::{
    error::{Fault, cut},
    http::{Address, Client, Post},
};
use crate::sync::{Notice, Turn};

/// The longest text of a block is 3000 characters; what is escaped takes more room than it shows.
const LONGEST: usize = 2_900;

/// Posts a notice.
pub(super) async fn deliver(
    client: &Client,
    address: &Address,
    notice: &Notice,
) -> Result<(), Fault> {
    let body = body(notice).to_string().into_bytes();
    client.post(Post { address, headers: Vec::new(), body }).await.map_err(|mut fault| {
        if fault.why.starts_with("it answers 40") || fault.why.starts_with("it answers 410") {
            fault.remedy = fault.remedy.or(Some("is the address still in use there?".to_owned()));
        }
        fault
    })
}

fn body(notice: &Notice) -> serde_json::Value {
    let sign = match notice.turn {
        Turn::Begun => "●",
        Turn::Over => "○",
        Turn::Flapping => "◐",
    };
    let title = escape(&notice.title);
    let lines: Vec<String> = notice.lines.iter().map(|line| escape(line)).collect();
    let lines = lines.iter().fold(String::new(), |text, line| text + "\n" + line);
    let plain = cut_escaped(&format!("{sign} {title}{lines}"));
    let marked = cut_escaped(&format!("{sign} *{title}*{lines}"));
    json!({
        "text": plain,
        "blocks": [{ "type": "section", "text": { "type": "mrkdwn", "text": marked } }],
    })
}

/// Takes the meaning out of what has one there. What a commit says must not call everybody to the channel.
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let names = ["everyone", "channel", "here", "all"];
    names
        .iter()
        .fold(text, |text, name| text.replace(&format!("@{name}"), &format!("@\u{200b}{name}")))
}

/// Cuts without leaving half an escape.
fn cut_escaped(text: &str) -> String {
    let short = cut(text, LONGEST);
    match (short.len() < text.len(), short.rfind('&')) {
        (true, Some(start)) if !short[start..].contains(';') => format!("{}…", &short[..start]),
        _ => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Subject;

    fn notice(title: &str, lines: &[&str]) -> Notice {
        Notice {
            key: "health:web".to_owned(),
            subject: Subject::Health,
            turn: Turn::Begun,
            project: "shop".to_owned(),
            title: title.to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            since: 0,
            at: 0,
        }
    }

    #[test]
    fn nobody_is_called_and_nothing_is_marked_by_what_others_wrote() {
        let body = body(&notice("<!channel> & @everyone", &["nself logs web"]));
        let title = "&lt;!channel&gt; &amp; @\u{200b}everyone";
        assert_eq!(
            body,
            json!({
                "text": format!("● {title}\nnself logs web"),
                "blocks": [{ "type": "section", "text": {
                    "type": "mrkdwn", "text": format!("● *{title}*\nnself logs web"),
                } }],
            })
        );
    }

    #[test]
    fn long_ones_are_cut_between_characters() {
        for filler in ["é", "&", "x&"] {
            let body = body(&notice(&filler.repeat(4_000), &[]));
            let text = body["text"].as_str().unwrap();
            assert!(text.chars().count() <= LONGEST, "{}", text.chars().count());
            let end = text.strip_suffix('…').unwrap();
            assert!(end.ends_with(filler) || end.ends_with(';') || end.ends_with('x'), "{end}");
        }
    }
}
