//! One large file from its beginning to its end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::Done;
use crate::noise::Noise;
use crate::until::Limit;

const REQUEST: usize = 1 << 20;

/// Noise of `mib` MiB; close(2) is part of it, fsync(2) is not.
pub fn write(path: &Path, mib: u64, limit: &Limit) -> io::Result<Done> {
    let mut file = File::create(path)?;
    // One block is made anew for each request by its number alone: making noise costs more than copying it.
    let mut block = vec![0; REQUEST];
    Noise::new(1).fill(&mut block);
    let mut count = 0;
    while count < mib && !limit.reached() {
        for page in block.chunks_mut(4096) {
            page[..8].copy_from_slice(&Noise::new(count + 2).next().to_le_bytes());
        }
        file.write_all(&block)?;
        count += 1;
    }
    Ok(Done { count, bytes: count << 20 })
}

pub fn read(path: &Path, limit: &Limit) -> io::Result<Done> {
    let mut file = File::open(path)?;
    let mut block = vec![0; REQUEST];
    let (mut count, mut bytes) = (0, 0);
    while !limit.reached() {
        match file.read(&mut block)? {
            0 => break,
            len => (count, bytes) = (count + 1, bytes + len as u64),
        }
    }
    Ok(Done { count, bytes })
}

pub fn first_byte(path: &Path) -> io::Result<Done> {
    File::open(path)?.read_exact(&mut [0])?;
    Ok(Done { count: 1, bytes: 1 })
}
