//! Our cipher against another implementation of RFC 8452 (aws-lc-rs), on random input.
//!
//! Published vectors say that the cipher is right where somebody looked; this looks everywhere else. Nothing here
//! depends on which implementation [`Cipher`] is made of.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};

use super::{Cipher, NonceBase, SecretKey, TAG_LEN};
use crate::base::Random;
use crate::base::random::{OsRandom, SeededRandom};

/// Lengths around the cipher's block, the empty one, and those of chunks.
const LENGTHS: [usize; 14] = [0, 1, 15, 16, 17, 31, 32, 33, 127, 128, 129, 4096, 65_536, 131_072];

struct Case {
    key: [u8; SecretKey::LEN],
    nonce: [u8; 12],
    aad: Vec<u8>,
    plain: Vec<u8>,
}

impl Case {
    fn draw(random: &SeededRandom, aad: usize, plain: usize) -> Self {
        let mut case = Self { key: [0; 32], nonce: [0; 12], aad: vec![0; aad], plain: vec![0; plain] };
        for part in [&mut case.key[..], &mut case.nonce, &mut case.aad, &mut case.plain] {
            random.fill(part);
        }
        case
    }

    /// Ciphertext and tag, as we make them.
    fn ours(&self) -> Vec<u8> {
        let mut buffer = self.plain.clone();
        let nonce = NonceBase::new(self.nonce).at(0);
        let tag = Cipher::new(&SecretKey::copy_of(&self.key)).seal(&nonce, &self.aad, &mut buffer).unwrap();
        buffer.extend_from_slice(&tag);
        buffer
    }

    fn theirs(&self) -> Vec<u8> {
        let mut buffer = self.plain.clone();
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        self.other_key().seal_in_place_append_tag(nonce, Aad::from(&self.aad), &mut buffer).unwrap();
        buffer
    }

    fn we_open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (body, tag) = sealed.split_last_chunk::<TAG_LEN>()?;
        let (mut buffer, nonce) = (body.to_vec(), NonceBase::new(self.nonce).at(0));
        let opened = Cipher::new(&SecretKey::copy_of(&self.key)).open(&nonce, &self.aad, &mut buffer, tag);
        opened.ok().map(|()| buffer)
    }

    fn they_open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (mut buffer, nonce) = (sealed.to_vec(), Nonce::assume_unique_for_key(self.nonce));
        let opened = self.other_key().open_in_place(nonce, Aad::from(&self.aad), &mut buffer);
        opened.ok().map(|plain| plain.to_vec())
    }

    fn other_key(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &self.key).unwrap())
    }
}

fn each_case(mut check: impl FnMut(&SeededRandom, Case)) {
    let random = SeededRandom::new(seed());
    for plain in LENGTHS {
        for aad in [0, 1, 12, 15, 16, 17, 100] {
            check(&random, Case::draw(&random, aad, plain));
        }
    }
    // Every length of some blocks, then lengths of each magnitude up to the largest chunk.
    for plain in 0..=272 {
        let aad = random.next_u64() % 64;
        check(&random, Case::draw(&random, aad as usize, plain));
    }
    for _ in 0..300 {
        let (most_aad, most) = (1u64 << (random.next_u64() % 13), 1u64 << (random.next_u64() % 18));
        let (aad, plain) = (random.next_u64() % (most_aad + 1), random.next_u64() % (most + 1));
        check(&random, Case::draw(&random, aad as usize, plain as usize));
    }
}

/// Other input on each run; named, so that a failure can be repeated.
fn seed() -> u64 {
    let seed = OsRandom.next_u64();
    eprintln!("seed {seed}");
    seed
}

#[test]
fn both_implementations_seal_to_the_same_bytes_and_open_each_others() {
    each_case(|_, case| {
        let (ours, theirs) = (case.ours(), case.theirs());
        assert!(ours == theirs, "{} bytes under {} of associated data", case.plain.len(), case.aad.len());
        assert!(case.we_open(&theirs).as_deref() == Some(&case.plain[..]));
        assert!(case.they_open(&ours).as_deref() == Some(&case.plain[..]));
    });
}

#[test]
fn what_one_implementation_refuses_the_other_refuses_too() {
    each_case(|random, case| {
        let sealed = case.ours();
        let mut flipped = sealed.clone();
        let bit = random.next_u64() as usize % (sealed.len() * 8);
        flipped[bit / 8] ^= 1 << (bit % 8);
        let longer = [&sealed[..], &[0]].concat();
        for tampered in [&flipped[..], &sealed[..sealed.len() - 1], &sealed[1..], &longer] {
            assert!(case.we_open(tampered).is_none() && case.they_open(tampered).is_none(), "bit {bit}");
        }
        for change in 0..3 {
            let mut other = Case { aad: case.aad.clone(), plain: Vec::new(), ..case };
            match change {
                0 => other.key[random.next_u64() as usize % 32] ^= 1,
                1 => other.nonce[random.next_u64() as usize % 12] ^= 1,
                _ => other.aad.push(0),
            }
            assert!(other.we_open(&sealed).is_none() && other.they_open(&sealed).is_none());
        }
    });
}
