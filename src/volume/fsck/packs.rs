//! Tree packs as whole objects. Reading the tree opens its nodes where references say they are; here the rest
//! counts too: that nothing is missing between them, at the end, or after it.

use std::collections::HashSet;

use super::super::gc::Inventory;
use super::super::{Volume, VolumeError};
use super::FsckReport;
use crate::base::ObjectId;
use crate::meta::tree::MAX_PACK;
use crate::vault::ObjectKind;

/// Most plain bytes of one pack. Nodes are mostly names and numbers, which compress well.
const MAX_PLAIN: usize = 64 * MAX_PACK;

/// Fetches each pack of the tree and opens it from end to end, one in memory at a time.
pub(super) fn open_everything(
    volume: &Volume,
    inventory: &Inventory,
    packs: &HashSet<ObjectId>,
    report: &mut FsckReport,
) -> Result<(), VolumeError> {
    let env = volume.environment();
    for id in packs {
        let Some(listed) = inventory.packs.get(id) else {
            report.problem(format!("tree pack {id} is not in the bucket"));
            continue;
        };
        let fetched = volume.runtime().block_on(env.bucket.get(&listed.key, None))?;
        if let Err(error) = env.vault.open_object(ObjectKind::TreePack, *id, &fetched.bytes, MAX_PLAIN) {
            report.problem(format!("{}: {error}", listed.key));
        }
    }
    Ok(())
}
