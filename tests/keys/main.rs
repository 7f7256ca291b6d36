//! Who can open a volume, through the program: every kind of key slot added, used and removed; keys rotated.

#[path = "../common/cli.rs"]
mod cli;
#[path = "../common/servers.rs"]
mod servers;

mod add;
mod age;
mod desktop;
mod kept;
mod kept_file;
mod kept_service;
mod kms;
mod list;
mod passwd;
mod remove;
mod rotate;
mod wire;

use cli::{Call, Home, Ran};

/// The slots as `key list --json` gives them.
fn slots(home: &Home) -> Vec<serde_json::Value> {
    let listed = home.hushfs(["key", "list", "--json", &home.bucket()]).expect(0);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    listed["slots"].as_array().unwrap().clone()
}

/// The kinds of all slots, in order.
fn kinds(home: &Home) -> Vec<String> {
    slots(home).iter().map(|slot| slot["kind"].as_str().unwrap().to_owned()).collect()
}

/// The id of the first slot of `kind`.
fn id(home: &Home, kind: &str) -> String {
    let slots = slots(home);
    let slot = slots.iter().find(|slot| slot["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"));
    slot["id"].as_str().unwrap().to_owned()
}

/// Runs `key ...` with the right passphrase.
fn key(home: &Home, words: &[&str], code: i32) -> Ran {
    home.hushfs(["key"]).args(words).pass().expect(code)
}

/// `fsck`, which opens the volume, with the options that unlock it.
fn opens<'a>(home: &'a Home, unlock: &[&str]) -> Call<'a> {
    home.hushfs(["fsck", &home.bucket()]).args(unlock)
}
