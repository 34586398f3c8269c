//! Names a person writes in `nself.toml`, each checked once.

use std::{fmt, str::FromStr};

use super::Digest;

/// Why a text is not a name; the text says what a name must look like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(pub String);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and returns it as a name.
            pub fn new(text: &str) -> Result<Self, InvalidName> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }

            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }
    };
}

name! {
    /// The project: at most 40 of `a-z`, `0-9` and inner hyphens, beginning with a letter.
    ProjectName, dns_label
}
name! {
    /// One service of the project. Like [`ProjectName`], and it does not end in `-<digits>`, since
    /// `api-2` is the name of the second replica of `api`.
    ServiceName, service
}
name! {
    /// An environment or preview branch whose objects live beside the project's own on one engine.
    Instance, dns_label
}
name! {
    /// A secret: at most 60 of `a-z`, `0-9` and `_`, beginning with a letter.
    SecretName, identifier
}
name! {
    /// A declared variable; same form as [`SecretName`].
    VariableName, identifier
}

name! {
    /// A policy of the project. Like [`ProjectName`].
    PolicyName, dns_label
}

impl SecretName {
    /// Returns the name of the secret that holds the password of `role` in `service`, or of the
    /// service itself: `postgres_reporter_password`. Names of roles may hold anything, so one that
    /// had to be changed or cut carries a digest that keeps it apart from others.
    pub fn password(service: &ServiceName, role: Option<&str>) -> Self {
        let plain: String = service
            .as_str()
            .chars()
            .chain(role.into_iter().flat_map(|role| std::iter::once('_').chain(role.chars())))
            .map(|c| if matches!(c, 'a'..='z' | '0'..='9' | '_') { c } else { '_' })
            .collect();
        let is_whole = role.is_none_or(|role| plain.ends_with(role)) && plain.len() <= 50;
        if is_whole {
            return Self(format!("{plain}_password"));
        }
        let whole = format!("{service} {}", role.unwrap_or_default());
        let digest = Digest::of(whole.as_bytes());
        let start = &plain[..plain.len().min(36)];
        Self(format!("{start}_{}_password", digest.short()))
    }
}

/// With the project, instance, service and what we add (`.next`, `-config`) a name stays under the
/// 63 characters of a DNS label for any two of them at this length.
const LONGEST_LABEL: usize = 40;

fn dns_label(text: &str) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName("a name may not be empty".into()));
    }
    if let Some(bad) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Err(InvalidName(format!("a name has only a-z, 0-9 and `-`, not {bad:?}")));
    }
    if text.len() > LONGEST_LABEL {
        let count = text.len();
        return Err(InvalidName(format!(
            "a name has at most {LONGEST_LABEL} characters, this one has {count}"
        )));
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(InvalidName("a name begins with a letter".into()));
    }
    if text.ends_with('-') {
        return Err(InvalidName("a name does not end in `-`".into()));
    }
    Ok(())
}

fn service(text: &str) -> Result<(), InvalidName> {
    dns_label(text)?;
    if let Some((_, last)) = text.rsplit_once('-')
        && last.chars().all(|c| c.is_ascii_digit())
    {
        return Err(InvalidName(format!(
            "a service name does not end in `-{last}`: that is how replicas are named"
        )));
    }
    Ok(())
}

fn identifier(text: &str) -> Result<(), InvalidName> {
    if text.is_empty() || text.len() > 60 {
        return Err(InvalidName("a name has 1 to 60 characters".into()));
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(InvalidName("a name begins with a letter a-z".into()));
    }
    if let Some(bad) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '_')) {
        return Err(InvalidName(format!("a name has only a-z, 0-9 and `_`, not {bad:?}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_good_names_whatever_the_role() {
        let service = ServiceName::new("my-db").unwrap();
        let name = |role| SecretName::password(&service, role);
        assert_eq!(name(None).as_str(), "my_db_password");
        assert_eq!(name(Some("reporter")).as_str(), "my_db_reporter_password");
        assert_ne!(name(Some("we\"ird")), name(Some("we_ird")));
        for role in ["we\"ird", "Größe", &"x".repeat(63)] {
            SecretName::new(name(Some(role)).as_str()).unwrap();
        }
    }

    #[test]
    fn service_names_leave_room_for_replicas() {
        assert!(ServiceName::new("api").is_ok());
        assert!(ServiceName::new("api-v2").is_ok());
        assert!(ServiceName::new("api-2").is_err());
        for bad in ["", "Api", "9lives", "a_b", "a-", "ünï", &"x".repeat(41)] {
            assert!(ServiceName::new(bad).is_err(), "{bad:?}");
        }
    }
}
