//! What a value probably is: a secret, or a service that nself has a kind for.

/// Words in the name of a variable whose value is none of anybody's business.
const TELLING: [&str; 11] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "APIKEY",
    "API_KEY",
    "PRIVATE_KEY",
    "ACCESS_KEY",
    "CREDENTIAL",
    "ENCRYPTION_KEY",
];
/// Endings that say as much.
const TELLING_ENDS: [&str; 5] = ["_PASS", "_PWD", "_KEY", "_DSN", "_SALT"];
/// Endings of names that say where a secret is, or something about it.
const HARMLESS_ENDS: [&str; 12] = [
    "_FILE",
    "_PATH",
    "_DIR",
    "_ID",
    "_NAME",
    "_HOST",
    "_PORT",
    "_EXPIRY",
    "_TTL",
    "_LIFETIME",
    "_ALGORITHM",
    "_PUBLIC_KEY",
];

/// Returns whether the value of a variable is probably a secret.
pub fn looks_secret(name: &str, value: &str) -> bool {
    let upper = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let tells = TELLING.iter().any(|word| upper.contains(word))
        || TELLING_ENDS.iter().any(|end| upper.ends_with(end))
        || matches!(upper.as_str(), "PASS" | "PWD_HASH" | "KEY");
    if !tells || HARMLESS_ENDS.iter().any(|end| upper.ends_with(end)) {
        return false;
    }
    let is_word = matches!(
        value.to_ascii_lowercase().as_str(),
        "" | "true"
            | "false"
            | "yes"
            | "no"
            | "on"
            | "off"
            | "none"
            | "null"
            | "disabled"
            | "enabled"
    );
    let is_path = value.starts_with('/') && !value.contains(' ');
    let is_small_number = value.len() < 5 && value.chars().all(|c| c.is_ascii_digit());
    !is_word && !is_path && !is_small_number
}

/// Returns the place of the password in a URL such as `postgres://app:hush@db/app`.
pub(super) fn password_in_url(value: &str) -> Option<std::ops::Range<usize>> {
    let start = value.find("://")? + 3;
    let end = value[start..].find(['/', '?', '#']).map_or(value.len(), |found| start + found);
    let at = start + value[start..end].rfind('@')?;
    let colon = start + value[start..at].find(':')?;
    (colon + 1 < at).then_some(colon + 1..at)
}

/// Returns the kind that nself has for an image.
pub(super) fn kind_of(image: &str) -> Option<&'static str> {
    let name = image.split('@').next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    match name.split(':').next().unwrap_or_default() {
        "postgres" => Some("postgres"),
        "redis" => Some("redis"),
        "mailpit" => Some("mailpit"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_from_what_is_about_them() {
        for (name, value) in [
            ("POSTGRES_PASSWORD", "hush"),
            ("jwt_secret", "abc"),
            ("SMTP_PASS", "x1"),
            ("APP_KEY", "base64:x"),
        ] {
            assert!(looks_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("POSTGRES_PASSWORD_FILE", "/run/x"),
            ("ALLOW_EMPTY_PASSWORD", "yes"),
            ("TOKEN_TTL", "3600"),
            ("SECRET_PATH", "x"),
            ("LOG_LEVEL", "debug"),
            ("SSL_KEY", "/etc/ssl/key.pem"),
        ] {
            assert!(!looks_secret(name, value), "{name}");
        }
    }

    #[test]
    fn passwords_are_found_in_urls() {
        let found = |url: &str| password_in_url(url).map(|range| url[range].to_owned());
        assert_eq!(found("pg://u:p:w@h/d").as_deref(), Some("p:w"));
        assert_eq!(found("pg://u@h/d?x=a:b@c"), None);
        assert_eq!(found("http://h:80/a@b"), None);
    }
}
