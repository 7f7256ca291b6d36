//! Tree packs as whole objects. Reading the tree opens its nodes where references say they are; here the rest
//! counts too: that nothing is missing between them, at the end, or after it.

use std::collections::HashSet;

use super::super::gc::Inventory;
use super::super::{Volume, VolumeError};
use super::{FsckReport, listed};
use crate::base::ObjectId;
use crate::meta::tree::{MAX_PACK, MAX_PACK_PLAIN};
use crate::vault::ObjectKind;

/// Fetches each pack of the tree and opens it from end to end, one in memory at a time.
pub(super) fn open_everything(
    volume: &Volume,
    inventory: &Inventory,
    packs: &HashSet<ObjectId>,
    report: &mut FsckReport,
) -> Result<(), VolumeError> {
    let env = volume.environment();
    for id in packs {
        let Some(object) = inventory.packs.get(id) else {
            report.problem(format!("tree pack {id} is not in the bucket"));
            continue;
        };
        let Some(fetched) = listed::fetch(volume, &object.key, MAX_PACK as u64, report)? else { continue };
        let verified = env.vault.verify_object(ObjectKind::TreePack, *id, &fetched.bytes, MAX_PACK_PLAIN);
        if let Err(error) = verified {
            report.problem(format!("{}: {error}", object.key));
        }
    }
    Ok(())
}
