//! [`TailSegment`]: the end of the log, which a crash may have left unfinished.
//!
//! The manifest lists the segments that were not known to be on the disk as a whole: the active one, and those
//! before it that were full and waited to be sealed. Their records are one sequence. What a crash took is taken from
//! the end; a loss of power may have taken a page of an earlier one, and then all that came behind it goes as well,
//! so that what is left is a beginning.

use std::path::PathBuf;

use logladder_disk::{Disk, Map, cut_torn_tail};
use logladder_engine::{Error, Repair, Result};

use crate::Hints;
use crate::format::header::{FOOTER_LEN, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::format::hint::Entry;
use crate::format::{Flaw, index};
use crate::scan::{self, Stop, Tail};
use crate::seal::Contents;

/// A segment of the tail, and what is to become of it.
#[derive(Debug)]
pub(crate) struct TailSegment {
    pub(crate) header: SegmentHeader,
    pub(crate) path: PathBuf,
    pub(crate) map: Map,
    pub(crate) contents: Contents,
    /// Bytes of its records that the index points to.
    pub(crate) live_bytes: u64,
    /// Where an unfinished write behind the records ends.
    torn_end: Option<u64>,
}

impl TailSegment {
    /// Looks at the segment `map`, up to where its valid records end.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`]: it is damaged in a way that no crash explains.
    pub(crate) fn look(path: PathBuf, header: SegmentHeader, map: Map, hints: Hints) -> Result<Self> {
        let contents = Contents::of(&map, &header, hints)?;
        let end = contents.footer.data_len;
        let damaged = |offset, what: String| Error::corrupt(&path, offset, what);
        let mut torn_end = None;
        match contents.stop {
            Stop::End => {}
            Stop::Footer(_) => {
                contents.check_sealed().map_err(|flaw| damaged(end, flaw.to_string()))?;
                let behind = end + FOOTER_LEN as u64;
                if !scan::is_zero_from(&map, behind) {
                    return Err(damaged(behind, Flaw::BehindFooter.to_string()));
                }
            }
            // These records are whole, so no unfinished write explains them.
            Stop::Flaw(flaw @ (Flaw::Sequence { .. } | Flaw::Footer)) => {
                return Err(damaged(end, flaw.to_string()));
            }
            Stop::Flaw(flaw) => match scan::judge_tail(&map, index(end), contents.footer.next_sequence) {
                Tail::Unused => {}
                Tail::Torn { end } => torn_end = Some(end),
                Tail::Damaged { follower } => {
                    let what = format!("{flaw}, and a valid one follows at offset {follower}");
                    return Err(damaged(end, what));
                }
            },
        }
        Ok(Self { header, path, map, contents, live_bytes: 0, torn_end })
    }

    /// Takes in what a segment that is being written has so far, up to where its valid records end.
    ///
    /// # Errors
    ///
    /// None: what stands behind them is not looked at.
    pub(crate) fn unfinished(path: PathBuf, header: SegmentHeader, bytes: Map) -> Result<Self> {
        let contents = Contents::of(&bytes, &header, Hints::WhereSmall)?;
        Ok(Self { header, path, map: bytes, contents, live_bytes: 0, torn_end: None })
    }

    /// That these, in the order of the log, follow each other, as far as they hold anything. Where one has lost its
    /// end, those behind it are emptied.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`]: records are missing, and no crash explains it.
    pub(crate) fn judge(mut tail: Vec<Self>) -> Result<Vec<Self>> {
        let mut known: Option<(usize, u64)> = None;
        let mut broken = None;
        for (place, segment) in tail.iter().enumerate().filter(|(_, segment)| !segment.is_empty()) {
            let first = segment.header.first_sequence;
            if let Some((before, next)) = known.filter(|(_, next)| *next != first) {
                let before = &tail[before];
                let end = before.contents.footer.data_len;
                let is_whole = matches!(before.contents.stop, Stop::Footer(_));
                if next > first || is_whole || !scan::is_lost(&before.map, index(end)) {
                    let what =
                        format!("record {next} belongs here, and {} begins with {first}", segment.name());
                    return Err(Error::corrupt(&before.path, end, what));
                }
                broken = Some(place);
                break;
            }
            known = Some((place, segment.contents.footer.next_sequence));
        }
        if let Some(broken) = broken {
            for segment in &mut tail[broken..] {
                segment.give_up();
            }
        }
        Ok(tail)
    }

    /// None of its records counts.
    fn give_up(&mut self) {
        let last = self.map.iter().rposition(|&byte| byte != 0).map_or(0, |last| last as u64 + 1);
        self.torn_end = Some(last).filter(|&end| end > SEGMENT_HEADER_LEN as u64);
        self.contents.footer.records = 0;
        self.contents.footer.data_len = SEGMENT_HEADER_LEN as u64;
    }

    /// Shows its records to the index.
    ///
    /// # Errors
    ///
    /// What `take` says.
    pub(crate) fn load(&self, mut take: impl FnMut(&Entry<'_>) -> Result<()>) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        scan::survey(&self.map, &self.header, |entry| take(entry)).map(drop)
    }

    /// Whether it has no record.
    pub(crate) fn is_empty(&self) -> bool {
        self.contents.footer.records == 0
    }

    fn name(&self) -> String {
        crate::files::segment_name(self.header.id)
    }

    /// Cuts off what stands behind the records, and seals the segment if there are any.
    ///
    /// A footer that is there already is written again, and the file is cut even if it ends there: an earlier
    /// attempt may have done both, and failed to sync them. What was done again is covered by the next sync.
    pub(crate) fn put_in_order(&self, disk: &dyn Disk) -> Result<Option<Repair>> {
        let file = disk.open(&self.path)?;
        let data_len = self.contents.footer.data_len;
        let mut repair = None;
        if let Some(torn_end) = self.torn_end {
            // The unused reserve first: it is not worth keeping a copy of.
            file.truncate(torn_end)?;
            repair = Some(cut_torn_tail(disk, &*file, data_len)?);
        }
        file.truncate(data_len)?;
        if !self.is_empty() {
            file.append(&self.contents.footer.encode()?)?;
        }
        file.sync()?;
        Ok(repair)
    }
}
