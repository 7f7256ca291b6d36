//! What depends on who does it. These tests become other users: they need root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{XattrFlags, getxattr, setxattr};
use rustix::io::Errno;

use crate::mount::TestMount;

const USER: u32 = 65_534;

fn mount() -> TestMount {
    assert!(rustix::process::geteuid().is_root(), "this test becomes another user: run it as root");
    let mount = TestMount::new();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(mount.root(), open).unwrap();
    mount
}

/// Runs a shell command in the mount as an ordinary user of one group.
fn as_user(mount: &TestMount, script: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(mount.root()).uid(USER).gid(USER);
    command.status().unwrap().success()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn writing_takes_set_id_bits_away_except_for_root() {
    let mount = mount();
    let file = mount.path("file");
    fs::write(&file, "x").unwrap();
    set_mode(&file, 0o6777);
    fs::write(&file, "by root").unwrap();
    assert_eq!(mode(&file), 0o6777);
    assert!(as_user(&mount, "echo x >> file"));
    assert_eq!(mode(&file), 0o777);
}

#[test]
fn what_root_writes_to_a_file_with_capabilities_takes_only_these() {
    let mount = mount();
    let file = mount.path("file");
    fs::write(&file, "x").unwrap();
    // CAP_NET_RAW, permitted and effective, as struct vfs_cap_data of revision 2 (linux/capability.h).
    let mut capability = [0_u8; 20];
    (capability[0], capability[3], capability[5]) = (1, 2, 0x20);
    for work in ["echo y >> file", "fallocate -p -o 0 -l 1 file", "fallocate -l 9 file", "truncate -s 5 file"]
    {
        set_mode(&file, 0o6755);
        setxattr(&file, "security.capability", &capability, XattrFlags::empty()).unwrap();
        assert!(Command::new("sh").args(["-c", work]).current_dir(mount.root()).status().unwrap().success());
        assert_eq!(mode(&file), 0o6755, "{work}");
        let left = getxattr(&file, "security.capability", &mut [0_u8; 64]);
        assert_eq!(left, Err(Errno::NODATA), "{work}");
    }
}

#[test]
fn truncating_takes_set_id_bits_away() {
    let mount = mount();
    let file = mount.path("file");
    fs::write(&file, "content").unwrap();
    set_mode(&file, 0o6777);
    assert!(as_user(&mount, "truncate -s 1 file"));
    assert_eq!(mode(&file), 0o777);
    set_mode(&file, 0o4777);
    assert!(as_user(&mount, ": > file"));
    assert_eq!(mode(&file), 0o777);
}

#[test]
fn allocating_punching_copying_and_writing_take_set_id_bits_away_except_for_root() {
    const COPY: &str =
        "import os; o = os.open('other', 0); f = os.open('file', 1); os.copy_file_range(o, f, 9)";
    let mount = mount();
    let file = mount.path("file");
    fs::write(mount.path("other"), "other content").unwrap();
    fs::write(&file, [1; 200_000]).unwrap();
    let copy = format!("python3 -c \"{COPY}\"");
    let write = "printf x | dd of=file conv=notrunc status=none";
    for change in ["fallocate -l 8 file", "fallocate -p -l 8 file", "fallocate -z -l 8 file", &copy, write] {
        set_mode(&file, 0o6777);
        assert!(
            Command::new("sh").args(["-c", change]).current_dir(mount.root()).status().unwrap().success()
        );
        assert_eq!(mode(&file), 0o6777, "{change} by root");
        let without = ["--bounding-set", "-fsetid", "--inh-caps", "-fsetid", "sh", "-c", change];
        assert!(Command::new("setpriv").args(without).current_dir(mount.root()).status().unwrap().success());
        assert_eq!(mode(&file), 0o777, "{change} by root without CAP_FSETID");
        set_mode(&file, 0o6777);
        assert!(as_user(&mount, change));
        assert_eq!(mode(&file), 0o777, "{change}");
        // Without the right to execute it is a sign for locking, and goes for those who are not of the group.
        set_mode(&file, 0o2666);
        assert!(as_user(&mount, change));
        assert_eq!(mode(&file), 0o666, "{change}");
        chown(&file, None, Some(USER)).unwrap();
        set_mode(&file, 0o2666);
        assert!(as_user(&mount, change));
        assert_eq!(mode(&file), 0o2666, "{change} by a member of the group");
        chown(&file, None, Some(0)).unwrap();
    }
}

#[test]
fn changing_the_owner_takes_set_id_bits_away_even_for_root() {
    let mount = mount();
    let file = mount.path("file");
    fs::write(&file, "").unwrap();
    set_mode(&file, 0o6755);
    chown(&file, Some(USER), Some(USER)).unwrap();
    assert_eq!(mode(&file), 0o755);
    set_mode(&file, 0o6755);
    chown(&file, None, None).unwrap();
    assert_eq!(mode(&file), 0o755, "also when nothing changes");
    let dir = mount.path("dir");
    fs::create_dir(&dir).unwrap();
    set_mode(&dir, 0o2755);
    chown(&dir, Some(USER), None).unwrap();
    assert_eq!(mode(&dir), 0o2755, "a directory keeps its bit");
}

#[test]
fn a_change_of_nothing_by_a_stranger_leaves_set_id_bits_alone() {
    let mount = mount();
    let file = mount.path("file");
    fs::write(&file, "").unwrap();
    let change = "python3 -c \"import os; os.chown('file', -1, -1)\"";
    set_mode(&file, 0o6755);
    as_user(&mount, change);
    assert_eq!(mode(&file), 0o6755);
    // Who may write can take them away as well.
    set_mode(&file, 0o6757);
    as_user(&mount, change);
    assert_eq!(mode(&file), 0o757);
}

#[test]
fn a_set_group_id_directory_hands_on_its_group() {
    let mount = mount();
    fs::create_dir(mount.path("shared")).unwrap();
    chown(mount.path("shared"), None, Some(1234)).unwrap();
    set_mode(&mount.path("shared"), 0o2777);
    assert!(as_user(&mount, "umask 022; mkdir shared/dir && touch shared/file && mkfifo shared/pipe"));
    for name in ["dir", "file", "pipe"] {
        let found = fs::metadata(mount.path("shared").join(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (USER, 1234), "{name}");
    }
    assert_eq!(mode(&mount.path("shared/dir")), 0o2755);
    assert_eq!(mode(&mount.path("shared/file")), 0o644);
}

#[test]
fn a_sticky_directory_protects_what_others_own() {
    let mount = mount();
    fs::create_dir(mount.path("tmp")).unwrap();
    set_mode(&mount.path("tmp"), 0o1777);
    fs::write(mount.path("tmp/roots"), "").unwrap();
    assert!(!as_user(&mount, "rm -f tmp/roots 2>/dev/null"));
    assert!(as_user(&mount, "touch tmp/own && rm tmp/own"));
}

#[test]
fn permissions_are_checked_for_everybody_but_root() {
    let mount = mount();
    fs::write(mount.path("secret"), "x").unwrap();
    set_mode(&mount.path("secret"), 0o600);
    assert!(!as_user(&mount, "cat secret 2>/dev/null"));
    assert!(!as_user(&mount, "chmod 777 secret 2>/dev/null"));
    chown(mount.path("secret"), Some(USER), None).unwrap();
    assert!(as_user(&mount, "cat secret"));
}

#[test]
fn supplementary_groups_count_for_bits_lists_and_set_group_id() {
    const GROUP: u32 = 4242;
    let mount = mount();
    let run = |groups: &str, script: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", groups, "sh", "-c", script]);
        command.current_dir(mount.root()).status().unwrap().success()
    };
    let (member, outsider) =
        (|script: &str| run("--groups=4242", script), |script: &str| run("--clear-groups", script));
    for name in ["bits", "list"] {
        fs::write(mount.path(name), "x").unwrap();
        set_mode(&mount.path(name), 0o640);
    }
    chown(mount.path("bits"), None, Some(GROUP)).unwrap();
    let list = Command::new("setfacl").args(["-m", "g:4242:r"]).arg(mount.path("list")).status().unwrap();
    assert!(list.success());
    for name in ["bits", "list"] {
        assert!(member(&format!("cat {name}")) && !outsider(&format!("cat {name} 2>/dev/null")), "{name}");
    }
    fs::write(mount.path("own"), "").unwrap();
    chown(mount.path("own"), Some(USER), None).unwrap();
    assert!(!member("chgrp 1 own 2>/dev/null") && member("chgrp 4242 own"));
    assert!(member("chmod 2755 own"));
    assert_eq!(mode(&mount.path("own")), 0o2755);
    assert!(outsider("chmod 2755 own"));
    assert_eq!(mode(&mount.path("own")), 0o755, "not of the group: no set-group-id bit");
    for (groups, kept) in [("--groups=4242", 0o2644), ("--clear-groups", 0o644)] {
        set_mode(&mount.path("own"), 0o2644);
        assert!(run(groups, "echo more >own"));
        assert_eq!(mode(&mount.path("own")), kept, "truncating and writing with {groups}");
    }
}

#[test]
fn an_access_list_lets_one_more_user_in() {
    use crate::xattrs::{ACCESS, list};
    let mount = mount();
    fs::write(mount.path("file"), "x").unwrap();
    set_mode(&mount.path("file"), 0o600);
    assert!(!as_user(&mount, "cat file 2>/dev/null"));
    let value =
        list(&[(1, 6, u32::MAX), (2, 4, USER), (4, 0, u32::MAX), (16, 4, u32::MAX), (32, 0, u32::MAX)]);
    let none = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(mount.path("file"), ACCESS, &value, none).unwrap();
    assert!(as_user(&mount, "cat file"));
    assert!(!as_user(&mount, "echo >> file 2>/dev/null"));
    set_mode(&mount.path("file"), 0o600);
    assert!(!as_user(&mount, "cat file 2>/dev/null"), "chmod took the mask away");
}
