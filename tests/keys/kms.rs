//! KMS slots against a KMS that really encrypts, and what goes over the wire.

use serde_json::json;

use super::servers::KmsServer;
use super::wire::Wire;
use super::*;

/// A volume with a KMS slot made through `wire`.
fn with_slot(wire: &Wire, key_id: &str) -> Home {
    let home = Home::with_volume();
    key(&home, &["add", &home.bucket(), "--new-kms", key_id, "--kms-endpoint-url", &wire.url], 0);
    home
}

#[test]
fn a_kms_key_opens_mounts_and_after_its_slots_removal_does_not() {
    let (server, home) = (KmsServer::moto(), Home::with_volume());
    let kms = ["--kms", "--kms-endpoint-url", &server.endpoint];
    opens(&home, &kms).expect(3);
    let add = ["add", &home.bucket(), "--new-kms", &server.key, "--kms-endpoint-url", &server.endpoint];
    key(&home, &add, 0);
    assert_eq!(slots(&home)[2]["kms_key"], server.key.as_str());
    opens(&home, &kms).expect(0);

    home.hushfs(["mount", &home.bucket(), &home.mount_str()]).args(kms).expect(0);
    std::fs::write(home.mount().join("file"), "contents").unwrap();
    home.unmount();
    key(&home, &["remove", &home.bucket(), "kms", "--yes"], 0);
    opens(&home, &kms).expect(3);
}

#[test]
fn every_use_of_the_key_names_key_volume_slot_and_purpose() {
    let server = KmsServer::moto();
    let wire = Wire::to(&server.endpoint);
    let home = with_slot(&wire, &server.key);
    let listed = home.hushfs(["key", "list", "--json", &home.bucket()]).expect(0);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    let context = json!({
        "hushfs:purpose": "hushfs v1 kms slot",
        "hushfs:volume": listed["volume"],
        "hushfs:slot": listed["slots"][2]["id"],
    });
    let check = |calls: &[super::wire::Call], operations: &[&str]| {
        assert_eq!(calls.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), operations);
        for (name, body) in calls {
            assert_eq!(body["EncryptionContext"], context, "{name}");
            assert_eq!(body["KeyId"], server.key.as_str(), "{name}");
            assert_eq!(body["EncryptionAlgorithm"], "SYMMETRIC_DEFAULT", "{name}");
        }
    };
    // One to wrap, one to see that it unwraps.
    check(&wire.calls(), &["Encrypt", "Decrypt"]);
    opens(&home, &["--kms", "--kms-endpoint-url", &wire.url]).expect(0);
    check(&wire.calls(), &["Decrypt"]);
    opens(&home, &[&format!("--kms={}", server.key), "--kms-endpoint-url", &wire.url]).expect(0);
    check(&wire.calls(), &["Decrypt"]);
}

#[test]
fn a_key_that_the_user_names_is_the_one_that_is_asked_for() {
    let server = KmsServer::moto();
    let home = with_slot(&Wire::to(&server.endpoint), &server.key);
    let wire = Wire::refusing(400, "IncorrectKeyException");
    let refused = opens(&home, &["--kms=alias/mine", "--kms-endpoint-url", &wire.url]).expect(3);
    assert!(refused.err.contains("another key"), "{}", refused.err);
    assert_eq!(wire.calls()[0].1["KeyId"], "alias/mine");
}

#[test]
fn refusals_throttling_and_an_unreachable_kms_are_told_apart() {
    let server = KmsServer::moto();
    let home = with_slot(&Wire::to(&server.endpoint), &server.key);
    for (status, code, exit, says) in [
        (400, "AccessDeniedException", 8, "not permitted"),
        (400, "DisabledException", 8, "cannot be used"),
        (400, "NotFoundException", 8, "is not there"),
        (400, "ThrottlingException", 7, "too many requests"),
        (500, "KMSInternalException", 7, "cannot be reached"),
        (400, "InvalidCiphertextException", 6, "nothing that KMS has wrapped"),
    ] {
        let wire = Wire::refusing(status, code);
        let refused = opens(&home, &["--kms", "--kms-endpoint-url", &wire.url]).expect(exit);
        assert!(refused.err.contains(says) && refused.err.contains(code), "{code}: {}", refused.err);
        let repeated = wire.calls().len() > 1;
        assert_eq!(repeated, matches!(code, "ThrottlingException" | "KMSInternalException"), "{code}");
    }
    let nobody = opens(&home, &["--kms", "--kms-endpoint-url", "http://127.0.0.1:1"]).expect(7);
    assert!(nobody.err.contains("cannot be reached"), "{}", nobody.err);
    for (url, code) in [("http://kms.example.org", 17), ("ftp://127.0.0.1", 2)] {
        opens(&home, &["--kms", "--kms-endpoint-url", url]).expect(code);
    }
}

#[test]
fn what_is_no_kms_is_told_from_a_key_that_cannot_be_used() {
    let server = KmsServer::moto();
    let home = with_slot(&Wire::to(&server.endpoint), &server.key);
    let elsewhere = Wire::refusing(500, "KMSInternalException");
    let redirect = format!(
        "HTTP/1.1 307 X\r\nLocation: {}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        elsewhere.url
    );
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\n<html>hello!\r\n",
        "HTTP/1.1 404 X\r\nContent-Length: 9\r\nConnection: close\r\n\r\nnot found",
        "HTTP/1.1 400 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        redirect.leak(),
    ] {
        let wire = Wire::strange(answer);
        let refused = opens(&home, &["--kms", "--kms-endpoint-url", &wire.url]).expect(1);
        assert!(refused.err.contains("no KMS") && refused.err.contains(&wire.url), "{}", refused.err);
        assert!(refused.err.contains("--kms-endpoint-url"), "{}", refused.err);
    }
    assert!(elsewhere.calls().is_empty(), "nothing follows a redirect");
}

#[test]
fn no_slot_is_added_that_kms_does_not_make() {
    let home = Home::with_volume();
    let wire = Wire::refusing(400, "AccessDeniedException");
    key(&home, &["add", &home.bucket(), "--new-kms", "alias/a", "--kms-endpoint-url", &wire.url], 8);
    let server = KmsServer::moto();
    let add = ["add", &home.bucket(), "--new-kms", "alias/none", "--kms-endpoint-url", &server.endpoint];
    key(&home, &add, 8);
    assert_eq!(kinds(&home).len(), 2);
}

#[test]
fn on_a_new_machine_kms_needs_the_keys_name_or_the_fingerprint() {
    let server = KmsServer::moto();
    let home = with_slot(&Wire::to(&server.endpoint), &server.key);
    let listed = key(&home, &["list", "--json", &home.bucket()], 0);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    let fingerprint = listed["fingerprint"].as_str().unwrap();
    let at = ["--kms-endpoint-url", server.endpoint.as_str()];
    home.forget();
    let refused = opens(&home, &["--kms"]).args(at).expect(2);
    assert!(refused.err.contains(fingerprint), "{}", refused.err);
    let other = if fingerprint.starts_with('0') { "1" } else { "0" };
    let other = format!("{other}{}", &fingerprint[1..]);
    opens(&home, &["--kms", "--fingerprint", &other]).args(at).expect(6);
    opens(&home, &["--kms", "--fingerprint", fingerprint]).args(at).expect(0);
    // Now the machine knows the volume.
    opens(&home, &["--kms"]).args(at).expect(0);
    home.forget();
    opens(&home, &[&format!("--kms={}", server.key)]).args(at).expect(0);
}

#[test]
fn kms_over_plain_http_to_another_machine_is_no_safe_connection() {
    let home = Home::with_volume();
    let add = ["add", &home.bucket(), "--new-kms", "alias/a", "--kms-endpoint-url", "http://192.0.2.1:9"];
    let refused = key(&home, &add, 17);
    assert!(refused.err.contains("--insecure-http is for the bucket"), "{}", refused.err);
    let add = ["add", &home.bucket(), "--new-kms", "alias/a", "--kms-endpoint-url", "gopher://192.0.2.1"];
    key(&home, &add, 2);
}
