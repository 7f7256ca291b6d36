//! Large sizes, long names, large directories, large attributes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::mounted;
use crate::programs::shell;

const TIB: u64 = 1 << 40;

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

#[test]
fn a_sparse_file_reaches_16_tib_and_not_a_byte_more() {
    let home = mounted();
    shell(&home.mount(), "truncate -s 16T huge", &[]);
    let path = home.mount().join("huge");
    let file = File::options().read(true).write(true).open(&path).unwrap();
    assert_eq!(errno(file.set_len(16 * TIB + 1)), libc::EFBIG);
    let past = File::options().write(true).custom_flags(libc::O_DIRECT).open(&path).unwrap();
    assert_eq!(errno(past.write_at(&[0; 4096], 16 * TIB)), libc::EFBIG);
    drop(past);
    let places = [0, (4 << 30) - 2, 4 << 30, 5 * TIB + 12_345, 16 * TIB - 5];
    for place in places {
        file.write_all_at(b"there", place).unwrap();
    }
    drop(file);
    home.move_to_new_machine();
    let file = File::open(&path).unwrap();
    let metadata = file.metadata().unwrap();
    assert_eq!(metadata.len(), 16 * TIB);
    assert!(metadata.blocks() * 512 <= 1 << 20, "{} blocks", metadata.blocks());
    for place in places {
        let mut read = [0; 5];
        file.read_exact_at(&mut read, place).unwrap();
        let wanted = if place == (4 << 30) - 2 { b"ththe" } else { b"there" };
        assert_eq!(&read, wanted, "at {place}");
    }
    let mut hole = vec![1; 1 << 20];
    file.read_exact_at(&mut hole, 9 * TIB).unwrap();
    assert!(hole.iter().all(|byte| *byte == 0));
    drop(file);
    home.unmount();
}

/// The kernel's page cache takes it, because FUSE has no way to tell it of a limit; who asks is told.
#[test]
fn a_buffered_write_beyond_16_tib_fails_when_it_is_synced_and_harms_nothing() {
    let home = mounted();
    let path = home.mount().join("huge");
    let file = File::create(&path).unwrap();
    file.write_all_at(b"kept", 0).unwrap();
    file.set_len(16 * TIB).unwrap();
    match file.write_at(b"x", 16 * TIB) {
        Ok(_) => assert_eq!(errno(file.sync_all()), libc::EFBIG),
        Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EFBIG)),
    }
    file.write_all_at(b"too", 100).unwrap();
    file.sync_all().unwrap();
    drop(file);
    home.move_to_new_machine();
    let file = File::open(&path).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 16 * TIB);
    let mut read = [0; 103];
    file.read_exact_at(&mut read, 0).unwrap();
    assert!(read.starts_with(b"kept") && read.ends_with(b"too"));
    drop(file);
    home.unmount();
}

#[test]
fn names_are_255_bytes_of_any_kind() {
    let home = mounted();
    let mut wanted = BTreeMap::new();
    for byte in (1..=255u8).filter(|byte| *byte != b'/') {
        // A single dot, or two, are no names of files; 255 are.
        let name = OsString::from_vec(vec![byte; 255]);
        fs::write(home.mount().join(&name), [byte]).unwrap();
        wanted.insert(name, vec![byte]);
    }
    let long = OsString::from_vec(vec![b'n'; 256]);
    assert_eq!(errno(fs::write(home.mount().join(&long), "")), libc::ENAMETOOLONG);
    assert_eq!(errno(fs::create_dir(home.mount().join(&long))), libc::ENAMETOOLONG);
    assert_eq!(errno(fs::metadata(home.mount().join(&long))), libc::ENAMETOOLONG);
    let short = OsString::from_vec(vec![b'n'; 255]);
    assert_eq!(errno(fs::rename(home.mount().join(short), home.mount().join(&long))), libc::ENAMETOOLONG);
    home.move_to_new_machine();
    let found: BTreeMap<_, _> = fs::read_dir(home.mount())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
        .collect();
    assert!(found == wanted, "{:?}", found.keys().find(|name| !wanted.contains_key(*name)));
    home.unmount();
}

#[test]
fn a_path_is_as_long_as_the_kernel_allows() {
    const SCRIPT: &str = r#"
        name=$(printf 'd%.0s' $(seq 250))
        for _ in $(seq 20); do mkdir "$name"; cd "$name"; done
        echo deep >file; cat file >/dev/null
        cd "$1"; [ "$(find . -name file -execdir cat {} +)" = deep ]
        if cat "$(printf "$name/%.0s" $(seq 20))file" 2>error; then exit 1; fi
        grep -q 'File name too long' error
        rm -r "$name"
    "#;
    let home = mounted();
    shell(&home.mount(), SCRIPT, &[&home.mount()]);
    home.unmount();
}

/// EMLINK, at 2^31, stands beside the counters (meta/apply): nobody makes two billion links. What backup programs that
/// share unchanged files come to is more than ext4's 65,000.
#[test]
fn a_file_has_more_names_than_other_disks_allow() {
    const NAMES: u64 = 65_100;
    let home = mounted();
    let (file, folder) = (home.mount().join("file"), home.mount().join("folder"));
    fs::write(&file, "contents").unwrap();
    fs::create_dir(&folder).unwrap();
    for number in 1..NAMES {
        fs::hard_link(&file, folder.join(number.to_string())).unwrap();
    }
    home.move_to_new_machine();
    assert_eq!(fs::metadata(&file).unwrap().nlink(), NAMES);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().nlink(), 1);
    assert_eq!(fs::read(&file).unwrap(), b"contents");
    home.unmount();
}

#[test]
fn symlinks_that_lead_in_circles_are_eloop_and_forty_in_a_row_are_not() {
    const SCRIPT: &str = r#"
        ln -s two one; ln -s one two; ln -s self self
        echo end >link0; for i in $(seq 40); do ln -s "link$((i - 1))" "link$i"; done; ln -s link40 link41
        [ "$(cat link40)" = end ]
        for name in one self link41; do
            if cat "$name" 2>error; then exit 1; fi
            grep -q 'Too many levels of symbolic links' error
        done
    "#;
    let home = mounted();
    shell(&home.mount(), SCRIPT, &[]);
    home.unmount();
}

#[test]
fn a_large_directory_is_listed_completely_while_entries_come_and_go() {
    const STAYING: usize = 20_000;
    let home = mounted();
    let folder = home.mount().join("folder");
    fs::create_dir(&folder).unwrap();
    for number in 0..STAYING {
        File::create(folder.join(format!("stays {number}"))).unwrap();
    }
    let done = AtomicBool::new(false);
    let listed = || {
        let mut counts: BTreeMap<OsString, usize> = BTreeMap::new();
        for entry in fs::read_dir(&folder).unwrap() {
            let name = entry.unwrap().file_name();
            if name.as_bytes().starts_with(b"stays") {
                *counts.entry(name).or_default() += 1;
            }
        }
        assert_eq!(counts.len(), STAYING);
        assert!(counts.values().all(|count| *count == 1), "an entry was listed twice");
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                File::create(folder.join(format!("goes {number}"))).unwrap();
                if number >= 50 {
                    fs::remove_file(folder.join(format!("goes {}", number - 50))).unwrap();
                }
            }
        });
        let lister = scope.spawn(|| (0..5).for_each(|_| listed()));
        let result = lister.join();
        done.store(true, Ordering::Relaxed);
        result.unwrap();
    });
    home.move_to_new_machine();
    listed();
    home.unmount();
}

#[test]
fn attributes_hold_64_kib() {
    const SCRIPT: &str = r#"
        head -c 65536 /dev/urandom >"$1"
        echo contents >file
        setfattr -n user.large -v "0s$(base64 -w0 "$1")" file
        # With a second one of that size: they do not share a limit.
        setfattr -n user.other -v "0s$(base64 -w0 "$1")" file
        head -c 65537 /dev/zero | base64 -w0 >"$1.more"
        if setfattr -n user.more -v "0s$(cat "$1.more")" file 2>"$1.error"; then exit 1; fi
        grep -Eq 'Argument list too long|No space|Numerical' "$1.error"
    "#;
    let home = mounted();
    let value = home.path("value");
    shell(&home.mount(), SCRIPT, &[&value]);
    home.move_to_new_machine();
    for name in ["user.large", "user.other"] {
        let script = format!("getfattr --only-values -n {name} file | cmp - \"$1\"");
        shell(&home.mount(), &script, &[&value]);
    }
    home.unmount();
}
