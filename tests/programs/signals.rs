//! Programs that signals reach while the mount serves their calls.

use crate::mounted;
use crate::programs::shell;

/// Each one was an error in the log: of the reply to a message that needs none.
#[test]
fn calls_that_signals_interrupt_leave_no_errors_in_the_log() {
    const INTERRUPTED: &str = r#"
        python3 - <<'END'
import os, signal
reached = 0
def reach(*_):
    global reached
    reached += 1
signal.signal(signal.SIGALRM, reach)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
file = os.open("file", os.O_CREAT | os.O_RDWR)
written = 0
while reached < 200:
    os.pwrite(file, b"%08d" % written, 8 * written)
    os.fsync(file)
    written += 1
signal.setitimer(signal.ITIMER_REAL, 0)
assert os.pread(file, 8 * written, 0) == b"".join(b"%08d" % number for number in range(written))
END
    "#;
    let home = mounted();
    shell(&home.mount(), INTERRUPTED, &[]);
    home.unmount();
    let log = home.log();
    assert!(log.contains("is mounted") && !log.contains("ERROR"), "{log}");
}
