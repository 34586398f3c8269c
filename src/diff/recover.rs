//! Secrets read back from where they were delivered: the live values are held against the texts that they
//! were made from.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog,
    desired::{Desired, Field, Path, Resource},
    model::{Encoding, Keyring, Part, ResourceId, SecretName, Sensitive, Text},
    observed::{InnerState, Live, Observed},
};

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// The values.
    pub values: BTreeMap<SecretName, Sensitive>,
    /// Places where another value stands, by secret: an apply was cut off, or somebody changed it there.
    pub differing: BTreeMap<SecretName, BTreeSet<ResourceId>>,
}

/// Finds the secrets of a desired state in what is there.
pub fn recover(desired: &Desired, observed: &Observed) -> Recovered {
    let places = places(desired, observed);
    let mut found: BTreeMap<SecretName, BTreeMap<Sensitive, BTreeSet<ResourceId>>> =
        BTreeMap::new();
    let mut values: BTreeMap<SecretName, Sensitive> = BTreeMap::new();
    // Each round may find what it takes to read further texts.
    loop {
        let before = found.len();
        for (id, text, live) in &places {
            if let Some((name, value)) = solve(text, live, &values) {
                found.entry(name).or_default().entry(value).or_default().insert(id.clone());
            }
        }
        for (name, candidates) in &found {
            if !values.contains_key(name)
                && let Some(best) = best(name, candidates, desired, observed)
            {
                values.insert(name.clone(), best);
            }
        }
        if found.len() == before {
            break;
        }
    }
    let keyring = Keyring::new(None, values.clone());
    let mut differing: BTreeMap<SecretName, BTreeSet<ResourceId>> = BTreeMap::new();
    for (id, text, live) in &places {
        if keyring.reveal(text).is_some_and(|wanted| wanted.expose() != *live) {
            for name in text.secrets() {
                differing.entry(name.clone()).or_default().insert(id.clone());
            }
        }
    }
    for (name, verifier, id) in verifiers(desired, observed) {
        let value = values.get(&name);
        if value.is_some_and(|value| !catalog::verifies(value.expose(), verifier)) {
            differing.entry(name).or_default().insert(id.clone());
        }
    }
    Recovered { values, differing }
}

/// Returns every place with a text that has secrets in it, and what stands there.
fn places<'a>(
    desired: &'a Desired,
    observed: &'a Observed,
) -> Vec<(ResourceId, &'a Text, &'a str)> {
    let mut places = Vec::new();
    for (id, resource) in &desired.resources {
        for (path, text) in resource.texts() {
            if text.secrets().next().is_none() {
                continue;
            }
            for live in live(id, &path, resource, observed) {
                places.push((id.clone(), text, live));
            }
        }
    }
    places
}

fn live<'a>(
    id: &ResourceId,
    path: &Path,
    resource: &Resource,
    observed: &'a Observed,
) -> Vec<&'a str> {
    match resource {
        Resource::Container(_) => {
            let ours = observed.containers.iter().filter(|seen| seen.owner.resource() == Some(id));
            let values = ours.filter_map(|seen| match seen.fields.get(path)? {
                Live::Text(text) => Some(text.expose()),
                Live::Verifier(_) => None,
            });
            values.collect()
        }
        Resource::Files(_) => {
            let file = observed.files.get(id).and_then(|seen| seen.files.get(&path.key));
            file.and_then(|file| file.content.as_ref()).map(Sensitive::expose).into_iter().collect()
        }
        Resource::Inner(_) | Resource::Image(_) | Resource::Network(_) | Resource::Volume(_) => {
            Vec::new()
        }
    }
}

/// Returns the verifiers of passwords, by the secret that is to fit them.
fn verifiers<'a>(
    desired: &'a Desired,
    observed: &'a Observed,
) -> Vec<(SecretName, &'a str, &'a ResourceId)> {
    let mut all = Vec::new();
    for (id, resource) in &desired.resources {
        let Resource::Inner(inner) = resource else { continue };
        let Some(InnerState::Seen(seen)) = observed.inner.get(&inner.container) else { continue };
        for (key, text) in &inner.spec.attributes {
            let live = seen.get(&inner.id).and_then(|live| live.get(&Field::Attribute.key(key)));
            if let ([Part::Secret(name, Encoding::Raw)], Some(Live::Verifier(verifier))) =
                (text.0.as_slice(), live)
            {
                all.push((name.clone(), verifier.expose(), id));
            }
        }
    }
    all
}

/// Returns the candidate that the service itself takes for the password, else the one in most places.
fn best(
    name: &SecretName,
    candidates: &BTreeMap<Sensitive, BTreeSet<ResourceId>>,
    desired: &Desired,
    observed: &Observed,
) -> Option<Sensitive> {
    let verifiers = verifiers(desired, observed);
    let fits = |value: &Sensitive| {
        let mut own = verifiers.iter().filter(|(other, ..)| other == name);
        own.any(|(_, verifier, _)| catalog::verifies(value.expose(), verifier))
    };
    let rank = |(value, places): &(&Sensitive, &BTreeSet<ResourceId>)| (fits(value), places.len());
    candidates.iter().max_by_key(rank).map(|(value, _)| value.clone())
}

/// Returns the one secret that is not known of `text`, if the text can have become `live` by it.
fn solve(
    text: &Text,
    live: &str,
    known: &BTreeMap<SecretName, Sensitive>,
) -> Option<(SecretName, Sensitive)> {
    let unknown: BTreeSet<&SecretName> =
        text.secrets().filter(|name| !known.contains_key(name)).collect();
    let name = match unknown.len() {
        // All known: a text with one secret still says what it is in this place.
        0 if text.secrets().count() == 1 => text.secrets().next()?,
        1 => unknown.into_iter().next()?,
        _ => return None,
    };
    let reveal = |part: &Part| match part {
        Part::Plain(plain) => Some(plain.clone()),
        Part::Secret(other, _) if other == name => None,
        Part::Secret(other, encoding) => {
            Some(encoding.apply(known.get(other)?.expose()).into_owned())
        }
    };
    let is_it = |part: &Part| matches!(part, Part::Secret(other, _) if other == name);
    let place = text.0.iter().position(is_it)?;
    let Part::Secret(_, encoding) = &text.0[place] else { return None };
    let head: String = text.0[..place].iter().filter_map(reveal).collect();
    let rest = live.strip_prefix(head.as_str())?;
    // Where it stands once, it is what is left; where more often, the same each time.
    let times = text.0.iter().filter(|part| is_it(part)).count();
    let tail: usize = text.0[place + 1..].iter().filter_map(reveal).map(|text| text.len()).sum();
    let length = rest.len().checked_sub(tail)? / times;
    let value = decoded(*encoding, rest.get(..length)?)?;
    let mut values = known.clone();
    values.insert(name.clone(), Sensitive::new(&value));
    let whole = Keyring::new(None, values).reveal(text)?;
    (whole.expose() == live && !value.is_empty()).then(|| (name.clone(), Sensitive::new(value)))
}

/// Returns what was written into a text with an encoding.
fn decoded(encoding: Encoding, text: &str) -> Option<String> {
    match encoding {
        Encoding::Raw => Some(text.to_owned()),
        Encoding::Url => {
            let bytes = percent_encoding::percent_decode_str(text);
            Some(bytes.decode_utf8().ok()?.into_owned())
        }
        Encoding::Quoted => {
            let mut out = String::new();
            let mut rest = text.chars();
            while let Some(c) = rest.next() {
                match c {
                    '\\' => match rest.next()? {
                        'x' => {
                            let digits: String = rest.by_ref().take(2).collect();
                            out.push(char::from(u8::from_str_radix(&digits, 16).ok()?));
                        }
                        other => out.push(other),
                    },
                    other => out.push(other),
                }
            }
            Some(out)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SecretName {
        SecretName::new(text).unwrap()
    }

    fn url(secrets: &[(&str, Encoding)]) -> Text {
        let mut text = Text::plain("a://u:");
        for (secret, encoding) in secrets {
            text.0.push(Part::Secret(name(secret), *encoding));
            text.push_str("@h/");
        }
        text
    }

    #[test]
    fn what_was_written_into_a_text_is_read_back_out_of_it() {
        let hard = "p@ss \"w\\rd\"\n/%40é";
        for encoding in [Encoding::Raw, Encoding::Url, Encoding::Quoted] {
            for times in 1..3 {
                let text = url(&vec![("db", encoding); times]);
                let values = BTreeMap::from([(name("db"), Sensitive::new(hard))]);
                let live = Keyring::new(None, values).reveal(&text).unwrap();
                let (found, value) = solve(&text, live.expose(), &BTreeMap::new()).unwrap();
                assert_eq!((found, value.expose()), (name("db"), hard), "{encoding:?}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_or_is_not_clear_is_not_guessed() {
        let one = url(&[("db", Encoding::Url)]);
        for live in ["b://u:x@h/", "a://u:x@h", "a://u:@h/", "a://u:a%zz b@h/", ""] {
            assert!(solve(&one, live, &BTreeMap::new()).is_none(), "{live}");
        }
        let two = url(&[("db", Encoding::Url), ("key", Encoding::Raw)]);
        assert!(solve(&two, "a://u:x@h/y@h/", &BTreeMap::new()).is_none());
        let known = BTreeMap::from([(name("db"), Sensitive::new("x"))]);
        let (found, value) = solve(&two, "a://u:x@h/y@h/", &known).unwrap();
        assert_eq!((found, value.expose()), (name("key"), "y"));
    }
}
