//! A bucket that lies, end to end: volume header, keyring, log, tree, segments, files.
//!
//! The promise: whatever the store does to its objects, a machine sees exactly the right contents or an error
//! with a reason (EIO for a system call). Never other plaintext, never a panic, never a hang. What a store can do
//! unnoticed to a machine that saw nothing newer (showing an old state as it was) stands in `rollback`.

#[path = "../common/picture.rs"]
mod picture;
#[path = "../common/witness.rs"]
mod witness;

mod bits;
mod frozen;
mod guard;
mod header;
mod judge;
mod lengths;
mod live;
mod log;
mod machine;
mod openings;
mod places;
mod rollback;
mod sample;
mod wire;
