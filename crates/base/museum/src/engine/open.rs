//! Opening: every segment is read, by its hint or by its records; what a crash left is mended; and nothing is changed
//! before all of it has been found good.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use logladder_disk::{Disk, File, Poison, StoreFolder, cut_torn_tail};
use logladder_engine::{Error, Repair, Result};

use super::record::{self, Kind};
use super::scan::{Found, scan};
use super::segments::{is_own, number_of};
use super::{Museum, Options, Place, Segment, State, hint};
use crate::Bug;

/// The file that one of the bugs takes for a lock.
pub(crate) const IN_USE: &str = "in-use";

/// What was read of a segment.
struct Loaded {
    first: u32,
    found: Vec<Found>,
    is_complete: bool,
    /// Where a record begins that is not whole.
    torn_at: Option<usize>,
}

pub(crate) fn open(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Museum> {
    let folder = StoreFolder::open_unclaimed(disk, dir, "museum", 1, is_own)?;
    let mut store = Museum {
        bug: options.bug,
        options,
        folder,
        state: Mutex::default(),
        compacting: Mutex::default(),
        poison: Poison::default(),
        is_open: false,
        repairs: Vec::new(),
    };
    let (loaded, replaced) = store.load_all()?;
    store.folder.claim()?;
    // ANCHOR: locks-by-existence
    if store.bug == Bug::LocksByExistence {
        let path = store.folder.path(IN_USE);
        store.disk().create(&path).map_err(|_| Error::Locked { path: path.clone() })?;
    }
    // ANCHOR_END: locks-by-existence
    for number in replaced {
        store.remove_segment(number)?;
    }
    let (mut state, mut next_stamp) = (State::default(), 0_u64);
    let mut newest_of_key: BTreeMap<Vec<u8>, (Kind, Place)> = BTreeMap::new();
    let mut newest_is_complete = true;
    for (number, segment) in loaded {
        let file = store.disk().open(&store.segment_path(number))?;
        if let Some(offset) = segment.torn_at {
            let repair = store.repair(&*file, offset)?;
            store.repairs.push(repair);
        }
        for Found { kind, stamp, offset, len, key } in segment.found {
            next_stamp = next_stamp.max(stamp.saturating_add(1));
            let place = Place { segment: number, offset, len, stamp };
            let newest = newest_of_key.entry(key).or_insert((kind, place));
            if newest.1.stamp <= stamp {
                *newest = (kind, place);
            }
        }
        newest_is_complete = segment.is_complete;
        state.segments.insert(number, Segment { first: segment.first, file });
    }
    // ANCHOR: trusts-the-clock
    state.next_stamp = if store.bug == Bug::TrustsTheClock {
        next_stamp.saturating_sub(5) // meanwhile, somebody has put the clock back
    } else {
        next_stamp
    };
    // ANCHOR_END: trusts-the-clock
    let live = newest_of_key.into_iter().filter(|(_, (kind, _))| *kind == Kind::Value);
    state.index = live.map(|(key, (_, place))| (key, place)).collect();
    if newest_is_complete {
        let next = state.segments.last_key_value().map_or(0, |(&number, _)| number).saturating_add(1);
        state.segments.insert(next, store.new_segment(next)?);
    }
    // ANCHOR: trusts-what-it-finds
    if store.bug != Bug::TrustsWhatItFinds {
        // What a process that died had not synced becomes durable before anything is built on it.
        store.disk().sync_files(store.folder.dir())?;
    }
    // ANCHOR_END: trusts-what-it-finds
    store.state = Mutex::new(state);
    store.is_open = true;
    Ok(store)
}

impl Museum {
    /// Every segment that counts, and the numbers of those that a compaction has replaced and not yet removed.
    fn load_all(&self) -> Result<(BTreeMap<u32, Loaded>, Vec<u32>)> {
        let (mut segments, mut replaced) = (BTreeMap::new(), Vec::new());
        let mut numbers: Vec<u32> =
            self.folder.list()?.iter().filter_map(|entry| number_of(&entry.name)).collect();
        numbers.sort_unstable();
        let newest = numbers.last().copied();
        // The lowest number of a segment whose records have been read: each says how far down its own reach.
        let mut lowest = newest.map(|newest| newest.saturating_add(1));
        for number in numbers.into_iter().rev() {
            if lowest.is_some_and(|lowest| number >= lowest) {
                replaced.push(number);
                continue;
            }
            let loaded = self.load(number, newest == Some(number))?;
            if lowest != number.checked_add(1) {
                break;
            }
            lowest = Some(loaded.first);
            segments.insert(number, loaded);
        }
        if let Some(missing) = lowest.filter(|&lowest| lowest > 1) {
            return Err(Error::corrupt(&self.segment_path(missing - 1), 0, "the segment is missing"));
        }
        replaced.sort_unstable();
        Ok((segments, replaced))
    }

    fn load(&self, number: u32, is_newest: bool) -> Result<Loaded> {
        let path = self.segment_path(number);
        let damaged = |offset: usize, what: &str| Error::corrupt(&path, offset as u64, what);
        let bytes = self.disk().read(&path)?;
        let first = record::parse_segment_header(&bytes).filter(|&first| (1..=number).contains(&first));
        let first = first.ok_or_else(|| damaged(0, "the segment's header fails its check"))?;
        if let Some(found) = self.read_hint(number, first, bytes.len())? {
            return Ok(Loaded { first, found, is_complete: true, torn_at: None });
        }
        let scan = scan(self.bug, &bytes);
        let is_whole = scan.end == bytes.len();
        // ANCHOR: refuses-torn-tails
        let may_be_torn =
            if self.bug == Bug::RefusesTornTails { false } else { is_newest && !scan.is_complete };
        // ANCHOR_END: refuses-torn-tails
        if scan.goes_on {
            return Err(damaged(scan.end, "a record fails its check, and good ones follow"));
        }
        if !is_whole && !may_be_torn {
            return Err(damaged(scan.end, "a record fails its check"));
        }
        // ANCHOR: panics-on-a-torn-tail
        if self.bug == Bug::PanicsOnATornTail {
            assert!(is_whole, "the length of a record is out of range");
        }
        // ANCHOR_END: panics-on-a-torn-tail
        if !is_newest && !scan.is_complete {
            return Err(damaged(scan.end, "the segment ends before its end record"));
        }
        let torn_at = (!is_whole).then_some(scan.end);
        Ok(Loaded { first, found: scan.found, is_complete: scan.is_complete, torn_at })
    }

    /// What the hint of a segment says, if there is one to be believed.
    fn read_hint(&self, number: u32, first: u32, segment_len: usize) -> Result<Option<Vec<Found>>> {
        let path = self.hint_path(number);
        if self.disk().entry(&path)?.is_none() {
            return Ok(None);
        }
        let hint = hint::parse(self.bug, &self.disk().read(&path)?, first, segment_len);
        // ANCHOR: needs-hints
        if self.bug == Bug::NeedsHints && hint.is_none() {
            return Err(Error::corrupt(&path, 0, "the hint fails its check"));
        }
        // ANCHOR_END: needs-hints
        Ok(hint)
    }

    /// Cuts a record that is not whole off the end of the log, and keeps it.
    fn repair(&self, file: &dyn File, offset: usize) -> Result<Repair> {
        let offset = offset as u64;
        // ANCHOR: repairs-once
        let repair = if self.bug == Bug::RepairsOnce {
            self.cut_once(file, offset)?
        } else {
            cut_torn_tail(self.disk(), file, offset)? // finds what an interrupted cut has kept
        };
        // ANCHOR_END: repairs-once
        // ANCHOR: throws-tails-away
        if self.bug == Bug::ThrowsTailsAway {
            self.disk().remove(&repair.kept)?;
        }
        // ANCHOR_END: throws-tails-away
        Ok(repair)
    }

    /// A cut that one of the bugs makes: it succeeds, unless it was begun before.
    fn cut_once(&self, file: &dyn File, offset: u64) -> Result<Repair> {
        let bytes = self.disk().read(file.path())?;
        let tail = bytes.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let kept = file.path().with_extension(format!("log.torn-{offset}"));
        let copy = self.disk().create(&kept)?;
        copy.append(tail)?;
        copy.sync()?;
        self.disk().sync_dir(self.folder.dir())?;
        file.truncate(offset)?;
        file.sync()?;
        Ok(Repair::new(file.path().to_path_buf(), offset, tail.len() as u64, kept))
    }
}
