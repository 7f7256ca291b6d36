//! The program as a user meets it: a home of its own, a bucket, a mount point.

// Each test binary uses its part of this.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Names the processes that have something open below a folder.
const USERS: &str = r#"
    for link in /proc/[0-9]*/cwd /proc/[0-9]*/fd/*; do
        case $(readlink "$link") in "$1"*) ls -l "$link"; tr '\0' ' ' <"/proc/$(cut -d/ -f3 <<<"$link")/cmdline" ;; esac
    done
"#;

/// A scratch home; whatever is still mounted in it is taken away at the end.
pub struct Home {
    folder: tempfile::TempDir,
    bucket: Option<String>,
    endpoint: Option<String>,
}

/// How a command ended.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Home {
    pub fn new() -> Self {
        assert!(Path::new("/dev/fuse").exists(), "there is no /dev/fuse: these tests cannot run here");
        let folder = tempfile::Builder::new().prefix("hushfs-cli.").tempdir().unwrap();
        let home = Self { folder, bucket: None, endpoint: None };
        fs::create_dir(home.path("mount")).unwrap();
        home.secret("pass", b"correct horse battery staple\n");
        home
    }

    /// A home whose bucket holds a volume.
    pub fn with_volume() -> Self {
        Self::new().initialised()
    }

    /// A home whose bucket is `url`, on the S3 server at `endpoint` where that is given.
    pub fn with_bucket(url: String, endpoint: Option<String>) -> Self {
        let mut home = Self::new();
        (home.bucket, home.endpoint) = (Some(url), endpoint);
        home
    }

    /// Makes the volume.
    pub fn initialised(self) -> Self {
        self.hushfs(["init", "--kdf", "minimum", &self.bucket()]).pass().expect(0);
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn mount(&self) -> PathBuf {
        self.path("mount")
    }

    pub fn mount_str(&self) -> String {
        self.mount().to_str().unwrap().to_owned()
    }

    pub fn bucket_folder(&self) -> PathBuf {
        self.path("bucket")
    }

    pub fn bucket(&self) -> String {
        self.bucket.clone().unwrap_or_else(|| format!("file://{}", self.bucket_folder().display()))
    }

    /// A file of mode 0600.
    pub fn secret(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub fn hushfs<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Call<'_> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hushfs"));
        command.args(arguments).stdin(Stdio::null());
        self.settle(&mut command);
        Call { home: self, command }
    }

    /// The environment of a user whose home is this one.
    pub fn settle(&self, command: &mut Command) {
        command
            .env_remove("CREDENTIALS_DIRECTORY")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("RUST_LOG")
            .env("HOME", self.folder.path());
        for (variable, folder) in [
            ("XDG_DATA_HOME", "data"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_RUNTIME_DIR", "run"),
        ] {
            command.env(variable, self.path(folder));
        }
        if let Some(endpoint) = &self.endpoint {
            command.env("AWS_ENDPOINT_URL", endpoint);
        }
    }

    /// Mounts the volume at the usual place.
    pub fn mounted(&self) -> &Self {
        self.hushfs(["mount", &self.bucket(), &self.mount_str()]).pass().expect(0);
        self
    }

    /// What its mounts in the background logged.
    pub fn log(&self) -> String {
        let folder = self.path("state").join("hushfs/log");
        fs::read_dir(folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }

    pub fn sync(&self) {
        self.hushfs(["sync", &self.mount_str()]).expect(0);
    }

    pub fn unmount(&self) {
        let ended = self.hushfs(["unmount", &self.mount_str()]).run();
        if ended.code != 0 {
            let users = Command::new("bash").args(["-c", USERS, "bash"]).arg(self.mount()).output().unwrap();
            panic!(
                "unmount: {}\n{}\nused by: {}",
                ended.code,
                ended.err,
                String::from_utf8_lossy(&users.stdout)
            );
        }
    }

    /// Takes away everything that hushfs keeps on this machine: keyring, states, caches.
    pub fn forget(&self) {
        for folder in ["data", "state", "cache", "run"] {
            match fs::remove_dir_all(self.path(folder)) {
                Ok(()) => {}
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{folder}"),
            }
        }
    }

    /// Unmounts and mounts again on what is a new machine: all that is there now came out of the bucket.
    pub fn move_to_new_machine(&self) {
        self.unmount();
        self.forget();
        self.mounted();
    }

    /// The status of the mount, as JSON.
    pub fn status(&self) -> serde_json::Value {
        let ran = self.hushfs(["status", "--json", &self.mount_str()]).expect(0);
        serde_json::from_str(&ran.out).unwrap()
    }

    /// Every object of the bucket whose path begins with `prefix`, in order.
    pub fn objects(&self, prefix: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.bucket_folder().join(prefix), &mut found);
        found.sort();
        found
    }
}

fn walk(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), found);
        }
    } else if path.is_file() {
        found.push(path.to_owned());
    }
}

/// A command that has not run yet.
pub struct Call<'a> {
    home: &'a Home,
    command: Command,
}

impl Call<'_> {
    /// With the right passphrase.
    pub fn pass(mut self) -> Self {
        self.command.arg("--passphrase-file").arg(self.home.path("pass"));
        self
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    pub fn run(mut self) -> Ran {
        ran(self.command.output().unwrap())
    }

    /// Starts it, with a pipe for what it says on standard error.
    pub fn start(mut self) -> Child {
        self.command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// With a variable of its own in the environment.
    pub fn env(mut self, variable: &str, value: &str) -> Self {
        self.command.env(variable, value);
        self
    }

    /// Runs and insists on an exit code.
    pub fn expect(self, code: i32) -> Ran {
        let shown = format!("{:?}", self.command.get_args().collect::<Vec<_>>());
        let ran = self.run();
        assert_eq!(ran.code, code, "{shown}\nout: {}\nerr: {}", ran.out, ran.err);
        ran
    }
}

pub fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let folder = self.folder.path().to_str().unwrap_or("/nowhere").to_owned();
        for mount in
            table.lines().filter_map(|line| line.split(' ').nth(4)).filter(|mount| mount.starts_with(&folder))
        {
            let mut unmount = Command::new(env!("CARGO_BIN_EXE_hushfs"));
            self.settle(&mut unmount);
            let forced = unmount.args(["unmount", "--force", mount]).output();
            eprintln!("a test left {mount} mounted; unmounting: {forced:?}");
        }
    }
}
