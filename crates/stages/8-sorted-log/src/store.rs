//! [`Store`]: the parts of an open store, shared by its users and its threads, and the locks around them.
//!
//! The locks are taken in this order, and none is held while waiting for an earlier one:
//!
//! ```text
//!   compaction ──► flushing ──► writer ──► list ──► swapping
//! ```
//!
//! - `compaction`, `flushing`: one merge of tables, one write of a memtable at a time.
//! - `writer`: one write at a time. Nobody waits for the disk under it, but for the thread that begins a new log.
//! - `list`: the manifest, and the edits that are appended to it.
//! - `swapping`: the choice of the next [`State`].
//!
//! Readers take none of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use logladder_disk::{Disk, File, Poison, StoreFolder, install_temporary, write_temporary};
use logladder_engine::{Error, Result, SyncPolicy};

use crate::Options;
use crate::background::Signal;
use crate::commit::Commits;
use crate::damage::Damage;
use crate::files::{FileKind, MANIFEST};
use crate::manifest::{Edit, LEVELS, Manifest, Synced};
use crate::memtable::Memtable;
use crate::stalls::StallCount;
use crate::table::build::TableBuilder;
use crate::table::{Table, TableMeta};

/// An open store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) folder: StoreFolder,
    pub(crate) options: Options,
    pub(crate) poison: Poison,
    pub(crate) signal: Signal,
    pub(crate) commits: Commits,
    pub(crate) damage: Damage,
    /// For each level the largest key that was merged down last: the next comes behind it.
    pub(crate) compaction: Mutex<[Vec<u8>; LEVELS]>,
    pub(crate) flushing: Mutex<()>,
    writer: Mutex<Writer>,
    list: Mutex<List>,
    swapping: Mutex<()>,
    state: ArcSwap<State>,
    /// The number of the last write that readers see.
    pub(crate) visible: AtomicU64,
    next_number: AtomicU64,
    pub(crate) stalls: StallCount,
}

/// What the keys of the store are in: each part newer than the next.
#[derive(Debug)]
pub(crate) struct State {
    /// Where writes go.
    pub(crate) active: Arc<Memtable>,
    /// Memtables that are full and not in a table yet, the newest first.
    pub(crate) full: Vec<Arc<Memtable>>,
    pub(crate) tables: Arc<Tables>,
}

/// The tables of each level.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// In level 0 the newest first, in the others by their keys.
    pub(crate) levels: [Vec<Arc<Table>>; LEVELS],
}

impl Tables {
    /// Those that the manifest names, of `open` ones.
    pub(crate) fn of(manifest: &Manifest, open: &HashMap<u64, Arc<Table>>) -> Self {
        let level = |metas: &Vec<TableMeta>| {
            metas.iter().filter_map(|meta| open.get(&meta.number).cloned()).collect()
        };
        Self { levels: std::array::from_fn(|number| level(&manifest.levels[number])) }
    }

    /// Those that may have `key`.
    pub(crate) fn of_key<'t>(&'t self, key: &'t [u8]) -> impl Iterator<Item = &'t Arc<Table>> {
        let deeper = self.levels[1..].iter().filter_map(move |level| {
            level.get(level.partition_point(|table| table.meta.largest.as_slice() < key))
        });
        self.levels[0].iter().chain(deeper)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.levels.iter().flatten()
    }
}

/// What only one thread at a time may change: the end of the log.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The number that the next write will have.
    pub(crate) next_sequence: u64,
    pub(crate) memtable: Arc<Memtable>,
    /// The memtable's log; none before its first write.
    pub(crate) log: Option<LogFile>,
    /// The frame that is being written, kept for its memory.
    pub(crate) buffer: Vec<u8>,
    /// Whether a memtable has become full since someone asked.
    pub(crate) has_rotated: bool,
    /// Whether anything was written since the store was opened.
    pub(crate) has_written: bool,
}

/// A log that is appended to.
#[derive(Debug, Clone)]
pub(crate) struct LogFile {
    pub(crate) file: Arc<dyn File>,
    /// Whether space is reserved for it, and must be given back.
    pub(crate) is_reserved: bool,
    /// The length that it must not pass: of a reserved one, the first frame fits.
    pub(crate) capacity: u64,
}

/// The manifest, and its file.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) manifest: Manifest,
    pub(crate) file: Box<dyn File>,
    /// How many edits are in the file.
    pub(crate) edits: u64,
    /// How long the file may grow before it is written anew.
    pub(crate) limit: u64,
    /// How many flushes and merges are removing what they have replaced. As long as one is, the file keeps what it says of
    /// that: it is how the next opening knows such a file, should this process end first.
    pub(crate) removing: u64,
}

/// The parts that opening has put together.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) state: State,
    pub(crate) log: Option<LogFile>,
    pub(crate) list: List,
    pub(crate) next_sequence: u64,
    pub(crate) next_number: u64,
}

impl Store {
    pub(crate) fn new(folder: StoreFolder, options: Options, parts: Parts) -> Self {
        let last = parts.next_sequence - 1;
        let writer = Writer {
            next_sequence: parts.next_sequence,
            memtable: Arc::clone(&parts.state.active),
            log: parts.log,
            buffer: Vec::new(),
            has_rotated: false,
            has_written: false,
        };
        Self {
            folder,
            options,
            poison: Poison::default(),
            signal: Signal::default(),
            commits: Commits::durable_up_to(last),
            damage: Damage::default(),
            compaction: Mutex::default(),
            flushing: Mutex::default(),
            writer: Mutex::new(writer),
            list: Mutex::new(parts.list),
            swapping: Mutex::default(),
            state: ArcSwap::from_pointee(parts.state),
            visible: AtomicU64::new(last),
            next_number: AtomicU64::new(parts.next_number),
            stalls: StallCount::default(),
        }
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &**self.folder.disk()
    }

    /// The state, and the number of the last write in it that counts. In this order: a state that is older than the number
    /// is the store as it was when the next state came, and one that is newer might have lost what the number needs.
    pub(crate) fn now(&self) -> (arc_swap::Guard<Arc<State>>, u64) {
        let state = self.state.load();
        (state, self.visible.load(Ordering::Acquire))
    }

    /// The same, to be kept.
    pub(crate) fn now_kept(&self) -> (Arc<State>, u64) {
        let state = self.state.load_full();
        (state, self.visible.load(Ordering::Acquire))
    }

    /// The lock that a write needs.
    ///
    /// # Errors
    ///
    /// A write has failed before, or a thread has panicked in the middle of one.
    pub(crate) fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        self.poison.check()?;
        let writer = self.writer.lock().map_err(|_| Error::panicked())?;
        // Again: whoever had the lock may have failed.
        self.poison.check()?;
        Ok(writer)
    }

    /// A number for a new file.
    pub(crate) fn new_number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes the file of a new table.
    pub(crate) fn new_table(&self) -> Result<TableBuilder> {
        self.folder.check_in_place()?;
        let number = self.new_number();
        TableBuilder::create(self.disk(), &self.table_path(number), number, &self.options)
    }

    /// Opens a table that was written.
    pub(crate) fn open_table(&self, meta: &TableMeta) -> Result<Table> {
        self.folder.check_in_place()?;
        Table::open(self.disk(), &self.table_path(meta.number), meta.clone())
    }

    /// Removes a file that the store no longer needs. What has its name after the folder was moved away may be another
    /// store's.
    pub(crate) fn remove(&self, kind: FileKind) -> Result<()> {
        self.folder.check_in_place()?;
        self.disk().remove(&self.folder.path(&kind.name()))
    }

    pub(crate) fn table_path(&self, number: u64) -> std::path::PathBuf {
        self.folder.path(&FileKind::Table(number).name())
    }

    /// Puts another state in place of the one there is.
    pub(crate) fn change(&self, next: impl FnOnce(&State) -> State) {
        // The state is replaced as a whole, so a panic cannot have left it half-changed.
        let _swapping = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let next = next(&self.state.load());
        self.state.store(Arc::new(next));
    }

    /// Puts the edit on the disk, and then in place, with the tables `added` that it names. If it is about a memtable that
    /// is in a table now, that is `flushed`.
    ///
    /// # Errors
    ///
    /// The disk failed. Whether the edit is on the disk is then unknown, so the caller takes no more writes and removes
    /// no file.
    pub(crate) fn install(&self, edit: &Edit, added: Vec<Table>, flushed: bool) -> Result<()> {
        let mut list = self.list.lock().map_err(|_| Error::panicked())?;
        let list = &mut *list;
        let mut manifest = list.manifest.clone();
        let path = self.folder.path(MANIFEST);
        let contradiction =
            || Error::corrupt(&path, list.file.len(), "the next edit contradicts those before it");
        manifest.apply(edit).ok_or_else(contradiction)?;
        let bytes = edit.encode(list.edits + 1);
        if list.removing > 0 || list.file.len() + bytes.len() as u64 <= list.limit {
            list.file.append(&bytes).inspect_err(|_| cut_unfinished(&*list.file))?;
            list.file.sync()?;
            list.edits += 1;
        } else {
            // As `replace` does it, with a look at the last moment at whose manifest that is.
            let bytes = [list.manifest.encode(), edit.encode(2)].concat();
            self.folder.check_in_place()?;
            write_temporary(self.disk(), &path, &[&bytes], SyncPolicy::Always)?;
            // What was removed is gone for good before it is forgotten what it was.
            self.disk().sync_dir(self.folder.dir())?;
            self.folder.check_in_place()?;
            install_temporary(self.disk(), &path)?;
            self.disk().sync_dir(self.folder.dir())?;
            list.file = self.disk().open(&path)?;
            (list.edits, list.limit) = (2, limit(bytes.len(), &self.options));
        }
        list.manifest = manifest;
        list.removing += u64::from(flushed || edit.replaces_tables());
        self.change(|state| {
            let mut open: HashMap<u64, Arc<Table>> =
                state.tables.all().map(|table| (table.meta.number, Arc::clone(table))).collect();
            open.extend(added.into_iter().map(|table| (table.meta.number, Arc::new(table))));
            let kept = state.full.len() - usize::from(flushed);
            State {
                active: Arc::clone(&state.active),
                full: state.full[..kept].to_vec(),
                tables: Arc::new(Tables::of(&list.manifest, &open)),
            }
        });
        // Whoever did it, a thread of the engine or a caller: there may be something to merge, or room for a writer.
        if flushed || !edit.added.is_empty() || !edit.removed.is_empty() {
            self.signal.end_round();
        }
        Ok(())
    }

    /// Notes in the manifest that so much of a log is on the disk: it has no unfinished end before that from now on.
    ///
    /// # Errors
    ///
    /// As [`install`](Self::install).
    pub(crate) fn note_synced(&self, log: u64, len: u64) -> Result<()> {
        let synced = Some(Synced { log, len });
        if self.manifest()?.synced == synced {
            return Ok(());
        }
        self.install(&Edit { synced, ..Edit::default() }, Vec::new(), false)
    }

    /// Removes the tables, or the log, that an edit has replaced.
    pub(crate) fn remove_replaced(&self, mut files: impl Iterator<Item = FileKind>) -> Result<()> {
        files.try_for_each(|file| self.remove(file))?;
        self.list.lock().map_err(|_| Error::panicked())?.removing -= 1;
        Ok(())
    }

    /// A copy of what the manifest says.
    pub(crate) fn manifest(&self) -> Result<Manifest> {
        Ok(self.list.lock().map_err(|_| Error::panicked())?.manifest.clone())
    }
}

/// Cuts what a failed append left behind the end of `file`, if the disk lets us: the next opening would have to keep a copy of
/// it, for which a full disk has no room.
pub(crate) fn cut_unfinished(file: &dyn File) {
    // The failure of the append says more.
    let _ = file.truncate(file.len());
}

/// How long a manifest may grow whose first edit makes it so long.
pub(crate) fn limit(len: usize, options: &Options) -> u64 {
    (4 * len as u64).max(options.manifest_bytes)
}
