//! The quota: how much the volume may hold. It is a setting of the volume, the same for every machine.

use super::error::VolumeError;
use super::mounted::Volume;
use crate::meta::op::Op;
use crate::meta::read;

impl Volume {
    /// Sets what the volume may hold (bytes of chunks, inodes; 0 = no limit, None = as it is) and returns when
    /// that is in the bucket. A quota below what is used already takes nothing away: it only refuses growth.
    ///
    /// # Errors
    /// `ReadOnly`; why it is not in the bucket yet: it stays queued like any change.
    pub fn set_quota(&self, bytes: Option<u64>, inodes: Option<u64>) -> Result<(), VolumeError> {
        let permit = self.enter()?;
        self.transact(&permit, |txn| {
            let now = read::superblock(txn)?;
            txn.apply(Op::SetQuota {
                bytes: bytes.unwrap_or(now.quota_bytes),
                inodes: inodes.unwrap_or(now.quota_inodes),
            })?;
            Ok::<_, VolumeError>(())
        })?;
        drop(permit);
        self.sync()
    }
}
