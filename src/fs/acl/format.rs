//! The value of the two attributes, as in linux/posix_acl_xattr.h: a version and entries of 8 bytes,
//! little endian.
//!
//! | bytes | field |
//! | --- | --- |
//! | 4 | version, 2 |
//! | then per entry: 2 | tag |
//! | 2 | permissions |
//! | 4 | user or group id; all ones where there is none |

use super::{Acl, Entry, Tag};
use crate::base::{DecodeError, Reader, Writer};
use crate::fs::error::FsError;

const VERSION: u32 = 2;
const NO_ID: u32 = u32::MAX;

const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

impl Acl {
    /// Reads the value of an attribute; `None` when it has no entries, which means "no list".
    ///
    /// # Errors
    /// `Invalid` for anything that is not a well-formed list of version 2.
    pub fn from_xattr(value: &[u8]) -> Result<Option<Self>, FsError> {
        let entries = decode(value).map_err(|error| match error {
            DecodeError::Truncated(what) | DecodeError::Invalid(what) | DecodeError::TooLong(what) => {
                FsError::Invalid(what)
            }
            DecodeError::Trailing(_) => FsError::Invalid("end of an access control list"),
        })?;
        if entries.is_empty() { Ok(None) } else { Self::new(entries).map(Some) }
    }

    /// The value of the attribute.
    pub fn to_xattr(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u32(VERSION);
        for entry in &self.entries {
            let (tag, id) = match entry.tag {
                Tag::UserObj => (USER_OBJ, NO_ID),
                Tag::User(id) => (USER, id),
                Tag::GroupObj => (GROUP_OBJ, NO_ID),
                Tag::Group(id) => (GROUP, id),
                Tag::Mask => (MASK, NO_ID),
                Tag::Other => (OTHER, NO_ID),
            };
            writer.u16(tag).u16(u16::from(entry.perm)).u32(id);
        }
        writer.finish()
    }
}

fn decode(value: &[u8]) -> Result<Vec<Entry>, DecodeError> {
    let mut reader = Reader::new(value);
    if reader.u32("version of an access control list")? != VERSION {
        return Err(DecodeError::Invalid("version of an access control list"));
    }
    let mut entries = Vec::with_capacity(reader.rest().len() / 8);
    while !reader.is_empty() {
        let tag = reader.u16("tag of an access control list")?;
        let perm = reader.u16("permissions in an access control list")?;
        let id = reader.u32("id in an access control list")?;
        let tag = match tag {
            USER_OBJ => Tag::UserObj,
            USER if id != NO_ID => Tag::User(id),
            GROUP_OBJ => Tag::GroupObj,
            GROUP if id != NO_ID => Tag::Group(id),
            MASK => Tag::Mask,
            OTHER => Tag::Other,
            _ => return Err(DecodeError::Invalid("tag of an access control list")),
        };
        let perm = u8::try_from(perm).ok().filter(|perm| *perm <= 7);
        let perm = perm.ok_or(DecodeError::Invalid("permissions in an access control list"))?;
        entries.push(Entry { tag, perm });
    }
    Ok(entries)
}
