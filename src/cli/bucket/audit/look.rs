//! Looking at the objects: all names, and the beginnings of some objects or of all.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::findings::{EXAMPLES, Group, Objects, Secret, Standing, tame};
use crate::base::VolumeId;
use crate::cli::bucket::inventory::{self, Found};
use crate::object::{
    Bucket, BucketDefault, BucketError, BucketResult, ErrorKind, S3Bucket, ServerEncryption,
    StoredEncryption, is_open,
};
use crate::vault::{Claim, HEADER_LEN};
use crate::volume::ObjectName;

/// Objects that are looked at at the same time.
const PARALLEL: usize = 16;
/// Different words of the server that are told apart.
const MOST_KINDS: usize = 50;

/// What to look for.
pub struct Question<'a> {
    pub bucket: Arc<dyn Bucket>,
    pub s3: Option<Arc<S3Bucket>>,
    pub volume: VolumeId,
    pub secret: Option<&'a Secret>,
    pub default: Option<&'a BucketDefault>,
    /// How many objects to look at; `None` for all.
    pub sample: Option<usize>,
}

/// One object's answer.
struct Look {
    key: String,
    len: u64,
    name: ObjectName,
    seen: BucketResult<(Bytes, StoredEncryption)>,
}

/// Lists everything and looks at what is asked for; `progress` hears how much of how much is done.
pub async fn look(question: &Question<'_>, mut progress: impl FnMut(u64, u64)) -> Objects {
    let mut objects = Objects::default();
    let inventory = match inventory::list(question.bucket.as_ref()).await {
        Ok(inventory) => inventory,
        Err(error) => {
            objects.listing_failed = Some(tame(&format!("{error}: {}", error.source)));
            return objects;
        }
    };
    let mut tally = Tally { question, objects, groups: HashMap::new(), epochs: BTreeMap::new() };
    let mut own = Vec::new();
    for found in inventory.found {
        if let Some(name) = tally.note_name(&found) {
            own.push((found, name));
        }
    }
    let wanted = spread(own, question.sample);
    let total = wanted.len() as u64;
    let mut waiting = wanted.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < PARALLEL {
            let Some((found, name)) = waiting.next() else { break };
            let (bucket, s3) = (Arc::clone(&question.bucket), question.s3.clone());
            running.spawn(async move {
                let seen = begin(bucket.as_ref(), s3.as_deref(), &found).await;
                Look { key: found.object.key, len: found.object.len, name, seen }
            });
        }
        match running.join_next().await {
            None => return tally.finish(),
            Some(Ok(look)) => tally.note(look),
            Some(Err(panicked)) => tally.unread(&panicked.to_string()),
        }
        progress(total - waiting.len() as u64 - running.len() as u64, total);
    }
}

/// `sample` of them, spread evenly from the first to the last.
fn spread<T>(all: Vec<T>, sample: Option<usize>) -> Vec<T> {
    let total = all.len();
    let Some(sample) = sample.filter(|sample| *sample < total) else { return all };
    let mut next = 0;
    let chosen = all.into_iter().enumerate().filter(|(at, _)| {
        let take = next < sample && *at == next * total / sample;
        next += usize::from(take);
        take
    });
    chosen.map(|(_, found)| found).collect()
}

/// An object's first bytes and what the server says of its encryption.
async fn begin(
    bucket: &dyn Bucket,
    s3: Option<&S3Bucket>,
    found: &Found,
) -> BucketResult<(Bytes, StoredEncryption)> {
    let key = &found.object.key;
    if let Some(s3) = s3 {
        if found.object.len == 0 {
            return s3.head(key).await.map(|info| (Bytes::new(), info.encryption));
        }
        return s3.inspect(key).await.map(|seen| (seen.start, seen.encryption));
    }
    if found.object.len == 0 {
        return Ok((Bytes::new(), StoredEncryption::default()));
    }
    let fetched = bucket.get(key, Some(0..HEADER_LEN as u64)).await?;
    Ok((fetched.bytes, StoredEncryption::default()))
}

/// What was seen so far.
struct Tally<'a> {
    question: &'a Question<'a>,
    objects: Objects,
    groups: HashMap<(String, Standing), Group>,
    epochs: BTreeMap<u32, u64>,
}

impl Tally<'_> {
    /// Counts a name. Returns it for objects that are worth a look.
    fn note_name(&mut self, found: &Found) -> Option<ObjectName> {
        let name = match found.name {
            Some(ObjectName::Lock | ObjectName::Probe) => return None,
            Some(name) => name,
            None => {
                self.objects.foreign.add(&found.object.key, found.object.len);
                return None;
            }
        };
        self.objects.own += 1;
        if let ObjectName::Segment { epoch, .. } = name {
            *self.epochs.entry(epoch.0).or_default() += 1;
        }
        Some(name)
    }

    fn note(&mut self, look: Look) {
        match look.seen {
            Ok((start, encryption)) => {
                self.objects.looked_at += 1;
                self.note_start(&look.key, look.len, look.name, &start);
                if self.question.s3.is_some() {
                    let standing = self.standing(&look.key, &encryption);
                    self.group(encryption.to_string(), standing, &look.key);
                }
            }
            // Deleted since it was listed.
            Err(error) if error.kind == ErrorKind::NotFound => self.objects.own -= 1,
            Err(error) if error.kind == ErrorKind::Encryption => self.locked(&look.key),
            Err(error) => self.unread(&words(&error)),
        }
    }

    /// Encrypted with a customer key that is not known here: of this volume, where the key was not given.
    fn locked(&mut self, key: &str) {
        self.objects.looked_at += 1;
        let known = self.question.secret.is_some();
        let standing = if known { Standing::Wrong } else { Standing::Unknown };
        self.group("a customer key that is not known here".to_owned(), standing, key);
    }

    fn unread(&mut self, why: &str) {
        self.objects.unread += 1;
        self.objects.unread_because.get_or_insert_with(|| tame(why));
    }

    fn note_start(&mut self, key: &str, len: u64, name: ObjectName, start: &[u8]) {
        if name == ObjectName::Header {
            return;
        }
        match Claim::of(start).filter(|claim| claim.volume == self.question.volume) {
            Some(claim) => match name {
                ObjectName::Segment { epoch, .. } if epoch != claim.epoch => {
                    self.objects.unsealed.add(key, len)
                }
                ObjectName::Segment { .. } => {}
                _ => *self.epochs.entry(claim.epoch.0).or_default() += 1,
            },
            None => self.objects.unsealed.add(key, len),
        }
    }

    /// What the settings say to an encryption. Which customer key an object has was checked by reading it.
    fn standing(&self, key: &str, said: &StoredEncryption) -> Standing {
        let Some(secret) = self.question.secret else { return Standing::Unknown };
        let has = |kind: &ServerEncryption| match kind {
            ServerEncryption::Customer if is_open(key) => !said.is_customer(),
            ServerEncryption::Customer => said.is_customer(),
            kind => said.is(kind, None),
        };
        let mut kinds = secret.kinds.iter();
        match kinds.next() {
            Some(now) if has(now) && self.is_as_by_default(now, said) => Standing::Current,
            Some(now) if has(now) || kinds.any(has) => Standing::Older,
            Some(_) | None => Standing::Wrong,
        }
    }

    /// Where the bucket's default decides, whether it is that of today.
    fn is_as_by_default(&self, now: &ServerEncryption, said: &StoredEncryption) -> bool {
        match (now, self.question.default) {
            (ServerEncryption::Bucket, Some(default)) => {
                said.is_default(default.algorithm.as_deref(), default.kms_key.as_deref())
            }
            _ => true,
        }
    }

    fn group(&mut self, says: String, standing: Standing, key: &str) {
        let told = self.groups.len() < MOST_KINDS || self.groups.contains_key(&(says.clone(), standing));
        let says = if told { says } else { "something else again".to_owned() };
        let fresh = || Group { says: says.clone(), standing, count: 0, examples: Vec::new() };
        let group = self.groups.entry((says.clone(), standing)).or_insert_with(fresh);
        group.count += 1;
        if group.examples.len() < EXAMPLES {
            group.examples.push(tame(key));
        }
    }

    fn finish(self) -> Objects {
        let mut encryption: Vec<Group> = self.groups.into_values().collect();
        encryption.sort_by(|a, b| (b.count, &a.says).cmp(&(a.count, &b.says)));
        Objects { encryption, epochs: self.epochs.into_iter().collect(), ..self.objects }
    }
}

fn words(error: &BucketError) -> String {
    error.source.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_the_whole_listing() {
        let all = |total| (0..total).collect::<Vec<usize>>();
        assert_eq!(spread(all(10), Some(4)), [0, 2, 5, 7]);
        assert_eq!(spread(all(3), Some(3)), [0, 1, 2]);
        assert_eq!(spread(all(3), Some(1000)), [0, 1, 2]);
        assert_eq!(spread(all(3), None), [0, 1, 2]);
        let sample = spread(all(12_345), Some(1000));
        assert_eq!((sample.len(), sample[0]), (1000, 0));
        assert!(sample.windows(2).all(|pair| (12..=13).contains(&(pair[1] - pair[0]))));
    }
}
