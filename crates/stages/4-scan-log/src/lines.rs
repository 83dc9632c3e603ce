//! [`Lines`]: reading the log forwards, a line at a time, however long the log is.

use logladder_disk::File;
use logladder_engine::{Error, Result, limits};
use memchr::memchr;

/// The first read is small, since a line usually is; each further one is twice as large, up to the last.
const FIRST_READ: u64 = 4 * 1024;
const LARGEST_READ: u64 = 256 * 1024;

/// No entry takes a longer line, unless white space makes it so: JSON has at most six bytes for one, as in
/// `\u0000`, and 64 are more than enough for what stands around the key and the value.
const LONGEST_LINE: u64 = 6 * (limits::MAX_KEY_LEN as u64 + limits::MAX_VALUE_LEN as u64) + 64;

/// A line is held in memory up to here, whatever is in it.
const HELD_IN_ANY_CASE: usize = 256 * 1024;

/// The lines of a part of a file, one after the other. It holds one read and one line in memory; of a long
/// line that can be no entry, only a read.
pub(crate) struct Lines<'f> {
    file: &'f dyn File,
    /// Where the line after the last one begins, in the file and in the buffer.
    offset: u64,
    start: usize,
    buffer: Vec<u8>,
    /// The part of the file that is not in the buffer yet.
    unread: std::ops::Range<u64>,
    next_read: u64,
    longest: u64,
}

/// A line with its line feed. Only the last one of a file may have none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'b> {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    len: u64,
    /// The whole line; empty if it was not held.
    pub(crate) bytes: &'b [u8],
    /// Why it was not.
    pub(crate) not_held: Option<&'static str>,
    has_end: bool,
    has_zero: bool,
}

impl Line<'_> {
    /// Where the next one begins.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.len
    }

    /// Whether its line feed is there.
    pub(crate) fn has_end(&self) -> bool {
        self.has_end
    }

    /// Whether a crash can leave it so: without its end, or with zeros in place of bytes.
    pub(crate) fn is_cut_short(&self) -> bool {
        !self.has_end || self.has_zero || self.bytes.contains(&0)
    }
}

impl<'f> Lines<'f> {
    /// The lines of `file` between two offsets, of which the first is the beginning of a line.
    pub(crate) fn new(file: &'f dyn File, from: u64, end: u64) -> Self {
        let unread = from..end;
        let (buffer, next_read, longest) = (Vec::new(), FIRST_READ, LONGEST_LINE);
        Self { file, offset: from, start: 0, buffer, unread, next_read, longest }
    }

    /// The next line, or `None` at the end.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        let mut searched = self.start;
        let mut has_zero = false;
        let end = loop {
            if let Some(found) = memchr(b'\n', &self.buffer[searched..]) {
                break searched + found + 1;
            }
            if self.unread.is_empty() {
                break self.buffer.len();
            }
            has_zero |= memchr(0, &self.buffer[searched..]).is_some();
            self.buffer.drain(..self.start);
            self.start = 0;
            searched = self.buffer.len();
            if let Some(why) = self.why_not_hold(has_zero) {
                return self.pass_over(why, has_zero).map(Some);
            }
            self.read_more()?;
        };
        if end == self.start {
            return Ok(None);
        }
        let bytes = &self.buffer[self.start..end];
        let len = bytes.len() as u64;
        let has_end = bytes.ends_with(b"\n");
        let line = Line { offset: self.offset, len, bytes, not_held: None, has_end, has_zero };
        self.offset = line.end();
        self.start = end;
        Ok(Some(line))
    }

    /// Why the line that the buffer begins with can be no entry, if it is long and that shows.
    fn why_not_hold(&self, has_zero: bool) -> Option<&'static str> {
        if self.buffer.len() as u64 > self.longest {
            return Some("it is longer than an entry can be");
        }
        match self.buffer.first() {
            _ if self.buffer.len() < HELD_IN_ANY_CASE => None,
            _ if has_zero => Some("it has zeros in it"),
            Some(b'[' | b' ' | b'\t' | b'\r') => None,
            _ => Some("it begins with something other than a bracket"),
        }
    }

    /// Goes to the end of the line that the buffer begins with, and holds none of it.
    fn pass_over(&mut self, why: &'static str, mut has_zero: bool) -> Result<Line<'_>> {
        let mut len = 0;
        let has_end = loop {
            len += self.buffer.len() as u64;
            self.buffer.clear();
            if self.unread.is_empty() {
                break false;
            }
            self.read_more()?;
            self.start = memchr(b'\n', &self.buffer).map_or(0, |line_feed| line_feed + 1);
            let rest = if self.start > 0 { &self.buffer[..self.start] } else { &self.buffer[..] };
            has_zero |= memchr(0, rest).is_some();
            if self.start > 0 {
                len += self.start as u64;
                break true;
            }
        };
        let line = Line { offset: self.offset, len, bytes: &[], not_held: Some(why), has_end, has_zero };
        self.offset = line.end();
        Ok(line)
    }

    fn read_more(&mut self) -> Result<()> {
        let len = self.next_read.min(self.unread.end - self.unread.start);
        let old_len = self.buffer.len();
        // At most LARGEST_READ.
        let len_in_memory = usize::try_from(len).unwrap_or(0);
        // A line of an entry that was written by a larger machine.
        self.buffer.try_reserve(len_in_memory).map_err(|_| {
            Error::io("hold a line in memory of", self.file.path(), std::io::ErrorKind::OutOfMemory.into())
        })?;
        self.buffer.resize(old_len + len_in_memory, 0);
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
            file.append(&vec![b'['; len]).unwrap();
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

    #[test]
    fn a_long_line_that_can_be_no_entry_is_passed_over_and_not_held() {
        let long = 3 * HELD_IN_ANY_CASE;
        let mut zeros = vec![b'['; long];
        zeros[HELD_IN_ANY_CASE / 2] = 0;
        let mut late_zeros = vec![b'x'; long];
        late_zeros[long - 1] = 0;
        let disk = RecordingDisk::new();
        let file = disk.create(Path::new("/log")).unwrap();
        let cases = [
            (zeros, Some("it has zeros in it"), true),
            (vec![b'x'; long], Some("it begins with something other than a bracket"), false),
            (late_zeros, Some("it begins with something other than a bracket"), true),
            (vec![b'['; long], None, false),
            (vec![b'['; 2 * long], Some("it is longer than an entry can be"), false),
            (vec![b'x'; 5], None, false),
        ];
        for (line, ..) in &cases {
            file.append(line).unwrap();
            file.append(b"\n").unwrap();
        }
        file.append(&cases[1].0).unwrap();
        let mut lines = Lines::new(&*file, 0, file.len());
        lines.longest = long as u64 + 1;
        let mut offset = 0;
        for (bytes, not_held, has_zero) in &cases {
            let line = lines.next_line().unwrap().unwrap();
            assert_eq!((line.offset, line.end()), (offset, offset + bytes.len() as u64 + 1));
            assert_eq!((line.not_held, line.has_end()), (*not_held, true));
            assert_eq!(line.is_cut_short(), *has_zero);
            assert_eq!(line.bytes.len(), if not_held.is_some() { 0 } else { bytes.len() + 1 });
            offset = line.end();
            // Twice the longest that is held, since a growing buffer doubles.
            assert!(lines.buffer.capacity() <= 4 * long);
        }
        let line = lines.next_line().unwrap().unwrap();
        assert_eq!((line.offset, line.end(), line.has_end()), (offset, file.len(), false));
        assert!(line.is_cut_short());
        assert!(lines.next_line().unwrap().is_none());
    }
}
