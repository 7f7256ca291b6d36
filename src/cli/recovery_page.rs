//! The page to print and lock away: a recovery code and all that is needed to use it years later.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use zeroize::Zeroizing;

use super::opening::Opened;
use crate::keyring::{Fingerprint, RecoveryCode, SlotId};

/// What stands before the code on the page.
const LABEL: &str = "recovery code";

/// The code in `text`, which is a whole page, also one that somebody typed or quoted in a mail, or the code alone. It may
/// go on in further lines: mail programs break lines as long as the one with the code.
pub fn code_in(text: &str) -> Zeroizing<String> {
    let mut lines = text.lines();
    let Some(first) = lines.find_map(after_label) else { return Zeroizing::new(text.trim().to_owned()) };
    // As long as the whole, so that it never grows and leaves copies behind.
    let mut code = Zeroizing::new(String::with_capacity(text.len()));
    code.push_str(first.trim());
    for line in lines.map(without_quotes) {
        let has_all = code.chars().filter(char::is_ascii_alphanumeric).count() >= RecoveryCode::SYMBOLS;
        if has_all || line.is_empty() || !line.chars().all(RecoveryCode::may_hold) {
            break;
        }
        code.push_str(line.trim_end());
    }
    code
}

/// A line without blanks and marks of quotation before it.
fn without_quotes(line: &str) -> &str {
    line.trim_start_matches(|char: char| !char.is_alphanumeric())
}

/// What stands behind the label in a line that begins with it.
fn after_label(line: &str) -> Option<&str> {
    let (label, code) = without_quotes(line).split_at_checked(LABEL.len())?;
    label.eq_ignore_ascii_case(LABEL).then(|| code.trim_start().trim_start_matches(':'))
}

/// The page, which holds the code. Wiped when it is dropped.
pub struct RecoveryPage {
    text: Zeroizing<String>,
}

impl RecoveryPage {
    /// `code` opens the volume by its key slot `slot`.
    pub fn new(opened: &Opened, code: &RecoveryCode, slot: SlotId) -> Self {
        Self::of(opened, opened.unlocked.fingerprint(), code, slot)
    }

    /// `code` opens the volume under another volume key, whose fingerprint is given.
    pub fn of(opened: &Opened, fingerprint: Fingerprint, code: &RecoveryCode, slot: SlotId) -> Self {
        let bucket = &opened.store.location;
        let volume = opened.unlocked.volume();
        let place = &opened.store.place;
        let code = code.to_text();
        Self {
            text: Zeroizing::new(format!(
                "HUSHFS RECOVERY PAGE\n\
                 \n  volume id      {volume}\
                 \n  bucket         {place}\
                 \n  fingerprint    {fingerprint}\
                 \n  key slot       {slot}\
                 \n  {LABEL}  {}\n\n\
                 The code opens the volume without any passphrase. Whoever has it and can read the bucket reads\n\
                 everything. Keep it on paper in a safe place, away from the machine; nobody can make it again.\n\n\
                 To use it, on any Linux machine with hushfs and access to the bucket:\n\n  \
                 1. hushfs mount --recovery-code {bucket} MOUNTPOINT\n     \
                 and type the code; case, spaces and dashes do not matter, O is read as 0, I and L as 1.\n  \
                 2. hushfs status MOUNTPOINT\n     \
                 must show the fingerprint above; anything else is another volume.\n  \
                 3. hushfs key add --recovery-code --new-passphrase {bucket}\n     \
                 gives the volume a new passphrase.\n\n\
                 When this page is lost or no longer needed, so that its code opens nothing any more:\n\n     \
                 hushfs key remove {bucket} {slot}\n     \
                 takes away the key slot above; hushfs key list {bucket} shows it as recovery-code.\n",
                code.as_str()
            )),
        }
    }

    /// Writes it to standard output.
    ///
    /// # Errors
    /// When nobody reads there.
    pub fn print(&self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(self.text.as_bytes()).and_then(|()| out.flush()).context("printing the recovery page")
    }

    /// Writes it to a new file of mode 0600, durable when it returns.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(self.text.as_bytes())?;
            file.sync_all()?;
            let folder = std::path::absolute(path)?;
            File::open(folder.parent().unwrap_or(Path::new("/")))?.sync_all()
        };
        write().with_context(|| format!("the recovery page {} could not be written", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_on_a_page_however_it_came_back() {
        for text in [
            "AB-CD",
            " AB-CD\r\n",
            "HUSHFS RECOVERY PAGE\n\n  volume id  12\n  recovery code  AB-CD\n\nThe code opens …",
            "> hushfs recovery page\n>   recovery code  AB-CD\n> 1. hushfs mount --recovery-code X\n",
            "Recovery Code: AB-CD",
            "RECOVERY CODE AB-CD",
            "> recovery code\n> AB-CD\n>\n> The code",
            "  recovery code  AB-\n  CD\n\nThe code opens the volume without any passphrase. Whoever",
            "recovery code:\r\nAB-\r\nCD\r\n1. hushfs mount",
        ] {
            assert_eq!(*code_in(text), "AB-CD", "{text:?}");
        }
        assert_eq!(*code_in("ärecovery cod"), "ärecovery cod");
        let all = "0".repeat(RecoveryCode::SYMBOLS);
        assert_eq!(*code_in(&format!("recovery code {all}\nThe code opens")), all);
    }
}
