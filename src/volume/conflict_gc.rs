//! What gc decided, when it turns out that the state it looked at was not the newest.

use super::conflict::Conflicts;
use super::error::VolumeError;
use super::object_name::ObjectName;
use crate::base::ObjectId;
use crate::meta::read;

impl Conflicts<'_> {
    /// Segments that stay after all are not dead.
    pub(super) fn spare_recorded(&self, objects: &mut Vec<String>) -> Result<(), VolumeError> {
        let mut dead = Vec::with_capacity(objects.len());
        for key in objects.drain(..) {
            let recorded = match ObjectName::parse(&key) {
                Some(ObjectName::Segment { id, .. }) => {
                    self.replay.read(|view| Ok(read::segment(view, id)?))?.is_some()
                }
                _ => false,
            };
            if !recorded {
                dead.push(key);
            }
        }
        *objects = dead;
        Ok(())
    }

    /// Leaves only segments that were condemned long ago: nothing can refer to those again. Any other was found to be
    /// unused in a state that others have left behind meanwhile, and may be in use now; the next run decides anew.
    pub(super) fn keep_condemned(&self, ids: &mut Vec<ObjectId>) -> Result<(), VolumeError> {
        let mut condemned = Vec::with_capacity(ids.len());
        for id in ids.iter() {
            let found = self.replay.read(|view| match read::segment(view, *id)? {
                Some(record) => Ok(read::condemned(view, &record.object_key(*id))?),
                None => Ok(None),
            })?;
            if found.is_some() {
                condemned.push(*id);
            }
        }
        *ids = condemned;
        Ok(())
    }
}
