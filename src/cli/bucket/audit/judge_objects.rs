//! From findings to verdicts about the objects and the key slots.

use super::findings::{Findings, Group, Standing, Strays, tame};
use super::remedy::{Remedy, choosing, quoted};
use super::row::{Row, Verdict};
use crate::cli::size::{count, show_size};
use crate::crypto::Cost;
use crate::object::ServerEncryption;
use crate::volume::ObjectName;

/// The rows about what is under the prefix.
pub fn judge(findings: &Findings) -> Vec<Row> {
    vec![encryption(findings), strays(findings), unsealed(findings), epochs(findings), slots(findings)]
}

/// What keeps the objects from being judged, if anything.
fn not_seen(check: &'static str, findings: &Findings) -> Option<Row> {
    let why = findings.objects.listing_failed.as_ref()?;
    Some(Row::unknown(
        check,
        format!("the objects could not be listed: {why}"),
        "allow s3:ListBucket, or try again",
    ))
}

/// A good verdict needs what was looked at; a bad one stands anyway.
fn unless_unread(row: Row, findings: &Findings) -> Row {
    let objects = &findings.objects;
    if row.verdict != Verdict::Ok || objects.unread == 0 {
        return row;
    }
    let why = objects.unread_because.as_deref().unwrap_or("no reason was given");
    let said = format!(
        "{} could not be looked at ({why}); of the others: {}",
        count(objects.unread, "object"),
        row.finding
    );
    Row::unknown(row.check, said, "allow s3:GetObject (and kms:Decrypt), or try again")
}

/// How much was looked at, in words.
fn scope(findings: &Findings) -> String {
    let objects = &findings.objects;
    let all = objects.looked_at + objects.unread >= objects.own;
    let looked = count(objects.looked_at, "object");
    if all {
        format!("{looked} looked at, all there are")
    } else {
        format!("{looked} of {} looked at", objects.own)
    }
}

fn encryption(findings: &Findings) -> Row {
    const CHECK: &str = "object-encryption";
    if findings.folder {
        return Row::judge(CHECK, &super::findings::Known::<()>::NoServer, |()| Row::ok(CHECK, ""));
    }
    if let Some(row) = not_seen(CHECK, findings) {
        return row;
    }
    let groups = &findings.objects.encryption;
    let scope = scope(findings);
    let Some(secret) = &findings.secret else {
        let said = format!("{scope}: {}", in_words(groups));
        return Row::unknown(
            CHECK,
            said,
            "what the volume wants is sealed in its settings: run this with its key",
        );
    };
    let asked = secret.kinds.first().map_or_else(String::new, |kind| kind.describe());
    let of = |standing| groups.iter().filter(|group| group.standing == standing).cloned().collect::<Vec<_>>();
    let (older, wrong) = (of(Standing::Older), of(Standing::Wrong));
    let remedy = Remedy::hushfs(format!("bucket reencrypt {} {}", findings.place(), choice(secret)));
    let row = if !wrong.is_empty() {
        let said =
            format!("{scope}; not what the volume's settings permit, and so refused: {}", in_words(&wrong));
        Row::fail(CHECK, said, remedy)
    } else if !older.is_empty() {
        Row::warn(CHECK, format!("{scope}; from before {}: {}", chosen(secret), in_words(&older)), remedy)
    } else {
        Row::ok(CHECK, format!("{scope}; all as the volume asks ({asked}): {}", in_words(groups)))
    };
    unless_unread(row, findings)
}

/// What happened when the volume got the setting that it has.
fn chosen(secret: &super::findings::Secret) -> String {
    match secret.kinds.first() {
        None | Some(ServerEncryption::Bucket) => "the choice was left to the bucket".to_owned(),
        Some(kind) => format!("{} was chosen", kind.describe()),
    }
}

fn choice(secret: &super::findings::Secret) -> String {
    secret.kinds.first().map_or_else(|| "--sse KIND".to_owned(), choosing)
}

/// Kinds and how many have each, with an example where it is about few.
fn in_words(groups: &[Group]) -> String {
    let each = groups.iter().map(|group| {
        let example = group.examples.first().filter(|_| group.standing != Standing::Current);
        let example = example.map_or_else(String::new, |key| format!(" (as {key})"));
        format!("{} {}{example}", group.count, group.says)
    });
    let words: Vec<String> = each.collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn list(strays: &Strays) -> String {
    let each = strays.shown().iter().map(|(name, len)| format!("{} ({})", tame(name), show_size(*len)));
    let mut words: Vec<String> = each.collect();
    if strays.count > words.len() as u64 {
        words.push("…".to_owned());
    }
    format!("{}, {} together: {}", count(strays.count, "object"), show_size(strays.bytes), words.join(", "))
}

fn strays(findings: &Findings) -> Row {
    const CHECK: &str = "stray-objects";
    if let Some(row) = not_seen(CHECK, findings) {
        return row;
    }
    let strays = &findings.objects.foreign;
    if strays.count == 0 {
        return Row::ok(CHECK, "every name is one of hushfs's");
    }
    Row::fail(
        CHECK,
        format!("not hushfs's, and not sealed by it: {}", list(strays)),
        about_strays(findings, strays),
    )
}

/// What belongs to another volume, in a folder of this one's, is never to be removed.
fn about_strays(findings: &Findings, strays: &Strays) -> Remedy {
    let folder = strays.named.iter().find_map(|(name, _)| folder_of_volume(name));
    let shown = strays.shown().iter();
    let rest: Vec<(String, u64)> =
        shown.filter(|(name, _)| folder_of_volume(name).is_none()).cloned().collect();
    let who = "find out who put them there, then: ";
    match folder {
        None => Remedy::from(who).with(take_away(findings, &rest)),
        Some(folder) => {
            let live = format!("another volume seems to live in {}, whose objects stay", tame(folder));
            match rest.is_empty() {
                true => Remedy::from(live),
                false => {
                    Remedy::from(format!("{live}; of the others, {who}")).with(take_away(findings, &rest))
                }
            }
        }
    }
}

/// The folder of a name that is one of hushfs's in a folder.
fn folder_of_volume(name: &str) -> Option<&str> {
    name.match_indices('/').find_map(|(at, _)| ObjectName::parse(&name[at + 1..]).map(|_| &name[..at]))
}

/// The commands for those that are known by name; where none is, how one would look.
fn take_away(findings: &Findings, named: &[(String, u64)]) -> Remedy {
    let one = |name: &str| match findings.folder {
        true => {
            let folder = findings.location.trim_start_matches("file://");
            Remedy::from(format!("rm {}", quoted(&format!("{folder}/{name}"))))
        }
        false => Remedy::aws(format!("s3 rm {}", quoted(&format!("{}/{name}", findings.location)))),
    };
    let each = named.iter().map(|(name, _)| one(name));
    each.reduce(|before, next| before.with(" && ").with(next)).unwrap_or_else(|| one("NAME"))
}

fn unsealed(findings: &Findings) -> Row {
    const CHECK: &str = "sealed-objects";
    if let Some(row) = not_seen(CHECK, findings) {
        return row;
    }
    let strays = &findings.objects.unsealed;
    let row = if strays.count == 0 {
        Row::ok(CHECK, format!("{}; each begins as a sealed object of this volume", scope(findings)))
    } else {
        Row::fail(
            CHECK,
            format!("named like hushfs's, but no sealed objects of this volume: {}", list(strays)),
            Remedy::hushfs(format!("fsck --data {}", findings.place()))
                .with(" && ")
                .with(take_away(findings, strays.shown())),
        )
    };
    unless_unread(row, findings)
}

fn epochs(findings: &Findings) -> Row {
    const CHECK: &str = "key-epochs";
    if let Some(row) = not_seen(CHECK, findings) {
        return row;
    }
    let seen = &findings.objects.epochs;
    let newest_seen = seen.iter().map(|(epoch, _)| *epoch).max();
    let current = findings.secret.as_ref().map(|secret| secret.epoch).or(newest_seen);
    // A newer one was begun meanwhile, or only names it: whether it is sealed is another check's question.
    let old: Vec<&(u32, u64)> = seen.iter().filter(|(epoch, _)| Some(*epoch) < current).collect();
    let each: Vec<String> = old.iter().map(|(epoch, number)| format!("{number} of epoch {epoch}")).collect();
    let remedy = Remedy::hushfs(format!("key rotate {} --reencrypt", findings.place()));
    match (&findings.secret, old.is_empty()) {
        (Some(secret), true) => {
            Row::ok(CHECK, format!("nothing is sealed under an older epoch than {}", secret.epoch))
        }
        (Some(secret), false) => Row::warn(
            CHECK,
            format!("the current epoch is {}; {} are sealed under older ones", secret.epoch, each.join(", ")),
            remedy,
        ),
        (None, true) => Row::unknown(
            CHECK,
            "one epoch is in use; whether it is the current one is sealed",
            Remedy::none(),
        ),
        (None, false) => Row::warn(
            CHECK,
            format!("several epochs are in use: {} are not of the newest seen", each.join(", ")),
            remedy,
        ),
    }
}

fn slots(findings: &Findings) -> Row {
    const CHECK: &str = "key-slots";
    let floor = Cost::STANDARD;
    let below = |cost: &Cost| cost.memory_kib < floor.memory_kib || cost.passes < floor.passes;
    let weak: Vec<String> = findings
        .slots
        .iter()
        .filter_map(|slot| slot.cost.filter(below).map(|cost| (slot, cost)))
        .map(|(slot, cost)| format!("{} ({} MiB, {} passes)", slot.id, cost.memory_kib / 1024, cost.passes))
        .collect();
    let kinds: Vec<&str> = findings.slots.iter().map(|slot| slot.kind.as_str()).collect();
    let note = if findings.secret.is_some() { "" } else { "; nobody vouches for the list without the key" };
    let all = format!("{}: {}{note}", count(findings.slots.len() as u64, "slot"), kinds.join(", "));
    if !weak.is_empty() {
        let said =
            format!("{all}; guessing is cheaper than for a new slot (64 MiB, 3 passes): {}", weak.join(", "));
        return Row::warn(CHECK, said, Remedy::hushfs(format!("key passwd {}", findings.place())));
    }
    if findings.slots.len() == 1 {
        let remedy = Remedy::hushfs(format!("key add {} --new-recovery-code", findings.place()));
        return Row::warn(CHECK, format!("{all}; when that is lost, so is the volume"), remedy);
    }
    Row::ok(CHECK, all)
}
