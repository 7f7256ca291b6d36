//! Whole volumes on a bucket in memory, mostly driven by hand: no real time, no chance.

mod answers;
mod clocks;
mod conflicts;
mod convergence;
mod crash;
mod durability;
mod following;
mod garbage;
mod hostile;
mod packs;
mod reencrypt;
mod rollback;
mod rotation;
mod sleepers;
mod spoilt;
mod threads;
mod world;
