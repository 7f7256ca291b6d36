//! Sizes as people write and read them. Powers of 1024 throughout.

use clap::builder::TypedValueParser;

const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Reads `4096`, `64K`, `64KiB`, `10G` and the like.
///
/// # Errors
/// Says how to write a size.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let advice = || format!("{text:?} is no size; write 4096, 64K, 512M or 10G");
    let unit = match unit.to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err(advice()),
    };
    let number: u64 = number.parse().map_err(|error| format!("{}: {error}", advice()))?;
    number.checked_mul(unit).ok_or_else(|| format!("{text} is more than a number can hold"))
}

/// The clap parser for sizes.
pub fn size_parser() -> impl TypedValueParser<Value = u64> {
    parse_size as fn(&str) -> Result<u64, String>
}

/// Shows a number of bytes: `17 bytes`, `3.2 MiB`.
pub fn show_size(bytes: u64) -> String {
    for (name, unit) in UNITS {
        if bytes >= unit {
            return format!("{:.1} {name}", bytes as f64 / unit as f64);
        }
    }
    format!("{bytes} bytes")
}

/// Shows a number of things: `1 file`, `2 files`.
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, bytes) in
            [("0", 0), ("4096", 4096), ("64k", 65536), ("64KiB", 65536), ("2MB", 2 << 20), ("1G", 1 << 30)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "K", "-1", "1.5G", "1X", "99999999999T", "10 G"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_with_a_fitting_unit() {
        assert_eq!(show_size(17), "17 bytes");
        assert_eq!(show_size(1536), "1.5 KiB");
        assert_eq!(show_size(5 << 30), "5.0 GiB");
    }
}
