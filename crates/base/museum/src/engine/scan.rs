//! Reading a segment: which records it has, and where they end.

use super::record::{self, Kind, SEGMENT_HEADER, claimed_len};
use crate::Bug;

/// A record, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) stamp: u64,
    /// In the segment, in bytes.
    pub(crate) offset: usize,
    /// Of the whole record, in bytes.
    pub(crate) len: usize,
    pub(crate) key: Vec<u8>,
}

/// What a segment holds.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) found: Vec<Found>,
    /// Where the last good record ends.
    pub(crate) end: usize,
    /// Whether that record says that the segment is complete.
    pub(crate) is_complete: bool,
    /// Whether a good record lies behind what is not one.
    pub(crate) goes_on: bool,
}

/// Reads all records of a segment, up to the first that is not good.
pub(crate) fn scan(bug: Bug, bytes: &[u8]) -> Scan {
    let (mut found, mut at, mut is_complete) = (Vec::new(), SEGMENT_HEADER.min(bytes.len()), false);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty() && !is_complete) {
        // ANCHOR: skips-by-length
        if bug == Bug::SkipsByLength && record::parse(bug, rest).is_none() {
            at += claimed_len(rest).unwrap_or(rest.len());
            continue;
        }
        // ANCHOR_END: skips-by-length
        let Some(record) = record::parse(bug, rest) else { break };
        is_complete = record.kind == Kind::End;
        if !is_complete {
            let (kind, stamp, len) = (record.kind, record.stamp, record.len());
            found.push(Found { kind, stamp, offset: at, len, key: record.key.to_vec() });
        }
        at += record.len();
    }
    // ANCHOR: drops-the-last-record
    if bug == Bug::DropsTheLastRecord {
        found.pop();
    }
    // ANCHOR_END: drops-the-last-record
    let end = at.min(bytes.len());
    // ANCHOR: cuts-in-the-middle
    let goes_on = if bug == Bug::CutsInTheMiddle {
        false // what is behind a bad record is not worth a look
    } else {
        (end + 1..bytes.len()).any(|later| record::parse(bug, &bytes[later..]).is_some())
    };
    // ANCHOR_END: cuts-in-the-middle
    Scan { found, end, is_complete, goes_on }
}
