//! [`Tail`]: where the last writes of a log begin, without reading all of it again.

use std::collections::VecDeque;
use std::path::Path;

use logladder_disk::{Disk, Entry};
use logladder_engine::Result;

use super::super::layout::{WINDOW, read_part};
use super::HEADER_LEN;

/// Bytes of a frame before its body.
const HEAD_LEN: usize = 16;
/// The log is gone through in pieces of this size.
const PIECE: u64 = 1 << 20;

/// The frames at the end of a log, as far as they are taken apart.
#[derive(Debug, Default)]
pub(in crate::view) struct Tail {
    /// Of which file.
    name: String,
    /// Where they begin, the first of them at most [`WINDOW`] before the end.
    starts: VecDeque<u64>,
    /// Where the last one ends.
    end: u64,
}

impl Tail {
    /// Goes on over what was appended, and says where the last frame ends. Only the lengths of frames are read: whether
    /// they are whole is seen by whoever takes them apart.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(in crate::view) fn follow(&mut self, disk: &dyn Disk, dir: &Path, entry: &Entry) -> Result<u64> {
        if self.name != entry.name || entry.len < self.end {
            *self = Self { name: entry.name.clone(), starts: VecDeque::new(), end: HEADER_LEN };
        }
        let path = dir.join(&entry.name);
        loop {
            let (begun, piece) = (self.end, read_part(disk, &path, self.end, PIECE)?);
            while let Some(len) = self.frame_in(&piece, begun) {
                let next = self.end.saturating_add(len);
                if next > entry.len {
                    break;
                }
                self.starts.push_back(self.end);
                self.end = next;
            }
            while self.starts.front().is_some_and(|first| self.end - first > WINDOW) {
                self.starts.pop_front();
            }
            if self.end == begun {
                return Ok(self.end);
            }
        }
    }

    /// How long the next frame is, if its head lies in the `piece` that begins at `begun`. One without a body is none: that
    /// is where the reserve begins.
    fn frame_in(&self, piece: &[u8], begun: u64) -> Option<u64> {
        let at = usize::try_from(self.end - begun).ok()?;
        let head = piece.get(at..at.checked_add(HEAD_LEN)?)?;
        let body = u32::from_le_bytes(*head.first_chunk()?);
        (body > 0).then_some(HEAD_LEN as u64 + u64::from(body))
    }

    /// Where the first of the last frames begins.
    pub(super) fn start(&self) -> u64 {
        self.starts.front().copied().unwrap_or(self.end)
    }

    /// The last frame: where it begins and ends. None if there is none, or it is too long to be shown.
    pub(super) fn last(&self) -> Option<(u64, u64)> {
        self.starts.back().map(|start| (*start, self.end))
    }

    /// Where the last frame ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }
}
