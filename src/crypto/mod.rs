//! AEAD, KDF and secrets. No I/O.
