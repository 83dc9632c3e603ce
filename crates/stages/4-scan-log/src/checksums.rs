//! `store.json.crc32`: the checksums of the log's lines. A line has no room for its own, so line *n* of this
//! file is that of line *n* of the log: eight hexadecimal digits and a line feed.

use logladder_disk::File;
use logladder_engine::{Error, Result};

/// The name of the file with the checksums.
pub const CHECKSUM_FILE: &str = "store.json.crc32";

/// The length of a checksum in that file, in bytes.
pub(crate) const RECORD_LEN: u64 = 9;

/// Some tens of thousands of checksums at once.
const READ_LEN: u64 = RECORD_LEN * 8 * 1024;

/// Appends the checksum of `line`, which has its line feed, to `out`.
pub(crate) fn write(line: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:08x}\n", crc32fast::hash(line)).as_bytes());
}

/// What is known of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Its checksum.
    Crc(u32),
    /// Nothing: its checksum was never written, or a crash took it and left a part of it or zeros.
    Nothing,
}

/// The checksums of the log's lines, from the first on.
pub(crate) struct Checksums<'f> {
    file: Option<&'f dyn File>,
    buffer: Vec<u8>,
    /// Where the buffer's bytes begin in the file, and where the next checksum begins in them.
    offset: u64,
    start: usize,
}

impl<'f> Checksums<'f> {
    /// Those in `file`. Without a file nothing is known of any line.
    pub(crate) fn of(file: Option<&'f dyn File>) -> Self {
        Self { file, buffer: Vec::new(), offset: 0, start: 0 }
    }

    /// What is known of the next line.
    ///
    /// A crash leaves a part of a checksum, or zeros in it. Anything else that is not one is damage.
    pub(crate) fn next(&mut self) -> Result<Recorded> {
        let Some(file) = self.file else { return Ok(Recorded::Nothing) };
        if self.start == self.buffer.len() {
            self.offset += self.start as u64;
            self.start = 0;
            let len = READ_LEN.min(file.len().saturating_sub(self.offset));
            // At most READ_LEN.
            self.buffer.resize(usize::try_from(len).unwrap_or(0), 0);
            file.read_at(self.offset, &mut self.buffer)?;
        }
        let rest = &self.buffer[self.start..];
        let record = &rest[..rest.len().min(9)];
        let offset = self.offset + self.start as u64;
        self.start += record.len();
        if record.len() < 9 || record.contains(&0) {
            return Ok(Recorded::Nothing);
        }
        parse(record).map(Recorded::Crc).ok_or_else(|| {
            let what = format!(
                "line {} should be eight hexadecimal digits; if store.json is as it should be, remove this \
                 file to accept it",
                offset / RECORD_LEN + 1
            );
            Error::corrupt(file.path(), offset, what)
        })
    }
}

/// The checksum of a record, if it is exactly as [`write`] writes it.
pub(crate) fn parse(record: &[u8]) -> Option<u32> {
    let (digits, b"\n") = record.split_at_checked(8)? else { return None };
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if !digits.iter().all(is_digit) {
        return None;
    }
    u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use logladder_disk::{Disk, RecordingDisk};
    use std::path::Path;

    fn file(bytes: &[u8]) -> Box<dyn File> {
        let file = RecordingDisk::new().create(Path::new("/sums")).unwrap();
        file.append(bytes).unwrap();
        file
    }

    #[test]
    fn a_checksum_is_eight_digits_and_a_line_feed() {
        let mut out = Vec::new();
        // The check value of CRC-32, from its definition.
        write(b"123456789", &mut out);
        assert_eq!(out, b"cbf43926\n");
        assert_eq!(parse(&out), Some(0xcbf4_3926));
        for bad in
            [&b"CBF43926\n"[..], b"cbf43926", b"cbf43926\n\n", b"+bf43926\n", b"cbf4392g\n", b"cbf43926\r"]
        {
            assert_eq!(parse(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn what_a_crash_leaves_is_nothing_and_anything_else_is_damage() {
        let torn = file(b"cbf43926\n\0\0\0\0\0\0\0\0\0cbf4\0\0\0\0\0cbf43926\ncbf4");
        let mut checksums = Checksums::of(Some(&*torn));
        let known: Vec<Recorded> = (0..6).map(|_| checksums.next().unwrap()).collect();
        let crc = Recorded::Crc(0xcbf4_3926);
        assert_eq!(
            known,
            [crc, Recorded::Nothing, Recorded::Nothing, crc, Recorded::Nothing, Recorded::Nothing]
        );

        let damaged = file(b"cbf43926\ncbf4392x\n");
        let mut checksums = Checksums::of(Some(&*damaged));
        assert_eq!(checksums.next().unwrap(), crc);
        assert!(
            matches!(checksums.next(), Err(Error::Corrupt { offset: 9, what, .. }) if what.starts_with("line 2 "))
        );
    }

    #[test]
    fn more_checksums_than_one_read_holds_are_all_read() {
        let mut bytes = Vec::new();
        for number in 0..20_000_u32 {
            write(&number.to_le_bytes(), &mut bytes);
        }
        let many = file(&bytes);
        let mut checksums = Checksums::of(Some(&*many));
        for number in 0..20_000_u32 {
            assert_eq!(checksums.next().unwrap(), Recorded::Crc(crc32fast::hash(&number.to_le_bytes())));
        }
        assert_eq!(checksums.next().unwrap(), Recorded::Nothing);
    }
}
