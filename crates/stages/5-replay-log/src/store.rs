//! [`Store`]: the parts of an open store, and which lock guards what.
//!
//! Locks are taken in this order: the files, the leadership of a sync, the writer, a table of the map, a part of a
//! view, a base that is being written. A reader takes one table's lock alone.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use logladder_disk::{Disk, Poison, StoreFolder};
use logladder_engine::{Error, Repair, Result};

use crate::background::Signal;
use crate::commit::Commits;
use crate::entry::Entry;
use crate::follow::Trail;
use crate::history::Newest;
use crate::load::Counts;
use crate::log::{Log, MARK_STEP, Mark};
use crate::manifest::Manifest;
use crate::map::{Map, Place};
use crate::options::Options;
use crate::report::Replay;
use crate::unfinished::Unfinished;
use crate::view::View;

/// The buffer of a line keeps its memory up to so many bytes.
const LINE_KEPT: usize = 1 << 20;

/// An open store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) folder: StoreFolder,
    pub(crate) options: Options,
    pub(crate) map: Map,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) commits: Commits,
    /// Held while a snapshot or a rewrite is made.
    pub(crate) files: Mutex<Files>,
    /// At how many bytes of lines the next rewrite is due.
    pub(crate) rewrite_at: AtomicU64,
    pub(crate) poison: Poison,
    pub(crate) repairs: Vec<Repair>,
    pub(crate) replay: Replay,
    pub(crate) signal: Signal,
    /// Whether a base gets the numbers of versions, asked for or not.
    pub(crate) counts_versions: bool,
}

/// Which files there are.
#[derive(Debug)]
pub(crate) struct Files {
    /// As it is on the disk, if it is there.
    pub(crate) manifest: Manifest,
    /// The number of the next new file: perhaps beyond that in the manifest.
    pub(crate) next: u64,
}

impl Files {
    /// A number that no file has had.
    pub(crate) fn take_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

/// What belongs to the one who writes.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The append-only files, oldest first: the last one is appended to. None, if none is.
    pub(crate) logs: Vec<Arc<Log>>,
    /// Where the lines of the last file end.
    pub(crate) end: u64,
    /// How far they go before the next place is marked.
    pub(crate) mark_at: u64,
    /// How many bytes there are in the files before.
    pub(crate) older_bytes: u64,
    /// How many changes have been appended, since the store was made.
    pub(crate) sequence: u64,
    /// How many of them readers see, and where their lines end: all, unless each write is synced.
    pub(crate) shown: Mark,
    /// How many the base holds the outcome of.
    pub(crate) base_sequence: u64,
    /// The number of each key's newest version when the base was made, if they are counted.
    pub(crate) counts: Arc<Counts>,
    /// The number that it has now, as far as readers see.
    pub(crate) newest: Newest,
    /// Appended and not yet shown: they are not on the disk. In the order of the lines.
    pub(crate) pending: Vec<Made>,
    /// Those who still need old values.
    pub(crate) views: Vec<Weak<View>>,
    /// The base that is being written, if one is.
    pub(crate) base_under_way: Option<Arc<Unfinished>>,
    /// The line under way.
    pub(crate) line: Vec<u8>,
}

/// What a write does to the map.
#[derive(Debug)]
pub(crate) enum Made {
    Set(Entry),
    Deleted(Place, Box<[u8]>),
}

impl Made {
    pub(crate) fn key(&self) -> &[u8] {
        match self {
            Self::Set(entry) => entry.key(),
            Self::Deleted(_, key) => key,
        }
    }

    /// The value that the key has from then on.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        match self {
            Self::Set(entry) => Some(entry.value()),
            Self::Deleted(..) => None,
        }
    }
}

impl Store {
    /// The writer's part, for writing.
    ///
    /// # Errors
    ///
    /// An earlier write failed.
    pub(crate) fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        Ok(writer)
    }

    /// The writer's part, for a look. Reads go on after a failed write.
    pub(crate) fn look(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn files(&self) -> Result<MutexGuard<'_, Files>> {
        self.files.lock().map_err(|_| Error::panicked())
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &**self.folder.disk()
    }

    /// The store as it is now, for as long as it takes to look at it.
    pub(crate) fn moment(&self) -> Moment {
        // Its memory first, so that nobody waits for that.
        let view = View::new();
        self.look().moment(view)
    }

    /// Appends the line under way, which holds so many changes, and counts them.
    ///
    /// # Errors
    ///
    /// The disk failed. Then nothing has changed, and no more is written.
    pub(crate) fn append_line(&self, writer: &mut Writer, changes: u64) -> Result<()> {
        if let Some(log) = writer.logs.last() {
            let mut appended = log.file.append(&writer.line);
            if is_full(&appended) && writer.base_under_way.take().is_some_and(|base| base.give_up()) {
                // From the same offset on: what there is of the line is written over.
                appended = log.file.append(&writer.line);
            }
            if let Err(failure) = appended {
                // To keep a copy of a torn line, opening needs space, which a full disk does not have. Should this
                // fail too, opening cuts it off.
                let _ = log.file.truncate(log.file.len()).and_then(|()| log.file.sync());
                writer.line.clear();
                return self.poison.guard(Err(failure));
            }
            writer.end += writer.line.len() as u64;
            if writer.end >= writer.mark_at {
                log.note(Mark { offset: writer.end, sequence: writer.sequence + changes });
                writer.mark_at = writer.end + MARK_STEP;
            }
            let bytes = writer.line_bytes();
            if bytes >= self.rewrite_at.load(Ordering::Relaxed) {
                // Until that is done, it need not be said again.
                self.rewrite_at.store(u64::MAX, Ordering::Relaxed);
                self.signal.wake();
            }
        }
        writer.line.clear();
        writer.line.shrink_to(LINE_KEPT);
        writer.sequence += changes;
        Ok(())
    }

    /// Shows `made`, which has been appended, to readers.
    pub(crate) fn show(&self, views: &[Weak<View>], newest: &mut Newest, made: Made) -> Result<()> {
        newest.count(made.key());
        match made {
            Made::Set(entry) => self.map.put(entry, views),
            Made::Deleted(place, key) => self.map.remove(place, &key, views),
        }
    }
}

fn is_full(outcome: &Result<u64>) -> bool {
    use ErrorKind::{QuotaExceeded, StorageFull};
    matches!(outcome, Err(Error::Io { source, .. }) if matches!(source.kind(), StorageFull | QuotaExceeded))
}

/// The store as it was at one moment.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) view: Arc<View>,
    /// The lines up to then.
    pub(crate) lines: Trail,
    /// The number of each key's newest version before those lines, if they are counted.
    pub(crate) counts: Arc<Counts>,
}

impl Writer {
    /// Makes `view` one of now.
    pub(crate) fn moment(&mut self, mut view: View) -> Moment {
        view.sequence = self.shown.sequence;
        let view = Arc::new(view);
        self.views.push(Arc::downgrade(&view));
        Moment { view, lines: self.trail(), counts: Arc::clone(&self.counts) }
    }

    /// What can be read of the lines now.
    pub(crate) fn trail(&self) -> Trail {
        Trail { logs: self.logs.clone(), shown: self.shown }
    }

    /// How many bytes of lines there are.
    pub(crate) fn line_bytes(&self) -> u64 {
        self.older_bytes + self.end
    }

    /// Lets readers of the lines see what has been appended.
    pub(crate) fn show_appended(&mut self) {
        self.drop_ended_views();
        self.shown = Mark { offset: self.end, sequence: self.sequence };
    }

    /// Forgets the views that have ended.
    pub(crate) fn drop_ended_views(&mut self) {
        if !self.views.is_empty() {
            self.views.retain(|view| view.strong_count() > 0);
        }
    }

    /// The newest write of `key` that is not shown yet, if there is one.
    pub(crate) fn pending_write(&self, key: &[u8]) -> Option<&Made> {
        self.pending.iter().rev().find(|made| made.key() == key)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use logladder_disk::{Fault, Filter, OpenOn, RecordingDisk};
    use logladder_engine::{Engine, SyncPolicy};

    use super::*;
    use crate::{Housekeeping, ReplayLog};

    #[test]
    fn a_write_that_finds_the_disk_full_takes_the_space_of_a_base_that_is_being_written() {
        let (disk, dir) = (RecordingDisk::new(), Path::new("/store"));
        let options =
            || Options::default().with_sync(SyncPolicy::Never).with_housekeeping(Housekeeping::OnDemand);
        let open = || ReplayLog::open_on(Arc::new(disk.clone()), dir, options()).unwrap();
        let engine = open();
        let path = dir.join("base-0000000003.snapshot.tmp");
        let base = Arc::new(Unfinished::new(disk.create(&path).unwrap()));
        base.append(b"half of it").unwrap();
        engine.store().look().base_under_way = Some(Arc::clone(&base));
        let full = Fault { on: Filter::Append, after: 0, torn_at: 3, kind: ErrorKind::StorageFull };
        disk.inject(full);
        engine.set(b"key", b"value").unwrap();
        assert_eq!(disk.read(&path).unwrap(), b"", "its space is given back");
        let told = base.append(b"the rest").and_then(|()| base.finish()).unwrap_err();
        assert!(told.to_string().contains("full"), "{told}");

        // One that is whole is kept, and then the write fails.
        let whole =
            Arc::new(Unfinished::new(disk.create(&dir.join("base-0000000004.snapshot.tmp")).unwrap()));
        whole.append(b"all of it").unwrap();
        whole.finish().unwrap();
        engine.store().look().base_under_way = Some(whole);
        disk.inject(full);
        assert!(matches!(engine.set(b"other", b"value"), Err(Error::Io { .. })));
        drop(engine);
        let engine = open();
        assert_eq!(engine.repairs(), [], "no line is torn");
        assert_eq!(engine.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
        assert_eq!(engine.get(b"other").unwrap(), None);
    }
}
