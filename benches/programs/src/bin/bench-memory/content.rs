//! Bytes of a file, in blocks, so that a growing file is never copied as a whole.

/// As long as the largest request, so that an aligned one finds all its bytes in a row.
const BLOCK: usize = 1 << 20;

/// Blocks are as long as their bytes go; what is missing is zeros.
#[derive(Default)]
pub struct Content {
    blocks: Vec<Vec<u8>>,
    size: u64,
}

impl Content {
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn write(&mut self, offset: u64, data: &[u8]) {
        let (mut at, mut left) = (offset, data);
        while !left.is_empty() {
            let (block, start) = (at as usize / BLOCK, at as usize % BLOCK);
            let (part, rest) = left.split_at(left.len().min(BLOCK - start));
            if self.blocks.len() <= block {
                self.blocks.resize_with(block + 1, Vec::new);
            }
            put(&mut self.blocks[block], start, part);
            at += part.len() as u64;
            left = rest;
        }
        self.size = self.size.max(at);
    }

    /// Gives at most `len` bytes to `take`; fewer at the end of the file.
    pub fn read<R>(&self, offset: u64, len: usize, take: impl FnOnce(&[u8]) -> R) -> R {
        let len = len.min(usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX));
        let (block, start) = (offset as usize / BLOCK, offset as usize % BLOCK);
        if let Some(whole) = self.blocks.get(block).and_then(|bytes| bytes.get(start..start + len)) {
            return take(whole);
        }
        let mut bytes = vec![0; len];
        let mut done = 0;
        while done < len {
            let (block, start) = ((offset as usize + done) / BLOCK, (offset as usize + done) % BLOCK);
            let part = (len - done).min(BLOCK - start);
            if let Some(from) = self.blocks.get(block).and_then(|bytes| bytes.get(start..)) {
                let there = from.len().min(part);
                bytes[done..done + there].copy_from_slice(&from[..there]);
            }
            done += part;
        }
        take(&bytes)
    }

    pub fn resize(&mut self, size: u64) {
        let (block, start) = (size as usize / BLOCK, size as usize % BLOCK);
        self.blocks.truncate(block + usize::from(start > 0));
        if let Some(last) = self.blocks.get_mut(block) {
            last.truncate(start);
        }
        self.size = size;
    }
}

fn put(block: &mut Vec<u8>, start: usize, part: &[u8]) {
    if block.len() == start {
        return block.extend_from_slice(part);
    }
    if block.len() < start + part.len() {
        block.resize(start + part.len(), 0);
    }
    block[start..start + part.len()].copy_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(content: &Content, offset: u64, len: usize) -> Vec<u8> {
        content.read(offset, len, <[u8]>::to_vec)
    }

    #[test]
    fn bytes_across_blocks_and_holes_are_what_was_written() {
        let mut content = Content::default();
        let across = BLOCK as u64 - 2;
        content.write(across, b"abcd");
        assert_eq!(bytes(&content, across - 1, 100), b"\0abcd");
        content.resize(across + 1);
        content.resize(across + 4);
        assert_eq!(bytes(&content, across, 100), b"a\0\0\0");
        assert_eq!(bytes(&content, 9 << 20, 4), b"");
    }
}
