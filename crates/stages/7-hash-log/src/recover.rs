//! Opening a store: finding out what a crash left, and putting it in order.
//!
//! First everything is looked at and nothing changed. Only when all of it makes sense is the end of the log
//! repaired, the manifest brought up to date, and what belongs to no list removed. Each of these steps leads
//! back here if a crash interrupts it.

use std::hash::{BuildHasher, RandomState};

use logladder_disk::{Map, StoreFolder};
use logladder_engine::{Error, Repair, Result};

use crate::Options;
use crate::catalog::{Catalog, Live, Segments};
use crate::files::{CHECKPOINT, Files, hint_name, segment_name};
use crate::format::checkpoint::{Checkpoint, SegmentLine, mark_of};
use crate::format::header::{FOOTER_LEN, Footer, SegmentHeader};
use crate::format::hint;
use crate::format::index;
use crate::format::manifest::Manifest;
use crate::index::{Index, SHARDS};
use crate::load::{Loader, Source};
use crate::parallel::for_each;
use crate::scan;
use crate::seal::{hint_of, is_wanted, write_hint};
use crate::segment::Segment;
use crate::store::write_manifest;
use crate::tail::TailSegment;
use crate::usage::{Fixed, Usage};

/// A store in order, with every segment sealed.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) catalog: Catalog,
    pub(crate) manifest: Manifest,
    pub(crate) repairs: Vec<Repair>,
    /// Whether there is a checkpoint file.
    pub(crate) has_checkpoint: bool,
}

/// Opens what lies in `folder`.
///
/// # Errors
///
/// [`Error::Corrupt`] and [`Error::UnsupportedVersion`], in which case nothing has been changed; or the disk
/// failed.
pub(crate) fn recover(folder: &StoreFolder, options: &Options) -> Result<Recovered> {
    let files = Files::in_folder(folder)?;
    let manifest = files.manifest(folder, || options.hash_key.unwrap_or_else(random_key))?;
    files.check_orphans(folder, &manifest)?;
    let looked = look(folder, &files, &manifest, options)?;
    folder.claim()?;
    let recovered = repair(folder, looked, manifest, files.has_checkpoint)?;
    files.remove_orphans(folder, &recovered.manifest)?;
    Ok(recovered)
}

/// Nobody can guess it: the standard library asks the system for the randomness of its hash tables.
fn random_key() -> [u8; 16] {
    let half = || RandomState::new().hash_one(0).to_le_bytes();
    let mut key = [0; 16];
    key[..8].copy_from_slice(&half());
    key[8..].copy_from_slice(&half());
    key
}

/// A sealed segment that has been looked at from outside.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) header: SegmentHeader,
    pub(crate) map: Map,
    pub(crate) footer: Footer,
    /// What is known of its records, and how many of their bytes count.
    pub(crate) fixed: Fixed,
    pub(crate) live_bytes: u64,
    /// A hint that it should have and has not.
    pub(crate) new_hint: Option<Vec<u8>>,
}

/// What was found, before anything is changed.
pub(crate) struct Looked {
    pub(crate) index: Index,
    pub(crate) live: Live,
    pub(crate) versions: usize,
    pub(crate) sealed: Vec<Sealed>,
    /// Those that may have lost their end in a crash, and still have something.
    pub(crate) tail: Vec<TailSegment>,
    /// Those that have nothing any more.
    pub(crate) emptied: Vec<TailSegment>,
}

/// Looks at every segment that `manifest` lists, and changes nothing.
pub(crate) fn look(
    folder: &StoreFolder,
    files: &Files,
    manifest: &Manifest,
    options: &Options,
) -> Result<Looked> {
    let map = |id: u64| -> Result<(SegmentHeader, Map)> {
        let path = folder.path(&segment_name(id));
        if !files.segments.contains(&id) {
            return Err(Error::corrupt(&path, 0, "it is missing, and the manifest lists it"));
        }
        let map = folder.disk().map(&path)?;
        Ok((SegmentHeader::decode(&path, manifest.mark(), id, &map)?, map))
    };
    let sealed = (manifest.sealed.iter())
        .map(|&id| {
            let (header, map) = map(id)?;
            let footer = Footer::at_end_of(&map).map_err(|flaw| {
                let path = folder.path(&segment_name(id));
                Error::corrupt(&path, map.len().saturating_sub(FOOTER_LEN) as u64, flaw.to_string())
            })?;
            let (fixed, live_bytes, new_hint) = (Fixed::default(), 0, None);
            Ok(Sealed { header, map, footer, fixed, live_bytes, new_hint })
        })
        .collect::<Result<Vec<Sealed>>>()?;
    let tail = (manifest.tail.iter())
        .map(|&id| {
            let (header, map) = map(id)?;
            TailSegment::look(folder.path(&segment_name(id)), header, map, options.hints)
        })
        .collect::<Result<Vec<TailSegment>>>()?;
    let (emptied, tail): (Vec<_>, Vec<_>) =
        TailSegment::judge(tail)?.into_iter().partition(TailSegment::is_empty);
    let versions = options.versions.max(1);
    let checkpoint = (files.has_checkpoint && manifest.tail.is_empty())
        .then(|| {
            Checkpoint::decode(folder.disk().map(&folder.path(CHECKPOINT)).ok()?, mark_of(&manifest.encode()))
        })
        .flatten()
        .filter(|found| {
            index(found.head.versions.into()) == versions && lists(&found.head.segments, &sealed)
        });
    let looked = match checkpoint {
        Some(checkpoint) => of_checkpoint(&checkpoint, manifest, versions, sealed)?,
        None => load(folder, manifest, options, sealed, tail)?,
    };
    Ok(Looked { emptied, ..looked })
}

fn lists(lines: &[SegmentLine], sealed: &[Sealed]) -> bool {
    lines.iter().map(|line| line.id).eq(sealed.iter().map(|segment| segment.header.id))
}

/// The index as it was when the store was closed.
fn of_checkpoint(
    checkpoint: &Checkpoint,
    manifest: &Manifest,
    versions: usize,
    mut sealed: Vec<Sealed>,
) -> Result<Looked> {
    for (segment, line) in sealed.iter_mut().zip(&checkpoint.head.segments) {
        (segment.fixed, segment.live_bytes) = (line.fixed, line.live_bytes);
    }
    let bytes: u64 = sealed.iter().map(|segment| segment.footer.records * 8).sum();
    let shards = for_each(SHARDS, bytes, |number| Ok(checkpoint.shard(number)))?;
    let index = Index::of_shards(manifest.hash_key, shards);
    Ok(Looked { index, live: checkpoint.head.live, versions, sealed, tail: Vec::new(), emptied: Vec::new() })
}

/// The index from what the segments hold.
fn load(
    folder: &StoreFolder,
    manifest: &Manifest,
    options: &Options,
    mut sealed: Vec<Sealed>,
    tail: Vec<TailSegment>,
) -> Result<Looked> {
    let sources: Vec<Source> = (sealed.iter().map(|segment| segment.source(folder)))
        .chain(tail.iter().map(|segment| Source::Records(segment.map.clone())))
        .collect();
    let versions = options.versions.max(1);
    let loader = Loader::new(&sources, manifest.hash_key, versions);
    let bytes: u64 = sources.iter().map(Source::len).sum();
    let found = for_each(sources.len(), bytes, |place| {
        if let Some(segment) = sealed.get(place) {
            return segment.load(folder, &loader, &sources, place, options);
        }
        let segment = &tail[place - sealed.len()];
        segment.load(|entry| loader.take(place, entry))?;
        Ok((Fixed::default(), None))
    })?;
    let (index, live_bytes, live) = loader.finish()?;
    for ((segment, (fixed, new_hint)), live_bytes) in sealed.iter_mut().zip(found).zip(&live_bytes) {
        (segment.fixed, segment.new_hint, segment.live_bytes) = (fixed, new_hint, *live_bytes);
    }
    let mut tail = tail;
    for (segment, live_bytes) in tail.iter_mut().zip(&live_bytes[sealed.len()..]) {
        segment.live_bytes = *live_bytes;
    }
    Ok(Looked { index, live, versions, sealed, tail, emptied: Vec::new() })
}

impl Sealed {
    /// Its hint, if there is one that is right; or else its records.
    fn source(&self, folder: &StoreFolder) -> Source {
        let path = folder.path(&hint_name(self.header.id));
        // A hint that cannot be read is as good as none.
        let hint = folder.disk().map(&path).ok().and_then(|bytes| {
            let positions = hint::decode(&bytes, self.header.id, &self.footer)?;
            Some(Source::Hint { bytes, positions })
        });
        hint.unwrap_or_else(|| Source::Records(self.map.clone()))
    }

    /// Takes its entries into the index; says what follows from them, and what its hint should be if that is missing.
    fn load(
        &self,
        folder: &StoreFolder,
        loader: &Loader<'_>,
        sources: &[Source],
        place: usize,
        options: &Options,
    ) -> Result<(Fixed, Option<Vec<u8>>)> {
        let mut fixed = Fixed::default();
        if let Some(Source::Hint { bytes, positions }) = sources.get(place) {
            for &position in positions {
                if let Some(entry) = hint::entry_at(bytes, index(position.into())) {
                    fixed.add(&entry);
                    loader.take(place, &entry)?;
                }
            }
            return Ok((fixed, None));
        }
        let mut hint_len = hint::EMPTY_LEN;
        let survey = scan::survey(&self.map, &self.header, |entry| {
            fixed.add(entry);
            hint_len += entry.len() as u64;
            loader.take(place, entry)
        })?;
        survey.check_sealed().map_err(|flaw| {
            let path = folder.path(&segment_name(self.header.id));
            Error::corrupt(&path, survey.footer.data_len, flaw.to_string())
        })?;
        let wants = is_wanted(hint_len, &self.footer, options.hints);
        let new_hint = wants.then(|| hint_of(&self.map, &self.header, &self.footer)).transpose()?;
        Ok((fixed, new_hint))
    }
}

/// Puts the store in order: every segment sealed, none of them empty, every hint in its place.
fn repair(
    folder: &StoreFolder,
    looked: Looked,
    mut manifest: Manifest,
    has_checkpoint: bool,
) -> Result<Recovered> {
    let Looked { index, live, versions, sealed, tail, emptied } = looked;
    let mut segments = Vec::new();
    for sealed in sealed {
        let path = folder.path(&segment_name(sealed.header.id));
        write_hint(folder, sealed.header.id, sealed.new_hint.as_deref());
        let usage = Usage::of(sealed.fixed, sealed.live_bytes);
        segments.push(Segment::sealed(sealed.header, &path, sealed.map, sealed.footer, usage));
    }
    let mut repairs = Vec::new();
    // The last first: as long as one of them has records, what those before it have lost can be told.
    let mut backwards: Vec<&TailSegment> = tail.iter().chain(&emptied).collect();
    backwards.sort_unstable_by_key(|segment| std::cmp::Reverse(segment.header.id));
    for last in backwards {
        repairs.extend(last.put_in_order(&**folder.disk())?);
    }
    if !manifest.tail.is_empty() {
        manifest.tail.clear();
        for last in &tail {
            manifest.sealed.insert(last.header.id);
            manifest.next_sequence = manifest.next_sequence.max(last.contents.footer.next_sequence);
        }
        write_manifest(folder, &manifest)?;
    }
    for last in tail {
        write_hint(folder, last.header.id, last.contents.hint.as_deref());
        let map = folder.disk().map(&last.path)?;
        let usage = Usage::of(last.contents.fixed, last.live_bytes);
        segments.push(Segment::sealed(last.header, &last.path, map, last.contents.footer, usage));
    }
    let catalog = Catalog::new(index, Segments::of(segments)?, versions, live);
    Ok(Recovered { catalog, manifest, repairs, has_checkpoint })
}
