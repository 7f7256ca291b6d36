//! Comparison that takes the same time whatever the bytes are.

use subtle::ConstantTimeEq;

/// True when `left` and `right` are equal. The time depends on their lengths only.
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_equal_bytes_of_equal_length_are_the_same() {
        assert!(same(b"commitment", b"commitment"));
        assert!(!same(b"commitment", b"commitmenT"));
        assert!(!same(b"commitment", b"commit"));
        assert!(same(b"", b""));
    }
}
