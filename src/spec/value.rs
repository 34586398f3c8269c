//! Small texts of `nself.toml` that read as something: paths, binds, devices, limits, dates.
//!
//! Each is checked once, here; whoever holds one need not look at the text again.

use std::{fmt, str::FromStr};

use crate::decode_text;

/// Why a text does not read as what it should; the text says what that looks like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(String);

impl InvalidText {
    pub(super) fn new(text: &str, wanted: &str) -> Self {
        Self(format!("`{text}` is not {wanted}"))
    }
}

/// A path of the host, `/srv/data`, or `/srv/data:ro`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The path on the host.
    pub path: String,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

impl FromStr for Bind {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let (path, read_only) = match text.rsplit_once(':') {
            None => (text, false),
            Some((path, "ro")) => (path, true),
            Some((path, "rw")) => (path, false),
            Some(_) => {
                let wanted = "a path of the host, with `:ro` behind it or not";
                return Err(InvalidText::new(text, wanted));
            }
        };
        if !path.starts_with('/') || path.contains(['\0', ':']) {
            let wanted = "an absolute path of the host, such as `/srv/data:ro`";
            return Err(InvalidText::new(text, wanted));
        }
        Ok(Self { path: path.to_owned(), read_only })
    }
}

/// An absolute path inside a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InsidePath(String);

impl FromStr for InsidePath {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let path = if text.len() > 1 { text.trim_end_matches('/') } else { text };
        let odd = path.split('/').skip(1).any(|part| matches!(part, "" | "." | ".."));
        if !path.starts_with('/') || odd || path.contains([':', '\0']) {
            let wanted = "an absolute path inside the container, such as `/var/lib/data`";
            return Err(InvalidText::new(text, wanted));
        }
        Ok(Self(path.to_owned()))
    }
}

/// The name of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvName(String);

impl FromStr for EnvName {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        if text.is_empty() || text.contains(['=', '\0']) || text.contains(char::is_whitespace) {
            return Err(InvalidText::new(text, "the name of an environment variable"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A kernel capability, such as `NET_ADMIN`. Kept without the `CAP_` in front.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Capability(String);

impl FromStr for Capability {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            return Err(InvalidText::new(text, "a capability, such as `NET_ADMIN` or `ALL`"));
        }
        Ok(Self(name.to_owned()))
    }
}

/// A device of the host: `/dev/dri`, `/dev/ttyUSB0:/dev/tty:rw`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The path on the host.
    pub host: String,
    /// The path inside.
    pub inside: String,
    /// What may be done with it: of `r`, `w` and `m`.
    pub permissions: String,
}

impl FromStr for Device {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let mut parts = text.split(':');
        let host = parts.next().unwrap_or_default();
        let inside = parts.next().unwrap_or(host);
        let permissions = parts.next().unwrap_or("rwm");
        let good = host.starts_with('/')
            && inside.starts_with('/')
            && !permissions.is_empty()
            && permissions.chars().all(|c| matches!(c, 'r' | 'w' | 'm'))
            && parts.next().is_none();
        if !good {
            return Err(InvalidText::new(text, "a device, such as `/dev/dri:/dev/dri:rwm`"));
        }
        let [host, inside, permissions] = [host, inside, permissions].map(str::to_owned);
        Ok(Self { host, inside, permissions })
    }
}

/// A limit of processes: `1024:4096`, or one number for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessLimit {
    /// What a process has.
    pub soft: i64,
    /// How far it may raise it; -1 is no limit.
    pub hard: i64,
}

impl FromStr for ProcessLimit {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let (soft, hard) = text.split_once(':').unwrap_or((text, text));
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= -1);
        number(soft)
            .zip(number(hard))
            .filter(|(soft, hard)| *hard == -1 || (*soft != -1 && soft <= hard))
            .map(|(soft, hard)| Self { soft, hard })
            .ok_or_else(|| {
                let wanted = "a limit, such as `1024` or `1024:4096`, the soft one not above \
                              the hard one";
                InvalidText::new(text, wanted)
            })
    }
}

/// When the engine starts a container again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartRule {
    /// Never.
    No,
    /// Always.
    Always,
    /// Unless a person stopped it.
    UnlessStopped,
    /// After a failure, at most so many times; 0 is no limit.
    OnFailure(u32),
}

impl FromStr for RestartRule {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let times = text.strip_prefix("on-failure:").and_then(|times| times.parse().ok());
        match (text, times) {
            ("no", _) => Ok(Self::No),
            ("always", _) => Ok(Self::Always),
            ("unless-stopped", _) => Ok(Self::UnlessStopped),
            ("on-failure", _) => Ok(Self::OnFailure(0)),
            (_, Some(times)) => Ok(Self::OnFailure(times)),
            (_, None) => {
                let wanted = "a restart rule: `no`, `always`, `unless-stopped`, `on-failure` or \
                              `on-failure:3`";
                Err(InvalidText::new(text, wanted))
            }
        }
    }
}

/// A day, `2027-03-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(jiff::civil::Date);

impl Day {
    /// Returns the day on which a moment, in milliseconds since 1970, falls in UTC.
    pub fn of(milliseconds: u64) -> Self {
        let moment = i64::try_from(milliseconds)
            .ok()
            .and_then(|number| jiff::Timestamp::from_millisecond(number).ok())
            .unwrap_or(jiff::Timestamp::MAX);
        Self(jiff::tz::Offset::UTC.to_datetime(moment).date())
    }
}

impl FromStr for Day {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        // Only this one form: a date parser would take times and other calendars, too.
        let shape = |(index, c): (usize, char)| match index {
            4 | 7 => c == '-',
            _ => c.is_ascii_digit(),
        };
        if text.len() == 10
            && text.chars().enumerate().all(shape)
            && let Ok(date) = text.parse()
        {
            return Ok(Self(date));
        }
        Err(InvalidText::new(text, "a date, such as `2027-03-31`"))
    }
}

macro_rules! text {
    ($($name:ident)*) => {$(
        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text! { InsidePath EnvName Capability }

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

decode_text! {
    Bind, "a path of the host, such as \"/srv/data:ro\"";
    EnvName, "the name of an environment variable";
    InsidePath, "a path inside the container";
    Capability, "a capability, such as \"NET_ADMIN\"";
    Device, "a device, such as \"/dev/dri:/dev/dri:rwm\"";
    ProcessLimit, "a limit, such as \"1024:4096\"";
    RestartRule, "a restart rule, such as \"unless-stopped\"";
    Day, "a date, such as \"2027-03-31\"";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_binds_and_devices() {
        assert_eq!("/a/b/".parse::<InsidePath>().unwrap().as_str(), "/a/b");
        for bad in ["a", "", "/a/../b", "/a:b", "//a"] {
            assert!(bad.parse::<InsidePath>().is_err(), "{bad}");
        }
        assert!("/srv:ro".parse::<Bind>().unwrap().read_only);
        assert!("./srv".parse::<Bind>().is_err() && "/a:b".parse::<Bind>().is_err());
        assert_eq!("/dev/x".parse::<Device>().unwrap().permissions, "rwm");
        assert!("/dev/x:y".parse::<Device>().is_err());
    }

    #[test]
    fn days() {
        assert!("2027-02-30".parse::<Day>().is_err() && "20270228".parse::<Day>().is_err());
        assert!(Day::of(0) < "2027-02-28".parse().unwrap());
    }

    #[test]
    fn limits_and_restarts() {
        assert_eq!("10:-1".parse::<ProcessLimit>().unwrap().hard, -1);
        for bad in ["", "2:1", "-1:5", "a"] {
            assert!(bad.parse::<ProcessLimit>().is_err(), "{bad}");
        }
        assert_eq!("on-failure:3".parse(), Ok(RestartRule::OnFailure(3)));
        assert!("on-failure:x".parse::<RestartRule>().is_err());
    }
}
