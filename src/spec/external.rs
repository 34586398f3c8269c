//! What a service that runs elsewhere offers, worked out from its URL.

use percent_encoding::percent_decode_str;

use super::{Reference, Template, TemplatePart};
use crate::model::{Encoding, Part, SecretName, Text};

/// Secrets stand in the URL as one character each, of a range that no URL has, while it is taken
/// apart.
const FIRST_MARK: u32 = 0xF0000;

/// Returns what `${service.KEY}` reads as for an external service: `url` always, and the parts that
/// its URL has.
pub(super) fn offers(url: &Template) -> Vec<(&'static str, Text)> {
    let mut secrets = Vec::new();
    let mut marked = String::new();
    for part in &url.parts {
        match part {
            TemplatePart::Plain(text) => marked.push_str(text),
            TemplatePart::Reference(Reference::Secret(name), _) => {
                marked.extend(mark(secrets.len()));
                secrets.push(name.clone());
            }
            // Refused when the file was read.
            TemplatePart::Reference(..) => {}
        }
    }
    let is_only_a_secret = secrets.len() == 1 && marked.chars().count() == 1;
    let encoding = if is_only_a_secret { Encoding::Raw } else { Encoding::Url };
    let mut offers = vec![("url", unmark(&marked, &secrets, encoding))];
    let Some((_, rest)) = marked.split_once("://") else { return offers };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, address) = match authority.rsplit_once('@') {
        Some((login, address)) => (Some(login), address),
        None => (None, authority),
    };
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        Some(_) | None => (address, ""),
    };
    let (user, password) = login.map_or(("", ""), |l| l.split_once(':').unwrap_or((l, "")));
    let database = path.split(['?', '#']).next().unwrap_or_default();
    let parts = [
        ("host", host),
        ("port", port),
        ("user", user),
        ("password", password),
        ("database", database),
    ];
    for (key, part) in parts {
        if !part.is_empty() {
            let decoded = percent_decode_str(part).decode_utf8_lossy();
            offers.push((key, unmark(&decoded, &secrets, Encoding::Raw)));
        }
    }
    offers
}

fn mark(index: usize) -> Option<char> {
    char::from_u32(FIRST_MARK + u32::try_from(index).ok()?)
}

fn unmark(marked: &str, secrets: &[SecretName], encoding: Encoding) -> Text {
    let mut text = Text::default();
    let mut plain = String::new();
    for c in marked.chars() {
        let index = u32::from(c).checked_sub(FIRST_MARK).and_then(|i| usize::try_from(i).ok());
        match index.and_then(|index| secrets.get(index)) {
            None => plain.push(c),
            Some(secret) => {
                if !plain.is_empty() {
                    text.push_str(&std::mem::take(&mut plain));
                }
                text.0.push(Part::Secret(secret.clone(), encoding));
            }
        }
    }
    if !plain.is_empty() || text.0.is_empty() {
        text.push_str(&plain);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Origin,
        decode::{Decode as _, Node, NodeValue},
    };

    fn keys(url: &str) -> Vec<String> {
        let node = Node { origin: Origin::Default, value: NodeValue::String(url.into()) };
        let template = Template::decode(&node, &mut Vec::new()).unwrap();
        let show = |text: Text| text.as_plain().unwrap_or_else(|| format!("{:?}", text.0));
        offers(&template).into_iter().map(|(key, text)| format!("{key}={}", show(text))).collect()
    }

    #[test]
    fn a_url_is_taken_apart() {
        assert_eq!(
            keys("postgres://app:p%40w@db.example.com:5433/shop?ssl=1"),
            [
                "url=postgres://app:p%40w@db.example.com:5433/shop?ssl=1",
                "host=db.example.com",
                "port=5433",
                "user=app",
                "password=p@w",
                "database=shop",
            ]
        );
        assert_eq!(keys("redis://[::1]"), ["url=redis://[::1]", "host=[::1]"]);
        assert_eq!(keys("nonsense"), ["url=nonsense"]);
    }

    #[test]
    fn secrets_stay_secrets() {
        let keys = keys("pg://u:${secret.pw}@h/d");
        assert!(keys[0].contains("Url") && keys[3].contains("password=[Secret"), "{keys:?}");
        assert!(!keys[1].contains("Secret"));
    }
}
