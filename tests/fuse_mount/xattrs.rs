//! Extended attributes and access control lists.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use rustix::fs::{XattrFlags, getxattr, getxattr_query, lgetxattr, listxattr, removexattr, setxattr};

use crate::mount::TestMount;
use crate::rustix_errno;

pub const ACCESS: &str = "system.posix_acl_access";
pub const DEFAULT: &str = "system.posix_acl_default";
const NO_ID: u32 = u32::MAX;

/// The value of a list: (tag, permissions, id).
pub fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut value = vec![2, 0, 0, 0];
    for (tag, perm, id) in entries {
        value.extend(tag.to_le_bytes());
        value.extend(perm.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}

fn get(path: &Path, name: &str) -> Result<Vec<u8>, i32> {
    let mut value = vec![0; 65536];
    let len = getxattr(path, name, value.as_mut_slice()).map_err(|error| error.raw_os_error())?;
    value.truncate(len);
    Ok(value)
}

fn names(path: &Path) -> Vec<String> {
    let mut list = vec![0; 65536];
    let len = listxattr(path, list.as_mut_slice()).unwrap();
    let mut names: Vec<String> = list[..len]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8(name.to_vec()).unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn attributes_are_set_listed_removed_and_kept() {
    let mut mount = TestMount::new();
    let file = mount.path("file");
    fs::write(&file, "").unwrap();
    assert_eq!(names(&file), [""; 0]);
    setxattr(&file, "user.one", b"1", XattrFlags::empty()).unwrap();
    setxattr(&file, "user.empty", b"", XattrFlags::empty()).unwrap();
    let longest = vec![7; 65536];
    setxattr(&file, "user.long", &longest, XattrFlags::empty()).unwrap();
    mount.remount();
    assert_eq!(names(&file), ["user.empty", "user.long", "user.one"]);
    assert_eq!(get(&file, "user.one").unwrap(), b"1");
    assert_eq!(get(&file, "user.empty").unwrap(), b"");
    assert!(get(&file, "user.long").unwrap() == longest);
    removexattr(&file, "user.long").unwrap();
    assert_eq!(get(&file, "user.long"), Err(libc::ENODATA));
    assert_eq!(rustix_errno(removexattr(&file, "user.long")), libc::ENODATA);
}

#[test]
fn flags_say_whether_an_attribute_must_be_new() {
    let mount = TestMount::new();
    let file = mount.path("file");
    fs::write(&file, "").unwrap();
    assert_eq!(rustix_errno(setxattr(&file, "user.a", b"", XattrFlags::REPLACE)), libc::ENODATA);
    setxattr(&file, "user.a", b"1", XattrFlags::CREATE).unwrap();
    assert_eq!(rustix_errno(setxattr(&file, "user.a", b"", XattrFlags::CREATE)), libc::EEXIST);
    setxattr(&file, "user.a", b"2", XattrFlags::REPLACE).unwrap();
    let both = XattrFlags::CREATE | XattrFlags::REPLACE;
    assert_eq!(rustix_errno(setxattr(&file, "user.a", b"", both)), libc::EEXIST);
    assert_eq!(rustix_errno(setxattr(&file, "user.b", b"", both)), libc::ENODATA);
    assert_eq!(get(&file, "user.a").unwrap(), b"2");
}

#[test]
fn a_buffer_that_is_too_small_is_erange_and_size_zero_asks_for_the_size() {
    let mount = TestMount::new();
    let file = mount.path("file");
    fs::write(&file, "").unwrap();
    setxattr(&file, "user.a", b"12345", XattrFlags::empty()).unwrap();
    assert_eq!(rustix_errno(getxattr(&file, "user.a", &mut [0u8; 4])), libc::ERANGE);
    assert_eq!(getxattr_query(&file, "user.a").unwrap(), 5);
    assert_eq!(rustix_errno(listxattr(&file, &mut [0u8; 3])), libc::ERANGE);
}

#[test]
fn unknown_namespaces_do_not_exist() {
    let mount = TestMount::new();
    let file = mount.path("file");
    fs::write(&file, "").unwrap();
    assert_eq!(rustix_errno(setxattr(&file, "mine.a", b"", XattrFlags::empty())), libc::EOPNOTSUPP);
}

#[test]
fn a_label_is_kept_and_without_any_ls_is_told_not_to_ask_again() {
    let mut mount = TestMount::new();
    let (with, without) = (mount.path("with"), mount.path("without"));
    fs::write(&with, "").unwrap();
    fs::write(&without, "").unwrap();
    if std::path::Path::new("/sys/fs/selinux").exists() {
        return eprintln!("not tested: this kernel runs SELinux, which answers for labels itself");
    }
    assert_eq!(get(&without, "security.selinux"), Err(libc::EOPNOTSUPP));
    setxattr(&with, "security.selinux", b"system_u:object_r:etc_t:s0", XattrFlags::empty()).unwrap();
    assert_eq!(get(&without, "security.selinux"), Err(libc::ENODATA));
    mount.remount();
    assert_eq!(get(&without, "security.selinux"), Err(libc::EOPNOTSUPP));
    assert_eq!(get(&with, "security.selinux").unwrap(), b"system_u:object_r:etc_t:s0");
    assert_eq!(get(&without, "security.selinux"), Err(libc::ENODATA));
    assert_eq!((names(&with), names(&without)), (vec!["security.selinux".to_owned()], vec![]));
}

#[test]
fn a_namespace_alone_is_no_name() {
    let mount = TestMount::new();
    let file = mount.path("file");
    fs::write(&file, "").unwrap();
    for name in ["user.", "trusted.", "security."] {
        assert_eq!(rustix_errno(setxattr(&file, name, b"", XattrFlags::empty())), libc::EINVAL, "{name}");
        assert_eq!(get(&file, name), Err(libc::EINVAL), "{name}");
        assert_eq!(rustix_errno(removexattr(&file, name)), libc::EINVAL, "{name}");
    }
}

#[test]
fn a_list_that_equals_permission_bits_becomes_permission_bits() {
    let mount = TestMount::new();
    let file = mount.path("file");
    fs::write(&file, "").unwrap();
    let value = list(&[(1, 7, NO_ID), (4, 5, NO_ID), (32, 1, NO_ID)]);
    setxattr(&file, ACCESS, &value, XattrFlags::empty()).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o751);
    assert_eq!(names(&file), [""; 0]);
    assert_eq!(get(&file, ACCESS), Err(libc::ENODATA));
}

#[test]
fn list_and_permission_bits_stay_in_step() {
    let mut mount = TestMount::new();
    let file = mount.path("file");
    fs::write(&file, "").unwrap();
    let value = list(&[(1, 6, NO_ID), (2, 7, 1000), (4, 4, NO_ID), (16, 7, NO_ID), (32, 0, NO_ID)]);
    setxattr(&file, ACCESS, &value, XattrFlags::empty()).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o670, "the mask shows as the group's bits");
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o741)).unwrap();
    mount.remount();
    let expected = list(&[(1, 7, NO_ID), (2, 7, 1000), (4, 4, NO_ID), (16, 4, NO_ID), (32, 1, NO_ID)]);
    assert_eq!(get(&file, ACCESS).unwrap(), expected);
    removexattr(&file, ACCESS).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o741);
    removexattr(&file, ACCESS).unwrap();
}

#[test]
fn new_entries_inherit_the_default_list_instead_of_the_umask() {
    let mut mount = TestMount::new();
    let dir = mount.path("dir");
    fs::create_dir(&dir).unwrap();
    let default = list(&[(1, 7, NO_ID), (2, 7, 1000), (4, 5, NO_ID), (16, 7, NO_ID), (32, 0, NO_ID)]);
    setxattr(&dir, DEFAULT, &default, XattrFlags::empty()).unwrap();
    fs::write(dir.join("file"), "").unwrap();
    fs::create_dir(dir.join("sub")).unwrap();
    mount.remount();
    // Asked for 0666: the mask keeps what both allow.
    let inherited = list(&[(1, 6, NO_ID), (2, 7, 1000), (4, 5, NO_ID), (16, 6, NO_ID), (32, 0, NO_ID)]);
    assert_eq!(get(&dir.join("file"), ACCESS).unwrap(), inherited);
    assert_eq!(fs::metadata(dir.join("file")).unwrap().mode() & 0o777, 0o660);
    assert_eq!(get(&dir.join("sub"), DEFAULT).unwrap(), default);
    assert_eq!(fs::metadata(dir.join("sub")).unwrap().mode() & 0o777, 0o770);
    assert_eq!(names(&dir.join("file")), [ACCESS]);
}

#[test]
fn lists_belong_to_files_and_default_lists_to_directories() {
    let mount = TestMount::new();
    let file = mount.path("file");
    fs::write(&file, "").unwrap();
    let value = list(&[(1, 7, NO_ID), (4, 5, NO_ID), (32, 1, NO_ID)]);
    assert_eq!(rustix_errno(setxattr(&file, DEFAULT, &value, XattrFlags::empty())), libc::EACCES);
    symlink("file", mount.path("link")).unwrap();
    let set = rustix::fs::lsetxattr(mount.path("link"), ACCESS, &value, XattrFlags::empty());
    assert_eq!(rustix_errno(set), libc::EOPNOTSUPP);
    assert_eq!(rustix_errno(lgetxattr(mount.path("link"), ACCESS, &mut [0u8; 64])), libc::EOPNOTSUPP);
    let broken = list(&[(1, 7, NO_ID), (32, 1, NO_ID)]);
    assert_eq!(rustix_errno(setxattr(&file, ACCESS, &broken, XattrFlags::empty())), libc::EINVAL);
}
