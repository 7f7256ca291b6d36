//! Argon2id (RFC 9106) for passphrases, with bounds that are checked before anything is derived.
//!
//! The parameters of a slot arrive from the bucket, so whoever can write there picks them: too weak
//! ones would help to guess, too costly ones would hang or kill the machine. Both are refused by name.
//! The floor is OWASP's minimum for Argon2id (19 MiB, 2 passes); new slots are calibrated well above.

use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use thiserror::Error;

use super::error::CryptoError;
use super::sealing_keys::SALT_LEN;
use super::secret::SecretKey;
use crate::base::Clock;

const MIB: u32 = 1024;

/// What stretching a passphrase costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Lanes; hushfs computes them one after the other and creates slots with one.
    pub lanes: u32,
}

/// A cost outside of the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CostError {
    /// Below the floor: guessing would be cheap.
    #[error("the passphrase slot is too weak: {cost}, and the least allowed is {floor}", floor = Cost::MINIMUM)]
    TooWeak { cost: Cost },
    /// Above the ceiling: deriving would exhaust the machine.
    #[error(
        "the passphrase slot is too costly: {cost}, and the most allowed is {ceiling}, memory times passes at most \
         16 GiB",
        ceiling = Cost::MAXIMUM
    )]
    TooCostly { cost: Cost },
    /// All passphrase slots of a volume together: each is tried until one opens.
    #[error(
        "the {slots} passphrase slots are too costly together: memory times passes is at most 128 GiB in all"
    )]
    TooCostlyTogether { slots: usize },
}

impl Cost {
    /// The least that is accepted, and what tests use.
    pub const MINIMUM: Cost = Cost { memory_kib: 19 * MIB, passes: 2, lanes: 1 };
    /// The most that is accepted of each (memory: RFC 9106 section 4, the first recommendation).
    pub const MAXIMUM: Cost = Cost { memory_kib: 2048 * MIB, passes: 64, lanes: 16 };
    /// The most that is accepted of memory times passes, in KiB: some ten to thirty seconds.
    const MOST_WORK: u64 = 16 * 1024 * MIB as u64;
    /// The same for all slots of a volume together.
    const MOST_WORK_TOGETHER: u64 = 8 * Self::MOST_WORK;
    /// The least that [`Cost::calibrate`] chooses (RFC 9106 section 4, the second recommendation, on
    /// one lane), and what it chooses when the clock tells it nothing.
    pub const STANDARD: Cost = Cost { memory_kib: 64 * MIB, passes: 3, lanes: 1 };
    /// The memory that calibration prefers: enough to hurt graphics cards, and below what a mount may
    /// use at its default settings.
    const PREFERRED_MEMORY_KIB: u32 = 128 * MIB;

    /// Refuses what is outside of [`Cost::MINIMUM`]..=[`Cost::MAXIMUM`], parameter by parameter.
    ///
    /// # Errors
    /// `TooWeak` or `TooCostly`.
    pub fn check(self) -> Result<(), CostError> {
        let below = |floor: Cost| {
            self.memory_kib < floor.memory_kib || self.passes < floor.passes || self.lanes < floor.lanes
        };
        let above = |ceiling: Cost| {
            self.memory_kib > ceiling.memory_kib || self.passes > ceiling.passes || self.lanes > ceiling.lanes
        };
        if above(Self::MAXIMUM) || self.work() > Self::MOST_WORK {
            return Err(CostError::TooCostly { cost: self });
        }
        if below(Self::MINIMUM) {
            return Err(CostError::TooWeak { cost: self });
        }
        Ok(())
    }

    /// Refuses slots that would keep a machine busy for minutes, though each of them is within the bounds.
    ///
    /// # Errors
    /// `TooCostlyTogether`.
    pub fn check_together(costs: &[Cost]) -> Result<(), CostError> {
        let work = costs.iter().map(|cost| cost.work()).fold(0, u64::saturating_add);
        if work > Self::MOST_WORK_TOGETHER {
            return Err(CostError::TooCostlyTogether { slots: costs.len() });
        }
        Ok(())
    }

    /// Memory times passes, in KiB: what the time goes by.
    fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }

    /// A cost that takes about `target` on this machine: 128 MiB and as many passes as fit, or 64 MiB
    /// on a slow machine, never below [`Cost::STANDARD`]. Measures one derivation with `clock`.
    ///
    /// # Errors
    /// `Argon2` when there is not even memory for the measurement.
    pub fn calibrate(clock: &dyn Clock, target: Duration) -> Result<Self, CryptoError> {
        let probe = Cost { passes: 2, ..Self::STANDARD };
        let start = clock.boot();
        probe.stretch(b"calibration", &[0; SALT_LEN])?;
        Ok(Self::scaled(clock.boot().saturating_sub(start), target))
    }

    /// From the time that two passes over 64 MiB took, which is one pass over 128 MiB.
    fn scaled(two_passes: Duration, target: Duration) -> Self {
        if two_passes.is_zero() {
            return Self::STANDARD;
        }
        let passes = |of: u128| u32::try_from(of).unwrap_or(u32::MAX).min(Self::MAXIMUM.passes);
        let preferred = passes(target.as_nanos() / two_passes.as_nanos());
        if preferred >= Self::STANDARD.passes {
            return Cost { memory_kib: Self::PREFERRED_MEMORY_KIB, passes: preferred, lanes: 1 };
        }
        let modest = passes(2 * target.as_nanos() / two_passes.as_nanos());
        Cost { passes: modest.max(Self::STANDARD.passes), ..Self::STANDARD }
    }

    /// Stretches `passphrase` into a key.
    ///
    /// # Errors
    /// `Cost` outside of the bounds, before any work; `Argon2` when memory runs out.
    pub fn stretch(self, passphrase: &[u8], salt: &[u8; SALT_LEN]) -> Result<SecretKey, CryptoError> {
        self.check()?;
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(SecretKey::LEN))
            .map_err(CryptoError::Argon2)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        SecretKey::filled_by(|key| {
            argon2.hash_password_into(passphrase, salt, key).map_err(CryptoError::Argon2)
        })
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} KiB of memory, {} passes, {} lanes", self.memory_kib, self.passes, self.lanes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;

    #[test]
    fn costs_outside_of_the_bounds_are_refused_before_any_work() {
        let refused = |cost: Cost| match cost.stretch(b"passphrase", &[0; 32]).err() {
            Some(CryptoError::Cost(error)) => error,
            _ => panic!("{cost} was not refused by its bounds"),
        };
        let minimum = Cost::MINIMUM;
        for cost in [
            Cost { memory_kib: 8, ..minimum },
            Cost { memory_kib: minimum.memory_kib - 1, ..minimum },
            Cost { passes: 1, ..minimum },
            Cost { passes: 0, ..minimum },
            Cost { lanes: 0, ..minimum },
        ] {
            assert_eq!(refused(cost), CostError::TooWeak { cost });
        }
        for cost in [
            Cost { memory_kib: u32::MAX, ..minimum },
            Cost { memory_kib: Cost::MAXIMUM.memory_kib + 1, ..minimum },
            Cost { passes: 65, ..minimum },
            Cost { lanes: 17, ..minimum },
            Cost { memory_kib: 8, passes: u32::MAX, lanes: 1 },
            Cost { passes: 64, ..Cost::MAXIMUM },
            Cost { memory_kib: 512 * MIB, passes: 33, lanes: 1 },
        ] {
            assert_eq!(refused(cost), CostError::TooCostly { cost });
        }
        let most = Cost { memory_kib: 512 * MIB, passes: 32, lanes: 1 };
        assert_eq!((most.check(), Cost::check_together(&[most; 8])), (Ok(()), Ok(())));
        assert_eq!(Cost::check_together(&[most; 9]), Err(CostError::TooCostlyTogether { slots: 9 }));
    }

    #[test]
    fn calibration_stays_within_its_bounds_on_any_machine() {
        let second = Duration::from_secs(1);
        let scaled = |millis| Cost::scaled(Duration::from_millis(millis), second);
        assert_eq!(scaled(100), Cost { memory_kib: 128 * MIB, passes: 10, lanes: 1 });
        assert_eq!(scaled(1), Cost { memory_kib: 128 * MIB, passes: 64, lanes: 1 });
        assert_eq!(scaled(400), Cost { memory_kib: 64 * MIB, passes: 5, lanes: 1 });
        assert_eq!(scaled(60_000), Cost::STANDARD);
        assert_eq!(scaled(0), Cost::STANDARD);
        for millis in 0..5_000 {
            scaled(millis).check().unwrap();
        }
    }

    #[test]
    fn a_clock_that_stands_still_gives_the_standard_cost() {
        assert_eq!(Cost::calibrate(&ManualClock::default(), Duration::from_secs(1)).unwrap(), Cost::STANDARD);
    }

    #[test]
    fn passphrase_salt_and_cost_all_matter() {
        let key =
            |cost: Cost, passphrase: &[u8], salt| *cost.stretch(passphrase, &[salt; 32]).unwrap().expose();
        let base = key(Cost::MINIMUM, b"one", 1);
        assert_eq!(base, key(Cost::MINIMUM, b"one", 1));
        assert_ne!(base, key(Cost::MINIMUM, b"two", 1));
        assert_ne!(base, key(Cost::MINIMUM, b"one", 2));
        assert_ne!(base, key(Cost { passes: 3, ..Cost::MINIMUM }, b"one", 1));
    }
}
