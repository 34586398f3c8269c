//! Values that look like secrets get a name, and the text refers to that.

use std::collections::BTreeMap;

use super::guess::{looks_secret, password_in_url};
use crate::model::{SecretName, Sensitive};

/// Shorter values stand in other texts by chance.
const SHORTEST: usize = 6;

/// The secrets of a project while it is read.
#[derive(Debug, Default)]
pub struct Secrets {
    names: BTreeMap<SecretName, String>,
}

impl Secrets {
    /// Takes note of a variable's value, if it looks like a secret or has one in it.
    pub fn learn(&mut self, service: &str, name: &str, value: &str) {
        if let Some(place) = password_in_url(value) {
            self.name(service, &format!("{name}_password"), &value[place]);
        } else if looks_secret(name, value) {
            self.name(service, name, value);
        }
    }

    fn name(&mut self, service: &str, name: &str, value: &str) {
        if self.names.values().any(|known| known == value) {
            return;
        }
        let short = identifier(name);
        let long = identifier(&format!("{service}_{name}"));
        let numbered = (2..).map(|number| format!("{}_{number}", &long[..long.len().min(50)]));
        let free = [short, long.clone()].into_iter().chain(numbered);
        let free = free.filter_map(|name| SecretName::new(&name).ok());
        if let Some(name) = free.into_iter().find(|name| !self.names.contains_key(name)) {
            self.names.insert(name, value.to_owned());
        }
    }

    /// Returns a value as `env` says it: secrets by their names, and no other references.
    pub fn template(&self, name: &str, value: &str) -> String {
        let reference = |secret: &SecretName| format!("${{secret.{secret}}}");
        let whole = self.names.iter().find(|(_, known)| *known == value);
        if let Some((secret, known)) = whole
            && (looks_secret(name, value) || known.len() >= SHORTEST)
        {
            return reference(secret);
        }
        let mut pieces = vec![(false, value.to_owned())];
        // The longest first, so that one in another does not take it apart.
        let mut known: Vec<_> = self.names.iter().collect();
        known.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let password = password_in_url(value).map(|place| value[place].to_owned());
        for (secret, text) in known {
            if text.len() < SHORTEST && password.as_deref() != Some(text) {
                continue;
            }
            pieces = pieces
                .into_iter()
                .flat_map(|(done, piece)| match done {
                    true => vec![(true, piece)],
                    false if text.len() < SHORTEST => once(&piece, text, &reference(secret)),
                    false => each(&piece, text, &reference(secret)),
                })
                .collect();
        }
        let written = pieces.into_iter().map(
            |(done, piece)| {
                if done { piece } else { piece.replace('$', "$$") }
            },
        );
        written.collect()
    }

    /// Returns the secrets with their values.
    pub fn into_values(self) -> BTreeMap<SecretName, Sensitive> {
        self.names.into_iter().map(|(name, value)| (name, Sensitive::new(value))).collect()
    }

    /// Returns the names.
    pub fn names(&self) -> impl Iterator<Item = &SecretName> {
        self.names.keys()
    }
}

fn each(piece: &str, text: &str, reference: &str) -> Vec<(bool, String)> {
    let mut out = Vec::new();
    for (index, plain) in piece.split(text).enumerate() {
        if index > 0 {
            out.push((true, reference.to_owned()));
        }
        out.push((false, plain.to_owned()));
    }
    out
}

/// Puts a short password in only where it stands as one: between a colon and an `@`.
fn once(piece: &str, text: &str, reference: &str) -> Vec<(bool, String)> {
    let Some(place) = password_in_url(piece).filter(|place| piece[place.clone()] == *text) else {
        return vec![(false, piece.to_owned())];
    };
    vec![
        (false, piece[..place.start].to_owned()),
        (true, reference.to_owned()),
        (false, piece[place.end..].to_owned()),
    ]
}

/// Returns a name as a secret's: small letters, digits and `_`.
fn identifier(name: &str) -> String {
    let small = name.to_ascii_lowercase();
    let good = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = small.chars().map(good).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    name.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_named_once_and_found_in_other_texts() {
        let mut secrets = Secrets::default();
        secrets.learn("db", "POSTGRES_PASSWORD", "hunter22");
        secrets.learn("api", "DATABASE_URL", "pg://u:hunter22@db/x");
        secrets.learn("api", "POSTGRES_PASSWORD", "other-one");
        secrets.learn("api", "CACHE_URL", "redis://:pw@cache");
        let names: Vec<_> = secrets.names().map(SecretName::as_str).collect();
        assert_eq!(names, ["api_postgres_password", "cache_url_password", "postgres_password"]);
        let template = |name, value| secrets.template(name, value);
        assert_eq!(template("POSTGRES_PASSWORD", "hunter22"), "${secret.postgres_password}");
        assert_eq!(
            template("DATABASE_URL", "pg://u:hunter22@db/x?a=$b"),
            "pg://u:${secret.postgres_password}@db/x?a=$$b"
        );
        assert_eq!(
            template("CACHE_URL", "redis://:pw@pw"),
            "redis://:${secret.cache_url_password}@pw"
        );
        assert_eq!(template("WORD", "pw"), "pw");
    }
}
