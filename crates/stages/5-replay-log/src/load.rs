//! Loading a snapshot: every block is checked and put into the map, by several threads if it is large.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use logladder_disk::sabotage::{self, Rule};
use logladder_engine::{Error, Result, limits};

use crate::entry::Entry;
use crate::map::Map;
use crate::snapshot::{
    BLOCK_HEADER_LEN, COUNTS, END_MAGIC, ENTRIES, FOOTER_LEN, HEADER_LEN, MAGIC, VERSION, checksum,
};

/// A smaller snapshot is loaded by one thread.
const WORTH_THREADS: usize = 4 << 20;

/// More threads than this wait for memory, not for the processor.
const MOST_THREADS: usize = 8;

/// A record takes so many bytes at least.
const SHORTEST_RECORD: usize = 6;

/// The number of the newest version of each key that was ever written.
pub(crate) type Counts = HashMap<Box<[u8]>, u64>;

/// What a snapshot says of itself.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) keys: u64,
    pub(crate) sequence: u64,
    pub(crate) counts: Counts,
}

/// A block, by its place in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'b> {
    pub(crate) offset: usize,
    pub(crate) header: &'b [u8; BLOCK_HEADER_LEN],
    pub(crate) records: &'b [u8],
}

impl Block<'_> {
    fn field(&self, at: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.header[at..at + 4]);
        u32::from_le_bytes(bytes)
    }

    pub(crate) fn count(&self) -> u32 {
        self.field(4)
    }

    pub(crate) fn kind(&self) -> u32 {
        self.field(8)
    }

    fn is_sound(&self) -> bool {
        sabotage::skips(Rule::ChecksumCheck)
            || self.field(12) == checksum(&[&self.header[..12], self.records])
    }
}

/// The beginning and the end of a snapshot, checked, and its blocks, not yet checked.
#[derive(Debug)]
pub(crate) struct Frame<'b> {
    pub(crate) sequence: u64,
    pub(crate) keys: u64,
    pub(crate) crc: u32,
    pub(crate) blocks: Vec<Block<'b>>,
}

/// A number of the file, of at most eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Takes the file at `path` apart.
pub(crate) fn frame<'b>(path: &Path, bytes: &'b [u8]) -> Result<Frame<'b>> {
    let damaged = |offset: usize, what: &str| Error::corrupt(path, offset as u64, what);
    let Some((header, rest)) = bytes.split_at_checked(HEADER_LEN) else {
        return Err(damaged(0, "it is too short for a snapshot"));
    };
    if !header.starts_with(&MAGIC) {
        return Err(damaged(0, "it does not begin as a snapshot does"));
    }
    let checks = !sabotage::skips(Rule::ChecksumCheck);
    if checks && number(&header[16..]) != u64::from(checksum(&[&header[..16]])) {
        return Err(damaged(0, "the checksum of its header differs"));
    }
    match u32::try_from(number(&header[4..6])).unwrap_or(u32::MAX) {
        found if found == u32::from(VERSION) => {}
        found => {
            return Err(Error::UnsupportedVersion { path: path.into(), found, supported: VERSION.into() });
        }
    }
    let Some((mut rest, footer)) = rest.split_at_checked(rest.len().saturating_sub(FOOTER_LEN)) else {
        return Err(damaged(0, "it is too short for a snapshot"));
    };
    let footer_at = HEADER_LEN + rest.len();
    if footer.len() < FOOTER_LEN || !footer.starts_with(&END_MAGIC) {
        return Err(damaged(footer_at, "it does not end as a snapshot does: it was cut short"));
    }
    let crc = checksum(&[header, &footer[..24]]);
    if checks && number(&footer[24..]) != u64::from(crc) || number(&footer[16..24]) != bytes.len() as u64 {
        return Err(damaged(footer_at, "the checksum of its end differs"));
    }
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let offset = footer_at - rest.len();
        let flawed = || damaged(offset, "no block ends where the snapshot does");
        let (header, behind) = rest.split_first_chunk().ok_or_else(flawed)?;
        let len = usize::try_from(number(&header[..4])).unwrap_or(usize::MAX);
        let (records, behind) = behind.split_at_checked(len).ok_or_else(flawed)?;
        blocks.push(Block { offset, header, records });
        rest = behind;
    }
    if number(&footer[4..8]) != blocks.len() as u64 {
        return Err(damaged(footer_at, "it has another number of blocks than it says"));
    }
    Ok(Frame { sequence: number(&header[8..16]), keys: number(&footer[8..16]), crc, blocks })
}

/// Puts everything in the snapshot at `path` into `map`, which is empty.
pub(crate) fn load(path: &Path, bytes: &[u8], map: &Map) -> Result<Loaded> {
    let frame = frame(path, bytes)?;
    // The count is believed only as far as there are bytes.
    let most = bytes.len() / SHORTEST_RECORD;
    map.reserve(usize::try_from(frame.keys).unwrap_or(usize::MAX).min(most))?;
    let counts = Mutex::new(Counts::new());
    let next = AtomicUsize::new(0);
    let work = || -> Result<u64> {
        let mut keys = 0;
        while let Some(block) = frame.blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
            keys += load_block(path, block, map, &counts)?;
        }
        Ok(keys)
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let keys = if bytes.len() < WORTH_THREADS || threads == 1 {
        work()?
    } else {
        thread::scope(|scope| {
            let threads: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut keys = work();
            for thread in threads {
                let theirs = thread.join().unwrap_or_else(|_| Err(Error::panicked()));
                keys = keys.and_then(|keys| Ok(keys + theirs?));
            }
            keys
        })?
    };
    if keys != frame.keys {
        return Err(Error::corrupt(path, 0, "it holds another number of keys than it says"));
    }
    let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Loaded { keys, sequence: frame.sequence, counts })
}

fn load_block(path: &Path, block: &Block<'_>, map: &Map, counts: &Mutex<Counts>) -> Result<u64> {
    let damaged = |what: &str| Error::corrupt(path, block.offset as u64, what);
    if !block.is_sound() {
        return Err(damaged("the checksum of the block there differs"));
    }
    let flawed = || damaged("a record in the block there does not end in it");
    let mut rest = block.records;
    let mut counts = (block.kind() == COUNTS).then(|| counts.lock().unwrap_or_else(PoisonError::into_inner));
    for _ in 0..block.count() {
        if let Some(counts) = &mut counts {
            let (count, key, behind) = split_count(rest).ok_or_else(flawed)?;
            counts.insert(Box::from(key), count);
            rest = behind;
        } else {
            let (key, value, behind) = split_entry(rest).ok_or_else(flawed)?;
            limits::check_entry(key, value).map_err(|error| damaged(&error.to_string()))?;
            if !map.load(Entry::new(map.place(key), key, value))? {
                return Err(damaged("a key in the block there is in the snapshot twice"));
            }
            rest = behind;
        }
    }
    if !rest.is_empty() {
        return Err(damaged("the block there is longer than its records"));
    }
    match block.kind() {
        ENTRIES => Ok(u64::from(block.count())),
        COUNTS => Ok(0),
        _ => Err(damaged("the block there is of a kind that no snapshot has")),
    }
}

/// A record at the beginning of `bytes`: the key, the value and what follows.
pub(crate) fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (lens, rest) = bytes.split_at_checked(6)?;
    let (key, rest) = rest.split_at_checked(usize::try_from(number(&lens[..2])).ok()?)?;
    let (value, rest) = rest.split_at_checked(usize::try_from(number(&lens[2..])).ok()?)?;
    Some((key, value, rest))
}

/// A record of the other kind: the number, the key and what follows.
pub(crate) fn split_count(bytes: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(10)?;
    let (key, rest) = rest.split_at_checked(usize::try_from(number(&head[..2])).ok()?)?;
    Some((number(&head[2..]), key, rest))
}
