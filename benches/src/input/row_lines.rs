//! [`RowLines`]: in which line of its file a row of CSV begins.
//!
//! The reader of the rows says at which byte it began to look for one. That may be the second byte of the line break before
//! it, or an empty line: the row itself begins behind them.

use std::collections::VecDeque;
use std::io::{self, Read};

/// Line breaks that follow each other, from one byte up to another, and the number of the line behind them.
#[derive(Debug)]
struct Breaks {
    begin: u64,
    end: u64,
    line: u64,
}

/// Passes the bytes of a CSV on, and knows in which line each of its rows begins.
#[derive(Debug)]
pub struct RowLines<R> {
    input: R,
    passed: u64,
    line: u64,
    /// Those behind the last row that was asked for, and the last before it.
    breaks: VecDeque<Breaks>,
}

impl<R> RowLines<R> {
    /// Begins with line 1.
    pub fn new(input: R) -> Self {
        Self { input, passed: 0, line: 1, breaks: VecDeque::new() }
    }

    /// The line in which a row begins that was read from here. Rows are asked for in their order.
    pub fn line_of(&mut self, row: &csv::ByteRecord) -> u64 {
        let place = row.position().map_or(0, csv::Position::byte);
        while self.breaks.get(1).is_some_and(|next| next.begin <= place) {
            self.breaks.pop_front();
        }
        self.breaks.front().filter(|breaks| breaks.begin <= place).map_or(1, |breaks| breaks.line)
    }

    fn note(&mut self, bytes: &[u8]) {
        let is_break = |byte: u8| byte == b'\r' || byte == b'\n';
        for (at, byte) in (self.passed..).zip(bytes).filter(|(_, byte)| is_break(**byte)) {
            self.line += u64::from(*byte == b'\n');
            match self.breaks.back_mut() {
                Some(last) if last.end == at => (last.end, last.line) = (at + 1, self.line),
                _ => self.breaks.push_back(Breaks { begin: at, end: at + 1, line: self.line }),
            }
        }
        self.passed += bytes.len() as u64;
    }
}

impl<R: Read> Read for RowLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(buffer)?;
        self.note(&buffer[..len]);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines in which the rows of `text` begin, as a reader of so many bytes at a time finds them.
    fn lines(text: &str, at_once: usize) -> Vec<u64> {
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(at_once)
            .from_reader(RowLines::new(text.as_bytes()));
        let (mut row, mut lines) = (csv::ByteRecord::new(), Vec::new());
        while rows.read_byte_record(&mut row).unwrap() {
            lines.push(rows.get_mut().line_of(&row));
        }
        lines
    }

    #[test]
    fn a_row_is_in_its_line_whatever_ends_lines_and_however_many_are_empty() {
        for (text, expected) in [
            ("a,b\nc,d\n", &[1, 2][..]),
            ("a,b\r\nc,d\r\ne,f", &[1, 2, 3]),
            ("\n\r\na,b\n\n\nc,d\n", &[3, 6]),
            ("a,\"b\n\r\nb\"\r\n\r\n\"c\nc\",d\ne,f\n", &[1, 5, 7]),
            ("", &[]),
            ("\n\n", &[]),
        ] {
            for at_once in [1, 2, 3, 5, 4096] {
                assert_eq!(lines(text, at_once), expected, "{text:?}, {at_once} at once");
            }
        }
    }
}
