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
    /// Whether set-id bits survive what this caller writes. The kernel asks for CAP_FSETID; the library does
    /// not pass its answer on for every request, and root has the capability, others do not.
    pub fn keeps_set_id(&self) -> bool {
        self.uid == 0
    }

    /// Whether the caller is root or in group `gid`, supplementary groups included. The kernel does not send
    /// those; /proc knows. A process that cannot be asked counts as outside.
    pub fn is_member(&self, gid: u32) -> bool {
        self.uid == 0 || self.gid == gid || self.supplementary_groups().contains(&gid)
    }

    fn supplementary_groups(&self) -> Vec<u32> {
        if self.pid == 0 {
            return Vec::new();
        }
        match fs::read_to_string(format!("/proc/{}/status", self.pid)) {
            Ok(status) => groups_in(&status),
            Err(error) => {
                log::debug!("groups of process {}: {error}", self.pid);
                Vec::new()
            }
        }
    }
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
    fn a_process_that_cannot_be_asked_is_outside_every_other_group() {
        let caller = Caller { uid: 1000, gid: 1000, pid: 0 };
        assert!(caller.is_member(1000));
        assert!(!caller.is_member(4));
        assert!(Caller { uid: 0, ..caller }.is_member(4));
    }
}
