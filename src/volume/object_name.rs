//! The names that the format gives to objects: what is ours under a prefix, and what is not.
//!
//! Only exactly the spelling that writers use counts: no other object is ours to delete, copy or judge.

use crate::base::{Epoch, ObjectId, Seq};
use crate::commit_log;
use crate::object::probe::PROBE_PREFIX;

/// What a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectName {
    /// `volume`.
    Header,
    /// `lock`, of a single writer.
    Lock,
    /// `probe/<32 hex>`: a leftover of trying out conditional writes.
    Probe,
    /// `log/<16 hex>`.
    Entry(Seq),
    /// `tree/<32 hex>`.
    Pack(ObjectId),
    /// `data/<epoch>/<2 hex>/<32 hex>`.
    Segment { epoch: Epoch, id: ObjectId },
}

impl ObjectName {
    /// `None` for a key that the format does not know.
    pub fn parse(key: &str) -> Option<Self> {
        match key {
            "volume" => return Some(Self::Header),
            "lock" => return Some(Self::Lock),
            _ => {}
        }
        if let Some(seq) = commit_log::parse_key(key) {
            return Some(Self::Entry(seq));
        }
        if let Some(id) = key.strip_prefix(PROBE_PREFIX) {
            return ObjectId::from_hex(id).map(|_| Self::Probe);
        }
        if let Some(id) = key.strip_prefix("tree/") {
            return ObjectId::from_hex(id).map(Self::Pack);
        }
        parse_segment(key.strip_prefix("data/")?)
    }
}

/// `<epoch>/<2 hex>/<32 hex>`.
fn parse_segment(text: &str) -> Option<ObjectName> {
    let (epoch, rest) = text.split_once('/')?;
    let (fan_out, id) = rest.split_once('/')?;
    let number: u32 = epoch.parse().ok()?;
    let canonical = number.to_string() == epoch && fan_out.len() == 2 && id.starts_with(fan_out);
    let id = canonical.then(|| ObjectId::from_hex(id)).flatten()?;
    Some(ObjectName::Segment { epoch: Epoch(number), id })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn each_name_of_the_format_is_known_for_what_it_is() {
        let id = ObjectId::from_hex(ID).unwrap();
        for (key, name) in [
            ("volume".to_owned(), ObjectName::Header),
            ("lock".to_owned(), ObjectName::Lock),
            (format!("probe/{ID}"), ObjectName::Probe),
            ("log/00000000000000ff".to_owned(), ObjectName::Entry(Seq(255))),
            (format!("tree/{ID}"), ObjectName::Pack(id)),
            (format!("data/7/01/{ID}"), ObjectName::Segment { epoch: Epoch(7), id }),
        ] {
            assert_eq!(ObjectName::parse(&key), Some(name), "{key}");
        }
    }

    #[test]
    fn only_names_of_the_format_are_taken_for_segments() {
        let wrong =
            ["1/02/", "x/01/", "1/", "1//", "+1/01/", "01/01/", "1/0/", "1/0123/", "-1/01/", "1/01/01/"];
        let shouted = format!("1/01/{}", ID.to_uppercase());
        let wrong = wrong.iter().map(|before| format!("{before}{ID}"));
        for foreign in wrong.chain([format!("1/01/{ID}.bak"), format!("1/01/{ID}\u{1b}[2J"), shouted]) {
            assert_eq!(ObjectName::parse(&format!("data/{foreign}")), None, "{foreign}");
        }
    }

    #[test]
    fn what_looks_like_a_name_is_none() {
        for key in ["", "volume2", "lock/", "probe/x", "log/1", "log/00000000000000FF", "tree/", "readme.txt"]
        {
            assert_eq!(ObjectName::parse(key), None, "{key}");
        }
    }
}
