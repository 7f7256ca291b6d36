//! Chunk compression: LZ4 blocks without a length of their own, kept only where they pay.
//!
//! Decompression writes into a buffer of the length that the frame claims (at most one chunk) and
//! must fill it exactly, so a bomb has nowhere to go. It runs after the tag was verified.

use lz4_flex::block::{
    CompressTable, DecompressError, compress_into_with_table, decompress_into, get_maximum_output_size,
};

/// Below this many bytes nothing is tried.
const WORTH_TRYING: usize = 64;

/// True when storing `stored` bytes for `plain` ones saves at least a sixteenth.
pub(super) fn pays(plain: usize, stored: usize) -> bool {
    plain >= WORTH_TRYING && stored > 0 && stored <= plain - plain / 16
}

/// The working memory of compression, reused from chunk to chunk.
#[derive(Default)]
pub(super) struct Compressor {
    table: CompressTable,
    output: Vec<u8>,
}

impl Compressor {
    /// The compressed form of `plain`, or `None` where it does not pay.
    pub fn compress(&mut self, plain: &[u8]) -> Option<&[u8]> {
        if plain.len() < WORTH_TRYING {
            return None;
        }
        let room = get_maximum_output_size(plain.len());
        if self.output.len() < room {
            self.output.resize(room, 0);
        }
        // The only error is a lack of room, which there is.
        let len = compress_into_with_table(plain, &mut self.output, &mut self.table).ok()?;
        pays(plain.len(), len).then(|| &self.output[..len])
    }
}

/// Decompresses exactly `plain_len` bytes.
///
/// # Errors
/// A block that is malformed, or that holds more than `plain_len` bytes. `Ok(None)` when it holds fewer.
pub(super) fn decompress(stored: &[u8], plain_len: usize) -> Result<Option<Vec<u8>>, DecompressError> {
    let mut plain = vec![0; plain_len];
    let len = decompress_into(stored, &mut plain)?;
    Ok((len == plain_len).then_some(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_saving_of_a_sixteenth_pays() {
        assert!(pays(4096, 3840));
        assert!(!pays(4096, 3841));
        assert!(!pays(63, 1));
        assert!(!pays(0, 0));
        assert!(!pays(4096, 0));
    }

    #[test]
    fn a_block_that_holds_more_or_less_than_claimed_is_refused() {
        let mut compressor = Compressor::default();
        let stored = compressor.compress(&[7; 100_000]).expect("repetition compresses").to_vec();
        assert!(stored.len() < 1_000);
        assert_eq!(decompress(&stored, 100_000).unwrap(), Some(vec![7; 100_000]));
        assert!(decompress(&stored, 99_999).is_err());
        assert_eq!(decompress(&stored, 100_001).unwrap(), None);
    }
}
