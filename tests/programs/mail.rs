//! A mail server's load: many small files, each synced before it is acknowledged.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::cli::Home;
use crate::mounted;
use crate::programs::{python, run, script};

/// Programs that deliver at the same time.
const AGENTS: usize = 4;

/// Starts one that delivers `count` messages and prints the name of each once it is safe.
fn agent(home: &Home, number: usize, count: usize) -> std::process::Child {
    let mut command = Command::new("python3");
    command.arg(script("mail.py")).arg("deliver").arg(home.mount().join("mail"));
    command.args([number.to_string(), count.to_string()]);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn acknowledged(agent: &mut std::process::Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(agent.stdout.take().unwrap()).lines().map(|line| line.unwrap())
}

#[test]
fn a_mailbox_keeps_every_message_of_several_agents() {
    const MESSAGES: usize = 150;
    let home = mounted();
    python("mail.py", &["make".as_ref(), &home.mount().join("mail")]);
    let mut agents: Vec<_> = (0..AGENTS).map(|number| agent(&home, number, MESSAGES)).collect();
    let mut names = BTreeSet::new();
    for agent in &mut agents {
        names.extend(acknowledged(agent));
        assert!(agent.wait().unwrap().success());
    }
    assert_eq!(names.len(), AGENTS * MESSAGES);
    home.move_to_new_machine();
    check(&home, &names);
    home.unmount();
}

/// fsync never lies: what was acknowledged is there, whole, after the process that serves the mount is killed.
#[test]
fn a_mailbox_loses_no_acknowledged_message_when_the_mount_is_killed() {
    const ENOUGH: usize = 40;
    let home = mounted();
    python("mail.py", &["make".as_ref(), &home.mount().join("mail")]);
    let pid = home.status()["pid"].to_string();
    let mut agents: Vec<_> = (0..AGENTS).map(|number| agent(&home, number, 1_000_000)).collect();
    let mut lines: Vec<_> = agents.iter_mut().map(acknowledged).collect();
    let mut names: BTreeSet<String> =
        lines.iter_mut().flat_map(|lines| lines.take(ENOUGH).collect::<Vec<_>>()).collect();
    assert_eq!(names.len(), AGENTS * ENOUGH);
    run(Command::new("kill").args(["-s", "KILL", &pid]));
    // What they had acknowledged until they noticed.
    names.extend(lines.into_iter().flatten());
    for agent in &mut agents {
        assert!(!agent.wait().unwrap().success(), "an agent did not notice that the mount died");
    }
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    home.forget();
    home.mounted();
    check(&home, &names);
    home.unmount();
}

/// All of `names` are in the mailbox and whole; nothing in it is torn.
fn check(home: &Home, names: &BTreeSet<String>) {
    let list = home.path("acknowledged");
    std::fs::write(&list, names.iter().map(|name| format!("{name}\n")).collect::<String>()).unwrap();
    python("mail.py", &["check".as_ref(), &home.mount().join("mail"), &list]);
}
