//! Whole volumes on a bucket in memory, driven by hand: no thread, no real time, no chance.

mod durability;
mod world;
