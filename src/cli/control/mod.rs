//! How `status`, `sync` and `unmount` talk to a running mount: one socket per mount, one JSON object
//! per line.
//!
//! Invariants: the socket lives in a folder of mode 0700 and has mode 0600, so only its owner (and
//! root) can give orders; its name is derived from the mount point. Failure: a socket that nobody
//! answers is left over from a process that died, and is removed by the next mount of that place.

mod client;
mod keys;
mod message;
mod server;
mod socket;

pub use client::{Connection, Gone};
pub use keys::{ReencryptOrder, Reencrypted};
pub use message::{
    CacheStatus, Collected, EncryptionStatus, LogStatus, MountStatus, Outcome, Reply, Request, RequestCounts,
    ServerWords, SpaceStatus, Waiting,
};
pub use server::{ControlSocket, Operator};
pub use socket::live_sockets;

#[cfg(test)]
mod tests;
