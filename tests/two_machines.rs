//! Two machines that have one volume mounted at the same time. They share this computer, the bucket's folder and
//! nothing else: each has its own keyring, state, cache and mount point.

#[path = "common/cli.rs"]
mod cli;
#[path = "common/programs.rs"]
mod programs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use cli::Home;
use programs::{assert_same, run};

/// A machine looks for news every 5 seconds while there are some; this is many times that.
const DEADLINE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(50);

/// Two machines with the volume of the first mounted.
fn two_machines() -> (Home, Home) {
    let anna = Home::with_volume();
    anna.mounted();
    let ben = Home::with_bucket(anna.bucket(), None);
    ben.mounted();
    (anna, ben)
}

/// Waits for another machine's change: the kernel announces none, so it is looked for until it is there.
fn eventually(what: &str, holds: impl FnMut() -> bool) {
    within(DEADLINE, what, holds);
}

fn within(deadline: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..deadline.as_millis() / PAUSE.as_millis() {
        if holds() {
            return;
        }
        thread::park_timeout(PAUSE);
    }
    panic!("in {deadline:?} it did not happen that {what}");
}

/// Names and contents of the files in a directory.
fn files(folder: &Path) -> BTreeMap<String, String> {
    fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            match fs::read_to_string(entry.path()) {
                Ok(contents) => Some((name, contents)),
                // Renamed or removed by the other machine between the listing and the reading.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => panic!("{name}: {error}"),
            }
        })
        .collect()
}

/// Waits till both machines show the same in a directory, and returns it.
fn converged(anna: &Home, ben: &Home, folder: &str) -> BTreeMap<String, String> {
    anna.sync();
    ben.sync();
    let (one, two) = (anna.mount().join(folder), ben.mount().join(folder));
    eventually("both machines show the same", || files(&one) == files(&two));
    files(&one)
}

/// Unmounts both and looks at the volume as a whole.
fn end(anna: &Home, ben: &Home) {
    anna.unmount();
    ben.unmount();
    let clean = anna.hushfs(["fsck", "--data", &anna.bucket()]).pass().expect(0);
    assert!(clean.out.ends_with("clean\n"), "{}", clean.out);
}

#[test]
fn changes_of_one_machine_show_on_the_other() {
    let (anna, ben) = two_machines();
    let (here, there) = (anna.mount(), ben.mount());
    assert_eq!(fs::read_dir(&there).unwrap().count(), 0);
    assert!(!there.join("file").exists());

    fs::create_dir(here.join("dir")).unwrap();
    fs::write(here.join("file"), "first").unwrap();
    fs::write(here.join("dir/large"), vec![7; 1 << 20]).unwrap();
    eventually("a new file shows", || fs::read(there.join("dir/large")).is_ok_and(|c| c == vec![7; 1 << 20]));
    assert_eq!(fs::read_to_string(there.join("file")).unwrap(), "first");

    fs::write(there.join("file"), "second, and longer").unwrap();
    fs::rename(there.join("dir/large"), there.join("moved")).unwrap();
    fs::remove_dir(there.join("dir")).unwrap();
    eventually("a rename shows", || here.join("moved").exists() && !here.join("dir").exists());
    eventually("new contents show", || {
        fs::read_to_string(here.join("file")).unwrap() == "second, and longer"
    });

    fs::remove_file(here.join("moved")).unwrap();
    eventually("a removal shows", || !there.join("moved").exists());
    assert_eq!(converged(&anna, &ben, "").len(), 1);
    assert_same(&here, &there);
    end(&anna, &ben);
}

/// A machine that is not used looks once a minute.
#[test]
fn df_counts_as_use_and_shows_what_the_other_machine_took_and_gave_back() {
    let (anna, ben) = two_machines();
    let used = || {
        let space = rustix::fs::statvfs(ben.mount()).unwrap();
        (space.f_blocks - space.f_bfree) * space.f_frsize
    };
    let (file, size) = (anna.mount().join("file"), 1 << 20);
    for _ in 0..2 {
        fs::write(&file, vec![7; size]).unwrap();
        anna.sync();
        within(Duration::from_secs(40), "what was written is used", || used() == size as u64);
        fs::remove_file(&file).unwrap();
        within(Duration::from_secs(40), "what was removed is free", || used() == 0);
    }
    end(&anna, &ben);
}

#[test]
fn files_made_by_both_in_one_directory_are_all_there() {
    const EACH: usize = 300;
    let (anna, ben) = two_machines();
    fs::create_dir(anna.mount().join("shared")).unwrap();
    anna.sync();
    eventually("the directory shows", || ben.mount().join("shared").is_dir());
    thread::scope(|scope| {
        for (name, home) in [("anna", &anna), ("ben", &ben)] {
            scope.spawn(move || {
                for number in 0..EACH {
                    let file = format!("shared/{name} {number}");
                    fs::write(home.mount().join(&file), format!("{file} of {name}")).unwrap();
                    if number % 100 == 50 {
                        home.sync();
                    }
                }
            });
        }
    });
    let both = converged(&anna, &ben, "shared");
    assert_eq!(both.len(), 2 * EACH);
    for name in ["anna", "ben"] {
        for number in 0..EACH {
            assert_eq!(both[&format!("{name} {number}")], format!("shared/{name} {number} of {name}"));
        }
    }
    end(&anna, &ben);
}

#[test]
fn of_one_name_made_on_both_both_contents_are_kept() {
    let (anna, ben) = two_machines();
    thread::scope(|scope| {
        for (name, home) in [("anna", &anna), ("ben", &ben)] {
            scope.spawn(move || {
                fs::write(home.mount().join("notes.txt"), format!("by {name}")).unwrap();
            });
        }
    });
    let both = converged(&anna, &ben, "");
    assert_eq!(both.len(), 2, "{both:?}");
    let contents: BTreeSet<&str> = both.values().map(String::as_str).collect();
    assert_eq!(contents, BTreeSet::from(["by anna", "by ben"]));
    let copy = both.keys().find(|name| *name != "notes.txt").unwrap();
    assert!(copy.starts_with("notes (conflict ") && copy.ends_with(").txt"), "{copy}");
    assert!(both.contains_key("notes.txt"));
    let told = |home: &Home| home.status()["conflicts"].as_array().unwrap().len();
    assert!(told(&anna) + told(&ben) > 0, "nobody tells of the conflict");
    end(&anna, &ben);
}

#[test]
fn of_one_file_changed_on_both_both_contents_are_kept() {
    let (anna, ben) = two_machines();
    fs::write(anna.mount().join("paper.tex"), "draft").unwrap();
    anna.sync();
    eventually("the draft shows", || {
        fs::read_to_string(ben.mount().join("paper.tex")).is_ok_and(|contents| contents == "draft")
    });
    for (name, home) in [("anna", &anna), ("ben", &ben)] {
        fs::write(home.mount().join("paper.tex"), format!("the final version of {name}")).unwrap();
    }
    let both = converged(&anna, &ben, "");
    let contents: BTreeSet<&str> = both.values().map(String::as_str).collect();
    let wanted = BTreeSet::from(["the final version of anna", "the final version of ben"]);
    assert!(contents.is_superset(&wanted), "{both:?}");
    assert!(both.contains_key("paper.tex"));
    end(&anna, &ben);
}

#[test]
fn a_directory_as_a_lock_is_had_by_one_machine_only() {
    const ROUNDS: usize = 8;
    let (anna, ben) = two_machines();
    // Each has to know that the other is there and writes.
    fs::write(anna.mount().join("anna"), "").unwrap();
    fs::write(ben.mount().join("ben"), "").unwrap();
    eventually("each sees the other", || {
        anna.mount().join("ben").exists() && ben.mount().join("anna").exists()
    });
    for round in 0..ROUNDS {
        let name = format!("lock {round}");
        let take = |home: &Home| match fs::create_dir(home.mount().join(&name)) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => panic!("{error}"),
        };
        let (one, two) = thread::scope(|scope| {
            let one = scope.spawn(|| take(&anna));
            let two = scope.spawn(|| take(&ben));
            (one.join().unwrap(), two.join().unwrap())
        });
        assert!(one != two, "round {round}: anna {one}, ben {two}");
    }
    end(&anna, &ben);
}

#[test]
fn a_machine_killed_in_mid_write_loses_nothing_it_synced_and_the_other_goes_on() {
    const SYNCED: usize = 40;
    let (anna, ben) = two_machines();
    let pid = anna.status()["pid"].to_string();
    thread::scope(|scope| {
        let writer = scope.spawn(|| write_until_it_fails(&anna.mount()));
        let other = scope.spawn(|| {
            for number in 0..SYNCED {
                write_synced(&ben.mount().join(format!("ben {number}"))).unwrap();
            }
        });
        eventually("many files are written", || anna.mount().join(format!("anna {SYNCED}")).exists());
        run(Command::new("kill").args(["-s", "KILL", &pid]));
        let synced = writer.join().unwrap();
        other.join().unwrap();
        assert!(synced >= SYNCED, "only {synced}");
        anna.hushfs(["unmount", &anna.mount_str()]).expect(0);
        anna.mounted();
        let both = converged(&anna, &ben, "");
        for (name, count) in [("anna", synced), ("ben", SYNCED)] {
            for number in 0..count {
                let contents = both.get(&format!("{name} {number}"));
                assert!(contents.is_some_and(|c| c.len() == CONTENTS.len()), "{name} {number} is lost");
            }
        }
    });
    end(&anna, &ben);
}

static CONTENTS: [u8; 100_000] = [b'x'; 100_000];

fn write_synced(path: &Path) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(&CONTENTS)?;
    file.sync_all()
}

/// Writes file after file until the mount dies; returns how many were synced.
fn write_until_it_fails(folder: &Path) -> usize {
    (0..).take_while(|number| write_synced(&folder.join(format!("anna {number}"))).is_ok()).count()
}
