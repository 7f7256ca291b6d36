//! hushfs: a bucket as a directory, sealed before it leaves the machine.
//!
//! The layers, top to bottom; imports only go down (tests/architecture.rs):
//! `cli` → `fuse` → `fs` → `volume` → `commit_log`, `meta`, `data` → `vault` → `keyring` → `crypto` → `object` → `base`;
//! beside the keyring, and used by `cli` alone: `kms`, `age_keys`, `desktop_keys` and
//! `kernel_keys`.

#![forbid(unsafe_code)]

pub mod age_keys;
pub mod base;
pub mod cli;
pub mod commit_log;
pub mod crypto;
pub mod data;
pub mod desktop_keys;
pub mod fs;
pub mod fuse;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod kernel_keys;
pub mod keyring;
pub mod kms;
pub mod meta;
pub mod object;
pub mod vault;
pub mod volume;
