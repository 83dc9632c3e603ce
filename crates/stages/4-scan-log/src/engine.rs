//! [`ScanLog`]: the engine.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use logladder_disk::{Disk, File, OpenOn, Poison, RealDisk, StoreFolder};
use logladder_engine::{Durability, Engine, Error, Iterate, Open, Repair, Result, Stats, SyncPolicy, limits};

use crate::checksums::{self, CHECKSUM_FILE};
use crate::line::{self, Entry};
use crate::lines::{Line, Lines};
use crate::recovery::{LOG_FILE, recover};
use crate::search::newest_line;

const STAGE: &str = "scan-log";
const FORMAT_VERSION: u32 = 1;

/// A store that appends every write to one file, and reads that file to find a value.
#[derive(Debug)]
pub struct ScanLog {
    folder: StoreFolder,
    options: Options,
    log: Box<dyn File>,
    checksums: Box<dyn File>,
    /// Where the acknowledged lines end. Readers go no further, so that nobody ever reads a write that then
    /// fails; and they need no lock, since what lies before it never changes.
    end: AtomicU64,
    /// Every line that begins here or later begins as this crate writes it, and can be found by its first
    /// bytes.
    canonical_from: u64,
    /// One write at a time.
    writer: Mutex<()>,
    poison: Poison,
    repairs: Vec<Repair>,
}

/// What can be chosen at opening.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Options {
    /// Whether each write is synced before it is acknowledged.
    pub sync: SyncPolicy,
}

impl Options {
    /// The same with another sync policy.
    #[must_use]
    pub fn with_sync(mut self, sync: SyncPolicy) -> Self {
        self.sync = sync;
        self
    }
}

impl ScanLog {
    fn writer(&self) -> Result<MutexGuard<'_, ()>> {
        let writer = self.writer.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        Ok(writer)
    }

    // ANCHOR: append
    fn append(&self, line: &[u8]) -> Result<()> {
        let _one_at_a_time = self.writer()?;
        let start = self.poison.guard(self.append_to_files(line))?;
        self.end.store(start + line.len() as u64, Ordering::Release);
        Ok(())
    }
    // ANCHOR_END: append

    // ANCHOR: append_to_files
    /// The line is on the disk before its checksum is written, so there is never a checksum without its line.
    fn append_to_files(&self, line: &[u8]) -> Result<u64> {
        let mut checksum = Vec::new();
        checksums::write(line, &mut checksum);
        let start = self.log.append(line)?;
        self.sync_unless_never(&*self.log)?;
        self.checksums.append(&checksum)?;
        self.sync_unless_never(&*self.checksums)?;
        Ok(start)
    }
    // ANCHOR_END: append_to_files

    fn sync_unless_never(&self, file: &dyn File) -> Result<()> {
        match self.options.sync {
            SyncPolicy::Never => Ok(()),
            _ => file.sync(),
        }
    }

    /// Where the acknowledged lines end now.
    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Where the newest line of `key` begins, if it has one.
    fn find(&self, key: &[u8], end: u64) -> Result<Option<u64>> {
        let found = newest_line(&*self.log, self.canonical_from, end, &line::beginning(key))?;
        if found.is_some() || self.canonical_from == 0 {
            return Ok(found);
        }
        let mut newest = None;
        self.scan(0, self.canonical_from, |line, entry| {
            if *entry.key == *key {
                newest = Some(line.offset);
            }
        })?;
        Ok(newest)
    }

    /// Shows every line between two offsets, oldest first.
    pub(crate) fn scan(&self, from: u64, end: u64, mut show: impl FnMut(Line<'_>, Entry<'_>)) -> Result<()> {
        let mut lines = Lines::new(&*self.log, from, end);
        while let Some(line) = lines.next_line()? {
            show(line, self.parse(line)?);
        }
        Ok(())
    }

    /// Shows what the line at `offset` says.
    pub(crate) fn read<T>(&self, offset: u64, end: u64, show: impl FnOnce(Entry<'_>) -> T) -> Result<T> {
        let mut lines = Lines::new(&*self.log, offset, end);
        match lines.next_line()? {
            Some(line) => Ok(show(self.parse(line)?)),
            None => Err(Error::corrupt(self.log.path(), offset, "a line is missing that was there before")),
        }
    }

    fn parse<'l>(&self, line: Line<'l>) -> Result<Entry<'l>> {
        line::parse(line.bytes).map_err(|why| {
            let what = format!("the line there was sound when the store was opened, and is no longer: {why}");
            Error::corrupt(self.log.path(), line.offset, what)
        })
    }
}

impl Engine for ScanLog {
    fn name(&self) -> &'static str {
        STAGE
    }

    fn durability(&self) -> Durability {
        self.options.sync.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        let end = self.end();
        match self.find(key, end)? {
            Some(offset) => self.read(offset, end, |entry| entry.value.map(std::borrow::Cow::into_owned)),
            None => Ok(None),
        }
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        self.append(&line::write(key, Some(value)))
    }

    /// Appends a line that says so, whether the key is there or not: to ask would be a scan of the whole log.
    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        self.append(&line::write(key, None))
    }

    fn sync(&self) -> Result<()> {
        let _one_at_a_time = self.writer()?;
        // An open file can be synced after it was removed; but nobody would find it again.
        self.folder.check_in_place()?;
        match self.options.sync {
            SyncPolicy::Never => self.poison.guard(self.log.sync().and_then(|()| self.checksums.sync())),
            // Each write was synced before it was acknowledged.
            _ => Ok(()),
        }
    }

    /// Reads the whole log, and holds every live key in memory meanwhile.
    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        for (key, value_len) in self.live_value_lens()? {
            stats.live_keys += 1;
            stats.live_bytes += key.len() as u64 + value_len;
        }
        stats.disk_bytes = self.folder.disk_bytes()?;
        // There is no index. That is the lesson.
        stats.index_bytes = 0;
        Ok(stats)
    }

    fn trouble(&self) -> Option<String> {
        self.folder.trouble()
    }

    fn repairs(&self) -> &[Repair] {
        &self.repairs
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }
}

impl Open for ScanLog {
    type Options = Options;

    fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, options)
    }
}

impl OpenOn for ScanLog {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Self> {
        let is_ours = |name: &str| name == LOG_FILE || name == CHECKSUM_FILE;
        let folder = StoreFolder::open_unclaimed(disk, dir, STAGE, FORMAT_VERSION, is_ours)?;
        let recovered = recover(&folder, options.sync)?;
        Ok(Self {
            folder,
            options,
            end: AtomicU64::new(recovered.log.len()),
            log: recovered.log,
            checksums: recovered.checksums,
            canonical_from: recovered.canonical_from,
            writer: Mutex::new(()),
            poison: Poison::default(),
            repairs: recovered.repairs,
        })
    }
}
