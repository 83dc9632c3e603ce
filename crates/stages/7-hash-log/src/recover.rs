//! Opening a store: finding out what a crash left, and putting it in order.
//!
//! First everything is looked at and nothing changed. Only when all of it makes sense is the end of the log
//! repaired, the manifest brought up to date, and what belongs to no list removed. Each of these steps leads
//! back here if a crash interrupts it.

use std::hash::{BuildHasher, RandomState};

use logladder_disk::StoreFolder;
use logladder_engine::{Repair, Result};

use crate::Options;
use crate::catalog::{Catalog, Segments};
use crate::files::{Files, segment_name};
use crate::format::checkpoint::mark_of;
use crate::format::manifest::Manifest;
use crate::look::{Folder, Looked, build_index, look_at_sealed};
use crate::seal::write_hint;
use crate::segment::Segment;
use crate::store::write_manifest;
use crate::tail::TailSegment;
use crate::usage::Usage;

/// A store in order, with every segment sealed.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) catalog: Catalog,
    pub(crate) manifest: Manifest,
    pub(crate) repairs: Vec<Repair>,
    /// Whether there is a checkpoint file.
    pub(crate) has_checkpoint: bool,
    /// Which manifest that belongs to, if it was right.
    pub(crate) checkpoint_of: Option<u32>,
}

/// Opens what lies in `folder`.
///
/// # Errors
///
/// [`Corrupt`](logladder_engine::Error::Corrupt) and
/// [`UnsupportedVersion`](logladder_engine::Error::UnsupportedVersion), in which case nothing has been changed; or the disk
/// failed.
pub(crate) fn recover(folder: &StoreFolder, options: &Options) -> Result<Recovered> {
    let files = Files::in_folder(folder)?;
    let mut manifest = files.manifest(folder, || options.hash_key.unwrap_or_else(random_key))?;
    files.check_orphans(folder, &manifest)?;
    let view = Folder { disk: &**folder.disk(), dir: folder.dir() };
    let sealed = look_at_sealed(view, &manifest)?;
    let tail = (manifest.tail.iter())
        .map(|&id| {
            let (header, map) = view.segment(&manifest, id)?;
            TailSegment::look(view.path(&segment_name(id)), header, map, options.hints)
        })
        .collect::<Result<Vec<TailSegment>>>()?;
    let (emptied, tail): (Vec<_>, Vec<_>) =
        TailSegment::judge(tail)?.into_iter().partition(TailSegment::is_empty);
    let looked = build_index(view, &manifest, options, sealed, tail)?;
    let checkpoint_of = looked.is_from_checkpoint.then(|| mark_of(&manifest.encode()));
    folder.claim()?;
    let before = manifest.earlier_versions;
    manifest.earlier_versions = options.earlier_versions(before);
    let is_changed = files.has_manifest && manifest.earlier_versions != before;
    let (catalog, repairs) = repair(folder, looked, &emptied, &mut manifest, is_changed)?;
    files.remove_orphans(folder, &manifest)?;
    Ok(Recovered { catalog, manifest, repairs, has_checkpoint: files.has_checkpoint, checkpoint_of })
}

/// Nobody can guess it: the standard library asks the system for the randomness of its hash tables.
fn random_key() -> [u8; 16] {
    let half = || RandomState::new().hash_one(0).to_le_bytes();
    let mut key = [0; 16];
    key[..8].copy_from_slice(&half());
    key[8..].copy_from_slice(&half());
    key
}

/// Puts the store in order: every segment sealed, none of them empty, every hint in its place, and the manifest on the
/// disk if it has changed.
fn repair(
    folder: &StoreFolder,
    looked: Looked,
    emptied: &[TailSegment],
    manifest: &mut Manifest,
    is_changed: bool,
) -> Result<(Catalog, Vec<Repair>)> {
    let Looked { index, live, versions, sealed, tail, .. } = looked;
    let mut segments = Vec::new();
    for sealed in sealed {
        let path = folder.path(&segment_name(sealed.header.id));
        write_hint(folder, sealed.header.id, sealed.new_hint.as_deref());
        let usage = Usage::of(sealed.fixed, sealed.live_bytes);
        segments.push(Segment::sealed(sealed.header, &path, sealed.map, sealed.footer, usage));
    }
    let mut repairs = Vec::new();
    // The last first: as long as one of them has records, what those before it have lost can be told.
    let mut backwards: Vec<&TailSegment> = tail.iter().chain(emptied).collect();
    backwards.sort_unstable_by_key(|segment| std::cmp::Reverse(segment.header.id));
    for last in backwards {
        repairs.extend(last.put_in_order(&**folder.disk())?);
    }
    if is_changed || !manifest.tail.is_empty() {
        manifest.tail.clear();
        for last in &tail {
            manifest.sealed.insert(last.header.id);
            manifest.next_sequence = manifest.next_sequence.max(last.contents.footer.next_sequence);
        }
        write_manifest(folder, manifest)?;
    }
    for last in tail {
        write_hint(folder, last.header.id, last.contents.hint.as_deref());
        let map = folder.disk().map(&last.path)?;
        let usage = Usage::of(last.contents.fixed, last.live_bytes);
        segments.push(Segment::sealed(last.header, &last.path, map, last.contents.footer, usage));
    }
    Ok((Catalog::new(index, Segments::of(segments)?, versions, live), repairs))
}
