//! Listing directories.

use std::collections::BTreeMap;
use std::fs;

use crate::mount::TestMount;

fn names(mount: &TestMount, dir: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(mount.path(dir)).unwrap() {
        *found.entry(entry.unwrap().file_name().into_string().unwrap()).or_default() += 1;
    }
    found
}

#[test]
fn an_empty_directory_has_nothing_but_itself_and_its_parent() {
    let mount = TestMount::new();
    fs::create_dir(mount.path("dir")).unwrap();
    assert!(names(&mount, "dir").is_empty());
    assert_eq!(rustix::fs::Dir::read_from(fs::File::open(mount.path("dir")).unwrap()).unwrap().count(), 2);
}

#[test]
fn thousands_of_entries_are_listed_once_each() {
    let mut mount = TestMount::new();
    fs::create_dir(mount.path("dir")).unwrap();
    for number in 0..3000 {
        fs::write(mount.path(format!("dir/entry-{number}")), "").unwrap();
    }
    for _ in 0..2 {
        let found = names(&mount, "dir");
        assert_eq!(found.len(), 3000);
        assert!(found.values().all(|count| *count == 1));
        mount.remount();
    }
}

#[test]
fn entries_that_stay_are_listed_once_while_others_come_and_go() {
    let mount = TestMount::new();
    fs::create_dir(mount.path("dir")).unwrap();
    for number in 0..1000 {
        fs::write(mount.path(format!("dir/stays-{number}")), "").unwrap();
        fs::write(mount.path(format!("dir/goes-{number}")), "").unwrap();
    }
    let mut found = BTreeMap::<String, usize>::new();
    for (number, entry) in fs::read_dir(mount.path("dir")).unwrap().enumerate() {
        *found.entry(entry.unwrap().file_name().into_string().unwrap()).or_default() += 1;
        if number < 1000 {
            fs::remove_file(mount.path(format!("dir/goes-{number}"))).unwrap();
            fs::write(mount.path(format!("dir/comes-{number}")), "").unwrap();
        }
    }
    let stays: Vec<_> = found.iter().filter(|(name, _)| name.starts_with("stays")).collect();
    assert_eq!(stays.len(), 1000);
    assert!(found.values().all(|count| *count == 1));
}

#[test]
fn removing_everything_while_listing_leaves_nothing() {
    let mount = TestMount::new();
    fs::create_dir(mount.path("dir")).unwrap();
    for number in 0..2000 {
        fs::write(mount.path(format!("dir/{number}")), "").unwrap();
    }
    fs::remove_dir_all(mount.path("dir")).unwrap();
    assert!(!mount.path("dir").exists());
}
