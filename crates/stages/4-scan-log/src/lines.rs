//! [`Lines`]: reading the log forwards, a line at a time, however long the log is.

use logladder_disk::File;
use logladder_engine::Result;
use memchr::memchr;

/// The first read is small, since a line usually is; each further one is twice as large, up to the last.
const FIRST_READ: u64 = 4 * 1024;
const LARGEST_READ: u64 = 256 * 1024;

/// The lines of a part of a file, one after the other. It holds one read and one line in memory.
pub(crate) struct Lines<'f> {
    file: &'f dyn File,
    /// Where the line after the last one begins, in the file and in the buffer.
    offset: u64,
    start: usize,
    buffer: Vec<u8>,
    /// The part of the file that is not in the buffer yet.
    unread: std::ops::Range<u64>,
    next_read: u64,
}

/// A line with its line feed. Only the last one of a file may have none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'b> {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    pub(crate) bytes: &'b [u8],
}

impl Line<'_> {
    /// Where the next one begins.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl<'f> Lines<'f> {
    /// The lines of `file` between two offsets, of which the first is the beginning of a line.
    pub(crate) fn new(file: &'f dyn File, from: u64, end: u64) -> Self {
        Self { file, offset: from, start: 0, buffer: Vec::new(), unread: from..end, next_read: FIRST_READ }
    }

    /// The next line, or `None` at the end.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        let mut searched = self.start;
        let end = loop {
            if let Some(found) = memchr(b'\n', &self.buffer[searched..]) {
                break searched + found + 1;
            }
            if self.unread.is_empty() {
                break self.buffer.len();
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            searched = self.buffer.len();
            self.read_more()?;
        };
        if end == self.start {
            return Ok(None);
        }
        let line = Line { offset: self.offset, bytes: &self.buffer[self.start..end] };
        self.offset = line.end();
        self.start = end;
        Ok(Some(line))
    }

    fn read_more(&mut self) -> Result<()> {
        let len = self.next_read.min(self.unread.end - self.unread.start);
        let old_len = self.buffer.len();
        // At most LARGEST_READ.
        self.buffer.resize(old_len + usize::try_from(len).unwrap_or(0), 0);
        self.file.read_at(self.unread.start, &mut self.buffer[old_len..])?;
        self.unread.start += len;
        self.next_read = (self.next_read * 2).min(LARGEST_READ);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use logladder_disk::{Disk, RecordingDisk};
    use std::path::Path;

    #[test]
    fn lines_of_any_length_come_whole_with_their_offsets() {
        let lens = [0, 1, 5, 4094, 4095, 4096, 4097, 0, 700_000, 3, 262_143];
        let disk = RecordingDisk::new();
        let file = disk.create(Path::new("/log")).unwrap();
        for &len in &lens {
            file.append(&vec![b'x'; len]).unwrap();
            file.append(b"\n").unwrap();
        }
        let whole = file.len();
        file.append(b"no end").unwrap();
        let mut lines = Lines::new(&*file, 0, file.len());
        let mut offset = 0;
        for &len in &lens {
            let line = lines.next_line().unwrap().unwrap();
            assert_eq!((line.offset, line.bytes.len()), (offset, len + 1));
            offset = line.end();
        }
        let last = lines.next_line().unwrap().unwrap();
        assert_eq!((last.offset, last.bytes), (whole, &b"no end"[..]));
        assert!(lines.next_line().unwrap().is_none());
        assert!(lines.next_line().unwrap().is_none());
        assert!(Lines::new(&*file, whole, whole).next_line().unwrap().is_none());
    }
}
