//! [`describe`]: the bytes of a file, field by field, for lessons and inspection.
//!
//! It believes nothing: a damaged file is described as far as it goes, and what does not match is said to.

use logladder_engine::Field;

use crate::bytes::{Reader, index};
use crate::files::{FORMAT_VERSION, FileKind, Header};
use crate::frame::{FRAME_LEN, Frame};
use crate::manifest::{ADD, LOG, REMOVE, SYNCED};
use crate::table::{COMPRESSED, FOOTER_LEN, SIGNED_LEN};

/// So many bytes of a key or a value are shown.
const SHOWN: usize = 40;

/// Names the bytes of a file of this stage, from its first to its last.
///
/// `file_name` says what the file is: a log, a table, or the manifest. For any other name, and for a file that is not what
/// its name says, there is nothing to name.
///
/// ```
/// # use logladder_engine::{Engine, Open};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = logladder_sorted_log::SortedLog::open(dir.path(), Default::default())?;
/// store.set(b"name", b"anna")?;
///
/// let name = "0000000002.log";
/// let bytes = std::fs::read(dir.path().join(name)).unwrap();
/// let fields = logladder_sorted_log::describe(name, &bytes);
/// let value = fields.iter().find(|field| field.name == "value").unwrap();
/// assert_eq!((value.bytes.clone(), &*value.meaning), (54..58, "\"anna\""));
/// # Ok::<(), logladder_engine::Error>(())
/// ```
#[must_use]
pub fn describe(file_name: &str, bytes: &[u8]) -> Vec<Field> {
    let Some(kind) = FileKind::of(file_name).filter(|kind| bytes.starts_with(kind.magic())) else {
        return Vec::new();
    };
    let mut describer = Describer { bytes, at: 0, fields: Vec::new() };
    let whole = describer.header(file_name, kind).and_then(|()| match kind {
        FileKind::Log(_) => describer.frames(Describer::writes),
        FileKind::Manifest => describer.frames(Describer::edit),
        FileKind::Table(_) => describer.table(),
    });
    if whole.is_none() {
        describer.name(bytes.len(), "rest", "the file ends inside a field, or this makes no sense");
    }
    describer.fields
}

/// Goes through the bytes and names them. A step says `None` when the file ends inside it.
struct Describer<'b> {
    bytes: &'b [u8],
    at: usize,
    fields: Vec<Field>,
}

impl Describer<'_> {
    /// Names the bytes from here to `end`, if there are any.
    fn name(&mut self, end: usize, name: &'static str, meaning: impl Into<String>) {
        if end > self.at {
            self.fields.push(Field::new(self.at..end, name, meaning));
            self.at = end;
        }
    }

    /// Names `len` bytes and says what they are.
    fn take(&mut self, len: usize, name: &'static str, say: impl FnOnce(&[u8]) -> String) -> Option<()> {
        let end = self.at.checked_add(len)?;
        let said = say(self.bytes.get(self.at..end)?);
        self.name(end, name, said);
        Some(())
    }

    fn u32(&mut self, name: &'static str, say: impl FnOnce(u32) -> String) -> Option<u32> {
        let number = Reader::at(self.bytes, self.at).u32()?;
        self.take(4, name, |_| say(number))?;
        Some(number)
    }

    fn u64(&mut self, name: &'static str) -> Option<u64> {
        let number = Reader::at(self.bytes, self.at).u64()?;
        self.take(8, name, |_| number.to_string())?;
        Some(number)
    }

    fn varint(&mut self, name: &'static str, say: impl FnOnce(u64) -> String) -> Option<u64> {
        let mut reader = Reader::at(self.bytes, self.at);
        let number = reader.varint()?;
        self.name(reader.offset(), name, say(number));
        Some(number)
    }

    fn checksum(&mut self, is_right: bool) -> Option<u32> {
        let said = if is_right { "matches" } else { "does not match" };
        self.u32("checksum", |_| said.to_owned())
    }

    fn text(&mut self, len: usize, name: &'static str) -> Option<()> {
        self.take(len, name, show)
    }

    /// Takes a step that sees nothing from `end` on, and must come that far.
    fn within(&mut self, end: usize, step: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let all = self.bytes;
        self.bytes = all.get(..end)?;
        let stepped = step(self);
        self.bytes = all;
        stepped.filter(|()| self.at == end)
    }

    fn header(&mut self, file_name: &str, kind: FileKind) -> Option<()> {
        let is_right = Header::decode(file_name.as_ref(), kind, self.bytes).is_ok();
        self.take(8, "magic", |_| "what kind of file it is".to_owned())?;
        self.u32("version", |version| match version {
            FORMAT_VERSION => format!("format {version}"),
            _ => format!("format {version}, unknown"),
        })?;
        self.checksum(is_right)?;
        self.u64("number")?;
        self.u64("first sequence").map(drop)
    }

    /// Frames up to the end, or up to what is none.
    fn frames(&mut self, body: impl Fn(&mut Self, usize) -> Option<()>) -> Option<()> {
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            if rest.iter().all(|&byte| byte == 0) {
                self.name(self.bytes.len(), "reserve", format!("{} bytes that are not used yet", rest.len()));
                return Some(());
            }
            let is_right = Frame::decode(rest).is_ok();
            let end = self.at + FRAME_LEN + Reader::new(rest).u32()? as usize;
            self.u32("length", |len| format!("{len} bytes"))?;
            self.checksum(is_right)?;
            self.u64("sequence")?;
            if end > self.bytes.len() {
                return None;
            }
            self.within(end, |describer| body(describer, end))?;
        }
        Some(())
    }

    fn writes(&mut self, end: usize) -> Option<()> {
        while self.at < end {
            let head = self.varint("key length and kind", |head| {
                let kind = if head & 1 == 1 { "set" } else { "delete" };
                format!("{} bytes, {kind}", head >> 1)
            })?;
            let value_len = match head & 1 {
                1 => self.varint("value length", |len| format!("{len} bytes"))?,
                _ => 0,
            };
            self.text(index(head >> 1), "key")?;
            self.text(index(value_len), "value")?;
        }
        Some(())
    }

    fn edit(&mut self, end: usize) -> Option<()> {
        let number = |number: u64| number.to_string();
        while self.at < end {
            let what = self.varint("edit", |what| {
                let said = match what {
                    LOG => "where the log begins",
                    ADD => "a table comes",
                    REMOVE => "a table goes",
                    SYNCED => "how much of a log is on the disk",
                    _ => "unknown",
                };
                said.to_owned()
            })?;
            match what {
                LOG => {
                    self.varint("log number", number)?;
                    self.varint("log is there", |there| {
                        if there == 1 { "yes" } else { "not yet" }.to_owned()
                    })?;
                    self.varint("last sequence", number)?;
                }
                ADD => {
                    self.varint("level", number)?;
                    self.varint("table number", number)?;
                    self.varint("table length", |len| format!("{len} bytes"))?;
                    self.varint("entries", number)?;
                    self.varint("tombstones", number)?;
                    self.varint("footer checksum", |crc| format!("{crc:08x}"))?;
                    for name in ["smallest key", "largest key"] {
                        let len = self.varint("key length", |len| format!("{len} bytes"))?;
                        self.text(index(len), name)?;
                    }
                }
                REMOVE => drop(self.varint("table number", number)?),
                SYNCED => {
                    self.varint("log number", number)?;
                    self.varint("on the disk", |len| format!("{len} bytes"))?;
                }
                _ => return None,
            }
        }
        Some(())
    }

    fn table(&mut self) -> Option<()> {
        let footer_at = self.bytes.len().checked_sub(FOOTER_LEN)?;
        let mut footer = Reader::at(self.bytes, footer_at);
        let (filter_at, index_at) = (index(footer.u64()?), index(footer.u64()?));
        let index_end = footer_at.checked_sub(4)?;
        let mut blocks = Reader::new(self.bytes.get(index_at..index_end)?);
        let mut contents = crc32fast::Hasher::new();
        while !blocks.is_empty() {
            blocks.key()?;
            let end = self.at.checked_add(blocks.len()?).filter(|&end| end <= filter_at)?;
            self.block(end)?;
            contents.update(self.bytes.get(end.checked_sub(4)?..end)?);
        }
        if self.at != filter_at {
            return None;
        }
        let filter_end = index_at.checked_sub(4)?;
        let filter = self.bytes.get(filter_at..filter_end)?;
        let lines = if filter.len() == 64 { "line" } else { "lines" };
        self.name(filter_end, "filter", format!("{} {lines} of 64 bytes", filter.len() / 64));
        self.checksum(self.is_sum_of(filter_at, filter_end))?;
        while self.at < index_end {
            let len = self.varint("key length", |len| format!("{len} bytes"))?;
            self.text(index(len), "a block starts at")?;
            self.varint("block length", |len| format!("{len} bytes"))?;
        }
        self.checksum(self.is_sum_of(index_at, index_end))?;
        for name in ["filter at", "index at", "entries", "table number"] {
            self.u64(name)?;
        }
        for sum in [filter_end, index_end] {
            contents.update(self.bytes.get(sum..sum + 4)?);
        }
        let said = |is_right: bool| if is_right { "matches" } else { "does not match" }.to_owned();
        self.u32("contents checksum", |sum| said(sum == contents.finalize()))?;
        self.checksum(self.is_sum_of(footer_at, footer_at + SIGNED_LEN))?;
        self.take(4, "magic", |_| "the end of a table".to_owned())
    }

    /// Whether the bytes from `start` to `end` have the checksum that stands behind them.
    fn is_sum_of(&self, start: usize, end: usize) -> bool {
        let sum = self.bytes.get(start..end).map(crc32fast::hash);
        sum.is_some() && sum == Reader::at(self.bytes, end).u32()
    }

    fn block(&mut self, end: usize) -> Option<()> {
        let (start, kind_at) = (self.at, end.checked_sub(5)?);
        if *self.bytes.get(kind_at)? == COMPRESSED {
            self.name(kind_at, "compressed entries", format!("{} bytes of LZ4", kind_at.checked_sub(start)?));
        } else {
            let restarts = Reader::at(self.bytes, kind_at.checked_sub(4)?).u32()?;
            let entries_end = (kind_at - 4).checked_sub(4 * restarts as usize).filter(|&end| end >= start)?;
            self.within(entries_end, |describer| {
                while describer.at < entries_end {
                    describer.entry()?;
                }
                Some(())
            })?;
            for _ in 0..restarts {
                self.u32("restart", |at| format!("{at} bytes into the block"))?;
            }
            self.u32("restarts", |count| count.to_string())?;
        }
        let is_compressed = self.bytes.get(kind_at) == Some(&COMPRESSED);
        self.take(1, "compression", |_| if is_compressed { "LZ4" } else { "none" }.to_owned())?;
        self.checksum(self.is_sum_of(start, end - 4)).map(drop)
    }

    fn entry(&mut self) -> Option<()> {
        self.varint("shared", |len| format!("{len} bytes of the key before"))?;
        let tail = self.varint("unshared", |len| format!("{len} bytes of its own"))?;
        let value = self.varint("value length and kind", |head| match head {
            0 => "a tombstone".to_owned(),
            _ => format!("{} bytes", head >> 1),
        })?;
        self.text(index(tail), "key tail")?;
        self.text(index(value >> 1), "value")
    }
}

/// The beginning of a key or a value.
pub(crate) fn show(bytes: &[u8]) -> String {
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    format!("\"{}\"{more}", bytes[..bytes.len().min(SHOWN)].escape_ascii())
}
