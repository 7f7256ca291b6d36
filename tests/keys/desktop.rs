//! A desktop session for one test: a session bus and a GNOME Keyring, unlocked with a password.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use super::Home;

/// Ends with the test: the keyring's daemon goes when its bus does.
pub struct Desktop {
    bus: Child,
    pub address: String,
}

impl Desktop {
    /// A bus without any service.
    pub fn without_keyring(home: &Home) -> Self {
        let config = home.path("bus.conf");
        // Its own configuration: no services that the bus would start by itself.
        let text = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
            "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
            <busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>
            <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
            <allow own="*"/></policy></busconfig>"#;
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("dbus-daemon");
        home.settle(&mut command);
        command.args(["--nofork", "--print-address", "--config-file"]).arg(config);
        let mut bus = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { bus, address: address.trim().to_owned() }
    }

    /// A bus with an unlocked keyring.
    pub fn start(home: &Home) -> Self {
        let desktop = Self::without_keyring(home);
        desktop.unlock(home);
        desktop
    }

    /// Starts the keyring's daemon, which goes into the background when it can be used.
    fn unlock(&self, home: &Home) {
        std::fs::create_dir_all(home.path("run")).unwrap();
        let mut command = Command::new("gnome-keyring-daemon");
        home.settle(&mut command);
        command.args(["--unlock", "--components=secrets"]).env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut daemon = command.spawn().unwrap();
        daemon.stdin.take().unwrap().write_all(b"login password").unwrap();
        assert!(daemon.wait().unwrap().success(), "no keyring");
    }

    /// Locks the collection, as a screen saver may.
    pub fn lock_collection(&self) {
        let ran = Command::new("dbus-send")
            .args(["--session", "--print-reply", "--dest=org.freedesktop.secrets"])
            .args(["/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock"])
            .arg("array:objpath:/org/freedesktop/secrets/collection/login")
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    /// What the service tells of its items to anybody on the bus.
    pub fn items(&self) -> String {
        let ran = Command::new("dbus-send")
            .args(["--session", "--print-reply", "--dest=org.freedesktop.secrets"])
            .args(["/org/freedesktop/secrets/collection/login/1", "org.freedesktop.DBus.Properties.GetAll"])
            .arg("string:org.freedesktop.Secret.Item")
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .output()
            .unwrap();
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.bus.kill().unwrap();
        self.bus.wait().unwrap();
    }
}
