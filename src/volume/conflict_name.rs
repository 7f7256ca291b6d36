//! Names for what lost a race: `name (conflict <host> <date>).ext`.

use crate::base::Timestamp;
use crate::meta::record::MAX_NAME;

/// Longest extension that is kept behind the words; longer ones are part of the name.
const MAX_EXTENSION: usize = 16;
/// Longest host in a name, in bytes.
const MAX_HOST: usize = 64;

/// The `number`-th conflict name of `name` (1 is the first): at most 255 bytes, cut between characters, extension
/// kept.
pub(super) fn conflict_name(name: &[u8], host: &str, when: Timestamp, number: u32) -> Vec<u8> {
    let (stem, extension) = split(name);
    let counted = if number > 1 { format!(" {number}") } else { String::new() };
    let words = format!(" (conflict {} {}{counted})", printable(host), date(when));
    let room = MAX_NAME - words.len() - extension.len();
    [cut(stem, room), words.as_bytes(), extension].concat()
}

/// Stem and extension with its dot. A leading dot starts no extension.
fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|byte| *byte == b'.') {
        Some(dot) if dot > 0 && name.len() - dot <= MAX_EXTENSION => name.split_at(dot),
        _ => (name, &[]),
    }
}

/// The first bytes of a name, not ending within a UTF-8 character. Names may be any bytes: no more than the length
/// of a character is looked at.
fn cut(name: &[u8], room: usize) -> &[u8] {
    if name.len() <= room {
        return name;
    }
    let begins = |at: &usize| name[*at] & 0b1100_0000 != 0b1000_0000;
    let end = (room.saturating_sub(3)..=room).rev().find(begins).unwrap_or(room);
    &name[..end]
}

/// The host without anything that a file name cannot hold or a terminal would obey.
fn printable(host: &str) -> String {
    let mut clean = String::new();
    for letter in host.chars() {
        let letter = if letter == '/' || letter.is_control() { '-' } else { letter };
        if clean.len() + letter.len_utf8() > MAX_HOST {
            break;
        }
        clean.push(letter);
    }
    clean
}

/// `YYYY-MM-DD` in UTC: the proleptic Gregorian calendar, counted in eras of 400 years from 1 March of year 0.
fn date(when: Timestamp) -> String {
    let days = when.secs.div_euclid(86_400) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp { secs, nanos: 0 }
    }

    fn named(name: &str, host: &str, number: u32) -> String {
        String::from_utf8(conflict_name(name.as_bytes(), host, at(1_700_000_000), number)).unwrap()
    }

    #[test]
    fn the_extension_stays_at_the_end() {
        assert_eq!(named("report.txt", "ant", 1), "report (conflict ant 2023-11-14).txt");
        assert_eq!(named("report.txt", "ant", 3), "report (conflict ant 2023-11-14 3).txt");
        assert_eq!(named(".profile", "ant", 1), ".profile (conflict ant 2023-11-14)");
        assert_eq!(named("noext", "a/b\n", 1), "noext (conflict a-b- 2023-11-14)");
    }

    #[test]
    fn a_long_name_is_cut_between_characters_to_255_bytes() {
        let long = "ä".repeat(127);
        let name = named(&format!("{long}.c"), &"h".repeat(300), 12_345);
        assert!(name.len() <= MAX_NAME && name.len() > MAX_NAME - 3, "{}", name.len());
        assert!(name.ends_with(").c"));
        let bytes = conflict_name(&[0x80; 255], "h", at(0), 1);
        assert_eq!(bytes.len(), MAX_NAME);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (secs, text) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (-1, "1969-12-31"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(at(secs)), text);
        }
    }
}
