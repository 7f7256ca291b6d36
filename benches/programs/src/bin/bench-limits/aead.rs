//! The cipher alone, in place, in chunks as files have them. One thread.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use hushfs::crypto::{Cipher, NonceBase, SecretKey};

use crate::Moved;

const CHUNK: usize = 64 << 10;

type Failure = Box<dyn Error + Send + Sync>;

fn cipher() -> Cipher {
    Cipher::new(&SecretKey::copy_of(&[7; SecretKey::LEN]))
}

pub fn seal(mib: u64) -> Result<Moved, Failure> {
    let (cipher, nonces, mut chunk) = (cipher(), NonceBase::new([3; 12]), vec![0; CHUNK]);
    let start = Instant::now();
    for number in 0..chunks(mib)? {
        black_box(cipher.seal(&nonces.at(number), b"", black_box(&mut chunk))?);
    }
    Ok(moved(mib, start))
}

/// The same sealed chunk each time; copying it in is part of it, as it is for whoever reads a frame.
pub fn open(mib: u64) -> Result<Moved, Failure> {
    let (cipher, nonce, mut chunk) = (cipher(), NonceBase::new([3; 12]).at(0), vec![0; CHUNK]);
    let tag = cipher.seal(&nonce, b"", &mut chunk)?;
    let mut plain = vec![0; CHUNK];
    let start = Instant::now();
    for _ in 0..chunks(mib)? {
        plain.copy_from_slice(&chunk);
        cipher.open(&nonce, b"", black_box(&mut plain), &tag)?;
    }
    Ok(moved(mib, start))
}

fn chunks(mib: u64) -> Result<u32, Failure> {
    Ok(u32::try_from((mib << 20) / CHUNK as u64)?)
}

fn moved(mib: u64, start: Instant) -> Moved {
    Moved { bytes: mib << 20, seconds: start.elapsed().as_secs_f64() }
}
