//! The sums of an append-only file: what it must hold, as far as it has been synced.
//!
//! The lines of the file have no place for a checksum. So a second file, `appendonly-N.sums`, says from time to time
//! how far the first is on the disk and what the CRC-32 of everything up to there is. A record is written after a sync
//! of the lines that it covers, never before, so a loss of power takes no line that a record covers.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | how many bytes of the append-only file it covers |
//! | 8 | 4 | CRC-32 of those |
//! | 12 | 4 | CRC-32 of the file's number (8 bytes) and the 12 bytes before |
//!
//! The file is derived: without it, or behind a record of it that is damaged, lines are taken as they are.

/// The length of a record in bytes.
pub(crate) const RECORD_LEN: usize = 16;

/// That the first `covers` bytes of a file have this CRC-32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) covers: u64,
    pub(crate) crc: u32,
}

impl Sum {
    pub(crate) fn encode(self, number: u64) -> [u8; RECORD_LEN] {
        let mut record = [0; RECORD_LEN];
        record[..8].copy_from_slice(&self.covers.to_le_bytes());
        record[8..12].copy_from_slice(&self.crc.to_le_bytes());
        let check = check(number, &record);
        record[12..].copy_from_slice(&check.to_le_bytes());
        record
    }

    pub(crate) fn decode(number: u64, record: &[u8]) -> Option<Self> {
        let (covers, rest) = record.split_first_chunk()?;
        let (crc, rest) = rest.split_first_chunk()?;
        let stored: &[u8; 4] = rest.try_into().ok()?;
        if u32::from_le_bytes(*stored) != check(number, record) {
            return None;
        }
        Some(Self { covers: u64::from_le_bytes(*covers), crc: u32::from_le_bytes(*crc) })
    }
}

fn check(number: u64, record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&record[..12]);
    hasher.finalize()
}

/// The records at the beginning of `bytes` that are whole, and cover more and more.
pub(crate) fn read(number: u64, bytes: &[u8]) -> Vec<Sum> {
    let mut sums: Vec<Sum> = Vec::new();
    for record in bytes.chunks_exact(RECORD_LEN) {
        match Sum::decode(number, record) {
            Some(sum) if sums.last().is_none_or(|last| last.covers < sum.covers) => sums.push(sum),
            _ => break,
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_one_that_is_flipped_or_of_another_file_does_not() {
        let sum = Sum { covers: 12_345, crc: 0xDEAD_BEEF };
        let record = sum.encode(7);
        assert_eq!(Sum::decode(7, &record), Some(sum));
        assert_eq!(Sum::decode(8, &record), None);
        for bit in 0..RECORD_LEN * 8 {
            let mut flipped = record;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Sum::decode(7, &flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn reading_ends_at_the_first_record_that_is_not_whole() {
        let sums = [10, 20, 30].map(|covers| Sum { covers, crc: 1 });
        let mut bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.encode(1)).collect();
        assert_eq!(read(1, &bytes), sums);
        assert_eq!(read(1, &bytes[..47]), sums[..2]);
        bytes[16] ^= 1;
        assert_eq!(read(1, &bytes), sums[..1]);
    }
}
