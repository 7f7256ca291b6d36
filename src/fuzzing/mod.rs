//! Everything that decodes untrusted bytes, as functions of bytes, for the fuzzers (fuzz/) and the replay of their corpora.
//!
//! Compiled for tests and under cargo-fuzz (which sets `cfg(fuzzing)`) only; no part of the program.
//!
//! A target panics when a decoder breaks a promise. Besides "does not panic" the promises are: what decodes, encodes to
//! the same bytes where the format has one spelling; what opens was sealed by us; memory is bounded by [`Target::allowed`].
//! Each layer has its targets beside its decoders (`fuzzing.rs`), so that nothing becomes visible for their sake.
//!
//! `every_decoder_has_a_target` reads the sources and fails when a function that looks like a decoder is in no target's
//! list.

#[cfg(test)]
mod replay;
#[cfg(test)]
mod sources;

use crate::{
    age_keys, cli, commit_log, data, desktop_keys, fs, fuse, keyring, kms, meta, object, vault, volume,
};

/// One decoder, or several that belong together.
pub struct Target {
    /// Also the name of the fuzzer and of the folder of its corpus.
    pub name: &'static str,
    /// The decoders it calls, as `file: function`, relative to src/.
    pub decoders: &'static [&'static str],
    /// Decodes and checks. Panics when a promise is broken.
    pub run: fn(&[u8]),
    /// The most memory at a time, in bytes: this many times the input …
    pub times: usize,
    /// … plus this.
    pub plus: usize,
}

impl Target {
    /// A target that may take 64 times its input, and 64 KiB: what a list of small things costs while it grows.
    pub(crate) const fn new(name: &'static str, decoders: &'static [&'static str], run: fn(&[u8])) -> Self {
        Self { name, decoders, run, times: 64, plus: 64 << 10 }
    }

    /// With another constant part.
    pub(crate) const fn plus(self, plus: usize) -> Self {
        Self { plus, ..self }
    }

    /// How much memory an input of `len` bytes may cost at a time, in bytes.
    pub fn allowed(&self, len: usize) -> u64 {
        (self.times * len + self.plus) as u64
    }
}

/// All of them, bottom to top.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    let layers: [&'static [Target]; 13] = [
        &object::fuzzing::TARGETS,
        &keyring::fuzzing::TARGETS,
        &keyring::local::fuzzing::TARGETS,
        &kms::fuzzing::TARGETS,
        &age_keys::fuzzing::TARGETS,
        &desktop_keys::fuzzing::TARGETS,
        &vault::fuzzing::TARGETS,
        &meta::fuzzing::TARGETS,
        &data::fuzzing::TARGETS,
        &commit_log::fuzzing::TARGETS,
        &volume::fuzzing::TARGETS,
        &fs::acl::fuzzing::TARGETS,
        &fuse::fuzzing::TARGETS,
    ];
    layers.into_iter().flatten().chain(&cli::fuzzing::TARGETS)
}

/// The target of that name.
///
/// # Panics
/// When there is none.
pub fn target(name: &str) -> &'static Target {
    targets().find(|target| target.name == name).unwrap_or_else(|| panic!("no target is called {name}"))
}

/// Text as a terminal, an argument or a file gives it: what is no UTF-8 never reaches a decoder of text.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A message that may reach a terminal or a log has no control characters.
pub(crate) fn assert_tame(message: &str) {
    assert!(!message.chars().any(char::is_control), "control characters in {message:?}");
}
