//! Machines whose clocks are years apart: gc takes nobody for dead by its own clock alone.

use std::sync::Arc;
use std::time::Duration;

use super::world::*;
use crate::base::Ino;
use crate::base::clock::ManualClock;
use crate::volume::{GcRequest, Volume, fsck, gc};

const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A machine whose clock has gone on for `ahead` longer than the world's.
fn with_clock(world: &World, number: u8, ahead: Duration) -> Machine {
    let clock = ManualClock::default();
    clock.advance(ahead);
    let mut machine = world.machine(number);
    machine.env.clock = Arc::new(clock);
    machine
}

fn collect(volume: &Arc<Volume>, grace: Option<Duration>) -> u64 {
    gc(volume, GcRequest { grace, ..GcRequest::default() }, &|_, _| {}).unwrap().objects
}

/// One machine writes and stays, the other, whose clock differs, goes on and collects; then the first writes again,
/// so soon after its last look at the log that it does not look again.
fn writer_and_collector(writer_ahead: Duration, collector_ahead: Duration) {
    for grace in [None, Some(Duration::ZERO)] {
        let world = World::new();
        let writer = with_clock(&world, 1, writer_ahead).open().unwrap();
        put(&writer, "before", &noise(CHUNK, 1));
        writer.sync().unwrap();
        let collector = with_clock(&world, 2, collector_ahead).open().unwrap();
        for name in ["a", "b", "c", "d"] {
            put(&collector, name, &noise(CHUNK, 2));
            collector.sync().unwrap();
        }
        unlink(&collector, Ino::ROOT, "a").unwrap();
        assert_eq!(collect(&collector, grace), 0, "another machine has an open session");
        put(&writer, "acknowledged", &noise(CHUNK, 3));
        writer.sync().unwrap();
        let found = world.files();
        assert_eq!(found.get("acknowledged"), Some(&noise(CHUNK, 3)));
        assert_eq!(found.len(), 5);
        let reader = world.machine(3).open_read_only().unwrap();
        assert_eq!(fsck(&reader, true, &|_, _| {}).unwrap().problems, Vec::<String>::new());
    }
}

#[test]
fn m3_a_machine_whose_clock_is_years_ahead_collects_nothing_under_a_live_writer() {
    writer_and_collector(Duration::ZERO, TEN_YEARS);
}

#[test]
fn m3_nothing_is_collected_under_a_live_writer_whose_clock_is_years_behind() {
    writer_and_collector(Duration::ZERO, 2 * TEN_YEARS);
    writer_and_collector(TEN_YEARS, Duration::ZERO);
}
