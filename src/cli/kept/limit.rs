//! For how long a key is kept: as people write it, and as they are shown what is left.

use std::time::Duration;

const UNITS: [(char, u64); 4] = [('d', 86400), ('h', 3600), ('m', 60), ('s', 1)];
/// Longer than anybody means, and short enough for every clock.
const MAX: u64 = 3650 * 86400;

/// Reads `30m`, `8h`, `7d`, `90s`; `0` is no limit.
///
/// # Errors
/// Says how to write a duration.
pub fn parse(text: &str) -> Result<Duration, String> {
    let advice = || format!("{text:?} is no duration; write 30m, 8h or 7d, or 0 for no limit");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let unit = text.chars().next_back().and_then(|last| UNITS.into_iter().find(|(name, _)| *name == last));
    let (name, seconds) = unit.ok_or_else(advice)?;
    let number = text.trim_end_matches(name);
    if number.is_empty()
        || !number.bytes().all(|byte| byte.is_ascii_digit())
        || number.len() + 1 != text.len()
    {
        return Err(advice());
    }
    let number: u64 = number.parse().map_err(|error| format!("{}: {error}", advice()))?;
    match number.checked_mul(seconds) {
        Some(total @ 0..=MAX) => Ok(Duration::from_secs(total)),
        _ => Err(format!("{text} is more than ten years; write 0 for no limit")),
    }
}

/// Shows `limit` in its two greatest units: `7 d`, `23 h 59 m`, `12 s`; from an hour on in full minutes, rounded up.
pub fn show(limit: Duration) -> String {
    let mut left = limit.as_secs();
    if left >= 3600 {
        left = left.next_multiple_of(60);
    }
    let mut parts = Vec::new();
    for (name, seconds) in UNITS {
        let number = left / seconds;
        left %= seconds;
        if number > 0 {
            parts.push(format!("{number} {name}"));
        } else if !parts.is_empty() {
            break;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_they_are_written() {
        for (text, seconds) in [("0", 0), ("90s", 90), ("30m", 1800), ("8h", 28800), ("7d", 604_800)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["", "h", "1", "-1h", "+1h", "1.5h", "8hh", "8 h", "1w", "99999d", "99999999999999999999s"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_shown_in_their_greatest_units() {
        for (seconds, shown) in [
            (0, "0 s"),
            (12, "12 s"),
            (3_599, "59 m 59 s"),
            (86_340, "23 h 59 m"),
            (86_399, "1 d"),
            (86_400, "1 d"),
            (90_061, "1 d 1 h"),
            (86_460, "1 d"),
        ] {
            assert_eq!(show(Duration::from_secs(seconds)), shown);
        }
    }
}
