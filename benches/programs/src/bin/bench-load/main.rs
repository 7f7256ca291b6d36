//! The loops of the bench that a scripting language would slow down:
//!
//! ```text
//! bench-load write FILE MIB                       sequential, requests of 1 MiB, noise
//! bench-load read FILE                            sequential, requests of 1 MiB
//! bench-load create FOLDER FILES BYTES THREADS    small files, 1,000 to a directory
//! bench-load read-all FOLDER THREADS              every file below
//! bench-load random-read FILE COUNT THREADS       4 KiB each
//! bench-load random-write FILE COUNT [fsync]      4 KiB each, into what is there; fsync(2) after each
//! bench-load first-byte FILE
//! ```
//!
//! `LIMIT` seconds in the environment ends a loop early. It prints one line of JSON: what was done and how long it took.
//! Contents are noise from a fixed seed: compression and sharing gain nothing, for nobody.

mod files;
mod noise;
mod random;
mod sequential;
mod until;

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use self::until::Limit;

/// What a loop has done.
pub struct Done {
    /// Files or requests.
    pub count: u64,
    pub bytes: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let start = Instant::now();
    match run(&words, &Limit::from_environment(start)) {
        Ok(done) => {
            let (seconds, Done { count, bytes }) = (start.elapsed().as_secs_f64(), done);
            println!(r#"{{"seconds": {seconds:.6}, "count": {count}, "bytes": {bytes}}}"#);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-load {}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str], limit: &Limit) -> io::Result<Done> {
    match words {
        ["write", file, mib] => sequential::write(Path::new(file), number(mib)?, limit),
        ["read", file] => sequential::read(Path::new(file), limit),
        ["create", folder, count, bytes, threads] => {
            files::create(Path::new(folder), number(count)?, number(bytes)?, number(threads)?, limit)
        }
        ["read-all", folder, threads] => files::read_all(Path::new(folder), number(threads)?, limit),
        ["random-read", file, count, threads] => {
            random::read(Path::new(file), number(count)?, number(threads)?, limit)
        }
        ["random-write", file, count] => random::write(Path::new(file), number(count)?, false, limit),
        ["random-write", file, count, "fsync"] => random::write(Path::new(file), number(count)?, true, limit),
        ["first-byte", file] => sequential::first_byte(Path::new(file)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "see the head of its source for how to use it")),
    }
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, format!("{text:?}: {error}")))
}
