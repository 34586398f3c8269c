//! Image references.

use std::{fmt, str::FromStr};

/// An image by repository and tag, or by repository and digest: `postgres:17.6`,
/// `registry.internal:5000/shop/api@sha256:…`. Never without either: `latest` is not assumed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    repository: String,
    version: Version,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Version {
    Tag(String),
    Digest(String),
}

/// Why a text is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidImage(pub String);

impl ImageRef {
    /// Returns the image `repository:tag`.
    pub fn tagged(repository: &str, tag: &str) -> Result<Self, InvalidImage> {
        format!("{repository}:{tag}").parse()
    }

    /// Returns the part before the tag or digest.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the tag, unless the image is given by digest.
    pub fn tag(&self) -> Option<&str> {
        match &self.version {
            Version::Tag(tag) => Some(tag),
            Version::Digest(_) => None,
        }
    }

    /// Returns the reference under which `mirror` (such as `registry.internal:5000`) serves this
    /// image. An image that names its own registry is served as it is.
    #[must_use]
    pub fn through(&self, mirror: &str) -> Self {
        let first = self.repository.split('/').next().unwrap_or_default();
        let names_registry =
            self.repository.contains('/') && (first.contains(['.', ':']) || first == "localhost");
        if names_registry || mirror.is_empty() {
            return self.clone();
        }
        let library = if self.repository.contains('/') { "" } else { "library/" };
        Self {
            repository: format!("{mirror}/{library}{}", self.repository),
            version: self.version.clone(),
        }
    }
}

impl FromStr for ImageRef {
    type Err = InvalidImage;

    fn from_str(text: &str) -> Result<Self, InvalidImage> {
        let bad = |why: &str| InvalidImage(format!("`{text}` is not an image reference: {why}"));
        let (repository, version) = if let Some((repository, digest)) = text.split_once('@') {
            let hex = digest.strip_prefix("sha256:").unwrap_or_default();
            if hex.len() != 64 || !hex.chars().all(|c| c.is_ascii_hexdigit()) {
                return Err(bad("a digest is `sha256:` and 64 hexadecimal digits"));
            }
            (repository, Version::Digest(digest.to_owned()))
        } else {
            match text.rsplit_once(':') {
                Some((repository, tag)) if !tag.contains('/') => {
                    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
                    if tag.is_empty() || tag.len() > 128 || !tag.chars().all(good) {
                        return Err(bad("a tag has 1 to 128 letters, digits, `_`, `.` and `-`"));
                    }
                    (repository, Version::Tag(tag.to_owned()))
                }
                Some(_) | None => {
                    return Err(bad("it wants a tag, such as `:1.4`, so that it does not float"));
                }
            }
        };
        let good = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '.' | '-' | '/' | ':');
        if repository.is_empty() || !repository.chars().all(good) {
            return Err(bad("the repository has a-z, 0-9, `.`, `_`, `-` and `/`"));
        }
        if repository.split('/').any(str::is_empty) {
            return Err(bad("the repository has an empty part"));
        }
        Ok(Self { repository: repository.to_owned(), version })
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Version::Tag(tag) => write!(f, "{}:{tag}", self.repository),
            Version::Digest(digest) => write!(f, "{}@{digest}", self.repository),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_back_and_do_not_float() {
        for good in ["postgres:17.6", "localhost:5000/a/b:1", "ghcr.io/acme/api:1.4"] {
            assert_eq!(good.parse::<ImageRef>().unwrap().to_string(), good);
        }
        for bad in ["postgres", "localhost:5000/a", "A:1", "x:", "x@sha256:12", "a//b:1"] {
            assert!(bad.parse::<ImageRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mirror_serves_the_default_registry_only() {
        let through = |text: &str| {
            text.parse::<ImageRef>().unwrap().through("registry.internal:5000").to_string()
        };
        assert_eq!(through("postgres:17.6"), "registry.internal:5000/library/postgres:17.6");
        assert_eq!(through("axllent/mailpit:v1"), "registry.internal:5000/axllent/mailpit:v1");
        assert_eq!(through("ghcr.io/acme/api:1.4"), "ghcr.io/acme/api:1.4");
    }
}
