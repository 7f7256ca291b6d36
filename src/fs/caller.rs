//! Who makes a request.

use std::fs;

/// The process behind a request, in the ids of the initial user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub uid: u32,
    pub gid: u32,
    /// 0 when the kernel cannot name it (another pid namespace, write-back).
    pub pid: u32,
}

impl Caller {
    /// Whether set-id bits survive what this caller writes. The kernel asks for CAP_FSETID, and does not pass the
    /// answer on for every request; /proc knows whether root gave the capability away. Others do not have it, and
    /// root that cannot be asked has it.
    pub fn keeps_set_id(&self) -> bool {
        self.uid == 0 && self.status().is_none_or(|status| may_set_id(&status))
    }

    /// Whether the caller is root or in group `gid`, supplementary groups included. The kernel does not send
    /// those; /proc knows. A process that cannot be asked counts as outside.
    pub fn is_member(&self, gid: u32) -> bool {
        self.uid == 0
            || self.gid == gid
            || self.status().is_some_and(|status| groups_in(&status).contains(&gid))
    }

    /// What proc_pid_status(5) says of the process.
    fn status(&self) -> Option<String> {
        if self.pid == 0 {
            return None;
        }
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid));
        status.inspect_err(|error| log::debug!("the status of process {}: {error}", self.pid)).ok()
    }
}

/// Whether CAP_FSETID is among the capabilities of the `CapEff:` line.
fn may_set_id(status: &str) -> bool {
    const FSETID: u64 = 1 << 4;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|line| u64::from_str_radix(line.trim(), 16).ok()).is_none_or(|bits| bits & FSETID != 0)
}

/// The numbers of the `Groups:` line of proc_pid_status(5).
fn groups_in(status: &str) -> Vec<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:"));
    line.unwrap_or_default().split_whitespace().filter_map(|group| group.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supplementary_groups_count() {
        assert_eq!(groups_in("Name:\tcat\nGroups:\t4 24 1000 \nNStgid:\t1\n"), [4, 24, 1000]);
        assert_eq!(groups_in("Groups:\t \n"), [0u32; 0]);
    }

    #[test]
    fn root_keeps_set_id_bits_unless_it_gave_the_capability_away() {
        assert!(may_set_id("CapPrm:\t0\nCapEff:\t000001ffffffffff\n"));
        assert!(!may_set_id("CapPrm:\t000001ffffffffff\nCapEff:\t000001ffffffffef\n"));
        let root = Caller { uid: 0, gid: 0, pid: 0 };
        assert!(root.keeps_set_id() && !Caller { uid: 1000, ..root }.keeps_set_id());
    }

    #[test]
    fn a_process_that_cannot_be_asked_is_outside_every_other_group() {
        let caller = Caller { uid: 1000, gid: 1000, pid: 0 };
        assert!(caller.is_member(1000));
        assert!(!caller.is_member(4));
        assert!(Caller { uid: 0, ..caller }.is_member(4));
    }
}
