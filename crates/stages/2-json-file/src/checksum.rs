//! `database.json.crc32`: what `database.json` may be. JSON has no room for a checksum, so it stands beside.

use std::path::Path;

use logladder_engine::{Error, Result};

/// The name of the file with the checksums.
pub const CHECKSUM_FILE: &str = "database.json.crc32";

/// What tells one text from another: a CRC-32 and the length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checksum {
    crc: u32,
    len: u64,
}

impl Checksum {
    pub(crate) fn of(text: &[u8]) -> Self {
        Self { crc: crc32fast::hash(text), len: text.len() as u64 }
    }

    fn line(self) -> String {
        format!("{:08x} {}\n", self.crc, self.len)
    }
}

/// The file that allows `new` and, until that has reached the disk, `present`.
pub(crate) fn to_text(new: Checksum, present: Checksum) -> String {
    new.line() + &present.line()
}

/// The two texts that the file allows.
///
/// Only what [`to_text`] writes is read, byte for byte. The file is replaced atomically, so no crash leaves a
/// part of it.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<[Checksum; 2]> {
    let mut allowed = [Checksum { crc: 0, len: 0 }; 2];
    let mut rest = bytes;
    for checksum in &mut allowed {
        let line_len = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
        let (line, after) = rest.split_at(line_len);
        *checksum = parse_line(line).ok_or_else(|| unreadable(path, bytes.len() - rest.len()))?;
        rest = after;
    }
    if rest.is_empty() { Ok(allowed) } else { Err(unreadable(path, bytes.len() - rest.len())) }
}

fn parse_line(line: &[u8]) -> Option<Checksum> {
    let (crc, len) = str::from_utf8(line).ok()?.strip_suffix('\n')?.split_once(' ')?;
    let checksum = Checksum { crc: u32::from_str_radix(crc, 16).ok()?, len: len.parse().ok()? };
    // Digits can be written in several ways; a flipped bit must not turn one into another unseen.
    (checksum.line().as_bytes() == line).then_some(checksum)
}

fn unreadable(path: &Path, offset: usize) -> Error {
    let what = "it should be two lines of a checksum and a length; if database.json is as it should be, \
                remove this file to accept it";
    Error::corrupt(path, offset as u64, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_eight_hexadecimal_digits_and_a_length() {
        // The check value of CRC-32, from its definition.
        let new = Checksum::of(b"123456789");
        assert_eq!(to_text(new, Checksum::of(b"")), "cbf43926 9\n00000000 0\n");
    }

    #[test]
    fn only_what_is_written_is_read() {
        let (new, present) = (Checksum::of(b"{}"), Checksum::of(b"{\"1\":2}"));
        let good = to_text(new, present);
        assert_eq!(parse(Path::new("x"), good.as_bytes()).unwrap(), [new, present]);
        for len in 0..good.len() {
            assert!(parse(Path::new("x"), &good.as_bytes()[..len]).is_err(), "cut to {len} bytes");
        }
        for bad in [
            good.clone() + "\n",
            good.clone() + &good,
            good.to_uppercase(),
            good.replace(' ', "  "),
            good.replace(' ', " +"),
            good.replace(' ', " 0"),
            good.replace('\n', "\r\n"),
            "\0".repeat(good.len()),
        ] {
            let error = parse(Path::new("x"), bad.as_bytes()).unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{bad:?}");
        }
    }

    #[test]
    fn an_unreadable_line_is_named_by_its_offset() {
        let bad = to_text(Checksum::of(b"{}"), Checksum::of(b"")).replace("00000000", "zzzzzzzz");
        assert!(matches!(parse(Path::new("x"), bad.as_bytes()), Err(Error::Corrupt { offset: 11, .. })));
    }
}
