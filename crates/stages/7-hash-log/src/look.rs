//! Looking at the files of a store, and building its index: what opening does before it changes anything, and all that
//! a reader beside a writer does.

use std::path::{Path, PathBuf};

use logladder_disk::parallel::for_each;
use logladder_disk::{Disk, Map};
use logladder_engine::{Error, Result};

use crate::Options;
use crate::catalog::Live;
use crate::files::{CHECKPOINT, hint_name, segment_name};
use crate::format::checkpoint::{Checkpoint, SegmentLine, mark_of};
use crate::format::header::{FOOTER_LEN, Footer, SegmentHeader};
use crate::format::hint;
use crate::format::index;
use crate::format::manifest::Manifest;
use crate::index::{Index, SHARDS};
use crate::load::{Loader, Source};
use crate::scan;
use crate::seal::{hint_of, is_wanted};
use crate::tail::TailSegment;
use crate::usage::Fixed;

/// The folder of a store, locked or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folder<'f> {
    pub(crate) disk: &'f dyn Disk,
    pub(crate) dir: &'f Path,
}

impl Folder<'_> {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The segment `id` of this store, by what it says at its start.
    ///
    /// # Errors
    ///
    /// It is not there, or not what it should be.
    pub(crate) fn segment(&self, manifest: &Manifest, id: u64) -> Result<(SegmentHeader, Map)> {
        let path = self.path(&segment_name(id));
        if self.disk.entry(&path)?.is_none() {
            return Err(Error::corrupt(&path, 0, "it is missing, and the manifest lists it"));
        }
        let map = self.disk.map(&path)?;
        Ok((SegmentHeader::decode(&path, manifest.mark(), id, &map)?, map))
    }
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
    /// Whether the checkpoint was right, so that the index is from there.
    pub(crate) is_from_checkpoint: bool,
}

/// Looks at the sealed segments that `manifest` lists, from outside.
pub(crate) fn look_at_sealed(folder: Folder<'_>, manifest: &Manifest) -> Result<Vec<Sealed>> {
    let look = |&id: &u64| {
        let (header, map) = folder.segment(manifest, id)?;
        let footer = Footer::at_end_of(&map).map_err(|flaw| {
            let path = folder.path(&segment_name(id));
            Error::corrupt(&path, map.len().saturating_sub(FOOTER_LEN) as u64, flaw.to_string())
        })?;
        let (fixed, live_bytes, new_hint) = (Fixed::default(), 0, None);
        Ok(Sealed { header, map, footer, fixed, live_bytes, new_hint })
    };
    manifest.sealed.iter().map(look).collect()
}

/// The index of these segments, and what was found out about each. It is taken from the checkpoint if that is right.
pub(crate) fn build_index(
    folder: Folder<'_>,
    manifest: &Manifest,
    options: &Options,
    sealed: Vec<Sealed>,
    tail: Vec<TailSegment>,
) -> Result<Looked> {
    let versions = 1 + usize::from(options.earlier_versions(manifest.earlier_versions));
    let checkpoint = manifest
        .tail
        .is_empty()
        .then(|| {
            Checkpoint::decode(folder.disk.map(&folder.path(CHECKPOINT)).ok()?, mark_of(&manifest.encode()))
        })
        .flatten()
        .filter(|found| {
            index(found.head.versions.into()) == versions && lists(&found.head.segments, &sealed)
        });
    match checkpoint {
        Some(checkpoint) => of_checkpoint(&checkpoint, manifest, versions, sealed),
        None => load(folder, manifest, options, versions, sealed, tail),
    }
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
    let bytes: u64 =
        sealed.iter().map(|segment| segment.footer.records.saturating_mul(8)).fold(0, u64::saturating_add);
    let numbered = |number| Ok(checkpoint.shard(number).map(|shard| (number, shard)));
    let shards = for_each(SHARDS, bytes, numbered)?;
    let index = Index::of_shards(manifest.hash_key, shards.into_iter().flatten());
    Ok(Looked {
        index,
        live: checkpoint.head.live,
        versions,
        sealed,
        tail: Vec::new(),
        is_from_checkpoint: true,
    })
}

/// The index from what the segments hold.
fn load(
    folder: Folder<'_>,
    manifest: &Manifest,
    options: &Options,
    versions: usize,
    mut sealed: Vec<Sealed>,
    tail: Vec<TailSegment>,
) -> Result<Looked> {
    let sources: Vec<Source> = (sealed.iter().map(|segment| segment.source(folder)))
        .chain(tail.iter().map(|segment| Source::Records(segment.map.clone())))
        .collect();
    let loader = Loader::new(&sources, manifest.hash_key, versions);
    let bytes: u64 = sources.iter().map(Source::len).sum();
    let found = for_each(sources.len(), bytes, |place| {
        if let Some(segment) = sealed.get(place) {
            return segment.load(folder, &loader, &sources, place, options);
        }
        let segment = &tail[place - sealed.len()];
        let mut intake = loader.intake(place)?;
        segment.load(|entry| intake.push(entry))?;
        intake.finish()?;
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
    Ok(Looked { index, live, versions, sealed, tail, is_from_checkpoint: false })
}

impl Sealed {
    /// Its hint, if there is one that is right; or else its records.
    fn source(&self, folder: Folder<'_>) -> Source {
        let path = folder.path(&hint_name(self.header.id));
        // A hint that cannot be read is as good as none.
        let hint = folder.disk.map(&path).ok().and_then(|bytes| {
            let positions = hint::decode(&bytes, self.header.id, &self.footer)?;
            Some(Source::Hint { bytes, positions })
        });
        hint.unwrap_or_else(|| Source::Records(self.map.clone()))
    }

    /// Takes its entries into the index; says what follows from them, and what its hint should be if that is missing.
    fn load(
        &self,
        folder: Folder<'_>,
        loader: &Loader<'_>,
        sources: &[Source],
        place: usize,
        options: &Options,
    ) -> Result<(Fixed, Option<Vec<u8>>)> {
        let mut fixed = Fixed::default();
        let mut intake = loader.intake(place)?;
        if let Some(Source::Hint { bytes, positions }) = sources.get(place) {
            for &position in positions {
                if let Some(entry) = hint::entry_at(bytes, index(position.into())) {
                    fixed.add(&entry);
                    intake.push(&entry)?;
                }
            }
            intake.finish()?;
            return Ok((fixed, None));
        }
        let mut hint_len = hint::EMPTY_LEN;
        let survey = scan::survey(&self.map, &self.header, |entry| {
            fixed.add(entry);
            hint_len += entry.len() as u64;
            intake.push(entry)
        })?;
        intake.finish()?;
        survey.check_sealed().map_err(|flaw| {
            let path = folder.path(&segment_name(self.header.id));
            Error::corrupt(&path, survey.footer.data_len, flaw.to_string())
        })?;
        let wants = is_wanted(hint_len, &self.footer, options.hints);
        let new_hint = wants.then(|| hint_of(&self.map, &self.header, &self.footer)).transpose()?;
        Ok((fixed, new_hint))
    }
}
