//! How hard guessing a new passphrase shall be.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::base::Clock;
use crate::crypto::Cost;

/// How long a new passphrase slot shall take to open on this machine.
const CALIBRATION: Duration = Duration::from_secs(1);

/// The price of one guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kdf {
    /// About a second on this machine, at least the moderate price
    Calibrated,
    /// 64 MiB and three passes: for passphrases that are opened on small machines
    Moderate,
    /// 19 MiB and two passes: the least that is accepted, for tests
    Minimum,
}

impl Kdf {
    /// The cost of a slot made now, on this machine. Blocks for a fraction of a second.
    ///
    /// # Errors
    /// When there is no memory for the measurement.
    pub fn cost(self, clock: &dyn Clock) -> Result<Cost> {
        match self {
            Kdf::Minimum => Ok(Cost::MINIMUM),
            Kdf::Moderate => Ok(Cost::STANDARD),
            Kdf::Calibrated => tokio::task::block_in_place(|| Cost::calibrate(clock, CALIBRATION))
                .context("calibrating the passphrase slot"),
        }
    }
}
