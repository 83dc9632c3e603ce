//! [`describe`]: the bytes of a file, field by field, for lessons and inspection.
//!
//! It reads the formats a second time, by its own hand, and believes nothing: a damaged file is described as far
//! as it goes, and what does not match is said to.

use logladder_engine::Field;

use crate::files::FileKind;
use crate::format::header;
use crate::format::record::{HEADER_LEN, Kind};
use crate::format::{checkpoint, checksum, hint, manifest};
use crate::index::SHARDS;

/// So many bytes of a key or a value are shown.
const SHOWN: usize = 40;

/// Names the bytes of a file of this stage, from its first to its last.
///
/// `file_name` says what the file is: a segment, a hint, the manifest, or the checkpoint. For any other name, and for a file that
/// is not what its name says, there is nothing to name.
///
/// ```
/// # use logladder_engine::{Engine, Open};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = logladder_hash_log::HashLog::open(dir.path(), Default::default())?;
/// store.set(b"name", b"anna")?;
///
/// let bytes = std::fs::read(dir.path().join("segment-0000000001.log")).unwrap();
/// let fields = logladder_hash_log::describe("segment-0000000001.log", &bytes);
/// let value = fields.iter().find(|field| field.name == "value").unwrap();
/// assert_eq!((value.bytes.clone(), &*value.meaning), (52..56, "\"anna\""));
/// # Ok::<(), logladder_engine::Error>(())
/// ```
#[must_use]
pub fn describe(file_name: &str, bytes: &[u8]) -> Vec<Field> {
    let mut reader = Describer { bytes, offset: 0, fields: Vec::new() };
    let whole = match FileKind::of(file_name) {
        Some(FileKind::Segment(_)) if bytes.starts_with(&header::MAGIC) => reader.segment(),
        Some(FileKind::Hint(_)) if bytes.starts_with(&hint::MAGIC) => reader.hint(),
        Some(FileKind::Checkpoint) if bytes.starts_with(&checkpoint::MAGIC) => reader.checkpoint(),
        Some(FileKind::Manifest) if bytes.starts_with(&manifest::MAGIC) => reader.manifest(),
        _ => return Vec::new(),
    };
    if whole.is_none() {
        reader.rest("cut", "the file ends inside a field");
    }
    reader.fields
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Set => "set",
        Kind::Tombstone => "tombstone",
        Kind::Extended => "with more",
        Kind::Batch => "batch",
        Kind::Footer => "footer",
    }
}

/// Goes through the bytes and names them. Each step says `None` when the file ends inside it.
struct Describer<'b> {
    bytes: &'b [u8],
    offset: usize,
    fields: Vec<Field>,
}

impl Describer<'_> {
    fn segment(&mut self) -> Option<()> {
        self.magic()?;
        self.number(2, "version", |version| version.to_string())?;
        self.number(2, "origin", |origin| match origin {
            1 => "1: written by sets".into(),
            2 => "2: written by compaction".into(),
            other => format!("{other}: nothing that is known"),
        })?;
        self.number(8, "segment", |id| id.to_string())?;
        self.number(8, "first sequence", |first| format!("no record has a lower one than {first}"))?;
        self.number(4, "store", |mark| format!("{mark:08x}, the mark of the store"))?;
        self.checksum(0..28, "the header")?;
        while self.offset < self.bytes.len() {
            if self.bytes[self.offset..].iter().all(|&byte| byte == 0) {
                self.rest("reserve", "zeros: space for records to come");
                break;
            }
            self.record()?;
        }
        Some(())
    }

    fn record(&mut self) -> Option<()> {
        let start = self.offset;
        let packed = u32::from_le_bytes(self.bytes.get(start + 4..start + 8)?.try_into().ok()?);
        let key_len = u16::from_le_bytes(self.bytes.get(start + 8..start + 10)?.try_into().ok()?);
        let Some((kind, value_len)) = Kind::unpack(packed) else {
            self.rest("unknown", "no record begins here");
            return Some(());
        };
        let (key_len, value_len) = (usize::from(key_len), usize::try_from(value_len).ok()?);
        let end = start + HEADER_LEN + key_len + value_len;
        self.checksum(start + 4..end.min(self.bytes.len()), "the rest of the record")?;
        self.number(4, "kind, value length", |_| format!("{}, {value_len}", name_of(kind)))?;
        self.number(2, "key length", |len| len.to_string())?;
        self.number(6, "sequence", |sequence| sequence.to_string())?;
        self.text("key", key_len)?;
        match kind {
            Kind::Set | Kind::Tombstone => self.text("value", value_len),
            Kind::Extended => {
                let extra_len = self.extra()?;
                self.text("value", value_len.checked_sub(extra_len)?)
            }
            Kind::Batch => {
                self.number(4, "records", |count| format!("{count} belong together"))?;
                self.number(8, "length", |len| format!("they are {len} bytes")).map(|_| ())
            }
            Kind::Footer => {
                self.number(8, "records", |count| format!("{count} before this one"))?;
                self.number(8, "data length", |len| format!("{len} bytes before this record"))?;
                self.number(8, "lowest sequence", |lowest| lowest.to_string())?;
                self.number(4, "checksum", |crc| format!("{crc:08x}, of the records' checksums")).map(|_| ())
            }
        }
    }

    /// What stands before the value, and how many bytes that is.
    fn extra(&mut self) -> Option<usize> {
        let start = self.offset;
        let flags = self.number(1, "more", |flags| match flags & 1 {
            1 => format!("{flags}: a tombstone"),
            _ => format!("{flags}: a set"),
        })?;
        if flags & 2 != 0 {
            self.number(6, "end", |end| format!("{end} milliseconds after 1970"))?;
        }
        if flags & 4 != 0 {
            self.number(6, "version", |version| version.to_string())?;
        }
        Some(self.offset - start)
    }

    fn hint(&mut self) -> Option<()> {
        self.magic()?;
        self.number(2, "version", |version| version.to_string())?;
        self.zeros(2)?;
        self.number(8, "segment", |id| id.to_string())?;
        self.number(8, "records", |count| format!("{count} in the segment"))?;
        self.number(8, "data length", |len| format!("{len} bytes of the segment"))?;
        self.number(4, "data checksum", |crc| format!("{crc:08x}, as in the footer"))?;
        let count = self.number(8, "entries", |count| count.to_string())?;
        for _ in 0..count {
            let (mut key_len, mut is_extended) = (0, false);
            self.number(4, "kind, value length", |packed| {
                match u32::try_from(packed).ok().and_then(Kind::unpack).filter(|(kind, _)| kind.has_key()) {
                    Some((kind, len)) => {
                        is_extended = kind == Kind::Extended;
                        format!("{}, {len}", name_of(kind))
                    }
                    None => "nothing that belongs here".into(),
                }
            })?;
            self.number(2, "key length", |len| {
                key_len = usize::try_from(len).unwrap_or(usize::MAX);
                len.to_string()
            })?;
            self.number(6, "sequence", |sequence| sequence.to_string())?;
            self.number(8, "offset", |offset| format!("the record begins at {offset}"))?;
            self.text("key", key_len)?;
            if is_extended {
                self.extra()?;
            }
        }
        self.checksum(0..self.offset, "everything before")
    }

    fn checkpoint(&mut self) -> Option<()> {
        self.magic()?;
        self.number(2, "version", |version| version.to_string())?;
        self.zeros(2)?;
        self.number(4, "manifest", |crc| format!("{crc:08x}, the checksum in the manifest"))?;
        self.number(4, "versions", |count| format!("{count} of each key are kept"))?;
        self.number(8, "keys", |count| count.to_string())?;
        self.number(8, "bytes", |bytes| format!("{bytes} of keys and values"))?;
        let count = self.number(8, "segments", |count| count.to_string())?;
        for _ in 0..count {
            self.number(8, "segment", |id| id.to_string())?;
            self.number(8, "live bytes", |bytes| bytes.to_string())?;
            self.number(8, "tombstone bytes", |bytes| bytes.to_string())?;
            self.number(8, "newest tombstone", |sequence| sequence.to_string())?;
            self.number(8, "ending bytes", |bytes| bytes.to_string())?;
            self.number(8, "last end", |end| end.to_string())?;
        }
        let mut empty = 0;
        for number in 0..SHARDS {
            let count = self.bytes.get(self.offset + 8 * empty..)?.first_chunk()?;
            let count = u64::from_le_bytes(*count);
            if count == 0 {
                empty += 1;
                continue;
            }
            self.empty_shards(empty)?;
            empty = 0;
            self.number(8, "slots", |count| format!("{count} in shard {number}"))?;
            for _ in 0..count {
                self.number(8, "slot", |slot| {
                    let (print, place, offset) = (slot >> 44, slot >> 28 & 0xFFFF, slot & 0xFFF_FFFF);
                    format!("fingerprint {print:05x}, in segment {place} of the list, at {offset}")
                })?;
            }
        }
        self.empty_shards(empty)?;
        self.checksum(0..self.offset, "everything before")
    }

    fn empty_shards(&mut self, count: usize) -> Option<()> {
        self.bytes.get(self.offset..self.offset.checked_add(8 * count)?)?;
        if count > 0 {
            self.push(8 * count, "slots", format!("none in {count} shards"));
        }
        Some(())
    }

    fn manifest(&mut self) -> Option<()> {
        self.magic()?;
        self.number(2, "version", |version| version.to_string())?;
        self.number(2, "earlier versions", |count| format!("{count} of each key are kept"))?;
        let key = self.bytes.get(self.offset..self.offset + 16)?;
        self.push(16, "hash key", format!("its checksum is the mark of the store: {:08x}", checksum(&[key])));
        self.number(8, "next segment", |id| id.to_string())?;
        self.number(8, "next sequence", |next| format!("every one in a sealed segment is below {next}"))?;
        let sealed = self.number(8, "sealed segments", |count| count.to_string())?;
        let tail = self.number(8, "tail", |count| count.to_string())?;
        for _ in 0..sealed {
            self.number(8, "segment", |id| format!("{id}, sealed"))?;
        }
        for _ in 0..tail {
            self.number(8, "segment", |id| format!("{id}, of the tail"))?;
        }
        self.checksum(0..self.offset, "everything before")
    }

    fn magic(&mut self) -> Option<()> {
        self.text("magic", header::MAGIC.len())
    }

    fn zeros(&mut self, len: usize) -> Option<()> {
        self.number(len, "zeros", |_| "nothing yet".into()).map(|_| ())
    }

    /// A little-endian number of `len` bytes, at most eight.
    fn number(&mut self, len: usize, name: &'static str, say: impl FnOnce(u64) -> String) -> Option<u64> {
        let field = self.bytes.get(self.offset..self.offset.checked_add(len)?)?;
        let number = field.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
        self.push(len, name, say(number));
        Some(number)
    }

    /// The checksum of `covered`, which the fields name `what`.
    fn checksum(&mut self, covered: std::ops::Range<usize>, what: &str) -> Option<()> {
        let right = self.bytes.get(covered).map(|bytes| checksum(&[bytes]));
        self.number(4, "checksum", |stored| {
            let verdict =
                if right.is_some_and(|right| u64::from(right) == stored) { "of" } else { "not that of" };
            format!("{stored:08x}, {verdict} {what}")
        })
        .map(|_| ())
    }

    /// Bytes as a reader can take them in. Those of a key or a value of no length are not there to be named.
    fn text(&mut self, name: &'static str, len: usize) -> Option<()> {
        let text = self.bytes.get(self.offset..self.offset.checked_add(len)?)?;
        if len > 0 {
            let more = if len > SHOWN { "…" } else { "" };
            self.push(len, name, format!("\"{}{more}\"", text[..len.min(SHOWN)].escape_ascii()));
        }
        Some(())
    }

    fn rest(&mut self, name: &'static str, meaning: &str) {
        if self.offset < self.bytes.len() {
            self.push(self.bytes.len() - self.offset, name, meaning.into());
        }
    }

    fn push(&mut self, len: usize, name: &'static str, meaning: String) {
        self.fields.push(Field::new(self.offset..self.offset + len, name, meaning));
        self.offset += len;
    }
}
