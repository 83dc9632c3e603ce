//! A checkpoint: the index of a store that was closed, so that opening is a copy of it.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `LLHC` |
//! | 4 | 2 | the format version |
//! | 6 | 2 | zeros |
//! | 8 | 4 | the checksum in the manifest that it belongs to |
//! | 12 | 4 | how many versions of a key were kept |
//! | 16 | 8 | how many keys have a value |
//! | 24 | 8 | bytes of those keys and values |
//! | 32 | 8 | how many segments there are |
//! | 40 | 48 each | a segment: its number, and what of it is of [use](crate::usage) |
//! | | | 1,024 shards, each 8 bytes for the number of its slots, and the slots, 8 bytes each |
//! | | 4 | CRC-32 of everything before |
//!
//! In a slot, the upper 20 bits are the key's fingerprint, the next 16 the place of the segment in the list, from 1,
//! and the lower 28 the offset of the record.
//!
//! A checkpoint is a cache. One that is missing, damaged or of another manifest is as good as none: then the segments
//! are read. Any write makes another manifest.

use logladder_disk::{File, Map};
use logladder_engine::Result;

use super::{FORMAT_VERSION, Fields, checksum_matches, index};
use crate::catalog::Live;
use crate::index::shard::Shard;
use crate::index::table::Slot;
use crate::index::{Index, SHARDS};
use crate::usage::{Fixed, Share};

/// What a checkpoint begins with.
pub(crate) const MAGIC: [u8; 4] = *b"LLHC";

/// Slots are collected up to so many bytes before they are appended.
const BUFFER_BYTES: usize = 1 << 20;

/// What a checkpoint says beside the slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// The checksum in the manifest.
    pub(crate) manifest: u32,
    pub(crate) versions: u32,
    pub(crate) live: Live,
    /// The segments, by number.
    pub(crate) segments: Vec<SegmentLine>,
}

/// What a checkpoint says of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentLine {
    pub(crate) id: u64,
    pub(crate) live_bytes: u64,
    pub(crate) fixed: Fixed,
}

/// The checksum at the end of an encoded manifest.
pub(crate) fn mark_of(manifest: &[u8]) -> u32 {
    manifest.last_chunk().copied().map_or(0, u32::from_le_bytes)
}

/// Appends a checkpoint to an empty file. `seats` says which place in the head's list the segment in a seat has.
pub(crate) fn write(
    file: &dyn File,
    head: &Head,
    catalog_index: &Index,
    seats: impl Fn(u16) -> Option<u16>,
) -> Result<()> {
    let mut out = Out { file, buffer: head.encode(), hasher: crc32fast::Hasher::new() };
    for shard in catalog_index.shards() {
        let Some(table) = shard.map(Shard::table) else {
            out.push(0)?;
            continue;
        };
        let slots: Vec<Slot> = table
            .slots()
            .filter_map(|slot| {
                let mut location = slot.location()?;
                location.seat = seats(location.seat)?;
                Some(slot.at(location))
            })
            .collect();
        out.push(slots.len() as u64)?;
        for slot in slots {
            out.push(slot.word())?;
        }
    }
    out.flush()?;
    let crc = out.hasher.finalize();
    file.append(&crc.to_le_bytes()).map(drop)
}

/// A file that is written in large pieces.
struct Out<'f> {
    file: &'f dyn File,
    buffer: Vec<u8>,
    hasher: crc32fast::Hasher,
}

impl Out<'_> {
    fn push(&mut self, number: u64) -> Result<()> {
        self.buffer.extend_from_slice(&number.to_le_bytes());
        if self.buffer.len() < BUFFER_BYTES { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        self.hasher.update(&self.buffer);
        self.file.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Head {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.manifest.to_le_bytes());
        bytes.extend_from_slice(&self.versions.to_le_bytes());
        for number in [self.live.keys, self.live.bytes, self.segments.len() as u64] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for line in &self.segments {
            let Fixed { tombstones, ending } = line.fixed;
            let numbers = [tombstones.bytes, tombstones.highest, ending.bytes, ending.highest];
            for number in [line.id, line.live_bytes].into_iter().chain(numbers) {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        bytes
    }

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let _magic = fields.bytes(4).filter(|magic| *magic == MAGIC)?;
        let _version = fields.u16().filter(|version| *version == FORMAT_VERSION)?;
        let _zeros = fields.u16()?;
        let (manifest, versions) = (fields.u32()?, fields.u32()?);
        let live = Live { keys: fields.u64()?, bytes: fields.u64()? };
        let mut segments = Vec::new();
        // The count is not believed: the list grows only as far as there are bytes.
        for _ in 0..fields.u64()? {
            let (id, live_bytes) = (fields.u64()?, fields.u64()?);
            let tombstones = Share { bytes: fields.u64()?, highest: fields.u64()? };
            let ending = Share { bytes: fields.u64()?, highest: fields.u64()? };
            segments.push(SegmentLine { id, live_bytes, fixed: Fixed { tombstones, ending } });
        }
        Some(Self { manifest, versions, live, segments })
    }
}

/// A checkpoint whose checksum is right.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) head: Head,
    bytes: Map,
    /// Where the slots of each shard begin, and how many there are.
    shards: Vec<(usize, usize)>,
}

impl Checkpoint {
    /// The checkpoint in these bytes, if it is whole and belongs to this manifest.
    pub(crate) fn decode(bytes: Map, manifest: u32) -> Option<Self> {
        let (rest, crc) = bytes.split_last_chunk::<4>()?;
        let mut fields = Fields::of(rest);
        // Before the checksum: one that is stale is not worth reading whole.
        let head = Head::decode(&mut fields).filter(|head| head.manifest == manifest)?;
        if !checksum_matches(u32::from_le_bytes(*crc), &[rest]) {
            return None;
        }
        let mut shards = Vec::with_capacity(SHARDS);
        for _ in 0..SHARDS {
            let count = index(fields.u64()?);
            shards.push((rest.len() - fields.rest().len(), count));
            fields.bytes(count.checked_mul(8)?)?;
        }
        fields.is_at_end().then_some(())?;
        Some(Self { head, bytes, shards })
    }

    /// One of the shards, of which there are [`SHARDS`], if it has a key.
    pub(crate) fn shard(&self, number: usize) -> Option<Shard> {
        let (start, count) = self.shards.get(number).copied().filter(|(_, count)| *count > 0)?;
        let words = self.bytes.get(start..).unwrap_or_default().as_chunks::<8>().0;
        let slots = words.iter().take(count).map(|word| Slot::of_word(u64::from_le_bytes(*word)));
        Some(Shard::of_slots(count, slots))
    }
}
