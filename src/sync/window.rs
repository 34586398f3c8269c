//! Maintenance windows: whether one is open, and if not, when the next one opens.
//!
//! Nothing is remembered, so it does not matter how the clock came to where it is.

use jiff::{Timestamp, ToSpan as _, civil::Date};

use crate::model::Window;

/// From a 29 February to the next there can be eight years; what has not come in more never does.
const FAR: i64 = 9 * 366;

/// Returns, where there are windows, whether one is open at `now`, in milliseconds since 1970, and if not, when the next
/// one opens; `None` where none ever does.
pub fn open(windows: &[Window], now: u64) -> Option<Result<(), Option<u64>>> {
    if windows.is_empty() {
        return None;
    }
    let moment = i64::try_from(now).ok().and_then(|now| Timestamp::from_millisecond(now).ok());
    let now = moment.unwrap_or(Timestamp::MAX);
    if windows.iter().any(|window| is_open(window, now)) {
        return Some(Ok(()));
    }
    let next = windows.iter().filter_map(|window| next(window, now)).min();
    Some(Err(next.and_then(|next| u64::try_from(next.as_millisecond()).ok())))
}

fn is_open(window: &Window, now: Timestamp) -> bool {
    let length = window.length.duration();
    // Before the beginning of time nothing was open.
    let Ok(earliest) = now.checked_sub(length) else { return false };
    days(window, earliest, now)
        .flat_map(|day| starts(window, day))
        .any(|start| earliest < start && start <= now)
}

fn next(window: &Window, now: Timestamp) -> Option<Timestamp> {
    let far = now.checked_add((FAR * 24).hours()).unwrap_or(Timestamp::MAX);
    let after = |day| starts(window, day).filter(|start| *start > now).min();
    days(window, now, far).find_map(after)
}

/// Returns the days that can have starts between two moments. Where clocks are set forward, a start that they leave out
/// comes that much later, which can be on the next day.
fn days(window: &Window, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Date> + use<> {
    let zone = window.zone.zone();
    let [first, last] = [from, to].map(|moment| zone.to_datetime(moment).date());
    let first = first.yesterday().unwrap_or(first);
    std::iter::successors(Some(first), |day| day.tomorrow().ok())
        .take_while(move |day| *day <= last)
}

/// Returns the moments on a day at which a window opens.
fn starts(window: &Window, day: Date) -> impl Iterator<Item = Timestamp> + use<'_> {
    window.schedule.on(day).flat_map(move |time| {
        let moment = window.zone.zone().to_ambiguous_timestamp(day.to_datetime(time));
        // A time that the clock leaves out comes as much later; one that it shows twice comes the first time, and
        // the second time, too, where it comes every hour.
        let first = moment.compatible().ok();
        let second = moment.later().ok().filter(|_| window.schedule.is_hourly());
        first.into_iter().chain(second.filter(|second| first != Some(*second)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Millis;

    fn window(cron: &str, length: &str, zone: &str) -> Window {
        Window {
            schedule: cron.parse().unwrap(),
            length: length.parse().unwrap(),
            zone: zone.parse().unwrap(),
        }
    }

    fn at(moment: &str) -> u64 {
        moment.parse::<Timestamp>().unwrap().as_millisecond().try_into().unwrap()
    }

    /// Says how it is at a moment: `open`, `never`, or when the next one opens.
    fn said(windows: &[Window], moment: &str) -> String {
        match open(windows, at(moment)) {
            None => "always".to_owned(),
            Some(Ok(())) => "open".to_owned(),
            Some(Err(None)) => "never".to_owned(),
            Some(Err(Some(next))) => {
                Timestamp::from_millisecond(next.try_into().unwrap()).unwrap().to_string()
            }
        }
    }

    #[test]
    fn without_windows_it_is_always_time() {
        assert_eq!(said(&[], "2026-03-01T00:00:00Z"), "always");
    }

    #[test]
    fn it_opens_at_its_time_and_closes_after_its_length() {
        let sunday = [window("0 3 * * sun", "2h", "Europe/Berlin")];
        assert_eq!(said(&sunday, "2026-03-01T01:59:59.999Z"), "2026-03-01T02:00:00Z");
        assert_eq!(said(&sunday, "2026-03-01T02:00:00Z"), "open");
        assert_eq!(said(&sunday, "2026-03-01T03:59:59.999Z"), "open");
        assert_eq!(said(&sunday, "2026-03-01T04:00:00Z"), "2026-03-08T02:00:00Z");
    }

    #[test]
    fn over_midnight_and_over_the_end_of_a_month() {
        let night = [window("0 23 31 * *", "3h", "UTC")];
        assert_eq!(said(&night, "2026-01-31T22:59:00Z"), "2026-01-31T23:00:00Z");
        assert_eq!(said(&night, "2026-02-01T01:59:00Z"), "open");
        // February has no such day.
        assert_eq!(said(&night, "2026-02-01T02:00:00Z"), "2026-03-31T23:00:00Z");
        let days = [window("0 0 1 * *", "100h", "America/St_Johns")];
        assert_eq!(said(&days, "2026-06-05T06:29:00Z"), "open");
        assert_eq!(said(&days, "2026-06-05T06:30:00Z"), "2026-07-01T02:30:00Z");
    }

    #[test]
    fn a_leap_day_can_be_eight_years_away() {
        let leap = [window("0 0 29 2 *", "1h", "UTC")];
        assert_eq!(said(&leap, "2096-02-29T01:00:00Z"), "2104-02-29T00:00:00Z");
    }

    #[test]
    fn clocks_set_forward_open_it_as_much_later() {
        // On 29 March 2026 it is never half past two in Berlin.
        let night = [window("30 2 * * *", "1h", "Europe/Berlin")];
        assert_eq!(said(&night, "2026-03-28T12:00:00Z"), "2026-03-29T01:30:00Z");
        assert_eq!(said(&night, "2026-03-29T02:29:00Z"), "open");
        assert_eq!(said(&night, "2026-03-29T02:30:00Z"), "2026-03-30T00:30:00Z");
        // A whole day was left out in Samoa.
        let samoa = [window("0 12 30 12 *", "1h", "Pacific/Apia")];
        assert_eq!(said(&samoa, "2011-12-30T22:30:00Z"), "open");
    }

    #[test]
    fn clocks_set_back_open_it_once() {
        // On 25 October 2026 it is half past two twice in Berlin.
        let night = [window("30 2 * * *", "30m", "Europe/Berlin")];
        assert_eq!(said(&night, "2026-10-25T00:30:00Z"), "open");
        assert_eq!(said(&night, "2026-10-25T01:30:00Z"), "2026-10-26T01:30:00Z");
        // The length is that of a clock that is never set.
        let long = [window("0 2 * * *", "2h", "Europe/Berlin")];
        assert_eq!(said(&long, "2026-10-25T01:59:00Z"), "open");
        assert_eq!(said(&long, "2026-10-25T02:00:00Z"), "2026-10-26T01:00:00Z");
        // What comes every hour comes in both.
        let hourly = [window("30 * * * *", "10m", "Europe/Berlin")];
        assert_eq!(said(&hourly, "2026-10-25T00:35:00Z"), "open");
        assert_eq!(said(&hourly, "2026-10-25T00:45:00Z"), "2026-10-25T01:30:00Z");
        assert_eq!(said(&hourly, "2026-10-25T01:35:00Z"), "open");
    }

    #[test]
    fn one_of_several_is_enough() {
        let both = [window("0 1 * * *", "2h", "UTC"), window("0 2 * * *", "2h", "UTC")];
        assert_eq!(said(&both, "2026-05-01T02:30:00Z"), "open");
        assert_eq!(said(&both, "2026-05-01T03:30:00Z"), "open");
        assert_eq!(said(&both, "2026-05-01T04:00:00Z"), "2026-05-02T01:00:00Z");
        // One that is longer than its own interval never closes.
        let always = [window("*/5 * * * *", "10m", "UTC")];
        assert_eq!(said(&always, "2026-05-01T04:04:59Z"), "open");
    }

    #[test]
    fn a_clock_that_is_set_back_changes_nothing_else() {
        let night = [window("0 3 * * *", "1h", "UTC")];
        let before = said(&night, "2026-05-01T03:30:00Z");
        assert_eq!(said(&night, "2026-05-01T05:00:00Z"), "2026-05-02T03:00:00Z");
        assert_eq!(said(&night, "2026-05-01T02:00:00Z"), "2026-05-01T03:00:00Z");
        assert_eq!(said(&night, "2026-05-01T03:30:00Z"), before);
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        let night = [window("0 3 * * *", "1h", "Pacific/Kiritimati")];
        assert!(matches!(open(&night, 0), Some(Err(Some(_)))));
        assert_eq!(open(&night, u64::MAX), Some(Err(None)));
        let huge = Window { length: Millis(u64::MAX), ..night[0].clone() };
        assert_eq!(open(&[huge], 0).map(|said| said.is_err()), Some(true));
    }
}
