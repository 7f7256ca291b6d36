//! Finding the newest entry with few requests.

use super::error::LogError;
use super::log::Log;
use super::sealed::{PREFIX, entry_key, parse_key};
use crate::base::Seq;
use crate::object::{BucketError, ErrorKind, list_page};

/// Keys per listing (the limit of S3).
const PAGE: u64 = 1000;
/// Pages without a single entry that are passed over before the listing is not believed any more.
const MOST_FOREIGN_PAGES: usize = 20;

/// What one listing says about the entries after a position.
enum Probe {
    /// Nothing stands there.
    Nothing,
    /// The newest entry, the listing was complete.
    Tail(Seq),
    /// The last of a full page; there is more.
    More(Seq),
}

impl Log {
    /// The newest position, or `known` when nothing stands after it. One request when at most 1,000 entries
    /// follow `known`; else the page is found by squaring strides and bisection (a million: about 15).
    ///
    /// Strays before the newest entry (of writers that slept through a gc, M3) do not matter here.
    ///
    /// # Errors
    /// What the bucket says.
    pub async fn find_tail(&self, known: Seq) -> Result<Seq, LogError> {
        // Entries exist after `low`; none after `high`, once it is known.
        let mut low = match self.probe(known).await? {
            Probe::Nothing => return Ok(known),
            Probe::Tail(tail) => return Ok(tail),
            Probe::More(last) => last,
        };
        let mut stride = 4 * PAGE;
        let mut high = loop {
            let at = Seq(low.0.saturating_add(stride));
            match self.probe(at).await? {
                Probe::Nothing => break at,
                Probe::Tail(tail) => return Ok(tail),
                Probe::More(last) => low = last,
            }
            stride = stride.saturating_mul(16);
        };
        // All of `low+1..=high` fits in a page only at the end; bisect down to that.
        while high.0 - low.0 > PAGE {
            let middle = Seq(low.0 + (high.0 - low.0) / 2);
            match self.probe(middle).await? {
                Probe::Nothing => high = middle,
                Probe::Tail(tail) => return Ok(tail),
                Probe::More(last) => low = last,
            }
        }
        match self.probe(low).await? {
            Probe::Nothing => Ok(low),
            Probe::Tail(tail) | Probe::More(tail) => Ok(tail),
        }
    }

    /// The first entry after `seq`, if any: one request. Tells a real tail from a gap that gc made (M3).
    ///
    /// # Errors
    /// What the bucket says.
    pub async fn next_after(&self, seq: Seq) -> Result<Option<Seq>, LogError> {
        let page = list_page(&*self.bucket, PREFIX, Some(&entry_key(seq)), 1).await?;
        Ok(page.objects.iter().find_map(|object| parse_key(&object.key)))
    }

    /// The first of the entries `first..=last` that does not stand, if any: one request for a thousand of them. Says
    /// nothing of what is in them.
    ///
    /// # Errors
    /// What the bucket says.
    pub async fn first_missing(&self, first: Seq, last: Seq) -> Result<Option<Seq>, LogError> {
        let mut next = first;
        let mut after = entry_key(Seq(first.0.saturating_sub(1)));
        while next <= last {
            let limit = PAGE.min(last.0 - next.0 + 1) as usize;
            let page = list_page(&*self.bucket, PREFIX, Some(&after), limit).await?;
            for seq in page.objects.iter().filter_map(|object| parse_key(&object.key)) {
                if seq > next {
                    return Ok(Some(next));
                }
                next = Seq(next.0.saturating_add(1));
            }
            match page.objects.into_iter().next_back() {
                Some(object) if page.more => after = object.key,
                _ => break,
            }
        }
        Ok((next <= last).then_some(next))
    }

    async fn probe(&self, after: Seq) -> Result<Probe, LogError> {
        let mut after = entry_key(after);
        for _ in 0..MOST_FOREIGN_PAGES {
            let page = list_page(&*self.bucket, PREFIX, Some(&after), PAGE as usize).await?;
            match page.objects.iter().rev().find_map(|object| parse_key(&object.key)) {
                Some(last) if page.more => return Ok(Probe::More(last)),
                Some(last) => return Ok(Probe::Tail(last)),
                None => {}
            }
            // Nothing but names that are not ours: entries may still follow them.
            match page.objects.into_iter().next_back() {
                Some(last) if page.more => after = last.key,
                _ => return Ok(Probe::Nothing),
            }
        }
        let why = "thousands of foreign objects stand between the entries of the log";
        Err(BucketError::new(ErrorKind::Corrupt, "list", PREFIX, why).into())
    }
}
