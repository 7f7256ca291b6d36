//! Requests of 4 KiB at random places of one file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::Done;
use crate::noise::Noise;
use crate::until::Limit;

const REQUEST: usize = 4096;

fn places(file: &File) -> io::Result<u64> {
    match file.metadata()?.len() / REQUEST as u64 {
        0 => Err(io::Error::new(io::ErrorKind::InvalidInput, "the file is too small")),
        places => Ok(places),
    }
}

/// `count` reads, shared out among `threads`.
pub fn read(path: &Path, count: u64, threads: u64, limit: &Limit) -> io::Result<Done> {
    let file = &File::open(path)?;
    let places = places(file)?;
    let work = move |thread: u64| -> io::Result<u64> {
        let (mut noise, mut block, mut done) = (Noise::new(thread + 1), [0; REQUEST], 0);
        while done < count / threads && !limit.reached() {
            file.read_exact_at(&mut block, noise.next() % places * REQUEST as u64)?;
            done += 1;
        }
        Ok(done)
    };
    let count = in_threads(threads, work)?;
    Ok(Done { count, bytes: count * REQUEST as u64 })
}

pub fn write(path: &Path, count: u64, fsync: bool, limit: &Limit) -> io::Result<Done> {
    let file = OpenOptions::new().write(true).open(path)?;
    let places = places(&file)?;
    let (mut noise, mut block, mut done) = (Noise::new(99), [0; REQUEST], 0);
    while done < count && !limit.reached() {
        noise.fill(&mut block);
        file.write_all_at(&block, noise.next() % places * REQUEST as u64)?;
        if fsync {
            file.sync_all()?;
        }
        done += 1;
    }
    Ok(Done { count: done, bytes: done * REQUEST as u64 })
}

/// Runs `work` once for each thread number and adds up what they return.
pub fn in_threads(
    threads: u64,
    work: impl Fn(u64) -> io::Result<u64> + Copy + Send + Sync,
) -> io::Result<u64> {
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        started.into_iter().try_fold(0, |sum, thread| match thread.join() {
            Ok(done) => done.map(|done| sum + done),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
