//! The encodings: frozen, canonical, and closed to anything else.
mod codec;
mod example;
mod frozen;
mod samples;
