//! The metadata: records in one key space, operations that change them, and the copy-on-write tree that keeps them.
//!
//! `apply` is the only function that changes metadata; it is deterministic (M4). Nothing here does I/O:
//! a lookup that needs a tree pack which is not in memory says so (`ReadError::Missing`), the caller
//! fetches it and asks again.

pub mod apply;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod key;
pub mod op;
pub mod overlay;
pub mod read;
pub mod record;
pub mod tree;
pub mod view;

#[cfg(test)]
mod tests;
