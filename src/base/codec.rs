//! Bounded encoding and decoding of records: little endian, explicit lengths, no allocation before
//! a length was checked against what is really there and against the caller's cap.

use thiserror::Error;

/// Why bytes are not a record. The bytes themselves are never shown: they may be plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    #[error("the record ends before its {0}")]
    Truncated(&'static str),
    #[error("{0} has a value that this version does not know")]
    Invalid(&'static str),
    #[error("{0} is longer than allowed")]
    TooLong(&'static str),
    #[error("{0} bytes follow the end of the record")]
    Trailing(usize),
}

/// Appends fields to a growing buffer.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    /// Appends two bytes, little endian.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Appends four bytes, little endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Appends eight bytes, little endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Appends eight bytes, little endian two's complement.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Appends bytes whose length the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends a length of four bytes and the bytes.
    ///
    /// # Panics
    /// When `bytes` has 4 GiB or more; callers bound it long before.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let len = u32::try_from(bytes.len()).expect("records are far below 4 GiB");
        self.u32(len).raw(bytes)
    }

    /// How many bytes were written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True when nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The finished record.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes fields off the front of untrusted bytes.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes exactly `len` bytes; `what` names the field in the error.
    pub fn raw(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Truncated(what))?;
        self.rest = rest;
        Ok(head)
    }

    /// Takes a fixed-size array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated(what))?;
        self.rest = rest;
        Ok(*head)
    }

    /// Takes one byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        Ok(self.array::<1>(what)?[0])
    }

    /// Takes two bytes, little endian.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    /// Takes four bytes, little endian.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// Takes eight bytes, little endian.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// Takes eight bytes, little endian two's complement.
    pub fn i64(&mut self, what: &'static str) -> Result<i64, DecodeError> {
        Ok(i64::from_le_bytes(self.array(what)?))
    }

    /// Takes a length of four bytes, at most `cap`, and that many bytes.
    pub fn bytes(&mut self, cap: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let len = self.u32(what)? as usize;
        if len > cap {
            return Err(DecodeError::TooLong(what));
        }
        self.raw(len, what)
    }

    /// What has not been taken yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// True when everything was taken.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends the record: anything left over is an error.
    pub fn end(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(self.rest.len())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_its_cap_or_the_record_is_refused_before_allocation() {
        let mut writer = Writer::new();
        writer.u32(u32::MAX);
        let bytes = writer.finish();
        assert_eq!(Reader::new(&bytes).bytes(usize::MAX, "name"), Err(DecodeError::Truncated("name")));
        assert_eq!(Reader::new(&bytes).bytes(255, "name"), Err(DecodeError::TooLong("name")));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u16("pair"), Ok(0x0201));
        assert_eq!(reader.end(), Err(DecodeError::Trailing(1)));
    }
}
