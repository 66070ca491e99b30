//! Dates and times, with and without a zone.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::text::sql_param;

/// Reads `dd/mm/yyyy`, or `yyyy-mm-dd`; `None` where there is no such day. Here and below, format characters are
/// ignored, and signs of full width and Unicode dashes read as their ASCII forms.
#[must_use]
pub fn date(text: &str) -> Option<NaiveDate> {
    let text = &*sql_param(text);
    let (year, month, day) = if text.contains('/') {
        let (day, month, year) = three(text, '/')?;
        (year, month, day)
    } else {
        three(text, '-')?
    };
    let year: i32 = digits(year, 4)?.try_into().ok()?;
    NaiveDate::from_ymd_opt(year, digits(month, 2)?, digits(day, 2)?).filter(|date| date.year() > 0)
}

/// Reads a date of birth: a date that is not after the day of `received_at` in the zone.
#[must_use]
pub fn birth_date(text: &str, received_at: DateTime<Utc>, zone: Tz) -> Option<NaiveDate> {
    date(text).filter(|date| *date <= received_at.with_timezone(&zone).date_naive())
}

/// Reads an RFC 3339 time, to the microsecond, which is what Postgres keeps.
#[must_use]
pub fn timestamp(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(&sql_param(text)).ok()?;
    DateTime::from_timestamp_micros(time.timestamp_micros()).filter(has_four_digit_year)
}

/// The time so many seconds after the beginning of 1970, which they may be fractions of; `None` for that moment itself
/// and whatever was before it.
#[must_use]
pub fn unix_time(seconds: Decimal) -> Option<DateTime<Utc>> {
    let micros = seconds.checked_mul(Decimal::from(1_000_000))?.trunc();
    let micros = i64::try_from(micros).ok().filter(|micros| *micros > 0)?;
    DateTime::from_timestamp_micros(micros).filter(has_four_digit_year)
}

/// Whether the year in Greenwich is one of 1 to 9999: Postgres has no year 0, and JSON no way to write a fifth digit.
fn has_four_digit_year(time: &DateTime<Utc>) -> bool {
    (1..=9999).contains(&time.year())
}

/// A sender's time, unless it lies more than 24 hours after the arrival.
#[must_use]
pub fn not_ahead(time: DateTime<Utc>, received_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    received_at.checked_add_days(Days::new(1)).is_none_or(|latest| time <= latest).then_some(time)
}

/// Reads a local `yyyy-mm-dd hh:mm:ss`; seconds may be missing, their fraction is dropped, and `T` may stand between
/// date and time.
#[must_use]
pub fn local_date_time(text: &str) -> Option<NaiveDateTime> {
    let text = sql_param(text);
    let (day, time) = text.split_once(['T', ' '])?;
    let (year, month, day) = three(day, '-')?;
    let year: i32 = digits(year, 4)?.try_into().ok()?;
    let day = NaiveDate::from_ymd_opt(year, digits(month, 2)?, digits(day, 2)?).filter(|date| date.year() > 0)?;
    let (time, fraction) = time.trim_start().split_once('.').unwrap_or((time, "0"));
    let time = time_of_day(time).filter(|_| digits(fraction, fraction.len()).is_some());
    time.map(|time| day.and_time(time))
}

/// Reads a time of day: `13:30`, `13:30:00`, `1:30PM`, `1 pm`.
#[must_use]
pub fn time_of_day(text: &str) -> Option<NaiveTime> {
    let text: String = sql_param(text).split_whitespace().collect::<String>().replace('.', "").to_ascii_uppercase();
    let (clock, afternoon) = match (text.strip_suffix("AM"), text.strip_suffix("PM")) {
        (Some(clock), _) => (clock, Some(false)),
        (None, Some(clock)) => (clock, Some(true)),
        (None, None) => (text.as_str(), None),
    };
    let mut parts = clock.split(':');
    let hour = parts.next().and_then(|hour| digits(hour, hour.len()).filter(|_| hour.len() <= 2))?;
    let minute = match parts.next() {
        Some(minute) => digits(minute, 2)?,
        None if afternoon.is_some() => 0,
        None => return None,
    };
    let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
    let hour = match afternoon {
        None => hour,
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(false) => hour % 12,
        Some(true) => hour % 12 + 12,
    };
    if parts.next().is_some() { None } else { NaiveTime::from_hms_opt(hour, minute, second) }
}

/// The moment at which the field versions of the zone show a local time.
///
/// A time that the field versions skip moves forward by as much as they do; of one that they show twice it is the
/// first. `None` at the ends of the calendar, where the moment lies in a year that cannot be kept.
#[must_use]
pub fn in_zone(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    moment_in(local, zone).filter(has_four_digit_year)
}

fn moment_in(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    if let Some(moment) = zone.from_local_datetime(&local).earliest() {
        return Some(moment.with_timezone(&Utc));
    }
    // No zone ever skipped more than a day.
    (1..=48).find_map(|hours| {
        let step = TimeDelta::hours(hours);
        let before = zone.from_local_datetime(&local.checked_sub_signed(step)?).latest()?;
        before.with_timezone(&Utc).checked_add_signed(step)
    })
}

/// The three parts of a date.
fn three(text: &str, separator: char) -> Option<(&str, &str, &str)> {
    let (first, rest) = text.split_once(separator)?;
    let (second, third) = rest.split_once(separator)?;
    Some((first, second, third))
}

/// A number written with exactly so many digits.
fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn dates_are_read_in_two_forms() {
        for (sent, read) in [
            ("01/04/2000", Some("2000-04-01")),
            ("10/10/1980", Some("1980-10-10")),
            (" 29/02/2024 ", Some("2024-02-29")),
            ("2000-04-01", Some("2000-04-01")),
            ("31/12/9999", Some("9999-12-31")),
            ("\u{200e}01\u{200e}/\u{200e}04\u{200e}/\u{200e}2000", Some("2000-04-01")),
            ("\u{202b}01/04/2000\u{202c}\u{a0}", Some("2000-04-01")),
            ("2000\u{2011}04\u{2011}01", Some("2000-04-01")),
            ("０１／０４／２０００", Some("2000-04-01")),
            ("29/02/2023", None),
            ("31/04/2000", None),
            ("04/13/2000", None),
            ("00/01/2000", None),
            ("01/00/2000", None),
            ("1/4/2000", None),
            ("01/04/00", None),
            ("2000-4-1", None),
            ("2000/04/01", None),
            ("01-04-2000", None),
            ("2000-04-01T00:00:00Z", None),
            ("01/04/2000/", None),
            ("01/01/0000", None),
            ("", None),
            ("never", None),
            ("٠١/٠٤/٢٠٠٠", None),
        ] {
            assert_eq!(date(sent), read.map(|day| day.parse().unwrap()), "{sent}");
        }
    }

    #[test]
    fn nobody_is_born_in_the_future() {
        // 23:30 of the 9th in Greenwich is the 10th in Brisbane.
        let received_at = utc("2026-11-09T23:30:00Z");
        let zone = chrono_tz::Australia::Brisbane;
        assert!(birth_date("10/11/2026", received_at, zone).is_some());
        assert!(birth_date("11/11/2026", received_at, zone).is_none());
    }

    #[test]
    fn times_are_kept_to_the_microsecond() {
        for (sent, read) in [
            ("2025-10-03T06:10:08.144Z", Some("2025-10-03T06:10:08.144Z")),
            ("2025-10-03T16:10:08+10:00", Some("2025-10-03T06:10:08Z")),
            ("\u{feff}2025\u{2011}10\u{2011}03T06:10:08Z\u{200b}", Some("2025-10-03T06:10:08Z")),
            ("2025-10-03t06:10:08.123456789z", Some("2025-10-03T06:10:08.123456Z")),
            ("2016-12-31T23:59:60Z", Some("2017-01-01T00:00:00Z")),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z")),
            ("9999-12-31T23:59:59.9999999Z", Some("9999-12-31T23:59:59.999999Z")),
            ("0000-12-31T23:59:59Z", None),
            ("0001-01-01T00:00:00+10:00", None),
            ("9999-12-31T23:59:59-10:00", None),
            ("2025-10-03T06:10:08", None),
            ("2025-10-03", None),
            ("2025-02-30T00:00:00Z", None),
            ("1759346", None),
            ("", None),
        ] {
            assert_eq!(timestamp(sent), read.map(utc), "{sent}");
        }
    }

    #[test]
    fn seconds_since_1970_are_a_time_to_the_microsecond() {
        for (sent, read) in [
            ("1759471808", Some("2025-10-03T06:10:08Z")),
            ("1759471808.144", Some("2025-10-03T06:10:08.144Z")),
            ("0.0000019", Some("1970-01-01T00:00:00.000001Z")),
            ("253402300799", Some("9999-12-31T23:59:59Z")),
            ("0", None),
            ("-1", None),
            ("253402300800", None),
            ("79228162514264337593543950335", None),
        ] {
            assert_eq!(unix_time(sent.parse().unwrap()), read.map(utc), "{sent}");
        }
    }

    #[test]
    fn a_senders_time_may_be_a_day_ahead() {
        let received_at = utc("2026-11-10T00:00:00Z");
        assert!(not_ahead(utc("2026-11-11T00:00:00Z"), received_at).is_some());
        assert!(not_ahead(utc("2026-11-11T00:00:01Z"), received_at).is_none());
        assert!(not_ahead(utc("1970-01-01T00:00:00Z"), received_at).is_some());
    }

    #[test]
    fn times_of_day_are_read_with_and_without_am_and_pm() {
        for (sent, read) in [
            ("12:00PM", Some("12:00:00")),
            ("12:00AM", Some("00:00:00")),
            ("1:30 pm", Some("13:30:00")),
            ("1:30\u{202f}PM", Some("13:30:00")),
            ("\u{200e}13：30", Some("13:30:00")),
            ("11:59 p.m.", Some("23:59:00")),
            ("9am", Some("09:00:00")),
            ("13:30", Some("13:30:00")),
            ("13:30:05", Some("13:30:05")),
            ("9:05", Some("09:05:00")),
            ("00:00", Some("00:00:00")),
            ("13:30PM", None),
            ("0:30AM", None),
            ("24:00", None),
            ("13:60", None),
            ("13", None),
            ("PM", None),
            ("", None),
            ("noon", None),
            ("13:30:00:00", None),
            ("1:3", None),
            ("+1:30", None),
            ("123:00", None),
        ] {
            assert_eq!(time_of_day(sent), read.map(|time| time.parse().unwrap()), "{sent}");
        }
    }

    #[test]
    fn local_times_are_read() {
        for (sent, read) in [
            ("2025-09-18 12:00:00", Some("2025-09-18T12:00:00")),
            ("2025-09-18T12:00", Some("2025-09-18T12:00:00")),
            ("2025-09-18\u{a0}12:00\u{200b}", Some("2025-09-18T12:00:00")),
            ("2025-09-18 12:00:00.000", Some("2025-09-18T12:00:00")),
            ("2025-09-31 12:00:00", None),
            ("2025-09-18", None),
            ("18/09/2025 12:00:00", None),
            ("2025-09-18 25:00:00", None),
            ("", None),
        ] {
            assert_eq!(local_date_time(sent), read.map(|time| time.parse().unwrap()), "{sent}");
        }
    }

    #[test]
    fn a_gap_moves_forward_and_of_a_repeated_hour_the_first_counts() {
        use chrono_tz::{Australia, Pacific};
        for (zone, local, moment) in [
            (Australia::Brisbane, "2025-10-05T02:30:00", "2025-10-04T16:30:00Z"),
            // Sydney's field versions go from 02:00 to 03:00: 02:30 is read as 03:30.
            (Australia::Sydney, "2025-10-05T02:30:00", "2025-10-04T16:30:00Z"),
            (Australia::Sydney, "2025-10-05T03:30:00", "2025-10-04T16:30:00Z"),
            // They go back from 03:00 to 02:00: the first 02:30 is that of summer time.
            (Australia::Sydney, "2026-04-05T02:30:00", "2026-04-04T15:30:00Z"),
            // Half an hour is skipped.
            (Australia::Lord_Howe, "2025-10-05T02:15:00", "2025-10-04T15:45:00Z"),
            // A whole day is skipped.
            (Pacific::Apia, "2011-12-30T12:00:00", "2011-12-30T22:00:00Z"),
        ] {
            assert_eq!(in_zone(local.parse().unwrap(), zone), Some(utc(moment)), "{zone} {local}");
        }
        assert_eq!(in_zone("0001-01-01T00:00:00".parse().unwrap(), Australia::Brisbane), None);
        assert_eq!(in_zone("9999-12-31T23:59:59".parse().unwrap(), chrono_tz::America::New_York), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-0-9:/ TZapmAPM.+]{0,30}|\\PC{0,20}") {
            let _ = (date(&text), timestamp(&text), local_date_time(&text), time_of_day(&text));
        }

        #[test]
        fn every_local_time_is_some_moment(seconds in 0_i64..4_000_000_000, zone in prop::sample::select(chrono_tz::TZ_VARIANTS.to_vec())) {
            let local = DateTime::from_timestamp(seconds, 0).unwrap().naive_utc();
            prop_assert!(in_zone(local, zone).is_some());
        }

        #[test]
        fn a_date_written_out_is_the_same_date(days in 1_i32..3_000_000) {
            let day = NaiveDate::from_num_days_from_ce_opt(days).unwrap();
            prop_assert_eq!(date(&day.format("%d/%m/%Y").to_string()), Some(day));
            prop_assert_eq!(date(&day.format("%Y-%m-%d").to_string()), Some(day));
        }
    }
}
