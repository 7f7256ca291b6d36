use super::*;

fn acl(entries: &[(Tag, u8)]) -> Acl {
    Acl::new(entries.iter().map(|&(tag, perm)| Entry { tag, perm }).collect()).unwrap()
}

fn refused(entries: &[(Tag, u8)]) -> bool {
    Acl::new(entries.iter().map(|&(tag, perm)| Entry { tag, perm }).collect()).is_err()
}

/// `setfacl -m u:1000:rw,m::r` on a file of mode 0640.
fn named() -> Acl {
    acl(&[(Tag::UserObj, 6), (Tag::User(1000), 6), (Tag::GroupObj, 4), (Tag::Mask, 4), (Tag::Other, 0)])
}

#[test]
fn the_attribute_has_the_bytes_that_the_kernel_writes() {
    let value = named().to_xattr();
    let mut expected = vec![2, 0, 0, 0];
    for (tag, perm, id) in [(1u8, 6u8, -1i32), (2, 6, 1000), (4, 4, -1), (16, 4, -1), (32, 0, -1)] {
        expected.extend([tag, 0, perm, 0]);
        expected.extend(id.to_le_bytes());
    }
    assert_eq!(value, expected);
    assert_eq!(Acl::from_xattr(&value).unwrap(), Some(named()));
}

#[test]
fn a_list_without_entries_means_no_list() {
    assert_eq!(Acl::from_xattr(&[2, 0, 0, 0]).unwrap(), None);
}

#[test]
fn damaged_attributes_are_refused() {
    let value = named().to_xattr();
    for cut in 0..value.len() {
        // Cutting whole entries leaves lists without an end, cutting within one leaves half an entry.
        assert!(cut == 4 || Acl::from_xattr(&value[..cut]).is_err(), "cut at {cut}");
    }
    for (at, byte) in [(0, 3), (4, 3), (6, 8), (7, 1), (16, 0xff)] {
        let mut damaged = value.clone();
        damaged[at] = byte;
        if at == 16 {
            damaged[16..20].fill(0xff);
        }
        assert!(Acl::from_xattr(&damaged).is_err(), "byte {at}");
    }
}

#[test]
fn lists_out_of_order_or_without_a_needed_entry_are_refused() {
    assert!(refused(&[(Tag::UserObj, 7), (Tag::GroupObj, 7)]));
    assert!(refused(&[(Tag::GroupObj, 7), (Tag::UserObj, 7), (Tag::Other, 7)]));
    assert!(refused(&[(Tag::UserObj, 7), (Tag::UserObj, 7), (Tag::GroupObj, 7), (Tag::Other, 7)]));
    assert!(refused(&[(Tag::UserObj, 7), (Tag::User(1), 7), (Tag::GroupObj, 7), (Tag::Other, 7)]));
    assert!(refused(&[(Tag::UserObj, 8), (Tag::GroupObj, 7), (Tag::Other, 7)]));
    assert!(!refused(&[(Tag::UserObj, 7), (Tag::GroupObj, 7), (Tag::Mask, 7), (Tag::Other, 7)]));
}

#[test]
fn only_a_list_of_three_entries_equals_permission_bits() {
    let plain = acl(&[(Tag::UserObj, 7), (Tag::GroupObj, 5), (Tag::Other, 1)]);
    assert!(plain.is_plain());
    assert_eq!(plain.permission_bits(), 0o751);
    assert!(!named().is_plain());
    assert_eq!(named().permission_bits(), 0o640, "the mask shows as the group's bits");
}

#[test]
fn chmod_moves_the_mask_and_leaves_named_entries_alone() {
    let changed = named().with_permission_bits(0o4772);
    let expected =
        acl(&[(Tag::UserObj, 7), (Tag::User(1000), 6), (Tag::GroupObj, 4), (Tag::Mask, 7), (Tag::Other, 2)]);
    assert_eq!(changed, expected);
    let plain = acl(&[(Tag::UserObj, 7), (Tag::GroupObj, 5), (Tag::Other, 1)]);
    assert_eq!(plain.with_permission_bits(0o640).permission_bits(), 0o640);
}

#[test]
fn a_new_file_gets_no_more_than_the_default_list_and_its_mode_both_allow() {
    let default =
        acl(&[(Tag::UserObj, 7), (Tag::User(1000), 7), (Tag::GroupObj, 5), (Tag::Mask, 7), (Tag::Other, 5)]);
    let (list, perm) = default.inherited(0o2644);
    assert_eq!(perm, 0o2644);
    let expected =
        acl(&[(Tag::UserObj, 6), (Tag::User(1000), 7), (Tag::GroupObj, 5), (Tag::Mask, 4), (Tag::Other, 4)]);
    assert_eq!(list, Some(expected));
}

#[test]
fn a_plain_default_list_becomes_permission_bits_only() {
    let default = acl(&[(Tag::UserObj, 7), (Tag::GroupObj, 5), (Tag::Other, 0)]);
    assert_eq!(default.inherited(0o666), (None, 0o640));
}
