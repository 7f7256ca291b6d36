//! Content that moves by reference: copy_file_range, reflink, collapse. No data is touched.
use crate::base::Ino;
use crate::meta::op::Op;
use crate::meta::read;

use super::ApplyError;
use super::content::{Content, collect, require_regular};
use super::edit::Edit;

pub(super) fn clone(edit: &mut Edit<'_, '_>, op: &Op) -> Result<(), ApplyError> {
    let Op::Clone { source, from, ino, to, count, version, size, mtime, ctime } = op else { return Ok(()) };
    require_regular(edit, *source)?;
    // Indexes are checked to be far from overflow.
    if source == ino && from.abs_diff(*to) < *count {
        return Err(ApplyError::Invalid("a range that is cloned onto itself"));
    }
    let mut content = Content::begin(edit, *ino, *version, *size)?;
    let copies = read::chunks(edit.txn, *source, *from..from + count)?;
    clear(edit, &mut content, *ino, *to..to + count)?;
    for (index, chunk) in copies {
        content.set(edit, index - from + to, Some(chunk))?;
    }
    content.cut(edit)?;
    content.finish(edit, Some(*mtime), *ctime)
}

/// Makes a range of chunks a hole. A clone's range is bounded by its count.
fn clear(
    edit: &mut Edit<'_, '_>,
    content: &mut Content,
    ino: Ino,
    range: std::ops::Range<u64>,
) -> Result<(), ApplyError> {
    for (index, _) in collect(edit, ino, range, "the number of chunks")? {
        content.set(edit, index, None)?;
    }
    Ok(())
}

pub(super) fn collapse(edit: &mut Edit<'_, '_>, op: &Op) -> Result<(), ApplyError> {
    let Op::Collapse { ino, from, count, version, size, mtime, ctime } = op else { return Ok(()) };
    let mut content = Content::begin(edit, *ino, *version, *size)?;
    // Indexes are checked to be far from overflow.
    let (end, gone) = ((from + count) * content.chunk_size, count * content.chunk_size);
    if end >= content.old_size || content.old_size - gone != *size {
        return Err(ApplyError::Invalid("a range that does not end before the end of the file"));
    }
    let behind = collect(edit, *ino, *from..u64::MAX, "the number of chunks behind a collapsed range")?;
    for (index, _) in &behind {
        content.set(edit, *index, None)?;
    }
    for (index, chunk) in behind {
        if index >= from + count {
            content.set(edit, index - count, Some(chunk))?;
        }
    }
    content.finish(edit, Some(*mtime), *ctime)
}
