//! A hint: the keys of a complete segment and where their records are, so that opening reads no values.
//!
//! ```text
//!   hint    CRC: u32 │ first: u32 │ length of the segment: u32 │ entry │ entry │ …
//!   entry   kind: u8 │ stamp: u64 │ offset: u32 │ length: u32 │ key length: u16 │ key
//! ```
//!
//! It only repeats what the segment says. So it is not synced, and one that is missing, damaged or of another segment is
//! passed over: then the segment is read. `first` and the length name the segment it is of. A compaction that leaves
//! either as it was has dropped nothing.

use super::record::{Kind, array};
use super::scan::Found;
use crate::Bug;

const HEADER: usize = 12;
const ENTRY: usize = 19;

/// A number of a segment, which is far below 2³² bytes long.
fn number(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

/// The bytes of the hint of a segment.
pub(crate) fn encode(first: u32, segment_len: usize, found: &[Found]) -> Vec<u8> {
    let mut rest = first.to_le_bytes().to_vec();
    rest.extend(number(segment_len));
    for Found { kind, stamp, offset, len, key } in found {
        rest.push(kind.byte());
        rest.extend(stamp.to_le_bytes());
        rest.extend(number(*offset));
        rest.extend(number(*len));
        rest.extend(u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes());
        rest.extend(key);
    }
    [&crc32fast::hash(&rest).to_le_bytes()[..], &rest].concat()
}

/// What the hint of the segment that begins with `first` and has `segment_len` bytes says. `None` if it is damaged, or of
/// another segment.
pub(crate) fn parse(bug: Bug, bytes: &[u8], first: u32, segment_len: usize) -> Option<Vec<Found>> {
    let rest = bytes.get(4..)?;
    // ANCHOR: believes-hints
    if bug != Bug::BelievesHints
        && (crc32fast::hash(rest).to_le_bytes() != array(bytes, 0)?
            || first.to_le_bytes() != array(bytes, 4)?
            || number(segment_len) != array(bytes, 8)?)
    {
        return None;
    }
    // ANCHOR_END: believes-hints
    let (mut found, mut at) = (Vec::new(), HEADER);
    while at < bytes.len() {
        let number = |place| usize::try_from(u32::from_le_bytes(array(bytes, place)?)).ok();
        let key_len = usize::from(u16::from_le_bytes(array(bytes, at + 17)?));
        found.push(Found {
            kind: Kind::of(bytes[at])?,
            stamp: u64::from_le_bytes(array(bytes, at + 1)?),
            offset: number(at + 9)?,
            len: number(at + 13)?,
            key: bytes.get(at + ENTRY..at + ENTRY + key_len)?.to_vec(),
        });
        at += ENTRY + key_len;
    }
    Some(found)
}
