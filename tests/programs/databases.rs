//! SQLite with several writers at a time.

use crate::mounted;
use crate::programs::{python, run};

fn sqlite_survives(mode: &str) {
    let home = mounted();
    let database = home.mount().join("database");
    python("sqlite.py", &["write".as_ref(), mode.as_ref(), &database]);
    home.move_to_new_machine();
    python("sqlite.py", &["check".as_ref(), mode.as_ref(), &database]);
    python("sqlite.py", &["write".as_ref(), mode.as_ref(), &database]);
    home.unmount();
}

#[test]
fn sqlite_with_a_write_ahead_log_survives_concurrent_writers() {
    sqlite_survives("wal");
}

#[test]
fn sqlite_with_a_rollback_journal_survives_concurrent_writers() {
    sqlite_survives("delete");
}

#[test]
fn sqlite_loses_no_transaction_when_the_mount_is_killed() {
    let home = mounted();
    let database = home.mount().join("database");
    python("sqlite.py", &["write".as_ref(), "wal".as_ref(), &database]);
    let pid = home.status()["pid"].to_string();
    run(std::process::Command::new("kill").args(["-s", "KILL", &pid]));
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    home.forget();
    home.mounted();
    python("sqlite.py", &["check".as_ref(), "wal".as_ref(), &database]);
    home.unmount();
}
