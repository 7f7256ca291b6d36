//! Many small files.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Done;
use crate::noise::Noise;
use crate::random::in_threads;
use crate::until::Limit;

const TO_A_DIRECTORY: u64 = 1000;

/// `count` files of `bytes` each, made by `threads` threads, each in directories of its own.
pub fn create(folder: &Path, count: u64, bytes: u64, threads: u64, limit: &Limit) -> io::Result<Done> {
    let work = move |thread: u64| -> io::Result<u64> {
        let mut content = vec![0; bytes as usize];
        let mut noise = Noise::new(thread + 7);
        let share = count / threads + u64::from(thread < count % threads);
        for done in 0..share {
            if limit.reached() {
                return Ok(done);
            }
            let place = folder.join(format!("t{thread}-{}", done / TO_A_DIRECTORY));
            if done % TO_A_DIRECTORY == 0 {
                fs::create_dir_all(&place)?;
            }
            noise.fill(&mut content);
            File::create(place.join(format!("file-{done:07}")))?.write_all(&content)?;
        }
        Ok(share)
    };
    let count = in_threads(threads, work)?;
    Ok(Done { count, bytes: count * bytes })
}

/// Reads all files below `folder`; looking for them is part of it.
pub fn read_all(folder: &Path, threads: u64, limit: &Limit) -> io::Result<Done> {
    let mut found = Vec::new();
    collect(folder, &mut found)?;
    let (found, next, bytes) = (&found, &AtomicU64::new(0), &AtomicU64::new(0));
    let work = move |_| -> io::Result<u64> {
        let (mut content, mut done) = (Vec::new(), 0);
        while !limit.reached() {
            let Some(path) = found.get(next.fetch_add(1, Ordering::Relaxed) as usize) else { break };
            content.clear();
            File::open(path)?.read_to_end(&mut content)?;
            bytes.fetch_add(content.len() as u64, Ordering::Relaxed);
            done += 1;
        }
        Ok(done)
    };
    let count = in_threads(threads, work)?;
    Ok(Done { count, bytes: bytes.load(Ordering::Relaxed) })
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), found)?;
        } else {
            found.push(entry.path());
        }
    }
    Ok(())
}
