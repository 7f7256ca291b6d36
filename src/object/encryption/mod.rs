//! Encryption at rest by the server: a second fence around what is sealed already.
//!
//! - [`ServerEncryption`]: what the user chose.
//!
//! Invariant: what was asked for is compared with what the server says it did. A server that did something
//! else, or says nothing, is an error of the kind `Encryption`.

mod setting;

pub use setting::{EncryptionContext, ServerEncryption, ServerEncryptionError};
