//! Key slots, the volume header, the local keyring.
