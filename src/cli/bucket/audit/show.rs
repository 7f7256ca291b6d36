//! An audit as a table and as JSON.

use std::fmt;

use serde::Serialize;

use super::findings::Findings;
use super::remedy::is_printable;
use super::row::{Row, Verdict};
use crate::cli::bucket_args::S3Args;
use crate::cli::size::count;

/// What is printed. The names of the fields are part of the interface.
#[derive(Debug, Serialize)]
pub struct Report {
    bucket: String,
    /// Whether the volume's settings were opened.
    with_key: bool,
    /// Objects with names of the format, and how many of them were looked at.
    listed: u64,
    looked_at: u64,
    /// Sent for this audit.
    requests: u64,
    ok: usize,
    warn: usize,
    fail: usize,
    unknown: usize,
    rows: Vec<Line>,
    /// The first thousand objects of each sort that do not belong there.
    strays: Vec<Stray>,
}

/// A [`Row`] in its last form.
#[derive(Debug, Serialize)]
struct Line {
    check: &'static str,
    verdict: Verdict,
    finding: String,
    /// Commands or a sentence; empty where nothing is to be done.
    remedy: String,
}

#[derive(Debug, Serialize)]
struct Stray {
    name: String,
    bytes: u64,
}

impl Report {
    /// Puts it together. `s3` is how the server was reached.
    pub fn new(findings: &Findings, rows: Vec<Row>, s3: &S3Args, requests: u64) -> Self {
        let with = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
        let objects = &findings.objects;
        let strays = objects.foreign.named.iter().chain(&objects.unsealed.named);
        Self {
            bucket: findings.location.clone(),
            with_key: findings.secret.is_some(),
            listed: objects.own,
            looked_at: objects.looked_at,
            requests,
            ok: with(Verdict::Ok),
            warn: with(Verdict::Warn),
            fail: with(Verdict::Fail),
            unknown: with(Verdict::Unknown),
            strays: strays.map(|(name, bytes)| Stray { name: name.clone(), bytes: *bytes }).collect(),
            rows: rows.into_iter().map(|row| Line::of(row, s3)).collect(),
        }
    }

    /// As JSON. What a terminal would obey is escaped, which changes no string.
    ///
    /// # Errors
    /// None that can be met.
    pub fn json(&self) -> serde_json::Result<String> {
        let mut json = String::new();
        let mut units = [0; 2];
        for letter in serde_json::to_string_pretty(self)?.chars() {
            if letter == '\n' || is_printable(letter) {
                json.push(letter);
            } else {
                json.extend(letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
        Ok(json)
    }
}

impl Line {
    fn of(row: Row, s3: &S3Args) -> Self {
        let remedy = row.remedy.reaching(s3);
        Self { check: row.check, verdict: row.verdict, finding: row.finding, remedy }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            writeln!(f, "{:8} {:19} {}", row.verdict, row.check, row.finding)?;
            if !row.remedy.is_empty() {
                writeln!(f, "{:28} -> {}", "", row.remedy)?;
            }
        }
        writeln!(
            f,
            "\n{}: {} ok, {}, {} failed, {} unknown; {} of {} looked at, {}",
            self.bucket,
            self.ok,
            count(self.warn as u64, "warning"),
            self.fail,
            self.unknown,
            self.looked_at,
            count(self.listed, "object"),
            count(self.requests, "request")
        )?;
        if self.looked_at < self.listed {
            writeln!(f, "A sample, spread over the listing; --all looks at every object.")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_bytes_in_json_and_do_nothing_to_a_terminal() {
        let name = "esc\u{1b}[2J c1\u{9b} rtl\u{202e} nl\n \"ü\" \u{1f600}";
        let mut findings = Findings::of_folder("file:///srv/b".into());
        (0..2000).for_each(|_| findings.objects.foreign.add(name, 3));
        let json = Report::new(&findings, Vec::new(), &S3Args::default(), 0).json().unwrap();
        assert!(json.chars().all(|letter| letter == '\n' || is_printable(letter)), "{json}");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        let strays = read["strays"].as_array().unwrap();
        assert_eq!((strays.len(), &strays[0]["name"], &strays[0]["bytes"]), (1000, &name.into(), &3.into()));
    }
}
