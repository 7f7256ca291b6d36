//! What moving a volume to another encryption may take: requests, and what AWS bills for them.
//!
//! An upper bound: objects that have the kind already are found out by looking at each, which is cheaper than a copy.

use std::fmt;

use crate::cli::size::{count, show_size};
use crate::object::ServerEncryption;

/// Prices in dollars for S3 Standard and KMS in us-east-1, 2026-11 (aws.amazon.com/s3/pricing, /kms/pricing).
const LIST_OR_COPY: f64 = 0.005 / 1_000.0;
const READ: f64 = 0.0004 / 1_000.0;
const KMS: f64 = 0.03 / 10_000.0;
const STORED_GIB_MONTH: f64 = 0.023;
/// Keys to a request.
const PAGE: u64 = 1000;
const GIB: f64 = (1u64 << 30) as f64;

/// What may have to be moved, and how.
#[derive(Debug, Clone)]
pub struct Work<'a> {
    pub objects: u64,
    pub bytes: u64,
    pub target: &'a ServerEncryption,
    /// What the volume's settings list: what there is may have any of these.
    pub known: &'a [ServerEncryption],
    /// Whether the bucket keeps old versions; `None` when that is not known.
    pub versioning: Option<bool>,
}

/// Requests at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requests {
    pub lists: u64,
    pub reads: u64,
    pub copies: u64,
    pub kms: u64,
}

impl Work<'_> {
    /// The bound: every object is looked at and copied once, and listed twice.
    pub fn requests(&self) -> Requests {
        let objects = self.objects;
        let customer = |kind: &ServerEncryption| *kind == ServerEncryption::Customer;
        // Which customer key an object has, or whether it has one, is found out by trying.
        let tries = if customer(self.target) || self.known.iter().any(customer) { 2 } else { 1 };
        let sealing = if by_kms(self.target) { objects } else { 0 };
        // For a customer key the object's first bytes are read, which KMS has to decrypt as well.
        let opening = match self.known.iter().any(by_kms) {
            true => objects * (1 + u64::from(customer(self.target))),
            false => 0,
        };
        Requests {
            lists: 2 * objects.div_ceil(PAGE).max(1),
            reads: objects * tries,
            copies: objects,
            kms: sealing + opening,
        }
    }
}

/// Whether each object has KMS calls of its own.
fn by_kms(kind: &ServerEncryption) -> bool {
    matches!(kind, ServerEncryption::Kms { bucket_key: false, .. } | ServerEncryption::Dsse { .. })
}

impl Requests {
    /// Dollars.
    pub fn cost(&self) -> f64 {
        (self.lists + self.copies) as f64 * LIST_OR_COPY + self.reads as f64 * READ + self.kms as f64 * KMS
    }
}

impl fmt::Display for Work<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = self.requests();
        writeln!(
            f,
            "{} ({}) to be encrypted as {}; what has that already is left alone",
            count(self.objects, "object"),
            show_size(self.bytes),
            self.target.describe()
        )?;
        writeln!(f, "\nat most, at the prices of AWS for S3 Standard in us-east-1:")?;
        let mut line = |what, number: u64, price: f64, per: &str| {
            writeln!(f, "  {what:9} {number:>10}  {per:19} {:>10}", dollars(number as f64 * price))
        };
        line("LIST", requests.lists, LIST_OR_COPY, "$0.005 per 1,000")?;
        line("HEAD, GET", requests.reads, READ, "$0.0004 per 1,000")?;
        line("COPY", requests.copies, LIST_OR_COPY, "$0.005 per 1,000")?;
        if requests.kms > 0 {
            line("KMS", requests.kms, KMS, "$0.03 per 10,000")?;
        }
        writeln!(f, "  {:41} {:>11}", "together", dollars(requests.cost()))?;
        if matches!(self.target, ServerEncryption::Dsse { .. }) {
            writeln!(f, "DSSE is billed by the gigabyte besides (aws.amazon.com/kms/pricing).")?;
        }
        self.versions(f)
    }
}

impl Work<'_> {
    fn versions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = dollars(self.bytes as f64 / GIB * STORED_GIB_MONTH);
        match self.versioning {
            Some(false) => Ok(()),
            Some(true) => writeln!(
                f,
                "\nVersioning is on: each copy is a new version. The old versions stay, keep their old encryption, and cost \
                 storage (up to {stored} a month at $0.023 per GiB) until a lifecycle rule or you delete them."
            ),
            None => writeln!(
                f,
                "\nWhether versioning is on cannot be told (s3:GetBucketVersioning). Where it is, the old versions stay, keep \
                 their old encryption, and cost storage (up to {stored} a month)."
            ),
        }
    }
}

/// Cents where they say something, more digits where they do not.
fn dollars(amount: f64) -> String {
    if amount == 0.0 || amount >= 0.01 { format!("${amount:.2}") } else { "< $0.01".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> ServerEncryption {
        text.parse().unwrap()
    }

    fn requests(target: &str, known: &[&str]) -> Requests {
        let known: Vec<_> = known.iter().map(|text| kind(text)).collect();
        Work { objects: 1500, bytes: 1, target: &kind(target), known: &known, versioning: None }.requests()
    }

    #[test]
    fn requests_are_bounded_by_what_each_kind_takes() {
        let plain = Requests { lists: 4, reads: 1500, copies: 1500, kms: 0 };
        assert_eq!(requests("s3", &["bucket"]), plain);
        assert_eq!(requests("kms:k", &["s3"]), Requests { kms: 1500, ..plain });
        assert_eq!(requests("kms:k", &["dsse"]), Requests { kms: 3000, ..plain });
        assert_eq!(requests("customer", &["kms"]), Requests { reads: 3000, kms: 3000, ..plain });
        assert_eq!(requests("s3", &["customer"]), Requests { reads: 3000, ..plain });
        let saving = ServerEncryption::new("kms", crate::object::EncryptionContext::default(), true).unwrap();
        let work = Work { objects: 1500, bytes: 1, target: &saving, known: &[], versioning: None };
        assert_eq!(work.requests(), plain, "a bucket key saves the calls");
    }

    #[test]
    fn the_cost_is_that_of_the_price_list() {
        // 2,000 lists and a million copies and reads each: 0.01 + 5.00 + 0.40; a million KMS calls: 3.00.
        let requests = Requests { lists: 2_000, reads: 1_000_000, copies: 1_000_000, kms: 1_000_000 };
        assert!((requests.cost() - 8.41).abs() < 1e-9, "{}", requests.cost());
    }

    #[test]
    fn versions_and_their_cost_are_said_plainly() {
        let target = kind("kms:k");
        let work = |versioning| {
            Work { objects: 2_000_000, bytes: 100 << 30, target: &target, known: &[], versioning }.to_string()
        };
        let kept = work(Some(true));
        assert!(kept.contains("old versions stay") && kept.contains("$2.30 a month"), "{kept}");
        assert!(kept.contains("COPY         2000000  $0.005 per 1,000        $10.00"), "{kept}");
        assert!(!work(Some(false)).contains("ersion"), "{}", work(Some(false)));
        assert!(work(None).contains("cannot be told"), "{}", work(None));
    }
}
