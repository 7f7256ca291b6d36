//! Reading cold files.

use std::thread;

use hushfs::base::Ino;

use crate::machine::{CHUNK, KIB, MIB, Machine, World, noise};

const FILE: u64 = 64 * MIB;
/// The most the kernel asks for at once by itself.
const READ: u64 = 128 * KIB;

/// A volume with one large file, which takes `FILE / 8 MiB` segments.
fn world() -> (World, Vec<u8>) {
    let world = World::new();
    let bytes = noise(1, FILE);
    let machine = world.mount();
    machine.write_new(Ino::ROOT, "large", &bytes);
    machine.unmount();
    (world, bytes)
}

/// Before reading whole files is a habit, a request may bridge a chunk or two that another one fetches.
const BETWEEN: u64 = 6 * CHUNK;

fn photo(number: u64) -> String {
    format!("photo {number}")
}

/// A volume with `files` files of `size` bytes of noise, made one after the other.
fn photos(files: u64, size: u64) -> World {
    photos_made(0..files, size)
}

/// As [`photos`], made in an order that has nothing to do with their names.
fn mixed_photos(files: u64, size: u64) -> World {
    photos_made((0..files).map(|step| step * 17 % files), size)
}

fn photos_made(numbers: impl Iterator<Item = u64>, size: u64) -> World {
    let world = World::new();
    let machine = world.mount();
    numbers.for_each(|number| {
        machine.write_new(Ino::ROOT, &photo(number), &noise(number, size));
    });
    machine.unmount();
    world
}

/// All photos as the directory lists them, or by name.
fn in_order(machine: &Machine, by_name: bool) -> Vec<u64> {
    let mut names = machine.list();
    if by_name {
        names.sort();
    }
    names.iter().map(|name| name.strip_prefix("photo ").unwrap().parse().unwrap()).collect()
}

/// Reads all of a photo of `size` bytes as the kernel does.
fn read_photo(machine: &Machine, number: u64, size: u64) {
    let (ino, bytes) = (machine.find(&photo(number)), noise(number, size));
    (0..size).step_by(READ as usize).for_each(|at| check(machine, ino, at, READ.min(size - at), &bytes));
}

fn check(machine: &Machine, ino: Ino, at: u64, len: u64, bytes: &[u8]) {
    let handle = hushfs::fs::Handle::from_number(0);
    let read = machine.fs.read(ino, handle, at, len as u32).unwrap();
    assert!(read == bytes[at as usize..(at + len) as usize], "at {at}");
}

#[test]
fn a_sequential_read_costs_a_get_for_four_mebibytes_however_its_requests_are_mixed() {
    let (world, bytes) = world();
    for late in [0, 1, 5, 16] {
        let machine = world.mount();
        let ino = machine.find("large");
        let mut order: Vec<u64> = (0..FILE / READ).collect();
        order.sort_by_key(|number| number + number * 7919 % (late + 1));
        let requests = world.requests(|| {
            order.iter().for_each(|number| check(&machine, ino, number * READ, READ, &bytes));
        });
        // The first windows are smaller, and what comes before the reader is known for one is fetched by itself.
        let most = (FILE / (4 * MIB)) as usize + 8 + late as usize;
        let gets = requests.gets("data/");
        assert!(gets <= most, "{late} late: {gets} GETs\n{}", requests.describe());
        assert!(requests.bytes_down("data/") <= FILE + FILE / 50);
        machine.unmount();
    }
}

#[test]
fn a_file_that_was_written_back_out_of_order_is_read_by_whole_segments_all_the_same() {
    let world = World::new();
    let bytes = noise(1, FILE);
    let machine = world.mount();
    let (ino, handle) = machine.create(Ino::ROOT, "large");
    let mut order: Vec<u64> = (0..FILE / MIB).collect();
    order.sort_by_key(|number| number + number * 7919 % 5);
    for number in order {
        machine.write(ino, handle, number * MIB, &bytes[(number * MIB) as usize..][..MIB as usize]);
    }
    machine.fs.release(ino, handle);
    machine.unmount();
    let machine = world.mount();
    let ino = machine.find("large");
    let requests = world.requests(|| {
        (0..FILE / READ).for_each(|number| check(&machine, ino, number * READ, READ, &bytes));
    });
    let gets = requests.gets("data/");
    assert!(gets <= (FILE / (4 * MIB)) as usize + 8, "{gets} GETs\n{}", requests.describe());
    machine.unmount();
}

/// In the order of their writing: a segment has three of them, and each begins where the one before has led to. In any other
/// order each is fetched at once.
#[test]
fn files_of_some_megabytes_that_are_read_whole_cost_about_a_get_each() {
    const SIZE: u64 = 2 * MIB + 300 * KIB;
    const FILES: u64 = 30;
    let world = photos(FILES, SIZE);
    // Two files before it is a habit, of which each takes some windows.
    let habit = 12;
    for (step, most) in [(1, habit + FILES * 2 / 3), (7, habit + FILES * 3 / 2)] {
        let machine = world.mount();
        let requests = world.requests(|| {
            (0..FILES).for_each(|at| read_photo(&machine, at * step % FILES, SIZE));
        });
        let gets = requests.gets("data/") as u64;
        assert!(gets <= most, "{gets} GETs, {step} apart\n{}", requests.describe());
        assert!(requests.bytes_down("data/") <= (FILES + 2) * SIZE);
        machine.unmount();
    }
}

/// Previews, file(1), a file manager, tags: of each file only the beginning or the end, and the next ones are on their way.
#[test]
fn whoever_reads_the_ends_of_files_by_name_waits_for_few_of_them() {
    const SIZE: u64 = 300 * KIB;
    const FILES: u64 = 40;
    let world = photos(FILES, SIZE);
    for (at, step, most) in [(0, 1, 6), (SIZE - 4 * KIB, 1, 6), (0, 7, FILES)] {
        let machine = world.mount();
        let requests = world.requests(|| {
            for number in (0..FILES).map(|count| count * step % FILES) {
                check(&machine, machine.find(&photo(number)), at, 4 * KIB, &noise(number, SIZE));
            }
        });
        let waited = machine.volume.data().status().misses;
        assert!(waited <= most, "waited {waited} times at {at}, {step} apart");
        assert!(requests.gets("data/") as u64 <= FILES, "{}", requests.describe());
        assert!(requests.bytes_down("data/") <= FILES * (CHUNK + 64), "nothing else");
        machine.unmount();
    }
}

/// tar(1) goes through a directory as it lists its files, rsync(1) and the globs of shells by name.
#[test]
fn whoever_goes_through_a_directory_in_an_order_of_its_own_looks_into_files_that_are_there() {
    const SIZE: u64 = 300 * KIB;
    const FILES: u64 = 40;
    let world = mixed_photos(FILES, SIZE);
    for (at, by_name) in [(0, false), (0, true), (SIZE - 4 * KIB, false), (SIZE - 4 * KIB, true)] {
        let machine = world.mount();
        let order = in_order(&machine, by_name);
        let requests = world.requests(|| {
            for number in order {
                check(&machine, machine.find(&photo(number)), at, 4 * KIB, &noise(number, SIZE));
            }
        });
        let waited = machine.volume.data().status().misses;
        assert!(waited <= 6, "waited {waited} times at {at}, by name: {by_name}");
        assert!(requests.gets("data/") as u64 <= FILES, "{}", requests.describe());
        assert!(requests.bytes_down("data/") <= FILES * (CHUNK + 64), "nothing else");
        machine.unmount();
    }
}

/// The kernel begins with little: head(1) of 64 KiB is read in requests that double.
#[test]
fn whoever_looks_into_files_with_several_requests_gets_as_much_of_the_next_ones() {
    const SIZE: u64 = 600 * KIB;
    const FILES: u64 = 40;
    let world = mixed_photos(FILES, SIZE);
    for by_name in [false, true] {
        let machine = world.mount();
        let order = in_order(&machine, by_name);
        let requests = world.requests(|| {
            for number in order {
                let (ino, bytes) = (machine.find(&photo(number)), noise(number, SIZE));
                let reads = [(0, 16), (16, 32), (48, 64)];
                reads.iter().for_each(|(at, len)| check(&machine, ino, at * KIB, len * KIB, &bytes));
            }
        });
        let waited = machine.volume.data().status().misses;
        assert!(waited <= 9, "waited {waited} times, by name: {by_name}");
        assert!(requests.gets("data/") as u64 <= FILES + 12, "{}", requests.describe());
        let before = 3 * SIZE;
        assert!(requests.bytes_down("data/") <= FILES * (2 * CHUNK + 128) + before, "hardly anything else");
        machine.unmount();
    }
}

#[test]
fn whoever_reads_whole_files_in_the_order_of_a_directory_has_the_next_ones_under_way() {
    // Of several requests, and of one.
    for size in [300 * KIB, 100 * KIB] {
        let world = mixed_photos(60, size);
        [false, true].into_iter().for_each(|by_name| go_through(&world, 60, size, by_name));
    }
}

fn go_through(world: &World, files: u64, size: u64, by_name: bool) {
    let machine = world.mount();
    let order = in_order(&machine, by_name);
    let (first, rest) = order.split_at(5);
    let requests = world.requests(|| {
        first.iter().for_each(|number| read_photo(&machine, *number, size));
        let gate = world.freeze_data();
        thread::scope(|scope| {
            scope.spawn(|| rest.iter().for_each(|number| read_photo(&machine, *number, size)));
            assert!(world.release(&gate, 12), "few are under way, by name: {by_name}");
        });
    });
    // Some files before it is a habit, of which each takes some windows: more on a busy machine.
    assert!(requests.gets("data/") as u64 <= files + 16, "{}", requests.describe());
    let more = requests.bytes_down("data/").saturating_sub(files * (size + 1024));
    assert!(more <= BETWEEN, "{more} bytes of something else, or twice");
    machine.unmount();
}

/// Three files in a row follow each other by chance in one of the orders now and then, and that costs two.
#[test]
fn who_reads_some_files_of_a_directory_at_random_gets_hardly_anything_else() {
    [300 * KIB, 100 * KIB].into_iter().for_each(read_some_at_random);
}

fn read_some_at_random(size: u64) {
    const GUESSED: u64 = 8;
    let world = mixed_photos(120, size);
    let mut numbers: Vec<u64> = (0..120).collect();
    numbers.sort_by_key(|number| noise(*number, 8));
    numbers.truncate(40);
    let read = numbers.len() as u64;
    let machine = world.mount();
    machine.list();
    let whole = world.requests(|| numbers.iter().for_each(|number| read_photo(&machine, *number, size)));
    assert!(whole.gets("data/") as u64 <= read + GUESSED + 16, "{}", whole.describe());
    let more = whole.bytes_down("data/").saturating_sub(read * (size + 1024));
    assert!(more <= BETWEEN + GUESSED * size, "{more} bytes of something else");
    machine.unmount();
    let machine = world.mount();
    machine.list();
    let heads = world.requests(|| {
        numbers.iter().for_each(|number| {
            check(&machine, machine.find(&photo(*number)), 0, 4 * KIB, &noise(*number, size));
        });
    });
    assert!(heads.gets("data/") as u64 <= read + GUESSED, "{}", heads.describe());
    assert!(heads.bytes_down("data/") <= (read + GUESSED) * (CHUNK + 64), "something else");
    machine.unmount();
}

/// What a few seconds bring is committed before it fills a segment.
#[test]
fn small_files_of_a_segment_that_is_not_full_are_read_together_in_any_order() {
    let world = World::new();
    let machine = world.mount();
    let names: Vec<String> = (0..190).map(|number| format!("file {number}")).collect();
    let content = |number: u64| noise(number, 6 * KIB);
    (0..).zip(&names).for_each(|(number, name)| {
        machine.write_new(Ino::ROOT, name, &content(number));
    });
    machine.unmount();
    let machine = world.mount();
    let requests = world.requests(|| {
        for number in (0..190u64).map(|step| step * 71 % 190) {
            let ino = machine.find(&names[number as usize]);
            check(&machine, ino, 0, 6 * KIB, &content(number));
        }
    });
    assert!(requests.gets("data/") <= 2, "{}", requests.describe());
    machine.unmount();
}

/// Mostly as few as one reader's; on a busy machine some threads begin late enough to look like readers of their own for a while.
#[test]
fn threads_that_read_one_file_in_order_together_cost_far_fewer_gets_than_reads() {
    const THREADS: u64 = 8;
    const READS: u64 = 2 * MIB / READ;
    let (world, bytes) = world();
    let machine = world.mount();
    let ino = machine.find("large");
    let read = |number: u64| check(&machine, ino, number * READ, READ, &bytes);
    let requests = world.requests(|| {
        for first in (0..FILE / READ).step_by(READS as usize) {
            thread::scope(|scope| {
                for thread in 0..THREADS {
                    let mine = (first + thread..first + READS).step_by(THREADS as usize);
                    scope.spawn(|| mine.for_each(read));
                }
            });
        }
    });
    let gets = requests.gets("data/");
    assert!(gets <= (FILE / READ / 4) as usize, "{gets} GETs\n{}", requests.describe());
    machine.unmount();
}

#[test]
fn a_random_read_costs_one_get_of_one_chunk() {
    let (world, bytes) = world();
    let machine = world.mount();
    let ino = machine.find("large");
    check(&machine, ino, 0, 4 * KIB, &bytes);
    let mut places: Vec<u64> = (1..1000).map(|number| number * CHUNK + 20 * KIB).collect();
    places.sort_by_key(|at| noise(*at, 8));
    places.truncate(100);
    let requests = world.requests(|| {
        places.iter().for_each(|at| check(&machine, ino, *at, 4 * KIB, &bytes));
    });
    assert_eq!(requests.all(), 100, "{}", requests.describe());
    assert!(requests.bytes_down("data/") <= 100 * (CHUNK + 64));
    machine.unmount();
}

/// A column of a matrix, a field of each record: the next parts come side by side, and nothing that lies between.
#[test]
fn parts_at_a_constant_distance_are_waited_for_few_times() {
    let (world, bytes) = world();
    for (len, step, down) in [(256 * KIB, 512 * KIB, false), (4 * KIB, MIB, false), (4 * KIB, MIB, true)] {
        let machine = world.mount();
        let ino = machine.find("large");
        let mut starts: Vec<u64> = (0..FILE).step_by(step as usize).collect();
        if down {
            starts.reverse();
        }
        let requests = world.requests(|| {
            for start in &starts {
                let reads = (*start..start + len).step_by(READ as usize);
                reads.for_each(|at| check(&machine, ino, at, READ.min(len), &bytes));
            }
        });
        let parts = starts.len() as u64;
        let waited = machine.volume.data().status().misses;
        let chunks = len.div_ceil(CHUNK);
        assert!(waited <= 6 * chunks, "waited for {waited} chunks\n{}", requests.describe());
        // What is read before its turn to be fetched ahead comes takes neighbours along.
        assert!(requests.gets("data/") as u64 <= parts + 12, "{}", requests.describe());
        assert!(requests.bytes_down("data/") <= (parts * chunks + 24) * (CHUNK + 64), "nothing between");
        machine.unmount();
    }
}

#[test]
fn who_reads_parts_without_any_order_gets_nothing_else() {
    let (world, bytes) = world();
    let machine = world.mount();
    let ino = machine.find("large");
    let mut order: Vec<u64> = (0..FILE / MIB).collect();
    order.sort_by_key(|number| noise(*number, 8));
    let requests = world.requests(|| {
        order.iter().for_each(|number| check(&machine, ino, number * MIB, 4 * KIB, &bytes));
    });
    assert_eq!(requests.gets("data/"), order.len(), "{}", requests.describe());
    assert!(requests.bytes_down("data/") <= FILE / MIB * (CHUNK + 64));
    machine.unmount();
}
