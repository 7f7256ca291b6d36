//! Encryption at rest by the server: a second fence around what is sealed already.
//!
//! - [`ServerEncryption`]: what the user chose. [`StoredEncryption`]: what the server says that it did.
//! - [`EncryptionRules`]: what one process asks for when it writes, and what it accepts when it reads;
//!   [`Encryption`] is the place where a bucket finds the rules of the moment.
//! - [`CustomerKey`] and [`CustomerKeys`]: keys of SSE-C, which come from above.
//!
//! Invariants: what was asked for is compared with what the server says, for writes and for reads. A server
//! that did something else, or says nothing, is an error of the kind `Encryption`. Objects that must be read
//! before anybody has a key ([`is_open`]) never get a customer key.

mod customer_key;
mod key_id;
mod rules;
mod setting;
mod stored;

pub use customer_key::{CustomerKey, CustomerKeys, OPEN, is_open};
pub use rules::{Encryption, EncryptionReport, EncryptionRules};
pub use setting::{EncryptionContext, ServerEncryption, ServerEncryptionError};
pub(in crate::object) use stored::tame;
pub use stored::{Mismatch, StoredEncryption};
