//! The asynchronous runtime that bucket requests run on.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

/// Enough for the parallel requests of one volume; sealing and disk I/O have the blocking threads.
const WORKERS: usize = 4;
/// Threads for sealing, opening and local files.
const BLOCKING: usize = 24;

/// Starts the runtime.
///
/// # Errors
/// When threads cannot be made.
pub fn start() -> Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Builder::new_multi_thread()
        .worker_threads(cores.clamp(2, WORKERS))
        .max_blocking_threads(BLOCKING)
        .thread_keep_alive(Duration::from_secs(10))
        .thread_name("hushfs")
        .enable_all()
        .build()
        .context("the runtime could not be started")
}
