//! Times that come again: cron expressions, time zones, and windows that open at such times.
//!
//! Time zones are those that nself was built with, so that a file reads the same on every machine. The parser is our
//! own: every library for cron brings a second library for time along.

use std::{fmt, str::FromStr};

use jiff::{
    civil::{Date, Time},
    tz::{TimeZone, TimeZoneDatabase},
};

use super::{Millis, decode::suggest};
use crate::decode_text;

/// Why a text is no schedule or zone; the text says what one looks like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSchedule(String);

/// A cron expression of five fields: minute, hour, day of the month, month, day of the week. Where both kinds of days
/// are given, either is enough, as in every cron.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether one of the two kinds of days is enough.
    either: bool,
}

/// A time zone, by its name in the IANA database.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

/// A time that opens at each time of a schedule and closes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// When it opens.
    pub schedule: Schedule,
    /// How long it stays open, on a clock that is never set.
    pub length: Millis,
    /// Where the schedule's clock hangs.
    pub zone: Zone,
}

/// One of the five fields.
struct FieldRule {
    word: &'static str,
    first: u8,
    last: u8,
    /// Words for the values from `first` on.
    names: &'static [&'static str],
}

const MINUTE: FieldRule = FieldRule { word: "minute", first: 0, last: 59, names: &[] };
const HOUR: FieldRule = FieldRule { word: "hour", first: 0, last: 23, names: &[] };
const DAY: FieldRule = FieldRule { word: "day of the month", first: 1, last: 31, names: &[] };
const MONTH: FieldRule = FieldRule {
    word: "month",
    first: 1,
    last: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: FieldRule = FieldRule {
    word: "day of the week",
    first: 0,
    last: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

/// The most days that each month can have.
const LENGTHS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Schedule {
    /// Returns the times of a day, as the clock on the wall shows them, the first one first.
    pub fn on(&self, day: Date) -> impl Iterator<Item = Time> + use<> {
        let (hours, minutes) = if self.is_on(day) { (self.hours, self.minutes) } else { (0, 0) };
        let pairs = (0..24).filter(move |hour| has(hours, *hour)).flat_map(move |hour| {
            (0..60).filter(move |minute| has(minutes, *minute)).map(move |minute| (hour, minute))
        });
        pairs.map(|(hour, minute)| Time::constant(hour.cast_signed(), minute.cast_signed(), 0, 0))
    }

    /// Returns whether it has times in every hour. What is said of a certain hour comes once on the day on which a
    /// clock that is set back shows that hour twice; what is said of every hour comes in both.
    pub fn is_hourly(&self) -> bool {
        self.hours == bits(HOUR.first, HOUR.last, 1)
    }

    fn is_on(&self, day: Date) -> bool {
        let date = has(self.days, day.day().cast_unsigned());
        let weekday = day.weekday().to_sunday_zero_offset();
        let weekday = has(self.weekdays, weekday.cast_unsigned());
        has(self.months, day.month().cast_unsigned())
            && if self.either { date || weekday } else { date && weekday }
    }

    /// Returns whether there is a day for it in some year.
    fn comes(&self) -> bool {
        let months = LENGTHS.iter().zip(1..).filter(|(_, month)| has(self.months, *month));
        self.either
            || months.into_iter().any(|(length, _)| self.days & bits(DAY.first, *length, 1) != 0)
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let bad =
            |why: String| InvalidSchedule(format!("`{text}` is not a cron expression: {why}"));
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(bad(format!(
                "it has five fields (minute, hour, day, month, day of the week), such as `0 3 * * sun`, not {}",
                fields.len()
            )));
        };
        let schedule = Self {
            text: fields.join(" "),
            minutes: MINUTE.read(minute).map_err(bad)?,
            hours: HOUR.read(hour).map_err(bad)?,
            days: DAY.read(day).map_err(bad)?,
            months: MONTH.read(month).map_err(bad)?,
            weekdays: WEEKDAY.read(weekday).map_err(bad)?,
            either: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        if !schedule.comes() {
            return Err(bad("no month of those has such a day, so it never comes".to_owned()));
        }
        Ok(schedule)
    }
}

impl FieldRule {
    /// Returns the values of one field, each a bit.
    fn read(&self, text: &str) -> Result<u64, String> {
        text.split(',').try_fold(0, |all, part| Ok(all | self.part(part)?))
    }

    fn part(&self, part: &str) -> Result<u64, String> {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => {
                let number = step.parse::<u8>().ok().filter(|step| (1..=self.last).contains(step));
                let number = number.ok_or_else(|| {
                    format!(
                        "`{step}` is no step between two {}s, which is 1 to {}",
                        self.word, self.last
                    )
                })?;
                (range, Some(number))
            }
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.first, self.last),
            None => {
                let first = self.value(range)?;
                // `5/15` goes on to the end, as in every cron.
                (first, if step.is_some() { self.last.max(first) } else { first })
            }
            Some((first, last)) => (self.value(first)?, self.value(last)?),
        };
        if first > last {
            return Err(format!(
                "`{range}` ends before it begins; write {first}-{},{}-{last}",
                self.last, self.first
            ));
        }
        let found = bits(first, last, step.unwrap_or(1));
        // Sunday is 0 and 7.
        let is_weekday = self.last == WEEKDAY.last;
        Ok(if is_weekday && has(found, 7) { (found & !(1 << 7)) | 1 } else { found })
    }

    fn value(&self, text: &str) -> Result<u8, String> {
        let lower = text.to_ascii_lowercase();
        if let Some(place) = self.names.iter().position(|name| *name == lower) {
            return Ok(self.first + u8::try_from(place).unwrap_or(0));
        }
        // Sunday is 0 and 7.
        let last = if self.last == WEEKDAY.last { 7 } else { self.last };
        let number = text.parse::<u8>().ok().filter(|_| text.bytes().all(|c| c.is_ascii_digit()));
        number.filter(|number| (self.first..=last).contains(number)).ok_or_else(|| {
            let names = match self.names {
                [first, .., last] => format!(", or {first} to {last}"),
                _ => String::new(),
            };
            format!("`{text}` is no {}, which is {} to {last}{names}", self.word, self.first)
        })
    }
}

fn has(bits: u64, number: u8) -> bool {
    bits & (1 << number) != 0
}

fn bits(first: u8, last: u8, step: u8) -> u64 {
    (first..=last).step_by(usize::from(step)).fold(0, |all, number| all | (1 << number))
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Zone {
    /// The zone of schedules that name none.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// Returns it for the library that reckons with it.
    pub fn zone(&self) -> &TimeZone {
        &self.0
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl FromStr for Zone {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let known = TimeZoneDatabase::bundled();
        known.get(text).map(Self).map_err(|_| {
            let names: Vec<String> = known.available().map(|name| name.to_string()).collect();
            let near = suggest(text, names.iter().map(String::as_str));
            let near = near.map_or_else(
                || "one is called such as `Europe/Berlin` or `UTC`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            InvalidSchedule(format!("there is no time zone `{text}`; {near}"))
        })
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

decode_text! {
    Schedule, "a cron expression, such as \"0 3 * * sun\"";
    Zone, "a time zone, such as \"Europe/Berlin\"";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(text: &str, day: &str) -> Vec<String> {
        let schedule: Schedule = text.parse().unwrap();
        schedule.on(day.parse().unwrap()).map(|time| time.strftime("%H:%M").to_string()).collect()
    }

    #[test]
    fn fields_are_read_as_cron_reads_them() {
        // A Sunday.
        let day = "2026-03-01";
        assert_eq!(times("0 3 * * sun", day), ["03:00"]);
        assert_eq!(times("0 3 * * 7", day), ["03:00"]);
        assert_eq!(times("0 3 * * SAT-7", "2026-02-28"), ["03:00"]);
    }

    #[test]
    fn a_range_that_wraps_is_refused_with_what_to_write() {
        let error = "0 22-2 * * *".parse::<Schedule>().unwrap_err().to_string();
        assert!(error.ends_with("`22-2` ends before it begins; write 22-23,0-2"), "{error}");
    }

    #[test]
    fn steps_lists_and_names() {
        let day = "2026-03-01";
        assert_eq!(times("*/20 1,5 * mar *", day).join(" "), "01:00 01:20 01:40 05:00 05:20 05:40");
        assert_eq!(times("5/25 4 * * *", day).join(" "), "04:05 04:30 04:55");
        assert_eq!(times("0 6-8 * * 5-7", day).len(), 3);
        assert_eq!(times("0 0 * * 1-5", day).len(), 0);
        // Either kind of day is enough where both are given; else both must fit.
        assert_eq!(times("0 0 13 * sun", day).len(), 1);
        assert_eq!(times("0 0 13 * fri", "2026-03-13").len(), 1);
        assert_eq!(times("0 0 */2 * mon", day).len(), 0);
        assert_eq!(times("* * * * *", day).len(), 24 * 60);
    }

    #[test]
    fn mistakes_say_what_is_good() {
        let said = |text: &str| text.parse::<Schedule>().unwrap_err().to_string();
        for (text, expected) in [
            ("", "not 0"),
            ("0 3 * *", "not 4"),
            ("60 3 * * *", "`60` is no minute, which is 0 to 59"),
            ("0 +3 * * *", "`+3` is no hour, which is 0 to 23"),
            ("0 3 0 * *", "`0` is no day of the month, which is 1 to 31"),
            ("0 3 * 13 *", "`13` is no month, which is 1 to 12, or jan to dec"),
            ("0 3 * * sunday", "`sunday` is no day of the week, which is 0 to 7, or sun to sat"),
            ("*/0 3 * * *", "`0` is no step between two minutes, which is 1 to 59"),
            ("0 3 1, * *", "`` is no day of the month, which is 1 to 31"),
            ("0 0 30 feb *", "no month of those has such a day, so it never comes"),
            ("0 0 31 4,6,9,11 *", "no month of those has such a day, so it never comes"),
        ] {
            assert!(said(text).ends_with(expected), "{}", said(text));
        }
        assert!("0 0 29 2 *".parse::<Schedule>().is_ok());
        // The day of the week is enough.
        assert!("0 0 30 2 mon".parse::<Schedule>().is_ok());
    }

    #[test]
    fn zones_are_known_by_name() {
        assert_eq!("Europe/Berlin".parse::<Zone>().unwrap().to_string(), "Europe/Berlin");
        assert_eq!("utc".parse::<Zone>().unwrap(), Zone::UTC);
        let error = "Europe/Berln".parse::<Zone>().unwrap_err().to_string();
        assert_eq!(error, "there is no time zone `Europe/Berln`; did you mean `Europe/Berlin`?");
    }
}
