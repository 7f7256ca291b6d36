//! A desktop session: saving by rename, watching folders, temporary files.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::mounted;
use crate::programs::python;

#[test]
fn a_save_by_rename_is_seen_whole_or_not_at_all() {
    const SAVES: usize = 60;
    let home = mounted();
    let (document, temporary) = (home.mount().join("document"), home.mount().join(".document.tmp"));
    let contents = |number: usize| format!("{number:08}").repeat(20_000);
    fs::write(&document, contents(0)).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) {
                let read = fs::read_to_string(&document).unwrap();
                let number: usize = read[..8].parse().unwrap();
                assert!(read == contents(number), "version {number} is torn");
                assert!(number >= seen, "version {number} after {seen}");
                seen = number;
            }
        });
        for number in 1..=SAVES {
            let mut file = File::create(&temporary).unwrap();
            file.write_all(contents(number).as_bytes()).unwrap();
            file.sync_all().unwrap();
            fs::rename(&temporary, &document).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    home.move_to_new_machine();
    assert!(fs::read_to_string(&document).unwrap() == contents(SAVES));
    assert!(!temporary.exists());
    home.unmount();
}

#[test]
fn inotify_tells_of_local_changes() {
    let home = mounted();
    python("inotify.py", &[&home.mount()]);
    home.unmount();
}

#[test]
fn an_unlinked_open_file_goes_on_until_it_is_closed() {
    let home = mounted();
    let path = home.mount().join("temporary");
    let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    file.write_all(&[1; 200_000]).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(fs::read_dir(home.mount()).unwrap().count(), 0);
    file.write_all(&[2; 200_000]).unwrap();
    file.sync_all().unwrap();
    home.sync();
    fs::write(&path, "another of the same name").unwrap();
    file.rewind().unwrap();
    let mut read = Vec::new();
    file.read_to_end(&mut read).unwrap();
    assert!(read == [vec![1; 200_000], vec![2; 200_000]].concat());
    assert_eq!(file.metadata().unwrap().nlink(), 0);
    let inodes = home.status()["space"]["inodes"].as_u64().unwrap();
    drop(file);
    home.move_to_new_machine();
    assert_eq!(fs::read_to_string(&path).unwrap(), "another of the same name");
    assert_eq!(home.status()["space"]["inodes"].as_u64().unwrap(), inodes - 1, "the file was not freed");
    home.unmount();
}
