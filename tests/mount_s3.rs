//! A mount on a real S3 server, with the program as a user runs it: scripts/servers/with-servers starts it.

#[path = "common/cli.rs"]
mod cli;
#[path = "common/programs.rs"]
mod programs;
#[path = "common/servers.rs"]
mod servers;

use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use hushfs::base::{ObjectId, OsRandom};
use hushfs::object::Bucket;

use cli::Home;
use programs::{assert_same, shell};
use servers::Server;

/// Incompressible bytes, so that the bucket holds as many.
const RANDOM_BYTES: usize = 8 << 20;

/// A home whose bucket is a prefix of the server's that no other test uses, and that prefix.
fn home_on(server: &Server) -> (Home, String) {
    let prefix = format!("mount/{}", ObjectId::generate(&OsRandom));
    let home = Home::with_bucket(format!("s3://{}/{prefix}", server.bucket), Some(server.endpoint.clone()));
    (home, prefix)
}

/// This crate's sources and documents, with a sparse file and links among them. Not its tests: their fixtures hold a
/// bucket, whose keys are those of every bucket.
fn make_tree(tree: &Path) {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir(tree).unwrap();
    shell(crate_folder, "cp -a src docs \"$1\"", &[tree]);
    let sparse = fs::File::create(tree.join("sparse file with a long hole")).unwrap();
    let random = fs::File::open("/dev/urandom").unwrap();
    let mut bytes = vec![0; RANDOM_BYTES];
    random.read_exact_at(&mut bytes, 0).unwrap();
    sparse.write_all_at(&bytes, 3 << 30).unwrap();
    sparse.set_len(5 << 30).unwrap();
    fs::hard_link(tree.join("src/lib.rs"), tree.join("docs/hard link to the library")).unwrap();
    std::os::unix::fs::symlink("../src/lib.rs", tree.join("docs/symbolic link to the library")).unwrap();
}

/// Writes the names and lines of the tree that are long enough to be no accident, one a line, for grep -F.
fn write_patterns(tree: &Path, patterns: &Path) {
    let mut file = fs::File::create(patterns).unwrap();
    let found = shell(
        tree,
        "find . -printf '%f\\n' | grep -E '.{7,}' | sort -u
         find . -type f -size -1024k -exec cat {} + | tr -d '\\0' | grep -aE '[^ ].{24,}' | sort -u",
        &[],
    );
    assert!(found.lines().count() > 5_000, "{} patterns are too few", found.lines().count());
    file.write_all(found.as_bytes()).unwrap();
}

/// Copies every object into a folder; returns how many bytes they have.
async fn fetch_all(bucket: &Arc<dyn Bucket>, folder: &Path) -> u64 {
    fs::create_dir(folder).unwrap();
    let mut bytes = 0;
    for (number, (key, _)) in objects(bucket).await.into_iter().enumerate() {
        let fetched = bucket.get(&key, None).await.unwrap();
        fs::write(folder.join(number.to_string()), [key.as_bytes(), b"\n", &fetched.bytes].concat()).unwrap();
        bytes += fetched.bytes.len() as u64;
    }
    bytes
}

/// Keys and lengths of every object.
async fn objects(bucket: &Arc<dyn Bucket>) -> Vec<(String, u64)> {
    let mut all: Vec<(String, u64)> = Vec::new();
    loop {
        let after = all.last().map(|(key, _)| key.clone());
        let page = bucket.list("", after.as_deref(), 1_000).await.unwrap();
        all.extend(page.objects.into_iter().map(|object| (object.key, object.len)));
        if !page.more {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_goes_through_s3_to_a_new_machine_and_leaves_nothing_behind() {
    let server = Server::seaweedfs();
    let (home, prefix) = home_on(&server);
    let bucket = server.connect(&prefix).await;
    let home = home.initialised();
    let tree = home.path("tree");
    make_tree(&tree);

    home.mounted();
    shell(&tree, "rsync -aHAXS --modify-window=-1 ./ \"$1/\"", &[&home.mount()]);
    home.sync();
    let status = home.status();
    assert_eq!((&status["waiting"]["bytes"], &status["waiting"]["changes"]), (&0.into(), &0.into()));
    home.move_to_new_machine();
    assert_same(&tree, &home.mount());
    let apparent = fs::metadata(home.mount().join("sparse file with a long hole")).unwrap().len();
    assert_eq!(apparent, 5 << 30);
    home.unmount();
    let clean = home.hushfs(["fsck", "--data", &home.bucket()]).pass().expect(0);
    assert!(clean.out.ends_with("clean\n"), "{}", clean.out);

    let full = fetch_all(&bucket, &home.path("objects")).await;
    assert!(full > RANDOM_BYTES as u64, "{full} bytes are less than what cannot be compressed");
    write_patterns(&tree, &home.path("patterns"));
    let found = shell(&home.path(""), "grep -raFlf patterns objects || [ $? = 1 ]", &[]);
    assert_eq!(found, "", "objects hold names or contents in the clear");
    let control = shell(&home.path(""), "grep -raFlf patterns tree | wc -l", &[]);
    assert!(control.trim().parse::<u32>().unwrap() > 100, "the patterns are not found where they are");

    home.mounted();
    shell(&home.mount(), "find . -mindepth 1 -delete", &[]);
    home.unmount();
    home.hushfs(["gc", &home.bucket()]).pass().expect(0);
    let left: u64 = objects(&bucket).await.iter().map(|(_, len)| len).sum();
    assert!(left * 100 < full, "{left} bytes are left of {full}: {:?}", objects(&bucket).await);
    home.mounted();
    assert_eq!(fs::read_dir(home.mount()).unwrap().count(), 0);
    home.unmount();
}

#[test]
fn ten_thousand_small_files_cost_few_requests_and_arrive_in_one_sync() {
    let (home, _) = home_on(&Server::seaweedfs());
    let home = home.initialised();
    home.mounted();
    let before = home.status()["requests"]["puts"].as_u64().unwrap();
    let mut contents = vec![0; 4096];
    let random = fs::File::open("/dev/urandom").unwrap();
    for folder in 0..10 {
        let folder = home.mount().join(format!("folder {folder}"));
        fs::create_dir(&folder).unwrap();
        for file in 0..1_000 {
            random.read_exact_at(&mut contents[..2048], 0).unwrap();
            fs::write(folder.join(format!("file {file}")), &contents).unwrap();
        }
    }
    home.sync();
    let status = home.status();
    let puts = status["requests"]["puts"].as_u64().unwrap() - before;
    assert!(puts <= 40, "{puts} PUTs: {status}");
    let waiting = &status["waiting"];
    assert_eq!(
        (&waiting["bytes"], &waiting["files"], &waiting["changes"]),
        (&0.into(), &0.into(), &0.into())
    );

    // Another machine sees them all while this one still has it mounted.
    let other = Home::with_bucket(home.bucket(), Some(Server::seaweedfs().endpoint));
    other.mounted();
    let seen = shell(&other.mount(), "find . -type f -size 4096c | wc -l", &[]);
    assert_eq!(seen.trim(), "10000");
    other.unmount();
    home.unmount();
}

#[test]
fn a_server_that_ignores_conditions_is_refused_unless_it_is_for_one_writer() {
    let (home, _) = home_on(&Server::careless());
    let refused = home.hushfs(["init", "--kdf", "minimum", &home.bucket()]).pass().expect(12);
    assert!(refused.err.contains("--single-writer"), "{}", refused.err);
    home.hushfs(["init", "--kdf", "minimum", "--single-writer", &home.bucket()]).pass().expect(0);
    let refused = home.hushfs(["mount", &home.bucket(), &home.mount_str()]).pass().expect(12);
    assert!(refused.err.contains("--single-writer"), "{}", refused.err);

    let mount = || {
        home.hushfs(["mount", "--single-writer", &home.bucket(), &home.mount_str()]).pass().expect(0);
    };
    mount();
    fs::write(home.mount().join("file"), "contents").unwrap();
    home.unmount();
    home.forget();
    mount();
    assert_eq!(fs::read_to_string(home.mount().join("file")).unwrap(), "contents");
    home.unmount();
}
