//! How many requests and bytes the calls of programs cost: the figures that issue and bill are about, exact where they
//! can be.

#[path = "../common/witness.rs"]
mod witness;

mod gone;
mod machine;
mod metadata;
mod reading;
mod writing;
