//! Finding the slot that a user means: by its id, the beginning of it, or its kind.

use anyhow::Result;

use crate::cli::exit::{Exit, refuse};
use crate::keyring::{Slot, SlotId};

/// Fewer digits of an id are too easily somebody else's.
const MIN_PREFIX: usize = 4;

/// How a slot's kind is written on the command line and shown in lists.
pub fn kind_name(slot: &Slot) -> String {
    match slot {
        Slot::Known(_) => slot.kind().map(|kind| kind.word().to_owned()).unwrap_or_default(),
        Slot::Unknown { kind, .. } => format!("unknown-{kind}"),
    }
}

/// The one slot that `wanted` names: a kind of which there is one slot, or at least four digits of an id.
///
/// # Errors
/// `Usage` when there is none or more than one.
pub fn choose(slots: &[Slot], wanted: &str) -> Result<SlotId> {
    let by_kind: Vec<&Slot> = slots.iter().filter(|slot| kind_name(slot) == wanted).collect();
    let found = if by_kind.is_empty() { by_id(slots, wanted) } else { by_kind };
    match found.as_slice() {
        [slot] => Ok(slot.id()),
        [] => Err(refuse(
            Exit::Usage,
            format!("this volume has no key slot {wanted:?}; it has:\n{}", lines(slots.iter())),
        )),
        several => Err(refuse(
            Exit::Usage,
            format!(
                "{wanted:?} names {} key slots; say which by its id:\n{}",
                several.len(),
                lines(several.iter().copied())
            ),
        )),
    }
}

fn by_id<'a>(slots: &'a [Slot], wanted: &str) -> Vec<&'a Slot> {
    let wanted = wanted.to_ascii_lowercase();
    if wanted.len() < MIN_PREFIX {
        return Vec::new();
    }
    slots.iter().filter(|slot| slot.id().to_string().starts_with(&wanted)).collect()
}

fn lines<'a>(slots: impl Iterator<Item = &'a Slot>) -> String {
    slots.map(|slot| format!("  {}  {}", slot.id(), kind_name(slot))).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(kind: u8, id: u8) -> Slot {
        Slot::Unknown { kind, id: SlotId([id; 16]), body: Vec::new() }
    }

    #[test]
    fn a_slot_is_named_by_its_kind_or_the_beginning_of_its_id() {
        let slots = [slot(200, 0xaa), slot(201, 0xab), slot(201, 0xbb)];
        assert_eq!(choose(&slots, "unknown-200").unwrap(), SlotId([0xaa; 16]));
        assert_eq!(choose(&slots, "abab").unwrap(), SlotId([0xab; 16]));
        assert_eq!(choose(&slots, &"BB".repeat(16)).unwrap(), SlotId([0xbb; 16]));
        for (wanted, says) in
            [("unknown-201", "names 2"), ("aba", "no key slot"), ("cccc", "no key slot"), ("", "no key slot")]
        {
            let error = choose(&slots, wanted).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("abababab"), "{wanted}: {error}");
        }
    }
}
