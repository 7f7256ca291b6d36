//! The `hushfs` program.

fn main() {}
