//! Random ops on both sides, and the whole state compared after each.
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::dice::Dice;
use super::*;
use crate::meta::key::{self, Parsed};
use crate::meta::record::Dentry;

/// The whole state is what the model says: every record is expected and every expected record is there.
fn assert_same(volume: &Volume, model: &Model) {
    let view = volume.view();
    let (mut inodes, mut allocated, mut dentries) = (BTreeSet::new(), 0, 0);
    for (key, value) in volume.state.iter() {
        let Some(value) = value else { continue };
        match key::parse(key).unwrap() {
            Parsed::Inode(ino) => {
                let inode = Inode::decode(value).unwrap();
                assert_inode(volume, model, ino.0, &inode);
                allocated += inode.allocated;
                inodes.insert(ino.0);
            }
            Parsed::Dentry { parent, name } => {
                let dentry = Dentry::decode(value).unwrap();
                assert_eq!(model.nodes[&parent.0].entries.get(name), Some(&dentry.ino.0));
                assert_eq!(model.nodes[&dentry.ino.0].kind, dentry.kind, "a dentry repeats the kind");
                dentries += 1;
            }
            Parsed::Chunk(ino, _) => assert_eq!(model.nodes[&ino.0].kind, FileKind::Regular),
            Parsed::Xattr(ino, name) => {
                let value = read::xattr(&view, ino, name).unwrap();
                assert_eq!(model.nodes[&ino.0].xattrs.get(name), value.as_ref());
            }
            Parsed::Orphan(ino) => assert!(model.nodes[&ino.0].kept),
            Parsed::Superblock | Parsed::Session(_) => {}
            other => panic!("{other:?} was never made"),
        }
    }
    assert_eq!(inodes, model.nodes.keys().copied().collect());
    assert_eq!(dentries, model.nodes.values().map(|node| node.entries.len()).sum::<usize>());
    assert_eq!(volume.superblock().inodes, model.nodes.len() as u64);
    assert_eq!(volume.superblock().allocated, allocated);
}

fn assert_inode(volume: &Volume, model: &Model, ino: u64, inode: &Inode) {
    let node = &model.nodes[&ino];
    let view = volume.view();
    assert_eq!((inode.kind, inode.version), (node.kind, node.version));
    let orphan = read::orphan(&view, Ino(ino)).unwrap();
    assert_eq!(orphan.map(|orphan| orphan.slot), node.kept.then_some(SLOT));
    assert_eq!(read::xattr_names(&view, Ino(ino)).unwrap().len(), node.xattrs.len());
    assert_eq!(inode.has_xattrs, !node.xattrs.is_empty());
    let chunks = read::chunks(&view, Ino(ino), 0..u64::MAX).unwrap();
    assert_eq!(inode.allocated, chunks.iter().map(|(_, chunk)| chunk.len()).sum::<u64>());
    match node.kind {
        FileKind::Directory => {
            let subdirs =
                node.entries.values().filter(|child| model.nodes[child].kind == FileKind::Directory);
            assert_eq!(
                (inode.nlink as usize, inode.size as usize),
                (2 + subdirs.count(), node.entries.len())
            );
            let parent = model.nodes.get(&inode.parent.0).unwrap();
            assert!(ino == 1 || parent.entries.values().any(|&child| child == ino), "`..` leads elsewhere");
        }
        FileKind::Regular => {
            assert_eq!((inode.nlink as usize, inode.size as usize), (model.names(ino), node.content.len()));
            let mut content = vec![0; node.content.len()];
            for (index, chunk) in chunks {
                let ChunkRef::Inline(bytes) = chunk else { panic!("only inline chunks here") };
                let start = (index * CHUNK) as usize;
                content[start..start + bytes.len()].copy_from_slice(&bytes);
            }
            assert!(content == node.content, "the content of {ino} differs");
        }
        _ => assert_eq!(inode.nlink as usize, model.names(ino)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn apply_does_what_the_model_does(rolls in proptest::collection::vec(any::<[u8; 32]>(), 1..60)) {
        let mut model = Model::new();
        let mut volume = Volume::new();
        let mut accepted = Vec::new();
        for (number, roll) in rolls.iter().enumerate() {
            let op = Dice::new(roll).op(&model, number as u64);
            let before = volume.state.clone();
            match (volume.apply(&op), model.apply(&op)) {
                (Ok(()), Some(())) => accepted.push(op),
                (Err(_), None) => prop_assert_eq!(&volume.state, &before),
                (applied, _) => prop_assert!(false, "{:?} gave {:?}, the model disagrees", op, applied),
            }
            assert_same(&volume, &model);
        }
        assert_replay(&volume, &accepted);
    }
}

/// M4: the accepted ops give the same bytes again, one by one, in one transaction, and by a replayer that has
/// no quota.
fn assert_replay(volume: &Volume, accepted: &[Op]) {
    let mut again = Volume::new();
    again.context.enforce_quota = false;
    accepted.iter().for_each(|op| again.apply(op).unwrap());
    assert_eq!(again.state, volume.state);

    let mut batch = Volume::new();
    let view = Layered { base: &EmptyView, layers: vec![&batch.state] };
    let mut txn = Txn::new(&view);
    accepted.iter().for_each(|op| apply(&mut txn, op, batch.context).unwrap());
    let changes = txn.finish();
    batch.state.absorb(changes);
    assert_eq!(batch.state, volume.state);
}
