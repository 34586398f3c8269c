//! Quantities with units: bytes, processors, durations.

use std::{fmt, str::FromStr};

/// Why a text is not a quantity; the text says what one looks like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidUnit(pub String);

/// A number of bytes. Written as `512M`, `1.5G` or plain bytes; the units are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// Processor time, in billionths of one processor, as the engine counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpus(pub u64);

/// A duration in milliseconds. Written as `250ms`, `10s`, `5m` or `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

/// A part of a whole in percent, 0 to 100. Written as `30%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u8);

impl Share {
    /// Returns whether `part` is more than this share of `whole`.
    pub fn is_exceeded(self, part: usize, whole: usize) -> bool {
        part.saturating_mul(100) > whole.saturating_mul(usize::from(self.0))
    }
}

impl FromStr for Share {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let digits = text.strip_suffix('%').filter(|text| text.chars().all(|c| c.is_ascii_digit()));
        let number =
            digits.and_then(|text| text.parse::<u8>().ok()).filter(|number| *number <= 100);
        number.map(Self).ok_or_else(|| {
            InvalidUnit(format!("`{text}` is not a share, such as `30%`, of at most `100%`"))
        })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Millis {
    /// Returns the same duration for the standard library.
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl ByteSize {
    /// Returns the size in three digits and a unit, such as `1.2 G`, for amounts that are measured.
    pub fn rounded(self) -> String {
        let Self(bytes) = self;
        for (unit, name) in [(1u64 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")] {
            if bytes >= unit {
                let tenths = u128::from(bytes) * 10 / u128::from(unit);
                let (whole, tenth) = (tenths / 10, tenths % 10);
                return if whole >= 10 || tenth == 0 {
                    format!("{whole} {name}")
                } else {
                    format!("{whole}.{tenth} {name}")
                };
            }
        }
        format!("{bytes} B")
    }
}

impl FromStr for ByteSize {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let bad = || InvalidUnit(format!("`{text}` is not a size, such as `512M` or `2G`"));
        let trimmed = text.trim_end_matches("iB").trim_end_matches(['B', 'b']);
        let (number, unit) = split_number(trimmed);
        let factor: u64 = match unit.to_ascii_uppercase().as_str() {
            "" => 1,
            "K" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            "T" => 1 << 40,
            _ => return Err(bad()),
        };
        scale(number, factor).map(Self).ok_or_else(bad)
    }
}

impl FromStr for Millis {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let bad = || InvalidUnit(format!("`{text}` is not a duration, such as `10s` or `500ms`"));
        let (number, unit) = split_number(text);
        let factor: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(bad()),
        };
        scale(number, factor).map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(1u64 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")] {
            if self.0 >= unit && self.0.is_multiple_of(unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / 1_000_000_000;
        let rest = self.0 % 1_000_000_000;
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:09}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
            if self.0 >= unit && self.0.is_multiple_of(unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}ms", self.0)
    }
}

fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

/// Multiplies a decimal text such as `1.5` by `factor` without floating point; `None` if the text
/// is not a number, the result is not whole, or it does not fit.
fn scale(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if number.is_empty() || fraction.len() > 9 || (number.contains('.') && fraction.is_empty()) {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = digits.checked_mul(u128::from(factor))?;
    let divisor = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    if scaled % divisor != 0 {
        return None;
    }
    u64::try_from(scaled / divisor).ok()
}

impl FromStr for Cpus {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        scale(text, 1_000_000_000).map(Self).ok_or_else(|| {
            InvalidUnit(format!("`{text}` is not a number of processors, such as 0.5"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_a_whole() {
        let third: Share = "33%".parse().unwrap();
        assert_eq!(third.to_string(), "33%");
        assert!(third.is_exceeded(1, 3) && !third.is_exceeded(1, 4) && third.is_exceeded(1, 0));
        assert!(!"100%".parse::<Share>().unwrap().is_exceeded(7, 7));
        for bad in ["30", "%", "101%", "-1%", "+3%", "3.5%", "300%"] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_read_and_print() {
        for (text, bytes) in [("512M", 512 << 20), ("1.5G", 3 << 29), ("100", 100), ("4KiB", 4096)]
        {
            assert_eq!(text.parse::<ByteSize>().unwrap().0, bytes);
        }
        assert_eq!(ByteSize(512 << 20).to_string(), "512M");
        for bad in ["", "M", "1.G", "12X", "-5", "0.3", "99999999999999T"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_and_processors_read_and_print() {
        assert_eq!("10s".parse::<Millis>().unwrap().0, 10_000);
        assert_eq!(Millis(90_000).to_string(), "90s");
        assert!("10".parse::<Millis>().is_err());
        assert_eq!("0.5".parse::<Cpus>().unwrap().to_string(), "0.5");
    }
}
