//! [`RawLog`]: the engine of the raw limits. It forgets everything when it is closed.
//!
//! ```text
//!   segment file:  │ crc │ key len │ value len │ write │ key │ value │ crc │ …
//!                     4       4          4         4       16
//!   places:        key number ─► segment and offset of its last record, and the record's length
//! ```

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use logladder_disk::{Disk, RealDisk};
use logladder_engine::{Durability, Engine, Error, Result, Stats, SyncPolicy, limits};

use super::segment::{Means, Segment};
use super::{GroupCommit, Limit};

/// Bytes of a record before its key.
const HEADER: usize = 16;
/// The most segments: 64 of 256 MiB.
const SEGMENTS: usize = 64;
/// Bytes of a key: the digits of a number below `NUMBERS`.
const KEY: usize = 16;
const NUMBERS: usize = RUNS * RUN;
/// The places are made by runs of so many, when the first key of a run is set or looked for.
const RUN: usize = 1 << 16;
const RUNS: usize = 1 << 10;
/// Bits of a place: the offset in the segment, the length of the record; the segment's number is above them.
const OFFSET_BITS: u32 = 28;
const LEN_BITS: u32 = 28;

pub(super) struct RawLog {
    name: &'static str,
    means: Means,
    crc: bool,
    synced: bool,
    dir: PathBuf,
    /// Where the last record of each key lies; 0 if there is none, since the first place is left free.
    places: Vec<OnceLock<Vec<AtomicU64>>>,
    segments: [OnceLock<Segment>; SEGMENTS],
    writer: Mutex<Writer>,
    commit: GroupCommit,
}

#[derive(Default)]
struct Writer {
    segment: usize,
    writes: u64,
    record: Vec<u8>,
}

impl RawLog {
    pub(super) fn open(limit: &Limit, dir: &Path, synced: bool) -> Result<Self> {
        RealDisk.create_dir(dir)?;
        let log = Self {
            name: limit.name,
            means: limit.means,
            crc: limit.crc,
            synced,
            dir: dir.to_path_buf(),
            places: (0..RUNS).map(|_| OnceLock::new()).collect(),
            segments: [const { OnceLock::new() }; SEGMENTS],
            writer: Mutex::default(),
            commit: GroupCommit::default(),
        };
        log.segment(0)?.append(&[0; HEADER])?;
        Ok(log)
    }

    /// The segment of this number, made if it is not there.
    fn segment(&self, number: usize) -> Result<&Segment> {
        let slot = self.segments.get(number).ok_or(Error::TooLarge {
            what: "the log",
            len: number as u64 + 1,
            limit: SEGMENTS as u64,
        })?;
        if let Some(segment) = slot.get() {
            return Ok(segment);
        }
        let made = Segment::create(&self.dir.join(format!("{number:02}.log")), self.means, self.synced)?;
        Ok(slot.get_or_init(|| made))
    }

    fn place(&self, key: &[u8]) -> Result<&AtomicU64> {
        let number = key.iter().try_fold(0usize, |number, &digit| {
            let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
            number.checked_mul(10)?.checked_add(usize::from(digit))
        });
        let run = |number: usize| {
            let run = self.places.get(number / RUN)?;
            run.get_or_init(|| (0..RUN).map(|_| AtomicU64::new(0)).collect()).get(number % RUN)
        };
        number.filter(|_| key.len() == KEY).and_then(run).ok_or_else(|| Error::InvalidKey {
            why: format!("a raw log's keys are {KEY} digits of a number below {NUMBERS}"),
        })
    }

    fn append(&self, key: &[u8], value: &[u8]) -> Result<u64> {
        let place = self.place(key)?;
        let mut writer = self.writer.lock().map_err(|_| Error::panicked())?;
        let Writer { segment: number, writes, record } = &mut *writer;
        encode(record, *writes + 1, key, value, self.crc);
        let mut segment = self.segment(*number)?;
        if !segment.has_room_for(record) {
            if self.synced {
                segment.sync()?;
            }
            *number += 1;
            segment = self.segment(*number)?;
        }
        let offset = segment.append(record)?;
        *writes += 1;
        place.store(pack(*number, offset, record.len()), Ordering::Release);
        Ok(*writes)
    }

    /// Syncs the last segment; the ones before were synced when they were full.
    fn sync_last(&self) -> Result<u64> {
        let state = self.writer.lock().map_err(|_| Error::panicked())?;
        let (number, covered) = (state.segment, state.writes);
        drop(state);
        self.segment(number)?.sync()?;
        Ok(covered)
    }

    fn durability_of(synced: bool) -> Durability {
        if synced { SyncPolicy::Always.durability() } else { SyncPolicy::Never.durability() }
    }
}

/// Writes a record into the buffer.
#[allow(
    clippy::cast_possible_truncation,
    reason = "lengths are under the limits, and the write's number is padding"
)]
fn encode(record: &mut Vec<u8>, write: u64, key: &[u8], value: &[u8], crc: bool) {
    record.clear();
    record.extend_from_slice(&[0; 4]);
    record.extend_from_slice(&(key.len() as u32).to_le_bytes());
    record.extend_from_slice(&(value.len() as u32).to_le_bytes());
    record.extend_from_slice(&(write as u32).to_le_bytes());
    record.extend_from_slice(key);
    record.extend_from_slice(value);
    if crc {
        let sum = crc32fast::hash(&record[4..]);
        record[..4].copy_from_slice(&sum.to_le_bytes());
    }
}

fn pack(segment: usize, offset: u64, len: usize) -> u64 {
    (segment as u64) << (OFFSET_BITS + LEN_BITS) | (len as u64) << OFFSET_BITS | offset
}

#[allow(clippy::cast_possible_truncation, reason = "each part is narrower than 32 bits")]
fn unpack(place: u64) -> (usize, u64, usize) {
    let bits = |from: u32, count: u32| (place >> from) & ((1 << count) - 1);
    (bits(OFFSET_BITS + LEN_BITS, 8) as usize, bits(0, OFFSET_BITS), bits(OFFSET_BITS, LEN_BITS) as usize)
}

impl Engine for RawLog {
    fn name(&self) -> &'static str {
        self.name
    }

    fn durability(&self) -> Durability {
        Self::durability_of(self.synced)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut value = Vec::new();
        Ok(self.get_into(key, &mut value)?.then_some(value))
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        limits::check_key(key)?;
        value.clear();
        let place = self.place(key)?.load(Ordering::Acquire);
        if place == 0 {
            return Ok(false);
        }
        let (number, offset, len) = unpack(place);
        let (segment, before_value) = (self.segment(number)?, HEADER + key.len());
        let Some(record) = segment.bytes(offset, len) else {
            value.resize(len - before_value, 0);
            return segment.read_at(offset + before_value as u64, value).map(|()| true);
        };
        if self.crc && crc32fast::hash(&record[4..]).to_le_bytes() != record[..4] {
            return Err(Error::corrupt(&self.dir, offset, "the checksum differs"));
        }
        value.extend_from_slice(&record[before_value..]);
        Ok(true)
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        let write = self.append(key, value)?;
        if self.synced { self.commit.wait_for(write, || self.sync_last()) } else { Ok(()) }
    }

    /// Forgets where the record lies. Nothing is written.
    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        self.place(key)?.store(0, Ordering::Release);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.segments.iter().filter_map(OnceLock::get).try_for_each(Segment::sync)
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        let places = self.places.iter().filter_map(OnceLock::get).flatten();
        stats.live_keys = places.filter(|place| place.load(Ordering::Relaxed) != 0).count() as u64;
        Ok(stats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::key_text;
    use crate::raw::LIMITS;

    #[test]
    fn each_limit_gives_back_what_was_set_and_over_many_segments_too() {
        for limit in LIMITS {
            let folder = tempfile::tempdir().unwrap();
            let log = limit.open(folder.path(), SyncPolicy::Never).unwrap();
            let large = vec![b'x'; 100 << 20];
            for key in 0..6 {
                log.set(&key_text(key), &large[key as usize..]).unwrap();
            }
            log.set(&key_text(7), b"seven").unwrap();
            log.delete(&key_text(2)).unwrap();
            let len = log.get(&key_text(5)).unwrap().map(|value| value.len());
            assert_eq!(len, Some(large.len() - 5), "{}", limit.name);
            assert_eq!(log.get(&key_text(7)).unwrap().as_deref(), Some(&b"seven"[..]));
            assert_eq!(log.get(&key_text(2)).unwrap(), None);
            for foreign in [&b"7"[..], b"000000000000000x", b"9999999999999999"] {
                assert!(matches!(log.set(foreign, b""), Err(Error::InvalidKey { .. })));
            }
            assert_eq!(log.stats().unwrap().live_keys, 6);
        }
    }

    #[test]
    fn a_place_is_what_it_was_packed_from() {
        assert_eq!(unpack(pack(63, (1 << 28) - 1, (1 << 28) - 1)), (63, (1 << 28) - 1, (1 << 28) - 1));
        assert_eq!(unpack(pack(1, 16, 132)), (1, 16, 132));
    }
}
