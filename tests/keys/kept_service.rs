//! The Secret Service, played by a real GNOME Keyring on a bus of its own.

use super::desktop::Desktop;
use super::*;

const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// Runs in the session of `desktop`.
fn on(desktop: &Desktop, call: Call<'_>, code: i32) -> Ran {
    call.env(BUS, &desktop.address).expect(code)
}

fn mount<'a>(home: &'a Home) -> Call<'a> {
    home.hushfs(["mount", &home.bucket(), &home.mount_str()])
}

#[test]
fn in_a_desktop_session_the_secret_service_keeps_the_key_until_it_is_locked() {
    let home = Home::with_volume();
    let desktop = Desktop::start(&home);
    let unlocked = on(&desktop, home.hushfs(["unlock", &home.bucket()]).pass(), 0);
    assert!(unlocked.err.contains("the Secret Service"), "{}", unlocked.err);
    on(&desktop, mount(&home), 0);
    home.unmount();
    on(&desktop, opens(&home, &[]), 0);

    let items = desktop.items();
    let listed = home.hushfs(["unlock", "--show", "--json"]).expect(0);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed[0]["kept_in"], "secret-service");
    assert!(items.contains(listed[0]["volume"].as_str().unwrap()), "{items}");
    assert!(
        !items.contains("bucket") && !items.contains(listed[0]["fingerprint"].as_str().unwrap()),
        "{items}"
    );

    // Without the bus it says so, and asks.
    let away = mount(&home).expect(2);
    assert!(away.err.contains("cannot be had") && away.err.contains("no session bus"), "{}", away.err);
    let still = home.hushfs(["lock", &home.bucket()]).expect(1);
    assert!(still.err.contains("still in the Secret Service"), "{}", still.err);

    let locked = on(&desktop, home.hushfs(["lock", &home.bucket()]), 0);
    assert!(locked.err.contains("the Secret Service"), "{}", locked.err);
    assert!(!desktop.items().contains("hushfs"));
    on(&desktop, mount(&home), 2);
}

#[test]
fn a_locked_service_that_can_ask_nobody_is_told_in_a_line() {
    let home = Home::with_volume();
    let desktop = Desktop::start(&home);
    on(&desktop, home.hushfs(["unlock", &home.bucket(), "--keep-in", "secret-service"]).pass(), 0);
    desktop.lock_collection();
    let asked = on(&desktop, mount(&home), 2);
    assert!(asked.err.contains("the Secret Service stays locked"), "{}", asked.err);
    // The key is not given up for that.
    let still = on(&desktop, home.hushfs(["lock", &home.bucket()]), 8);
    assert!(still.err.contains("still in the Secret Service"), "{}", still.err);
    let shown = home.hushfs(["unlock", "--show"]).expect(0);
    assert!(shown.out.contains("the Secret Service"), "{}", shown.out);
}

#[test]
fn lock_all_takes_keys_out_of_the_service_and_out_of_the_kernel() {
    let (home, other) = (Home::with_volume(), Home::with_volume());
    let desktop = Desktop::start(&home);
    on(&desktop, home.hushfs(["unlock", &home.bucket()]).pass(), 0);
    // A machine that lost its notes still finds what it left there.
    let mut command = std::process::Command::new("unshare");
    home.settle(&mut command);
    // In a user namespace, which has a kernel keyring of its own: whoever runs the tests may keep keys, too.
    let script = r#""$0" unlock "$1" --keep-in kernel --passphrase-file "$2"; rm -r "$3"; "$0" lock --all"#;
    command.args(["--user", "--map-current-user", "sh", "-ec", script, env!("CARGO_BIN_EXE_hushfs")]);
    command.arg(other.bucket()).arg(home.path("pass")).arg(home.path("data/hushfs/keyring"));
    command.env(BUS, &desktop.address);
    let locked = cli::ran(command.output().unwrap());
    assert!(locked.code == 0 && locked.err.contains("2 keys are forgotten"), "{}", locked.err);
    assert!(!desktop.items().contains("hushfs"));
}

#[test]
fn without_a_service_the_kernel_keeps_the_key_unless_the_service_was_asked_for_by_name() {
    let home = Home::with_volume();
    let desktop = Desktop::without_keyring(&home);
    let named = home.hushfs(["unlock", &home.bucket(), "--keep-in", "secret-service"]).pass();
    let refused = on(&desktop, named, 1);
    assert!(refused.err.contains("no Secret Service runs"), "{}", refused.err);
    let forgets = super::kept::Forgets(&home);
    let unlocked = on(&desktop, home.hushfs(["unlock", &home.bucket(), "--for", "10m"]).pass(), 0);
    assert!(unlocked.err.contains("the kernel keyring"), "{}", unlocked.err);
    super::kept::mounts_unasked(&home);
    drop(forgets);
}

#[test]
fn a_bus_on_the_network_is_not_trusted_with_a_key() {
    let home = Home::with_volume();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("tcp:host=127.0.0.1,port={}", listener.local_addr().unwrap().port());
    let unlock = home.hushfs(["unlock", &home.bucket(), "--keep-in", "secret-service"]).pass();
    let refused = unlock.env(BUS, &address).expect(8);
    assert!(refused.err.contains("only a socket of this machine"), "{}", refused.err);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "it was talked to");
}
