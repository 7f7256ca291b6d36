//! Fields that several records and ops share.
use bytes::Bytes;

use crate::base::{DecodeError, ObjectId, Reader, Timestamp, Writer};

/// Appends a moment: seconds (8 bytes, two's complement) and nanoseconds (4 bytes).
pub(in crate::meta) fn put_time(w: &mut Writer, time: Timestamp) {
    w.i64(time.secs).u32(time.nanos);
}

/// Takes a moment; a billion nanoseconds or more are refused.
pub(in crate::meta) fn time(r: &mut Reader<'_>, what: &'static str) -> Result<Timestamp, DecodeError> {
    let time = Timestamp { secs: r.i64(what)?, nanos: r.u32(what)? };
    if time.nanos < 1_000_000_000 { Ok(time) } else { Err(DecodeError::Invalid(what)) }
}

/// Takes a byte that is 0 or 1.
pub(in crate::meta) fn flag(r: &mut Reader<'_>, what: &'static str) -> Result<bool, DecodeError> {
    match r.u8(what)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Invalid(what)),
    }
}

/// Takes a length of four bytes, at most `cap`, and that many bytes.
pub(in crate::meta) fn byte_string(
    r: &mut Reader<'_>,
    cap: usize,
    what: &'static str,
) -> Result<Bytes, DecodeError> {
    Ok(Bytes::copy_from_slice(r.bytes(cap, what)?))
}

/// Like [`byte_string`], but UTF-8.
pub(in crate::meta) fn text(
    r: &mut Reader<'_>,
    cap: usize,
    what: &'static str,
) -> Result<String, DecodeError> {
    let text = std::str::from_utf8(r.bytes(cap, what)?).ok().ok_or(DecodeError::Invalid(what))?;
    Ok(text.to_owned())
}

/// Takes the 16 bytes of an object id.
pub(in crate::meta) fn object_id(r: &mut Reader<'_>, what: &'static str) -> Result<ObjectId, DecodeError> {
    Ok(ObjectId(r.array(what)?))
}
