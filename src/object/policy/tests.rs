//! What is demanded, and what becomes of other people's statements.

use serde_json::{Value, json};

use super::*;
use crate::object::encryption::ServerEncryption;
use crate::object::s3::transport::TlsMin;

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn scope(prefix: &str) -> Scope {
    Scope::new("aws", "my-bucket", prefix).unwrap()
}

fn encryption(kind: &str) -> Requirements {
    Requirements { encryption: Some(kind.parse().unwrap()), ..Requirements::default() }
}

fn tls() -> Requirements {
    Requirements { tls: Some(TlsMin::V13), ..Requirements::default() }
}

fn made(requirements: &Requirements, prefix: &str) -> Vec<Value> {
    let statements = requirements.statements(&scope(prefix)).unwrap();
    statements.iter().map(|statement| serde_json::from_str(statement.json()).unwrap()).collect()
}

/// Each condition, in order.
fn conditions(requirements: &Requirements) -> Vec<Value> {
    made(requirements, "").into_iter().map(|statement| statement["Condition"].clone()).collect()
}

/// The policy after `requirements` were put into `before`.
fn demanded(before: &str, requirements: &Requirements, prefix: &str) -> Merge {
    let policy = PolicyDocument::parse(before).unwrap();
    let statements = requirements.statements(&scope(prefix)).unwrap();
    Merge::demand(Some(&policy), &scope(prefix), &requirements.topics(), statements).unwrap()
}

fn withdrawn(before: &str, prefix: &str) -> Merge {
    Merge::withdraw(&PolicyDocument::parse(before).unwrap(), &scope(prefix))
}

fn wire(merge: &Merge) -> String {
    merge.document.as_ref().unwrap().to_wire().unwrap()
}

#[test]
fn the_whole_policy_for_a_bucket_reads_as_a_person_would_write_it() {
    let pretty = tls().document(&scope("")).unwrap().pretty().unwrap();
    let begins = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "HushfsBucketPlainHttp",
      "Effect": "Deny",
      "Principal": "*",
      "Action": "s3:*",
      "Resource": [
        "arn:aws:s3:::my-bucket",
        "arn:aws:s3:::my-bucket/*"
      ],
      "Condition": {
        "Bool": {
          "aws:SecureTransport": "false"
        }
      }
    },"#;
    assert!(pretty.starts_with(begins), "{pretty}");
    assert_eq!(
        conditions(&tls())[1..],
        [
            json!({ "Null": { "aws:SecureTransport": "true" } }),
            json!({ "NumericLessThan": { "s3:TlsVersion": "1.3" } })
        ]
    );
}

#[test]
fn each_kind_of_encryption_is_denied_when_it_is_missing_and_when_it_is_another() {
    let sse = "s3:x-amz-server-side-encryption";
    for (kind, algorithm) in [("s3", "AES256"), ("kms", "aws:kms"), ("dsse", "aws:kms:dsse")] {
        let expected = [json!({ "Null": { sse: "true" } }), json!({ "StringNotEquals": { sse: algorithm } })];
        assert_eq!(conditions(&encryption(kind)), expected, "{kind}");
    }
    let customer = format!("{sse}-customer-algorithm");
    let expected =
        [json!({ "Null": { &customer: "true" } }), json!({ "StringNotEquals": { &customer: "AES256" } })];
    assert_eq!(conditions(&encryption("customer")), expected);
    let denied = Requirements { deny_customer_keys: true, ..Requirements::default() };
    // Ceph takes a `Null` that is `false` for `true`, and would deny every write.
    assert_eq!(conditions(&denied), [json!({ "StringLike": { &customer: "*" } })]);
    for statement in made(&encryption("kms"), "home") {
        assert_eq!(statement["Action"], "s3:PutObject");
        assert_eq!(statement["Effect"], "Deny");
    }
}

#[test]
fn a_key_is_demanded_by_its_arn_its_id_or_its_name_with_one_value_each() {
    let kms = "s3:x-amz-server-side-encryption-aws-kms-key-id";
    let uuid = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let several_regions = "mrk-1234abcd12ab34cd56ef1234567890ab";
    for (key, operator, value) in [
        (ARN, "StringNotEquals", ARN.to_owned()),
        (uuid, "StringNotLike", format!("*{uuid}")),
        (several_regions, "StringNotLike", format!("*{several_regions}")),
        ("some-key", "StringNotEquals", "some-key".to_owned()),
    ] {
        for kind in ["kms", "dsse"] {
            let found = conditions(&encryption(&format!("{kind}:{key}")));
            assert_eq!(found[2..], [json!({ "Null": { kms: "true" } }), json!({ operator: { kms: value } })]);
        }
    }
}

#[test]
fn what_cannot_be_demanded_is_refused_with_advice() {
    let customer = Requirements { deny_customer_keys: true, ..encryption("customer") };
    for (requirements, advice) in [
        (encryption("kms:alias/hushfs"), "describe-key"),
        (encryption("kms:arn:aws:kms:eu-central-1:111122223333:alias/hushfs"), "describe-key"),
        (encryption("kms:*"), "wildcards"),
        (encryption("dsse:a${b}"), "wildcards"),
        (encryption("bucket"), "nothing can be demanded"),
        (customer, "leave one out"),
    ] {
        let error = requirements.statements(&scope("")).unwrap_err().to_string();
        assert!(error.contains(advice), "{requirements:?}: {error}");
    }
    for prefix in ["a*", "a?b", "a${x}"] {
        assert!(matches!(Scope::new("aws", "my-bucket", prefix), Err(PolicyError::Wildcard(_))), "{prefix}");
    }
}

#[test]
fn nothing_outside_of_a_prefix_is_reached() {
    let demands = ["s3", "kms:k", "dsse", "customer"].map(encryption);
    let denied = Requirements { deny_customer_keys: true, ..tls() };
    for requirements in demands.iter().chain([&denied]) {
        for statement in made(requirements, "some/home") {
            assert_eq!(statement.get("NotResource"), None, "{statement}");
            if statement["Resource"] == json!(["arn:aws:s3:::my-bucket"]) {
                assert_eq!(statement["Condition"]["StringLike"], json!({ "s3:prefix": "some/home/*" }));
                continue;
            }
            let reached = statement["Resource"].as_array().unwrap();
            let inside = |arn: &Value| arn.as_str().unwrap().starts_with("arn:aws:s3:::my-bucket/some/home/");
            assert!(!reached.is_empty() && reached.iter().all(inside), "{statement}");
        }
    }
}

#[test]
fn lists_of_a_prefix_need_tls_too() {
    let lists: Vec<Value> = made(&tls(), "home").split_off(3);
    let actions = json!(["s3:ListBucket", "s3:ListBucketVersions"]);
    let common = json!({ "StringLike": { "s3:prefix": "home/*" } });
    for (list, object) in lists.iter().zip(made(&tls(), "home")) {
        assert_eq!((&list["Action"], &list["Resource"]), (&actions, &json!(["arn:aws:s3:::my-bucket"])));
        let mut condition = object["Condition"].clone();
        condition["StringLike"] = common["StringLike"].clone();
        assert_eq!(list["Condition"], condition, "each way of plain HTTP");
        assert_eq!(list["Sid"], json!(format!("{}List", object["Sid"].as_str().unwrap())));
    }
    assert_eq!(lists.len(), 3);
    let put = wire(&demanded(r#"{"Version":"2012-10-17","Statement":[]}"#, &tls(), "home"));
    assert!(withdrawn(&put, "home").document.is_none(), "--remove finds them: {put}");
}

#[test]
fn under_ssec_what_a_new_machine_needs_stays_open() {
    let whole = &made(&encryption("customer"), "")[0];
    assert_eq!(
        whole["NotResource"],
        json!([
            "arn:aws:s3:::my-bucket",
            "arn:aws:s3:::my-bucket/volume",
            "arn:aws:s3:::my-bucket/lock",
            "arn:aws:s3:::my-bucket/probe/*"
        ])
    );
    assert_eq!(whole.get("Resource"), None);
    let part = &made(&encryption("customer"), "home")[0];
    let folders = ["log", "tree", "data"].map(|folder| format!("arn:aws:s3:::my-bucket/home/{folder}/*"));
    assert_eq!(part["Resource"], json!(folders));
}

#[test]
fn arns_name_the_partition_of_the_region() {
    for (region, partition) in [
        ("eu-central-1", "aws"),
        ("us-east-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
        ("us-isob-east-1", "aws-iso-b"),
    ] {
        assert_eq!(partition_of(region), partition, "{region}");
    }
    let statement = &tls().statements(&Scope::new("aws-cn", "my-bucket", "").unwrap()).unwrap()[0];
    assert!(statement.json().contains("arn:aws-cn:s3:::my-bucket/*"), "{}", statement.json());
}

/// Odd in every way that JSON allows, and none of it ours.
const OTHERS: &str = r#"{"Id":"mine", "Version":"2008-10-17","Statement":[{"Sid":"A","Zeta":1.50,"Alpha":[1e2,18446744073709551616],
 "Effect":"Allow"} ,{"NoSid":true},{"Sid":"HushfsBucketReaders","Effect":"Allow"},{"Sid":7},{"Sid":"A"}],"Future":{"b":1,"a":2}}"#;

#[test]
fn statements_of_others_keep_their_bytes_and_their_order() {
    let put = demanded(OTHERS, &tls(), "");
    let text = wire(&put);
    assert_eq!((put.kept, put.come.len(), put.gone.len()), (5, 3, 0));
    assert!(text.starts_with(r#"{"Id":"mine","Version":"2008-10-17","Statement":["#), "{text}");
    assert!(text.ends_with(r#"}],"Future":{"b":1,"a":2}}"#), "{text}");
    for kept in [
        "\"Zeta\":1.50,\"Alpha\":[1e2,18446744073709551616],\n \"Effect\"",
        r#"{"NoSid":true}"#,
        r#"{"Sid":7}"#,
    ] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    let back = withdrawn(&text, "");
    assert_eq!((back.kept, back.gone.len()), (5, 3));
    let squeezed = |text: &str| text.replace(", \"Version\"", ",\"Version\"").replace("} ,{", "},{");
    assert_eq!(wire(&back), squeezed(OTHERS));
}

#[test]
fn a_demand_replaces_the_earlier_one_on_its_topic_and_leaves_the_rest() {
    let first = wire(&demanded(OTHERS, &encryption("kms:k"), ""));
    let second = demanded(&first, &tls(), "");
    assert_eq!((second.kept, second.gone.len()), (9, 0));
    let third = demanded(&wire(&second), &encryption("s3"), "");
    // "Missing" is the same for both kinds.
    let names =
        |list: &[Statement]| -> Vec<String> { list.iter().map(|it| it.sid().unwrap().to_owned()).collect() };
    assert_eq!(names(&third.come), ["HushfsBucketSseOther"]);
    assert_eq!(
        names(&third.gone),
        ["HushfsBucketSseOther", "HushfsBucketKeyMissing", "HushfsBucketKeyOther"]
    );
    let sids: Vec<Option<String>> =
        third.document.as_ref().unwrap().statements().iter().map(|it| it.sid().map(str::to_owned)).collect();
    let expected = [
        Some("A"),
        None,
        Some("HushfsBucketReaders"),
        None,
        Some("A"),
        Some("HushfsBucketSseMissing"),
        Some("HushfsBucketSseOther"),
        Some("HushfsBucketPlainHttp"),
        Some("HushfsBucketNotTls"),
        Some("HushfsBucketOldTls"),
    ];
    assert_eq!(sids, expected.map(|sid| sid.map(str::to_owned)));
    assert!(demanded(&wire(&third), &encryption("s3"), "").changes_nothing());
}

#[test]
fn a_server_that_writes_a_statement_differently_has_not_changed_it() {
    let stored = wire(&demanded(OTHERS, &encryption("s3"), ""))
        .replace(r#""Resource":["arn:aws:s3:::my-bucket/*"]"#, r#""Resource":"arn:aws:s3:::my-bucket/*""#);
    assert!(demanded(&stored, &encryption("s3"), "").changes_nothing());
}

#[test]
fn volumes_of_one_bucket_have_statements_of_their_own() {
    let both = wire(&demanded(&wire(&demanded(OTHERS, &tls(), "home")), &tls(), "work"));
    let without_home = withdrawn(&both, "home");
    assert_eq!((without_home.gone.len(), without_home.kept), (6, 11));
    assert_eq!(withdrawn(&both, "").gone.len(), 0);
    assert_eq!(withdrawn(&wire(&without_home), "work").kept, 5);
    // Sids are letters and digits: IAM takes nothing else.
    let mark = scope("some/home").sid_mark();
    assert!(mark.len() == 18 && mark.chars().all(|c| c.is_ascii_alphanumeric()), "{mark}");
}

#[test]
fn nothing_is_left_of_a_policy_that_was_ours_alone() {
    let statements = tls().statements(&scope("")).unwrap();
    let fresh = Merge::demand(None, &scope(""), &tls().topics(), statements).unwrap();
    assert!(withdrawn(&wire(&fresh), "").document.is_none());
    assert!(withdrawn(OTHERS, "").changes_nothing());
}

#[test]
fn a_single_statement_stands_for_a_list_of_one() {
    let put = wire(&demanded(r#"{"Statement":{"Sid":"A","Effect":"Allow"}}"#, &tls(), ""));
    assert!(put.starts_with(r#"{"Statement":[{"Sid":"A","Effect":"Allow"},{"Sid":"HushfsBucket"#), "{put}");
    let none = wire(&demanded(r#"{"Version":"2012-10-17"}"#, &tls(), ""));
    assert!(none.starts_with(r#"{"Version":"2012-10-17","Statement":[{"Sid":"HushfsBucket"#), "{none}");
}

#[test]
fn what_is_no_policy_is_refused() {
    let deep = format!("{{\"Statement\":[{{\"Sid\":{}1{}}}]}}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!("{{\"a\":{}}}", "[".repeat(10_000));
    for text in [
        "",
        "[]",
        "null",
        "{",
        r#"{"Statement":7}"#,
        r#"{"Statement":[7]}"#,
        r#"{"Statement":[],"Statement":[]}"#,
        r#"{"Version":"a","Version":"b"}"#,
        r#"{"Statement":[{"Sid":"A","Sid":"B"}]}"#,
        r#"{"Statement":[]} more"#,
        &nested,
        &deep,
    ] {
        let shown = &text[..text.len().min(60)];
        assert!(matches!(PolicyDocument::parse(text), Err(PolicyError::Malformed(_))), "{shown}");
    }
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(400_000));
    assert!(matches!(PolicyDocument::parse(&long), Err(PolicyError::Oversized(_))));
}

#[test]
fn a_policy_longer_than_s3_takes_is_refused_before_it_is_sent() {
    let with = |length: usize| format!(r#"{{"Statement":[{{"Sid":"{}"}}]}}"#, "x".repeat(length));
    let ours = wire(&demanded(&with(0), &tls(), "")).len();
    let fits = demanded(&with(MAX_POLICY_LEN - ours), &tls(), "");
    assert_eq!(wire(&fits).len(), MAX_POLICY_LEN);
    let over = demanded(&with(MAX_POLICY_LEN - ours + 1), &tls(), "").document.unwrap();
    assert!(matches!(over.to_wire(), Err(PolicyError::TooLong(20_481))));
}

#[test]
fn a_policy_that_only_another_server_takes_is_shown_and_what_is_ours_can_leave_it() {
    let ours = made(&tls(), "").remove(0);
    let long = json!({ "Statement": [ours, { "Sid": "x".repeat(MAX_POLICY_LEN) }] }).to_string();
    let policy = PolicyDocument::parse(&long).unwrap();
    assert!(policy.pretty().unwrap().len() > MAX_POLICY_LEN);
    let without = withdrawn(&long, "").document.unwrap();
    assert!(without.to_wire_after(&long).unwrap().len() < long.len());
    let more = demanded(&long, &encryption("s3"), "").document.unwrap();
    assert!(matches!(more.to_wire_after(&long), Err(PolicyError::TooLong(_))));
}

#[test]
fn a_kind_that_is_demanded_is_what_hushfs_sends() {
    for kind in ["s3", "kms:k", "dsse:k"] {
        let kind: ServerEncryption = kind.parse().unwrap();
        let found = conditions(&Requirements { encryption: Some(kind.clone()), ..Requirements::default() });
        assert_eq!(found[1]["StringNotEquals"]["s3:x-amz-server-side-encryption"], kind.algorithm().unwrap());
    }
}

#[test]
fn a_volume_can_be_written_when_it_asks_for_what_is_demanded() {
    let admits = |demanded: &str, asked: &str| encryption(demanded).admits(&asked.parse().unwrap());
    let arn = format!("kms:{ARN}");
    for (demanded, asked) in [
        ("s3", "s3"),
        ("kms", "kms:k"),
        ("kms:k", "kms:k"),
        ("customer", "customer"),
        ("kms:1234abcd-12ab-34cd-56ef-1234567890ab", &arn),
        (&arn, "kms:1234abcd-12ab-34cd-56ef-1234567890ab"),
        (&arn, &arn),
    ] {
        assert!(admits(demanded, asked), "{demanded} {asked}");
    }
    for (demanded, asked) in [
        ("s3", "bucket"),
        ("s3", "customer"),
        ("kms:k", "kms"),
        ("kms:k", "kms:l"),
        ("kms:k", "kms:alias/k"),
        ("kms", "dsse"),
        (&arn, "kms:arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        ("dsse:k", "kms:k"),
        (&arn, "kms:arn:aws:kms:eu-west-1:111122223333:key/other"),
    ] {
        assert!(!admits(demanded, asked), "{demanded} {asked}");
    }
    assert!(tls().admits(&ServerEncryption::Bucket));
    let denied = Requirements { deny_customer_keys: true, ..Requirements::default() };
    assert!(!denied.admits(&ServerEncryption::Customer));
}
