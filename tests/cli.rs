//! The commands as a user meets them: exit codes, messages, and a volume's way from init to gc.

#[path = "common/cli.rs"]
mod cli;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use cli::{Home, ran};

/// The word after `name` in what init printed.
fn printed<'a>(out: &'a str, name: &str) -> &'a str {
    let line = out
        .lines()
        .find_map(|line| line.trim().strip_prefix(name))
        .unwrap_or_else(|| panic!("no {name}: {out}"));
    line.trim()
}

#[test]
fn a_volume_lives_from_init_to_gc() {
    let home = Home::new();
    let made = home.hushfs(["init", "--kdf", "minimum", "--label", "mine", &home.bucket()]).pass().expect(0);
    let (id, fingerprint) = (printed(&made.out, "volume id"), printed(&made.out, "fingerprint"));
    assert!(!printed(&made.out, "recovery code").is_empty());

    home.mounted();
    fs::write(home.mount().join("a name that nobody shall see"), "and a sentence that nobody shall read")
        .unwrap();
    home.hushfs(["sync", &home.mount_str()]).expect(0);
    let status = home.status();
    assert_eq!(
        (&status["volume"], &status["fingerprint"], &status["label"]),
        (&id.into(), &fingerprint.into(), &"mine".into())
    );
    assert_eq!((&status["waiting"]["bytes"], &status["health"]), (&0.into(), &"ok".into()));
    assert!(home.hushfs(["status"]).expect(0).out.contains(id));
    home.hushfs(["unmount", &home.mount_str()]).expect(0);

    for object in home.objects("") {
        let bytes = fs::read(&object).unwrap();
        let contains = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!contains("nobody shall"), "{}", object.display());
    }
    home.mounted();
    let read = fs::read_to_string(home.mount().join("a name that nobody shall see")).unwrap();
    assert_eq!(read, "and a sentence that nobody shall read");
    fs::remove_file(home.mount().join("a name that nobody shall see")).unwrap();
    home.hushfs(["gc", &home.bucket()]).pass().expect(0);
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    assert!(home.hushfs(["fsck", "--data", &home.bucket()]).pass().expect(0).out.ends_with("clean\n"));
    let dry = home.hushfs(["gc", "--dry-run", &home.bucket()]).pass().expect(0);
    assert!(dry.out.starts_with("would delete"), "{}", dry.out);
    home.hushfs(["gc", &home.bucket()]).pass().expect(0);
}

#[test]
fn a_reader_that_leaves_ends_no_command_and_results_that_are_lost_make_it_fail() {
    let home = Home::with_volume();
    let with_output = |arguments: &[&str], output: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hushfs"));
        home.settle(&mut command);
        command.args(arguments).arg(home.bucket()).arg("--passphrase-file").arg(home.path("pass"));
        ran(command.stdout(output).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap())
    };
    for arguments in [&["key", "rotate"][..], &["gc"], &["fsck", "--json"], &["quota"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let left = with_output(arguments, writer.into());
        assert_eq!((left.code, left.err.as_str()), (0, ""), "{arguments:?}");
    }
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let lost = with_output(&["gc"], full().into());
    assert_eq!(lost.code, 1);
    assert!(lost.err.contains("could not be written: No space left"), "{}", lost.err);
    // Nothing of the rotation was left open.
    let clean = home.hushfs(["fsck", "--data", &home.bucket()]).pass().expect(0);
    assert!(clean.out.ends_with("clean\n"), "{}", clean.out);
}

#[test]
fn every_way_to_unlock_opens_the_volume() {
    let home = Home::new();
    let key = home.path("key");
    let made =
        home.hushfs(["init", "--kdf", "minimum", "--key-file"]).arg(&key).arg(home.bucket()).pass().expect(0);
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let code = home.secret("code", printed(&made.out, "recovery code").as_bytes());
    let fsck = || home.hushfs(["fsck", &home.bucket()]);

    fsck().arg("--key-file").arg(&key).expect(0);
    fsck().arg("--recovery-code-file").arg(&code).expect(0);
    fsck().arg("--passphrase-command").arg(format!("cat {}", home.path("pass").display())).expect(0);
    let descriptor = format!(
        "exec {} fsck {} --passphrase-fd 7 7<{}",
        env!("CARGO_BIN_EXE_hushfs"),
        home.bucket(),
        home.path("pass").display()
    );
    let mut shell = Command::new("sh");
    home.settle(&mut shell);
    assert_eq!(ran(shell.arg("-c").arg(descriptor).output().unwrap()).code, 0);
    home.secret("hushfs.passphrase", &fs::read(home.path("pass")).unwrap());
    let mut service = Command::new(env!("CARGO_BIN_EXE_hushfs"));
    home.settle(&mut service);
    service.env("CREDENTIALS_DIRECTORY", home.path("")).args(["fsck", &home.bucket()]);
    assert_eq!(ran(service.output().unwrap()).code, 0);

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = fsck().arg("--key-file").arg(&key).expect(8);
    assert!(refused.err.contains("chmod 600"), "{}", refused.err);
}

#[test]
fn a_wrong_key_has_a_code_of_its_own() {
    let home = Home::with_volume();
    let wrong = home.secret("wrong", b"incorrect");
    for command in [vec!["fsck"], vec!["gc"], vec!["mount"]] {
        let mut call = home.hushfs(command.clone()).arg(home.bucket());
        if command == ["mount"] {
            call = call.arg(home.mount());
        }
        let refused = call.arg("--passphrase-file").arg(&wrong).expect(3);
        assert!(refused.err.contains("wrong passphrase"), "{}", refused.err);
    }
    let short = home.secret("short", &[1; 31]);
    home.hushfs(["fsck", &home.bucket(), "--key-file"]).arg(&short).expect(2);
}

#[test]
fn a_place_without_a_volume_is_told_from_one_with_something_else() {
    let home = Home::new();
    let fsck = || home.hushfs(["fsck", &home.bucket()]).pass();
    assert!(fsck().expect(4).err.contains("make it first"));
    fs::create_dir(home.bucket_folder()).unwrap();
    assert!(fsck().expect(4).err.contains("hushfs init"));
    fs::write(home.bucket_folder().join("holiday.jpg"), "x").unwrap();
    assert!(fsck().expect(4).err.contains("holiday.jpg"));
    let refused = home.hushfs(["init", "--kdf", "minimum", &home.bucket()]).pass().expect(13);
    assert!(refused.err.contains("holiday.jpg"), "{}", refused.err);
    home.hushfs(["fsck", "gs://bucket"]).pass().expect(2);
}

#[test]
fn init_refuses_what_is_there_already() {
    let home = Home::with_volume();
    let init = || home.hushfs(["init", "--kdf", "minimum", &home.bucket()]).pass();
    assert!(init().expect(13).err.contains("already"));
    for entry in home.objects("log") {
        fs::remove_file(entry).unwrap();
    }
    let half = init().expect(13);
    assert!(half.err.contains("half-made") && half.err.contains("delete"), "{}", half.err);
    home.hushfs(["mount", &home.bucket(), &home.mount_str()]).pass().expect(4);
}

#[test]
fn a_damaged_header_and_a_newer_one_are_told_apart() {
    let home = Home::with_volume();
    let path = home.bucket_folder().join("volume");
    let good = fs::read(&path).unwrap();
    let fsck = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        home.hushfs(["fsck", &home.bucket()]).pass().run()
    };
    for at in [good.len() / 3, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(fsck(&bad).code, 6, "byte {at}");
    }
    assert_eq!(fsck(&good[..good.len() - 5]).code, 6);
    // This machine knows that a volume was there.
    for gone in [&b"something else entirely"[..], b""] {
        let refused = fsck(gone);
        assert!(refused.code == 6 && refused.err.contains("this machine knows volume"), "{}", refused.err);
    }
    fs::remove_file(&path).unwrap();
    let refused = home.hushfs(["mount", &home.bucket(), &home.mount_str()]).pass().expect(6);
    assert!(refused.err.contains("this machine knows volume"), "{}", refused.err);
    let stranger = Home::new();
    fs::write(&path, "something else entirely").unwrap();
    stranger.hushfs(["fsck", &home.bucket()]).pass().expect(4);
    // The format's number follows the magic of eight bytes.
    let mut newer = good.clone();
    newer[8] = 99;
    let refused = fsck(&newer);
    assert_eq!(refused.code, 5, "{}", refused.err);
    assert_eq!(fsck(&good).code, 0);
}

#[test]
fn a_log_that_lost_its_end_is_refused_by_who_saw_more() {
    let home = Home::with_volume();
    home.mounted();
    fs::write(home.mount().join("file"), "contents").unwrap();
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    fs::remove_file(home.objects("log").last().unwrap()).unwrap();
    home.hushfs(["mount", &home.bucket(), &home.mount_str()]).pass().expect(6);
}

#[test]
fn a_machine_that_lost_what_it_had_seen_of_a_volume_says_so_until_it_is_told_the_fingerprint() {
    let home = Home::with_volume();
    let states = || {
        let files = fs::read_dir(home.path("data/hushfs/keyring")).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|end| end == "state")).collect::<Vec<_>>()
    };
    let print = home.mounted().status()["fingerprint"].as_str().unwrap().to_owned();
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    let [state] = &states()[..] else { panic!("one volume is known") };
    fs::remove_file(state).unwrap();
    let mount = ["mount", &home.bucket(), &home.mount_str()];
    for command in [&mount[..], &["fsck", &home.bucket()]] {
        let refused = home.hushfs(command).pass().expect(1);
        assert!(refused.err.contains("is gone") && refused.err.contains("--fingerprint"), "{}", refused.err);
        assert!(!state.exists());
    }
    home.hushfs(mount).args(["--fingerprint", &print]).pass().expect(0);
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    assert!(state.exists());
    home.hushfs(["fsck", &home.bucket()]).pass().expect(0);
}

#[test]
fn another_volume_in_the_same_place_is_noticed_before_the_passphrase() {
    let home = Home::with_volume();
    let other = Home::with_volume();
    fs::remove_dir_all(home.bucket_folder()).unwrap();
    fs::rename(other.bucket_folder(), home.bucket_folder()).unwrap();
    let refused = home.hushfs(["fsck", &home.bucket(), "--passphrase-file", "/does/not/exist"]).expect(6);
    assert!(refused.err.contains("is not what it was"), "{}", refused.err);
}

#[test]
fn a_second_mount_is_refused_and_the_first_goes_on() {
    let home = Home::with_volume();
    home.mounted();
    fs::write(home.mount().join("file"), "contents").unwrap();
    let again = home.hushfs(["mount", &home.bucket(), &home.mount_str()]).pass().expect(9);
    assert!(again.err.contains("mounted at"), "{}", again.err);
    fs::create_dir(home.path("elsewhere")).unwrap();
    // In the background root would get another place of the same mount.
    let elsewhere =
        home.hushfs(["mount", "-f", &home.bucket()]).arg(home.path("elsewhere")).pass().expect(16);
    let pid = home.status()["pid"].to_string();
    assert!(elsewhere.err.contains(&pid), "{}", elsewhere.err);

    home.hushfs(["sync", &home.mount_str()]).expect(0);
    home.hushfs(["mount", "--read-only", &home.bucket()]).arg(home.path("elsewhere")).pass().expect(0);
    assert_eq!(fs::read_to_string(home.path("elsewhere/file")).unwrap(), "contents");
    let error = fs::write(home.path("elsewhere/other"), "").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    home.hushfs(["unmount"]).arg(home.path("elsewhere")).expect(0);
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
}

#[test]
fn root_mounts_a_mounted_volume_again_and_has_it_in_two_places() {
    let home = Home::with_volume();
    home.mounted();
    let first = home.mount();
    let second = home.path("elsewhere");
    fs::create_dir(&second).unwrap();
    let again =
        |code| home.hushfs(["mount", "-o", "noexec", &home.bucket()]).arg(&second).pass().expect(code);
    if !rustix::process::geteuid().is_root() {
        again(16);
        return home.unmount();
    }
    again(0);
    fs::write(first.join("file"), "contents").unwrap();
    assert_eq!(fs::read_to_string(second.join("file")).unwrap(), "contents");
    fs::rename(second.join("file"), second.join("renamed")).unwrap();
    assert!(!first.join("file").exists() && first.join("renamed").exists());
    let options = |place: &std::path::Path| hushfs::fuse::is_mounted(place).unwrap().unwrap().options;
    assert!(options(&second).contains("noexec") && !options(&first).contains("noexec"));
    home.hushfs(["mount", "-o", "noatime", &home.bucket()]).arg(home.path("bucket")).pass().expect(2);

    let pid = home.status()["pid"].to_string();
    let status = home.hushfs(["status", "--json"]).arg(&second).expect(0);
    assert!(status.out.contains(&format!("\"pid\": {pid}")), "{}", status.out);
    let gone = home.hushfs(["unmount"]).arg(&second).expect(0);
    assert!(gone.err.contains("still mounted at"), "{}", gone.err);
    fs::write(first.join("file"), "more").unwrap();

    // The place that the mount began with may go first.
    again(0);
    home.hushfs(["unmount"]).arg(&first).expect(0);
    assert_eq!(fs::read_to_string(second.join("file")).unwrap(), "more");
    let shown = home.hushfs(["status"]).arg(&second).expect(0).out;
    assert!(shown.contains(&format!(" on {} (process", second.display())), "{shown}");
    home.hushfs(["sync"]).arg(&second).expect(0);
    home.hushfs(["unmount"]).arg(&second).expect(0);
    wait_for_end(&pid);
    home.mounted();
    assert_eq!(fs::read_to_string(first.join("file")).unwrap(), "more");
    home.unmount();
}

#[test]
fn a_mount_point_must_be_a_directory_that_exists() {
    let home = Home::with_volume();
    home.hushfs(["mount", &home.bucket()]).arg(home.path("missing")).pass().expect(2);
    home.hushfs(["mount", &home.bucket()]).arg(home.path("pass")).pass().expect(2);
    for command in ["unmount", "sync", "status"] {
        home.hushfs([command, &home.mount_str()]).expect(14);
        home.hushfs([command]).arg(home.path("missing")).expect(14);
    }
}

#[test]
fn files_in_use_keep_it_mounted() {
    let home = Home::with_volume();
    home.mounted();
    let open = fs::File::create(home.mount().join("open")).unwrap();
    let refused = home.hushfs(["unmount", &home.mount_str()]).expect(15);
    let user = format!("(process {})", std::process::id());
    assert!(refused.err.contains("in use") && refused.err.contains(&user), "{}", refused.err);
    drop(open);
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
}

/// It waited for as long as for a bucket, and then said that the bucket does not answer.
#[test]
fn force_detaches_what_is_in_use_and_says_who_uses_it() {
    let home = Home::with_volume();
    home.mounted();
    let pid = home.status()["pid"].to_string();
    let mut open = fs::File::create(home.mount().join("open")).unwrap();
    let forced = home.hushfs(["unmount", "--force", "--timeout", "20", &home.mount_str()]).expect(0);
    let user = format!("(process {})", std::process::id());
    assert!(forced.err.contains("detached") && forced.err.contains(&user), "{}", forced.err);
    assert_eq!(fs::read_dir(home.mount()).unwrap().count(), 0, "something is mounted there");
    let shown = home.hushfs(["status", &home.mount_str()]).expect(0).out;
    assert!(shown.contains(&format!("detached from {}, still used", home.mount_str())), "{shown}");
    let again = home.hushfs(["unmount", &home.mount_str()]).expect(15);
    assert!(again.err.contains("detached"), "{}", again.err);
    // What is written by those who have it open is stored.
    open.write_all(b"went on").unwrap();
    drop(open);
    wait_for_end(&pid);
    home.mounted();
    assert_eq!(fs::read(home.mount().join("open")).unwrap(), b"went on");
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
}

/// It said that the bucket does not answer, after two and a half minutes.
#[test]
fn an_unmount_says_who_has_it_in_a_tree_of_their_own() {
    let home = Home::with_volume();
    home.mounted();
    let pid = home.status()["pid"].to_string();
    let sandbox = Sandbox::start();
    let unmounted = home.hushfs(["unmount", &home.mount_str()]).expect(0);
    let named = format!("(process {})", sandbox.0.id());
    assert!(unmounted.err.contains("still used by") && unmounted.err.contains(&named), "{}", unmounted.err);
    drop(sandbox);
    wait_for_end(&pid);
}

/// The library unmounted by path when the session had ended, whatever was mounted there by then, and complained
/// when nothing was.
#[test]
fn what_others_mounted_in_its_place_stays() {
    assert!(rustix::process::geteuid().is_root(), "binding and mounting another filesystem takes root");
    let home = Home::with_volume();
    home.mounted();
    let pid = home.status()["pid"].to_string();
    let second = home.path("second");
    fs::create_dir(&second).unwrap();
    let run = |command: &[&std::ffi::OsStr]| {
        assert!(Command::new(command[0]).args(&command[1..]).status().unwrap().success(), "{command:?}");
    };
    let (first, second) = (home.mount(), second.as_os_str());
    run(&["mount".as_ref(), "--bind".as_ref(), first.as_os_str(), second]);
    run(&["umount".as_ref(), first.as_os_str()]);
    run(&["mount".as_ref(), "-t".as_ref(), "tmpfs".as_ref(), "others".as_ref(), first.as_os_str()]);
    fs::write(first.join("theirs"), "1").unwrap();
    run(&["umount".as_ref(), second]);
    wait_for_end(&pid);
    assert_eq!(fs::read(first.join("theirs")).unwrap(), b"1");
    run(&["umount".as_ref(), first.as_os_str()]);
}

#[test]
fn a_mount_in_front_that_ends_well_warns_of_nothing() {
    let home = Home::with_volume();
    let log = home.path("front.log");
    let arguments = ["mount", "-f", &home.bucket(), &home.mount_str(), "--passphrase-file"];
    let mut front = Command::new(env!("CARGO_BIN_EXE_hushfs"));
    home.settle(&mut front);
    let mut front =
        front.args(arguments).arg(home.path("pass")).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let mounted = (0..1000).any(|_| {
        std::thread::park_timeout(std::time::Duration::from_millis(10));
        fs::read_to_string(&log).unwrap().contains("is mounted at")
    });
    assert!(mounted, "{}", fs::read_to_string(&log).unwrap());
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    assert!(front.wait().unwrap().success());
    let said = fs::read_to_string(&log).unwrap();
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
}

/// Puts a file where the log's folder was: from now on the bucket takes no commit.
fn take_away(home: &Home) {
    fs::rename(home.bucket_folder().join("log"), home.path("log.away")).unwrap();
    fs::write(home.bucket_folder().join("log"), "").unwrap();
}

fn bring_back(home: &Home) {
    fs::remove_file(home.bucket_folder().join("log")).unwrap();
    fs::rename(home.path("log.away"), home.bucket_folder().join("log")).unwrap();
}

#[test]
fn a_bucket_in_trouble_keeps_it_mounted_and_loses_nothing() {
    let home = Home::with_volume();
    home.mounted();
    take_away(&home);
    fs::write(home.mount().join("file"), vec![7; 100_000]).unwrap();
    for command in ["unmount", "sync"] {
        let refused = home.hushfs([command, "--timeout", "5", &home.mount_str()]).expect(10);
        assert!(
            refused.err.contains("still missing") && refused.err.contains("stays mounted"),
            "{}",
            refused.err
        );
    }
    let status = home.status();
    assert_eq!(status["health"], "failing");
    assert!(status["waiting"]["changes"].as_u64().unwrap() > 0, "{status}");
    assert_eq!(fs::read(home.mount().join("file")).unwrap(), vec![7; 100_000]);

    bring_back(&home);
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    home.mounted();
    assert_eq!(fs::read(home.mount().join("file")).unwrap(), vec![7; 100_000]);
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
}

#[test]
fn force_gives_up_with_a_warning() {
    let home = Home::with_volume();
    home.mounted();
    fs::write(home.mount().join("kept"), "1").unwrap();
    home.hushfs(["sync", &home.mount_str()]).expect(0);
    take_away(&home);
    fs::write(home.mount().join("lost"), "2").unwrap();
    let forced = home.hushfs(["unmount", "--force", &home.mount_str()]).expect(10);
    assert!(forced.err.contains("lost"), "{}", forced.err);
    home.hushfs(["status", &home.mount_str()]).expect(14);
    bring_back(&home);
    home.mounted();
    assert_eq!(fs::read_to_string(home.mount().join("kept")).unwrap(), "1");
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
}

#[test]
fn a_killed_mount_is_cleared_away_and_recovered() {
    let home = Home::with_volume();
    home.mounted();
    let mut file = fs::File::create(home.mount().join("synced")).unwrap();
    file.write_all(b"contents").unwrap();
    file.sync_all().unwrap();
    drop(file);
    let pid = home.status()["pid"].to_string();
    kill(&pid, "KILL");
    wait_for_end(&pid);
    assert!(fs::read_dir(home.mount()).is_err());
    assert!(home.hushfs(["unmount", &home.mount_str()]).expect(0).err.contains("had died"));
    home.mounted();
    assert_eq!(fs::read_to_string(home.mount().join("synced")).unwrap(), "contents");
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
}

#[test]
fn a_signal_and_a_foreign_unmount_put_everything_into_the_bucket() {
    let home = Home::with_volume();
    for (name, end) in [("by signal", true), ("by umount", false)] {
        home.mounted();
        fs::write(home.mount().join(name), name).unwrap();
        let pid = home.status()["pid"].to_string();
        if end {
            kill(&pid, "TERM");
        } else {
            let unmounted = Command::new("fusermount3").arg("-u").arg(home.mount()).status().unwrap();
            assert!(unmounted.success());
        }
        wait_for_end(&pid);
        home.mounted();
        assert_eq!(fs::read_to_string(home.mount().join(name)).unwrap(), name);
        home.hushfs(["unmount", &home.mount_str()]).expect(0);
    }
}

#[test]
fn a_mount_that_follows_an_unmount_at_once_waits_for_what_is_still_stored() {
    let home = Home::with_volume();
    for round in 0..3u8 {
        home.mounted();
        fs::write(home.mount().join("file"), vec![round; 20 << 20]).unwrap();
        let unmounted = Command::new("fusermount3").arg("-u").arg(home.mount()).status().unwrap();
        assert!(unmounted.success());
    }
    home.mounted();
    assert_eq!(fs::read(home.mount().join("file")).unwrap(), vec![2; 20 << 20]);
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
}

/// Whoever unmounts and mounts again need not wait in between.
#[test]
fn a_mount_lets_an_unmount_go_first_that_begins_at_the_same_moment() {
    let home = Home::with_volume();
    home.mounted();
    for _ in 0..5 {
        let mount = home.hushfs(["mount", &home.bucket(), &home.mount_str()]).pass().start();
        let unmounted = Command::new("fusermount3").arg("-u").arg(home.mount()).status().unwrap();
        let mounted = ran(mount.wait_with_output().unwrap());
        assert!(unmounted.success() && mounted.code == 0, "{}", mounted.err);
    }
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
}

#[test]
fn commands_that_follow_an_unmount_at_once_wait_for_what_is_still_stored() {
    let home = Home::with_volume();
    home.mounted();
    fs::write(home.mount().join("file"), vec![1; 20 << 20]).unwrap();
    let unmounted = Command::new("fusermount3").arg("-u").arg(home.mount()).status().unwrap();
    assert!(unmounted.success());
    home.hushfs(["quota", "--set", "1G", &home.bucket()]).pass().expect(0);

    // A process that is leaving, and takes its time.
    let keyring = home.path("data").join("hushfs");
    let lock = find(&keyring, "lock").unwrap_or_else(|| panic!("no lock below {}", keyring.display()));
    let lock = fs::File::options().write(true).open(lock).unwrap();
    lock.try_lock().unwrap();
    lock.set_len(0).unwrap();
    (&lock).write_all(b"1 leaving\n").unwrap();
    let commands = [vec!["gc"], vec!["quota", "--set", "2G"], vec!["key", "rotate"]];
    let started = commands.map(|command| {
        let mut command = home.hushfs(command).arg(home.bucket()).pass().start();
        let mut said = BufReader::new(command.stderr.take().unwrap()).lines().map(Result::unwrap);
        (command, said.find(|line| line.contains("still being stored by process 1")), said)
    });
    drop(lock);
    for (mut command, warned, rest) in started {
        let rest = rest.collect::<Vec<_>>();
        assert!(warned.is_some(), "{rest:?}");
        assert!(command.wait().unwrap().success(), "{rest:?}");
    }
}

/// A file below `folder` whose name ends in `extension`.
fn find(folder: &std::path::Path, extension: &str) -> Option<std::path::PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.into_iter().find_map(|path| match path.is_dir() {
        true => find(&path, extension),
        false => path.extension().is_some_and(|found| found == extension).then_some(path),
    })
}

/// A copy in another mount namespace keeps a filesystem alive after umount, as with a disk.
#[test]
fn a_mount_that_another_namespace_still_has_is_named_as_such() {
    let home = Home::with_volume();
    home.mounted();
    let pid = home.status()["pid"].to_string();
    let sandbox = Sandbox::start();
    let unmounted = Command::new("fusermount3").arg("-u").arg(home.mount()).status().unwrap();
    assert!(unmounted.success());
    let again = home.hushfs(["mount", &home.bucket(), &home.mount_str()]).pass().expect(16);
    assert!(again.err.contains("mount namespace") && again.err.contains(&pid), "{}", again.err);
    drop(sandbox);
    home.mounted();
    home.unmount();
}

#[test]
fn secrets_are_neither_in_argv_nor_in_the_environment_of_the_mount() {
    let home = Home::with_volume();
    home.mounted();
    let pid = home.status()["pid"].to_string();
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("horse") && !text.is_empty(), "{file}: {text}");
    }
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(cores.split_whitespace().nth(4) == Some("0"), "{cores}");
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
}

#[test]
fn the_helper_of_mount_8_mounts_it_by_its_type() {
    let home = Home::with_volume();
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_hushfs")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let options = format!("passphrase-file={},cache-size=1M,_netdev,noatime", home.path("pass").display());
    // What mount(8) runs for -t fuse.hushfs and in fstab; itself it would look in the system's folders only.
    let mut mount = Command::new("/sbin/mount.fuse3");
    home.settle(&mut mount);
    mount.env("PATH", path).arg(home.bucket()).arg(home.mount()).args(["-t", "fuse.hushfs", "-o", &options]);
    let mounted = ran(mount.output().unwrap());
    assert_eq!(mounted.code, 0, "{}", mounted.err);
    fs::write(home.mount().join("file"), "contents").unwrap();
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
}

#[test]
fn the_helper_of_mount_8_remounts() {
    let home = Home::with_volume();
    // What mount(8) hands to its helper: nothing of suid and dev, which are its defaults.
    let helper = |options: &str| {
        let mut helper = Command::new(env!("CARGO_BIN_EXE_hushfs"));
        home.settle(&mut helper);
        helper.arg0("/sbin/mount.fuse.hushfs").arg(home.bucket()).arg(home.mount());
        let pass = format!("{options},passphrase-file={}", home.path("pass").display());
        ran(helper.args(["-n", "-o", &pass, "-t", "fuse.hushfs"]).output().unwrap())
    };
    let shows = |option: &str| {
        let table = fs::read_to_string("/proc/self/mounts").unwrap();
        let line = table.lines().find(|line| line.contains(&home.mount_str())).unwrap().to_owned();
        line.split([' ', ',']).any(|word| word == option)
    };
    let file = home.mount().join("file");
    assert_eq!(helper("remount,ro").code, 14, "nothing is mounted yet");
    assert_eq!(helper("rw,acl,user_xattr").code, 0);
    let root = rustix::process::geteuid().is_root();
    assert_eq!(shows("nosuid") || shows("nodev"), !root);
    if !root {
        assert_eq!(helper("ro,remount").code, 8);
        home.hushfs(["unmount", &home.mount_str()]).expect(0);
        return;
    }
    let open = fs::File::create(&file).unwrap();
    assert_eq!(helper("ro,remount").code, 15, "a file is open for writing");
    drop(open);
    fs::write(&file, "contents").unwrap();
    let remounted = helper("ro,nosuid,nodev,remount,user_id=0,group_id=0,default_permissions,allow_other");
    assert_eq!(remounted.code, 0, "{}", remounted.err);
    assert!(shows("ro") && shows("nosuid") && shows("nodev"));
    assert_eq!(home.status()["waiting"]["changes"], 0);
    assert_eq!(fs::write(&file, "").unwrap_err().kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    assert_eq!(helper("remount,rw").code, 0);
    assert!(shows("rw") && !shows("nosuid"));
    fs::write(&file, "more").unwrap();
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    assert_eq!(helper("ro").code, 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), "more");
    assert_eq!(fs::write(&file, "").unwrap_err().kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    assert_eq!(helper("remount,rw").code, 0);
    fs::write(&file, "still more").unwrap();
    fs::create_dir(home.mount().join("folder")).unwrap();
    assert_eq!(home.status()["read_only"], false);
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    home.mounted();
    assert_eq!(fs::read_to_string(&file).unwrap(), "still more");
    assert!(home.mount().join("folder").is_dir());
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    home.hushfs(["fsck", "--data", &home.bucket()]).pass().expect(0);
}

#[test]
fn a_mount_that_looks_begins_to_write_only_while_nobody_else_does() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let home = Home::with_volume();
    let looking = home.path("looking");
    fs::create_dir(&looking).unwrap();
    let looking_str = looking.to_str().unwrap();
    home.hushfs(["mount", "--read-only", &home.bucket(), looking_str]).pass().expect(0);
    home.mounted();
    fs::write(home.mount().join("file"), "contents").unwrap();
    let remount = || home.hushfs(["mount", "-o", "remount,rw", &home.bucket(), looking_str]);
    remount().expect(16);
    assert!(fs::write(looking.join("other"), "").is_err(), "it goes on looking");
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    remount().expect(0);
    fs::write(looking.join("other"), "more").unwrap();
    assert_eq!(fs::read_to_string(looking.join("file")).unwrap(), "contents");
    home.hushfs(["mount", &home.bucket(), &home.mount_str()]).pass().expect(0);
    assert_eq!(fs::read_to_string(home.mount().join("other")).unwrap(), "more");
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    home.hushfs(["unmount", looking_str]).expect(0);
}

#[test]
fn a_remount_changes_the_rule_of_access_times_and_keeps_it_otherwise() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let home = Home::with_volume();
    home.mounted();
    let file = home.mount().join("file");
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::write(&file, "contents").unwrap();
    let counts = |options: &str| {
        home.hushfs(["mount", "-o", options, &home.bucket(), &home.mount_str()]).pass().expect(0);
        let times = fs::FileTimes::new().set_accessed(old);
        fs::File::options().write(true).open(&file).unwrap().set_times(times).unwrap();
        fs::read(&file).unwrap();
        fs::metadata(&file).unwrap().accessed().unwrap() != old
    };
    assert!(!counts("remount,noatime"));
    assert!(!counts("remount,rw"), "nothing is said of access times");
    assert!(counts("remount,relatime"));
    assert!(counts("remount,strictatime"));
    let table = fs::read_to_string("/proc/self/mounts").unwrap();
    let line = table.lines().find(|line| line.contains(&home.mount_str())).unwrap();
    assert!(!line.contains("atime"), "this is how the kernel shows it: {line}");
    home.unmount();
}

#[test]
fn nobody_at_the_terminal_is_an_error_and_not_a_wait() {
    let home = Home::with_volume();
    let mut command = Command::new("setsid");
    home.settle(&mut command);
    command.arg("--wait").arg(env!("CARGO_BIN_EXE_hushfs")).args(["fsck", &home.bucket()]);
    let refused = ran(command.stdin(std::process::Stdio::null()).output().unwrap());
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("--passphrase-file"), "{}", refused.err);
}

fn kill(pid: &str, signal: &str) {
    assert!(Command::new("kill").args(["-s", signal, pid]).status().unwrap().success());
}

/// A process with a tree of mounts of its own, a copy of ours. Ends when it is dropped.
struct Sandbox(Child);

impl Sandbox {
    fn start() -> Self {
        let own = if rustix::process::geteuid().is_root() { &[][..] } else { &["--user", "--map-root-user"] };
        let mut process = Command::new("unshare")
            .args(own)
            .args(["--mount", "--propagation", "private", "sh", "-c", "echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Its first line comes from inside.
        process.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        Self(process)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// Waits for the process's end, which the kernel announces through its pidfd.
fn wait_for_end(pid: &str) {
    let ended = Command::new("timeout")
        .args(["60", "tail", &format!("--pid={pid}"), "-f", "/dev/null"])
        .status()
        .unwrap();
    assert!(ended.success(), "process {pid} is still there");
}

/// What `quota --json` says: bytes, inodes used, and their limits.
fn quota(home: &Home, arguments: &[&str]) -> (u64, u64, u64, u64) {
    let ran = home.hushfs(["quota", "--json", &home.bucket()]).pass();
    let ran = arguments.iter().fold(ran, |call, argument| call.arg(argument)).expect(0);
    let shown: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let number = |name: &str| shown[name].as_u64().unwrap();
    (number("bytes"), number("inodes"), number("quota_bytes"), number("quota_inodes"))
}

#[test]
fn a_quota_is_set_by_init_and_changed_with_and_without_a_mount() {
    let home = Home::new();
    home.hushfs(["init", "--kdf", "minimum", "--quota", "1M", "--quota-inodes", "2", &home.bucket()])
        .pass()
        .expect(0);
    assert_eq!(quota(&home, &[]), (0, 1, 1 << 20, 2));
    assert_eq!(quota(&home, &["--set-inodes", "0"]), (0, 1, 1 << 20, 0));

    home.mounted();
    let file = home.mount().join("file");
    fs::write(&file, vec![7; 1 << 20]).unwrap();
    home.hushfs(["sync", &home.mount_str()]).expect(0);
    assert_eq!(quota(&home, &[]), (1 << 20, 2, 1 << 20, 0));
    let more = fs::File::create(home.mount().join("more")).unwrap();
    let refused = (&more).write_all(&[7; 4096]).and_then(|()| more.sync_all()).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(quota(&home, &["--set", "2M"]).2, 2 << 20);
    let status = home.status();
    assert_eq!(status["space"]["quota_bytes"], 2 << 20);
    (&more).write_all(&[7; 4096]).unwrap();
    more.sync_all().unwrap();
    drop(more);
    home.hushfs(["unmount", &home.mount_str()]).expect(0);

    let shown = home.hushfs(["quota", &home.bucket(), "--set", "0"]).pass().expect(0);
    assert!(shown.out.contains("no limit"), "{}", shown.out);
    assert_eq!(quota(&home, &[]).2, 0);
}
