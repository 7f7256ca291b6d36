//! The encodings: frozen, canonical, and closed to anything else.
mod codec;
mod frozen;
mod samples;
