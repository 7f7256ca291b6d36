use super::*;

#[test]
fn the_list_needs_no_key_and_says_that_nobody_vouches_for_it() {
    let home = Home::with_volume();
    let listed = home.hushfs(["key", "list", &home.bucket()]).expect(0);
    assert!(listed.out.contains("passphrase") && listed.out.contains("19 MiB, 2 passes"), "{}", listed.out);
    assert!(listed.out.contains("Not authenticated"), "{}", listed.out);
    let listed = key(&home, &["list", &home.bucket()], 0);
    assert!(listed.out.contains("Authentic") && listed.out.contains("fingerprint"), "{}", listed.out);
    assert_eq!(kinds(&home), ["passphrase", "recovery-code"]);
    assert_eq!(slots(&home)[0]["argon2id"]["memory_kib"], 19 * 1024);
}

#[test]
fn a_list_that_somebody_changed_is_noticed_as_soon_as_a_key_is_given() {
    let home = Home::with_volume();
    let header = home.bucket_folder().join("volume");
    let mut bytes = std::fs::read(&header).unwrap();
    // The id of the first slot, behind 40 bytes of header and 4 of the slot; then the checksum that needs no key.
    bytes[44] ^= 1;
    let end = bytes.len() - 32;
    let checksum = <sha2::Sha256 as sha2::Digest>::digest(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum);
    std::fs::write(&header, bytes).unwrap();
    home.hushfs(["key", "list", &home.bucket()]).expect(0);
    key(&home, &["list", &home.bucket()], 6);
}
