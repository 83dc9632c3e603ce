//! Opening: which files make up the store, what they hold, and what of them a crash left unfinished.
//!
//! Everything is read before anything is changed, so that a store that is refused is left as it was.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use logladder_disk::{StoreFolder, cut_torn_tail};
use logladder_engine::{Error, Repair, Result};

use crate::aof::{Found, Source};
use crate::files::{FileKind, MANIFEST};
use crate::history::{Newest, count};
use crate::load::{Counts, frame, load};
use crate::log::{Log, Mark, Marks};
use crate::manifest::{Base, Manifest};
use crate::map::Map;
use crate::options::Options;
use crate::replay::replay;
use crate::report::Replay;
use crate::rewrite::{create_log, write_manifest};
use crate::store::{Files, Writer};
use crate::sums::{self, RECORD_LEN, Sum};

/// A store that has been read, and repaired.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) map: Map,
    pub(crate) writer: Writer,
    pub(crate) files: Files,
    pub(crate) repairs: Vec<Repair>,
    pub(crate) replay: Replay,
    pub(crate) counts_versions: bool,
}

/// An append-only file that has been read.
#[derive(Debug)]
struct ReadLog {
    number: u64,
    /// Its length in bytes.
    len: u64,
    found: Found,
    marks: Marks,
    sums: Option<ReadSums>,
}

/// The sums of one.
#[derive(Debug)]
struct ReadSums {
    /// How many bytes of lines they cover.
    covered: u64,
    /// How many bytes of them are right, and how many there are.
    good: u64,
    len: u64,
}

/// Reads the store in `folder`, and only then claims and repairs it.
pub(crate) fn recover(folder: &StoreFolder, options: &Options) -> Result<Recovered> {
    let (manifest, is_there) = find_manifest(folder, options)?;
    let mut is_written = is_there;
    let map = Map::new(&manifest.hash_key);
    let mut report = Replay::default();
    let mut counts = Counts::new();
    if let Some(base) = &manifest.base {
        counts = read_base(folder, base, manifest.sequence, &map, &mut report)?;
    }
    // A store that has counted them once goes on.
    let counts_versions =
        options.can_count_versions() && (options.history || manifest.counts_versions || !counts.is_empty());
    if counts_versions && counts.is_empty() {
        // They are counted from the base on.
        map.for_each_key(|key| {
            counts.insert(Box::from(key), 1);
        })?;
    }
    let mut logs: Vec<ReadLog> = Vec::new();
    let mut sequence = manifest.sequence;
    for (place, &number) in manifest.logs.iter().enumerate() {
        // Behind the end of a file that others follow, nothing was ever written that could be lost.
        let later = manifest.logs.get(place + 1..).unwrap_or_default();
        let mut may_be_torn = true;
        for &later in later {
            may_be_torn &= len_of(folder, FileKind::Aof(later))?.is_none_or(|len| len == 0);
        }
        let log = read_log(folder, number, sequence, may_be_torn, &map)?;
        sequence += log.found.changes;
        report.operations += log.found.changes;
        logs.push(log);
    }
    folder.claim()?;
    // The names first: a loss of power must not take the manifest back once it has been built upon.
    folder.disk().sync_dir(folder.dir())?;
    is_written &= manifest.counts_versions || !counts_versions;
    let mut files = Files { next: manifest.next, manifest };
    files.manifest.counts_versions |= counts_versions;
    let mut repairs = Vec::new();
    let mut opened = Vec::new();
    let is_last = |number| Some(&number) == files.manifest.logs.last();
    let (mut older_bytes, mut end) = (0, 0);
    for log in logs {
        // Lines in the file behind this one say that this one is on the disk.
        let syncs = options.syncs_each_write() || !is_last(log.number);
        older_bytes += end;
        let log = repair(folder, log, syncs, &mut repairs)?;
        end = log.file.len();
        opened.push(Arc::new(log));
    }
    if !options.has_log() {
        // Nothing is appended to them, and the next snapshot takes their place.
        opened.clear();
    } else if opened.is_empty() {
        let number = if is_there { files.take_number() } else { 1 };
        opened.push(create_log(folder, number, sequence)?);
        files.manifest.logs.push(number);
        files.manifest.next = files.next;
        is_written = false;
    }
    if !is_written {
        write_manifest(folder, &files.manifest)?;
    }
    remove_strays(folder, &files.manifest)?;
    let base_sequence = files.manifest.sequence;
    let mut writer = Writer {
        logs: opened,
        end,
        mark_at: end,
        older_bytes,
        sequence,
        shown: Mark { offset: end, sequence },
        base_sequence,
        counts: Arc::new(counts),
        newest: Newest::default(),
        pending: Vec::new(),
        views: Vec::new(),
        base_under_way: None,
        line: Vec::new(),
    };
    if options.shows_versions() {
        writer.newest = Newest::from(count(&writer.trail(), &writer.counts)?);
    }
    Ok(Recovered { map, writer, files, repairs, replay: report, counts_versions })
}

fn random_key() -> [u8; 16] {
    // The one source of random numbers that the standard library has.
    let half = || RandomState::new().hash_one(0);
    (u128::from(half()) << 64 | u128::from(half())).to_be_bytes()
}

fn len_of(folder: &StoreFolder, kind: FileKind) -> Result<Option<u64>> {
    Ok(folder.disk().entry(&folder.path(&kind.name()))?.map(|entry| entry.len))
}

/// The manifest, and whether it is on the disk.
fn find_manifest(folder: &StoreFolder, options: &Options) -> Result<(Manifest, bool)> {
    let path = folder.path(MANIFEST);
    if folder.disk().entry(&path)?.is_some() {
        // Mapped: a file that takes no space may have any length.
        return Ok((Manifest::decode(&path, &folder.disk().map(&path)?)?, true));
    }
    folder.check_in_place()?;
    let mut manifest = Manifest::first(options.hash_key.unwrap_or_else(random_key));
    for entry in folder.list()? {
        let needs_manifest = match FileKind::of(&entry.name) {
            Some(FileKind::Snapshot(_) | FileKind::Rewritten(_)) => true,
            Some(FileKind::Aof(number) | FileKind::Sums(number)) => number != 1,
            Some(FileKind::Manifest) | None => false,
        };
        if needs_manifest {
            let what = format!("it is missing, and {} proves that it was there", entry.name);
            return Err(Error::corrupt(&path, 0, what));
        }
    }
    if len_of(folder, FileKind::Aof(1))?.is_none() {
        if len_of(folder, FileKind::Sums(1))?.is_some() {
            let what = format!("it is missing, and {} proves that it was there", FileKind::Sums(1).name());
            return Err(Error::corrupt(&folder.path(&FileKind::Aof(1).name()), 0, what));
        }
        manifest.logs.clear();
    }
    Ok((manifest, false))
}

/// Opens a file that the manifest lists.
fn open_listed(folder: &StoreFolder, kind: FileKind) -> Result<logladder_disk::Map> {
    let path = folder.path(&kind.name());
    if folder.disk().entry(&path)?.is_none() {
        folder.check_in_place()?;
        return Err(Error::corrupt(&path, 0, format!("it is missing, and {MANIFEST} lists it")));
    }
    folder.disk().map(&path)
}

fn read_base(
    folder: &StoreFolder,
    base: &Base,
    sequence: u64,
    map: &Map,
    report: &mut Replay,
) -> Result<Counts> {
    let path = folder.path(&base.file.name());
    let bytes = open_listed(folder, base.file)?;
    let differs =
        |what: &str| Error::corrupt(&path, 0, format!("{what} is not the one that {MANIFEST} lists"));
    if bytes.len() as u64 != base.len {
        return Err(differs("its length"));
    }
    if let FileKind::Snapshot(_) = base.file {
        if frame(&path, &bytes)?.crc != base.crc {
            return Err(differs("its checksum"));
        }
        let loaded = load(&path, &bytes, map)?;
        if loaded.sequence != sequence {
            return Err(differs("its sequence"));
        }
        report.snapshot = Some(base.file.name());
        report.keys = loaded.keys;
        return Ok(loaded.counts);
    }
    // The manifest has the one sum of all of it.
    let sums = [Sum { covers: base.len, crc: base.crc }];
    let source = Source { path: &path, bytes: &bytes, sums: &sums, may_be_torn: false };
    let (found, _) = replay(source, 0, map)?;
    report.operations += found.changes;
    Ok(Counts::new())
}

fn read_log(
    folder: &StoreFolder,
    number: u64,
    sequence: u64,
    may_be_torn: bool,
    map: &Map,
) -> Result<ReadLog> {
    let path = folder.path(&FileKind::Aof(number).name());
    let sums_path = folder.path(&FileKind::Sums(number).name());
    let stored = match folder.disk().entry(&sums_path)? {
        Some(_) => Some(folder.disk().map(&sums_path)?),
        None => None,
    };
    let sums = sums::read(number, stored.as_deref().unwrap_or_default());
    let bytes = open_listed(folder, FileKind::Aof(number))?;
    let source = Source { path: &path, bytes: &bytes, sums: &sums, may_be_torn };
    let (found, marks) = replay(source, sequence, map)?;
    let covered = found.sums.checked_sub(1).and_then(|last| sums.get(last)).map_or(0, |sum| sum.covers);
    let good = (found.sums * RECORD_LEN) as u64;
    let sums = stored.map(|stored| ReadSums { covered, good, len: stored.len() as u64 });
    Ok(ReadLog { number, len: bytes.len() as u64, found, marks, sums })
}

/// Cuts off what a crash left unfinished of a file and of its sums.
fn repair(folder: &StoreFolder, log: ReadLog, syncs: bool, repairs: &mut Vec<Repair>) -> Result<Log> {
    let disk = &**folder.disk();
    let file = disk.open(&folder.path(&FileKind::Aof(log.number).name()))?;
    let end = log.found.end as u64;
    if log.len > end {
        repairs.push(cut_torn_tail(disk, &*file, end)?);
    }
    if log.found.lacks_line_feed {
        file.append(b"\n")?;
        // Whatever the policy: the line may have been brought from elsewhere, where it was safe.
        file.sync()?;
    } else if syncs && !file.is_empty() {
        file.sync()?;
    }
    let opened = Log::new(log.number, file, log.marks);
    let Some(sums) = log.sums else { return Ok(opened) };
    let file = disk.open(&folder.path(&FileKind::Sums(log.number).name()))?;
    if sums.len > sums.good {
        // What a crash left of a record.
        file.truncate(sums.good)?;
        file.sync()?;
    }
    Ok(opened.with_sums(file, sums.covered, log.found.crc))
}

/// Removes what no manifest lists: what a rewrite left that did not end, or had ended.
fn remove_strays(folder: &StoreFolder, manifest: &Manifest) -> Result<()> {
    for entry in folder.list()? {
        if FileKind::of(&entry.name).is_some_and(|kind| !manifest.lists(kind)) {
            folder.disk().remove(&folder.path(&entry.name))?;
        }
    }
    Ok(())
}
