//! `hushfs unlock --show`: which keys are kept, and where.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::limit;
use super::place::{Shown, word};
use crate::base::{Clock, SystemClock, VolumeId};
use crate::cli::bucket_args::S3Args;
use crate::cli::opening::{open_keyring, place_of};
use crate::kernel_keys::KernelKeys;
use crate::keyring::{KeptNote, KeptPlace, LocalKeyring};
use crate::object::Location;

/// What is known of a kept key.
#[derive(Debug, Serialize)]
struct KeptKeyStatus {
    volume: String,
    fingerprint: String,
    kept_in: &'static str,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    /// False where the key is known to be gone or over its time; a service or a file is not asked.
    usable: bool,
}

/// Prints what is kept of the volume at `bucket`, or of all.
///
/// # Errors
/// When the local keyring refuses.
pub fn run(bucket: Option<&Location>, s3: &S3Args, json: bool) -> Result<()> {
    let keyring = open_keyring()?;
    let volumes = match bucket {
        Some(bucket) => keyring.pinned(&place_of(bucket, s3))?.map(|pin| pin.volume).into_iter().collect(),
        None => keyring.all_kept()?,
    };
    let now = SystemClock.now().secs;
    let notes = volumes.into_iter().filter_map(|volume| keyring.kept(volume).transpose());
    let notes = notes.collect::<Result<Vec<KeptNote>, _>>()?;
    if json {
        let all: Vec<KeptKeyStatus> = notes.iter().map(|note| KeptKeyStatus::of(note, now)).collect();
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else if notes.is_empty() {
        println!("no key is kept");
    } else {
        for note in &notes {
            print!("{}", describe(&keyring, note, now)?);
        }
    }
    Ok(())
}

impl KeptKeyStatus {
    fn of(note: &KeptNote, now: i64) -> Self {
        Self {
            volume: note.volume.to_string(),
            fingerprint: note.fingerprint.to_string(),
            kept_in: word(note.place),
            until: note.until,
            usable: !note.is_over(now) && !is_gone(note.place, note.volume),
        }
    }
}

fn describe(keyring: &LocalKeyring, note: &KeptNote, now: i64) -> Result<String> {
    let mut text = format!(
        "volume {}\n  kept in      {}{}\n  fingerprint  {}\n",
        note.volume,
        Shown(note.place),
        state(note, now),
        note.fingerprint
    );
    for place in keyring.places_of(note.volume)? {
        text.push_str(&format!("  bucket       {place}\n"));
    }
    Ok(text)
}

/// Whether the key can still be used, to be put behind its place.
fn state(note: &KeptNote, now: i64) -> String {
    match note.until {
        Some(_) if note.is_over(now) => {
            ": no longer, its time is up; keep it again with `hushfs unlock`".to_owned()
        }
        _ if is_gone(note.place, note.volume) => {
            ": no longer, it was removed there (as a restart does); keep it again with `hushfs unlock`"
                .to_owned()
        }
        _ => left(note, now),
    }
}

/// What is left of a key's time, to be put behind its place.
pub fn left(note: &KeptNote, now: i64) -> String {
    match note.until {
        None => String::new(),
        Some(_) if note.is_over(now) => ", and its time is up".to_owned(),
        Some(until) => {
            let left = u64::try_from(now).map_or(until, |now| until.saturating_sub(now));
            format!(" for {}", limit::show(Duration::from_secs(left)))
        }
    }
}

/// Whether a place that can be looked into without a question has lost the key.
fn is_gone(place: KeptPlace, volume: VolumeId) -> bool {
    place == KeptPlace::Kernel && matches!(KernelKeys::open().and_then(|keys| keys.find(volume)), Ok(None))
}
