//! What a process asks of the server when it writes, and what it accepts when it reads.
//!
//! One choice is for writing; reading also accepts what the volume's settings list from earlier, so that a
//! volume can be moved from one kind to another while it can be read throughout. Before a volume is unlocked
//! nobody knows its settings: then nothing is asked, and what the server says is kept and judged later.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::customer_key::{CustomerKey, CustomerKeys, VOLUME_KEY, is_open};
use super::setting::ServerEncryption;
use super::stored::{Mismatch, StoredEncryption};
use crate::object::lock::LOCK_KEY;

/// Most different answers that are remembered for `status`.
const MAX_SAID: usize = 8;

/// Rules of one moment. The default asks for nothing and accepts everything without a customer key.
#[derive(Clone, Default)]
pub struct EncryptionRules {
    /// For everything that is written from now on, while the settings are those that these rules were made of.
    pub writes: ServerEncryption,
    /// `writes` was chosen for this process: it also holds under newer settings, as long as they list it.
    pub own: bool,
    /// What the settings listed when these rules were made, the kind for writing first.
    pub settings: Vec<ServerEncryption>,
    /// What objects may have beside `writes`; with `bucket` among them, or as `writes`, whatever the server says.
    pub also: Vec<ServerEncryption>,
    /// Needed as soon as `customer` is among them.
    pub keys: Option<Arc<dyn CustomerKeys>>,
}

impl EncryptionRules {
    /// What is asked of the server with a write now. Whoever has not chosen otherwise follows the newest settings that
    /// are known, so that a volume can be moved to another kind while it is in use.
    pub fn writing(&self) -> ServerEncryption {
        let newest = self.newest();
        let Some(now) = newest.first().filter(|_| newest != self.settings) else {
            return self.writes.clone();
        };
        let holds = self.own && newest.iter().any(|known| known.covers(&self.writes));
        if holds { self.writes.clone() } else { now.clone() }
    }

    /// What goes with a write of `body` under `key`: the choice, and the customer key where it is that.
    /// `None` when it would need a customer key that is not known.
    pub fn for_writing(
        &self,
        key: &str,
        body: &[u8],
    ) -> Option<(ServerEncryption, Option<Arc<CustomerKey>>)> {
        let writes = self.writing();
        if writes != ServerEncryption::Customer {
            return Some((writes, None));
        }
        if is_open(key) {
            return Some((ServerEncryption::Bucket, None));
        }
        let sent = self.keys.as_ref()?.for_writing(key, body)?;
        Some((ServerEncryption::Customer, Some(sent)))
    }

    /// What to send with a read of `key`, in the order in which it is tried. Never empty.
    pub fn for_reading(&self, key: &str) -> Vec<Option<Arc<CustomerKey>>> {
        let mut attempts = Vec::new();
        let all = self.all();
        if all.contains(&ServerEncryption::Customer) && !is_open(key) {
            let keys = self.keys.iter().flat_map(|keys| keys.for_reading(key));
            attempts.extend(keys.map(Some));
        }
        if attempts.is_empty() {
            return vec![None];
        }
        if all.iter().any(|kind| *kind != ServerEncryption::Customer) {
            match self.writing() {
                ServerEncryption::Customer => attempts.push(None),
                _ => attempts.insert(0, None),
            }
        }
        attempts
    }

    /// Judges the answer to a read. Not that of the volume header: the settings that judge it are in it, and may be
    /// newer than these rules. [`Encryption::settle`] judges it when a volume is opened. Nor that of the lock: one that a
    /// machine left behind when it crashed is moved by nobody, and the next holder overwrites it.
    ///
    /// # Errors
    /// An encryption that no object of the volume has.
    pub fn check_read(&self, key: &str, said: &StoredEncryption, sent: Option<&str>) -> Result<(), Mismatch> {
        if key == VOLUME_KEY || key == LOCK_KEY { Ok(()) } else { self.judge(key, said, sent) }
    }

    fn judge(&self, key: &str, said: &StoredEncryption, sent: Option<&str>) -> Result<(), Mismatch> {
        let all = self.all();
        let open = is_open(key) && all.contains(&ServerEncryption::Customer);
        if open && said.is(&ServerEncryption::Bucket, None) {
            return Ok(());
        }
        if all.iter().any(|kind| said.is(kind, sent)) { Ok(()) } else { Err(said.mismatch(&self.writing())) }
    }

    /// True when whatever is written as `kind` can be read under these rules.
    pub fn covers(&self, kind: &ServerEncryption) -> bool {
        self.all().iter().any(|known| known.covers(kind))
    }

    fn all(&self) -> Vec<ServerEncryption> {
        let known = std::iter::once(self.writes.clone()).chain(self.also.iter().cloned());
        known.chain(self.newest()).collect()
    }

    /// What the newest settings list.
    fn newest(&self) -> Vec<ServerEncryption> {
        self.keys.as_ref().map(|keys| keys.kinds()).unwrap_or_default()
    }
}

/// What `status` shows of the server's answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncryptionReport {
    /// What is asked with each write.
    pub writes: ServerEncryption,
    /// What objects may have beside that.
    pub also: Vec<ServerEncryption>,
    /// What the server said that it did, and how often; other words are not counted beyond the eighth.
    pub said: Vec<(String, u64)>,
}

/// The rules in force, shared by a bucket and those who set them. Clones are the same place.
#[derive(Clone, Default)]
pub struct Encryption(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    rules: EncryptionRules,
    /// Set once the rules come from the volume's settings.
    settled: bool,
    lenient: bool,
    /// Reads from before, by key.
    early: BTreeMap<String, StoredEncryption>,
    said: BTreeMap<String, u64>,
}

impl Encryption {
    /// Sets rules that hold until a volume is opened: for `init`.
    pub fn begin(&self, rules: EncryptionRules) {
        self.0.lock().rules = rules;
    }

    /// Whether a volume is being made whose objects are to have customer keys.
    pub(in crate::object) fn begins_with_customer_keys(&self) -> bool {
        let inner = self.0.lock();
        !inner.settled && inner.rules.writes == ServerEncryption::Customer
    }

    /// From now on reads accept whatever the server says, also under rules to come: for putting right what is
    /// not as the settings say.
    pub fn accept_anything(&self) {
        let mut inner = self.0.lock();
        inner.lenient = true;
        inner.rules.also.push(ServerEncryption::Bucket);
    }

    /// The rules of the moment.
    pub fn rules(&self) -> EncryptionRules {
        self.0.lock().rules.clone()
    }

    /// Sets the rules that a volume's settings demand, and judges by them what was read before.
    ///
    /// # Errors
    /// The key of an object that was read before and that the rules do not permit; they hold all the same.
    pub fn settle(&self, rules: EncryptionRules) -> Result<(), (String, Mismatch)> {
        let mut inner = self.0.lock();
        inner.settled = true;
        inner.rules = rules;
        if inner.lenient {
            inner.rules.also.push(ServerEncryption::Bucket);
        }
        let early = std::mem::take(&mut inner.early);
        for (key, said) in early {
            inner.rules.judge(&key, &said, None).map_err(|mismatch| (key, mismatch))?;
        }
        Ok(())
    }

    /// Notes the answer to a read that `rules` permit.
    pub(in crate::object) fn note_read(&self, key: &str, said: &StoredEncryption) {
        let mut inner = self.0.lock();
        // Only open objects are read before the settings are known, and few of them.
        if !inner.settled && is_open(key) && inner.early.len() < MAX_SAID {
            inner.early.insert(key.to_owned(), said.clone());
        }
    }

    /// Counts the answer to a write.
    pub(in crate::object) fn note_written(&self, said: &StoredEncryption) {
        let mut inner = self.0.lock();
        let said = said.to_string();
        if inner.said.len() < MAX_SAID || inner.said.contains_key(&said) {
            *inner.said.entry(said).or_default() += 1;
        }
    }

    /// What is asked and what was answered.
    pub fn report(&self) -> EncryptionReport {
        let inner = self.0.lock();
        EncryptionReport {
            writes: inner.rules.writing(),
            also: inner.rules.also.clone(),
            said: inner.said.iter().map(|(said, count)| (said.clone(), *count)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct TwoKeys;

    impl CustomerKeys for TwoKeys {
        fn for_writing(&self, _: &str, body: &[u8]) -> Option<Arc<CustomerKey>> {
            (!body.is_empty()).then(|| Arc::new(CustomerKey::new(&[2; 32])))
        }
        fn for_reading(&self, _: &str) -> Vec<Arc<CustomerKey>> {
            [[2; 32], [1; 32]].iter().map(|key| Arc::new(CustomerKey::new(key))).collect()
        }
    }

    fn rules(writes: &str, also: &[&str]) -> EncryptionRules {
        EncryptionRules {
            writes: writes.parse().unwrap(),
            also: also.iter().map(|kind| kind.parse().unwrap()).collect(),
            keys: Some(Arc::new(TwoKeys)),
            ..EncryptionRules::default()
        }
    }

    fn says(algorithm: &str) -> StoredEncryption {
        StoredEncryption { algorithm: Some(algorithm.into()), ..StoredEncryption::default() }
    }

    /// How many customer keys are tried, and at which place none is sent.
    fn attempts(rules: &EncryptionRules, key: &str) -> (usize, Option<usize>) {
        let attempts = rules.for_reading(key);
        (attempts.iter().flatten().count(), attempts.iter().position(Option::is_none))
    }

    #[test]
    fn reading_tries_what_the_object_may_have_the_likeliest_first() {
        for (rules, expected) in [
            (rules("bucket", &[]), (0, Some(0))),
            (rules("kms", &["s3"]), (0, Some(0))),
            (rules("customer", &[]), (2, None)),
            (rules("customer", &["s3"]), (2, Some(2))),
            (rules("s3", &["customer"]), (2, Some(0))),
        ] {
            assert_eq!(attempts(&rules, "log/1"), expected);
            assert_eq!(attempts(&rules, "volume"), (0, Some(0)));
        }
    }

    #[test]
    fn writing_sends_a_customer_key_with_sealed_objects_only() {
        let customer = rules("customer", &[]);
        let sent =
            |key, body: &[u8]| customer.for_writing(key, body).map(|(kind, sent)| (kind, sent.is_some()));
        assert_eq!(sent("log/1", b"sealed"), Some((ServerEncryption::Customer, true)));
        assert_eq!(sent("volume", b"header"), Some((ServerEncryption::Bucket, false)));
        assert_eq!(sent("log/1", b""), None);
        let unkeyed = EncryptionRules { keys: None, ..customer };
        assert!(unkeyed.for_writing("log/1", b"sealed").is_none());
        let kms = rules("kms:k", &[]);
        assert_eq!(kms.for_writing("volume", b"header").unwrap().0, "kms:k".parse().unwrap());
    }

    struct Settings(Mutex<Vec<ServerEncryption>>);

    impl CustomerKeys for Settings {
        fn kinds(&self) -> Vec<ServerEncryption> {
            self.0.lock().clone()
        }
        fn for_writing(&self, _: &str, _: &[u8]) -> Option<Arc<CustomerKey>> {
            None
        }
        fn for_reading(&self, _: &str) -> Vec<Arc<CustomerKey>> {
            Vec::new()
        }
    }

    #[test]
    fn writing_follows_the_newest_settings_unless_a_choice_of_its_own_is_still_listed() {
        let kinds = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>();
        for (writes, own, newest, expected) in [
            ("s3", false, &["s3", "bucket"][..], "s3"),
            ("s3", false, &["kms:k", "s3"], "kms:k"),
            // Chosen before the settings list it, and kept while they do.
            ("customer", true, &["s3", "bucket"], "customer"),
            ("customer", true, &["kms:k", "s3", "customer"], "customer"),
            ("customer", true, &["kms:k"], "kms:k"),
        ] {
            let settings = Arc::new(Settings(Mutex::new(kinds(newest))));
            let keys: Arc<dyn CustomerKeys> = Arc::clone(&settings) as _;
            let rules = EncryptionRules {
                writes: writes.parse().unwrap(),
                own,
                settings: kinds(&["s3", "bucket"]),
                keys: Some(keys),
                ..EncryptionRules::default()
            };
            assert_eq!(rules.writing().to_string(), expected, "{writes} {own} {newest:?}");
        }
    }

    #[test]
    fn reading_accepts_what_the_settings_list_and_nothing_else() {
        let strict = rules("kms", &["s3"]);
        assert!(strict.check_read("log/1", &says("aws:kms"), None).is_ok());
        assert!(strict.check_read("log/1", &says("AES256"), None).is_ok());
        assert!(strict.check_read("log/1", &says("aws:kms:dsse"), None).is_err());
        assert!(strict.check_read("probe/1", &StoredEncryption::default(), None).is_err());
        assert!(strict.check_read("lock", &StoredEncryption::default(), None).is_ok());
        assert!(strict.check_read("volume", &StoredEncryption::default(), None).is_ok());
        assert!(rules("kms", &["bucket"]).check_read("log/1", &StoredEncryption::default(), None).is_ok());
        let customer = rules("customer", &[]);
        assert!(customer.check_read("volume", &StoredEncryption::default(), None).is_ok());
        assert!(customer.check_read("log/1", &says("AES256"), None).is_err());
    }

    #[test]
    fn what_was_read_before_the_settings_were_known_is_judged_by_them() {
        let encryption = Encryption::default();
        encryption.note_read("volume", &says("AES256"));
        assert!(encryption.settle(rules("s3", &[])).is_ok());

        let encryption = Encryption::default();
        encryption.note_read("volume", &StoredEncryption::default());
        let (key, mismatch) = encryption.settle(rules("s3", &[])).unwrap_err();
        assert_eq!((key.as_str(), mismatch.said.as_str()), ("volume", "nothing"));
    }

    #[test]
    fn answers_to_writes_are_counted_without_bound_on_their_number_but_on_their_kinds() {
        let encryption = Encryption::default();
        for number in 0..20 {
            encryption.note_written(&says(&format!("kind {number}")));
            encryption.note_written(&says("kind 0"));
        }
        let said = encryption.report().said;
        assert_eq!(said.len(), 8);
        assert_eq!(said[0], ("kind 0".to_owned(), 21));
    }
}
