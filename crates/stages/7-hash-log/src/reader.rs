//! [`Reader`]: a store that another process has open, to be read.
//!
//! It takes no lock and changes no file. What it shows is the store as it was when it was opened or last
//! [refreshed](Reader::refresh). Sealed segments are mapped: they never change, and who has mapped one keeps it when the
//! writer removes it. The tail of the log, which the writer shortens when it seals it, is copied.
//!
//! It sees what is in the files. Under [`SyncPolicy::Always`](logladder_engine::SyncPolicy::Always) that may be a write
//! that waits for its sync, and that a loss of power takes back: the store's own readers do not see it until then.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use logladder_disk::{Disk, Map, RealDisk};
use logladder_engine::{Error, Result, Visit, limits};

use crate::Options;
use crate::catalog::{Catalog, Segments};
use crate::engine::STAGE;
use crate::files::{MANIFEST, segment_name};
use crate::format::header::{Footer, SegmentHeader};
use crate::format::index;
use crate::format::manifest::Manifest;
use crate::format::record::Kind;
use crate::index::Location;
use crate::look::{Folder, build_index, look_at_sealed};
use crate::scan::Walk;
use crate::segment::Segment;
use crate::snapshot::Snapshot;
use crate::sync::{ArcSwap, Mutex, MutexGuard};
use crate::tail::TailSegment;
use crate::usage::{SegmentUsage, Usage};

/// So often the writer may remove a segment while it is looked for.
const OVERTAKEN: usize = 100;

/// A store that another process may have open, as it was at some moment.
///
/// ```
/// use logladder_hash_log::{Engine, HashLog, Open, Options, Reader};
///
/// # let dir = tempfile::tempdir().unwrap();
/// let store = HashLog::open(dir.path(), Options::default())?;
/// store.set(b"name", b"anna")?;
///
/// let reader = Reader::open(dir.path(), Options::default())?;
/// assert_eq!(reader.get(b"name")?, Some(b"anna".to_vec()));
///
/// store.set(b"name", b"bob")?;
/// assert_eq!(reader.get(b"name")?, Some(b"anna".to_vec()));
/// reader.refresh()?;
/// assert_eq!(reader.get(b"name")?, Some(b"bob".to_vec()));
/// # Ok::<(), logladder_engine::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: Options,
    catalog: ArcSwap<Catalog>,
    /// Held while the catalog is changed or replaced.
    seen: Mutex<Seen>,
}

/// What of the writer's files the catalog shows.
#[derive(Debug)]
struct Seen {
    manifest: Vec<u8>,
    /// Where the log ended, if its last segment was still being written.
    end: Option<End>,
}

/// The last segment, and where its records ended.
#[derive(Debug, Clone, Copy)]
struct End {
    seat: u16,
    header: SegmentHeader,
    footer: Footer,
}

impl Reader {
    /// Opens the store in `dir` for reading, whoever has it open. Of the options, only
    /// [`versions`](Options::versions) counts.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignStore`] if there is no store; [`Error::Corrupt`] if it is damaged.
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, options)
    }

    /// The same on any disk.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Self> {
        let dir = disk.absolute(dir)?;
        let (catalog, seen) = load(Folder { disk: &*disk, dir: &dir }, &options)?;
        Ok(Self { disk, dir, options, catalog: ArcSwap::from_pointee(catalog), seen: Mutex::new(seen) })
    }

    /// The value of `key`, if it had one.
    ///
    /// # Errors
    ///
    /// As [`Engine::get`](logladder_engine::Engine::get).
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        let found = self.catalog.load().read(key, |record| record.live_value().map(<[u8]>::to_vec))?;
        Ok(found.flatten())
    }

    /// Shows each key and its value to `visit`, until it breaks.
    ///
    /// # Errors
    ///
    /// As [`Iterate::for_each`](logladder_engine::Iterate::for_each).
    pub fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let unchanged = self.seen();
        Snapshot::of(&self.catalog.load_full(), unchanged)?.for_each(visit)
    }

    /// How many keys have a value.
    #[must_use]
    pub fn live_keys(&self) -> u64 {
        self.catalog.load().live().keys
    }

    /// Catches up with the writer: everything that was acknowledged before the call is shown from now on. If the
    /// segments are the same as before, this takes as long as reading what has been appended; if the writer has sealed
    /// or compacted some, as long as opening.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); then what is shown stays as it was.
    pub fn refresh(&self) -> Result<()> {
        let mut seen = self.seen();
        let folder = Folder { disk: &*self.disk, dir: &self.dir };
        let is_same = |seen: &Seen| read_manifest(folder).is_ok_and(|manifest| manifest == seen.manifest);
        if let Some(end) = seen.end
            && is_same(&seen)
        {
            match take_more(folder, &self.catalog.load(), end) {
                Ok(Some(end)) => {
                    seen.end = Some(end);
                    return Ok(());
                }
                Ok(None) => {}
                // The writer may have sealed and removed it since the look at the manifest.
                Err(_) if !is_same(&seen) => {}
                Err(error) => return Err(error),
            }
        }
        let (catalog, found) = load(folder, &self.options)?;
        self.catalog.store(Arc::new(catalog));
        *seen = found;
        Ok(())
    }

    /// How much of each segment is of use, by number.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if the manifest is damaged.
    pub fn segments(&self) -> Result<Vec<SegmentUsage>> {
        let mut usage = self.catalog.load().usage();
        let growing = Manifest::decode(&self.dir.join(MANIFEST), &self.seen().manifest)?.tail;
        // To a reader, each segment is as it was.
        for segment in &mut usage {
            segment.is_sealed = !growing.contains(&segment.id);
        }
        Ok(usage)
    }

    /// Where the newest record of `key` begins: the number of its segment, and the offset there in bytes. None if the index
    /// has no such key.
    ///
    /// # Errors
    ///
    /// A record that may be the key's is damaged.
    pub fn place_of(&self, key: &[u8]) -> Result<Option<(u64, u64)>> {
        let catalog = self.catalog.load();
        catalog.search(catalog.index().hash(key), |segment, location, record| {
            (record.key == key).then(|| (segment.id(), location.offset.into()))
        })
    }

    /// Whether the index points to a record of `key` at this offset of this segment. Of a store that keeps versions, that is
    /// each version that is kept.
    #[must_use]
    pub fn points_to(&self, key: &[u8], segment: u64, offset: u64) -> bool {
        let catalog = self.catalog.load();
        let Ok(offset) = u32::try_from(offset) else { return false };
        let seat = catalog.segments().iter().find(|(_, there)| there.id() == segment).map(|(seat, _)| seat);
        seat.is_some_and(|seat| catalog.is_current(key, Location { seat, offset }))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // It is replaced as a whole, so a panic cannot have left it half-changed.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much of each segment of the store in `dir` is of use, by number, whoever has it open. Nothing is locked, and no file is
/// changed or added.
///
/// # Errors
///
/// As [`Reader::open`].
pub fn segments(dir: &Path) -> Result<Vec<SegmentUsage>> {
    Reader::open(dir, Options::default())?.segments()
}

/// The store of this moment.
fn load(folder: Folder<'_>, options: &Options) -> Result<(Catalog, Seen)> {
    for _ in 0..OVERTAKEN {
        let manifest = read_manifest(folder)?;
        match load_listed(folder, options, &manifest) {
            // A segment may have been removed meanwhile; then it is no longer listed either.
            Err(_) if read_manifest(folder)? != manifest => {}
            Err(error) => return Err(error),
            Ok((catalog, end)) => return Ok((catalog, Seen { manifest, end })),
        }
    }
    let busy = std::io::Error::other("the writer replaces its segments faster than they can be read");
    Err(Error::io("read the store in", folder.dir, busy))
}

/// What this manifest lists.
fn load_listed(folder: Folder<'_>, options: &Options, manifest: &[u8]) -> Result<(Catalog, Option<End>)> {
    let manifest = Manifest::decode(&folder.path(MANIFEST), manifest)?;
    let sealed = look_at_sealed(folder, &manifest)?;
    let mut tail: Vec<TailSegment> = Vec::new();
    for &id in &manifest.tail {
        let path = folder.path(&segment_name(id));
        let copy = Map::of_bytes(folder.disk.read(&path)?.into());
        let header = SegmentHeader::decode(&path, manifest.mark(), id, &copy)?;
        // The one before may have been read before its last records were written.
        let follows = |before: &TailSegment| before.contents.footer.next_sequence == header.first_sequence;
        if !tail.last().is_none_or(follows) {
            break;
        }
        tail.push(TailSegment::unfinished(path, header, copy)?);
    }
    let looked = build_index(folder, &manifest, options, sealed, tail)?;
    let mut segments = Vec::new();
    for sealed in looked.sealed {
        let path = folder.path(&segment_name(sealed.header.id));
        let usage = Usage::of(sealed.fixed, sealed.live_bytes);
        segments.push(Segment::sealed(sealed.header, &path, sealed.map, sealed.footer, usage));
    }
    for last in looked.tail {
        let usage = Usage::of(last.contents.fixed, last.live_bytes);
        segments.push(Segment::sealed(last.header, &last.path, last.map, last.contents.footer, usage));
    }
    let segments = Segments::of(segments)?;
    let end = manifest.tail.last().and_then(|&id| {
        let (seat, segment) = segments.iter().find(|(_, segment)| segment.id() == id)?;
        Some(End { seat, header: *segment.header(), footer: *segment.footer()? })
    });
    Ok((Catalog::new(looked.index, segments, looked.versions, looked.live), end))
}

/// Takes in what has been appended to the last segment. None if the writer has sealed it.
fn take_more(folder: Folder<'_>, catalog: &Catalog, end: End) -> Result<Option<End>> {
    let path = folder.path(&segment_name(end.header.id));
    let bytes = Map::of_bytes(folder.disk.read(&path)?.into());
    let mut walk = Walk::from(&bytes, index(end.footer.data_len), end.footer.next_sequence);
    let mut footer = end.footer;
    let mut found = Vec::new();
    while let Some(Ok((offset, record))) = walk.next() {
        match record.header.kind {
            Kind::Footer => return Ok(None),
            Kind::Batch => continue,
            _ => {}
        }
        let Ok(offset) = u32::try_from(offset) else { return Ok(None) };
        found.push((offset, record));
        footer.next_sequence = record.header.sequence + 1;
        footer.data_len = walk.offset() as u64;
    }
    // What was known of the segment goes on to be counted.
    let segments = catalog.segments();
    let known = segments.get(end.seat).map(|segment| segment.usage());
    let usage = known.map_or_else(Usage::default, |known| Usage::of(known.fixed(), known.live_bytes()));
    let segment = Segment::sealed(end.header, &path, bytes.clone(), footer, usage);
    catalog.replace(end.seat, segment);
    for (offset, record) in found {
        let hash = catalog.index().hash(record.key);
        catalog.put(hash, Location { seat: end.seat, offset }, &record)?;
    }
    Ok(Some(End { footer, ..end }))
}

fn read_manifest(folder: Folder<'_>) -> Result<Vec<u8>> {
    let path = folder.path(MANIFEST);
    if folder.disk.entry(&path)?.is_none() {
        let found = "no MANIFEST: nothing has been written to it yet".to_owned();
        return Err(Error::ForeignStore { dir: folder.dir.to_path_buf(), expected: STAGE, found });
    }
    folder.disk.read(&path)
}
