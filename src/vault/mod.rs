//! Seals and opens whole objects; the only code that touches ciphertext.
pub mod vault;
pub use vault::*;
