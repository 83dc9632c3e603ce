//! A Bloom filter: whether a table may have a key, without looking.
//!
//! The bits of one key lie in one line of 64 bytes, which is what a processor fetches at once (Putze, Sanders and Singler,
//! "Cache-, Hash- and Space-Efficient Bloom Filters", 2007). That costs a few more false answers than bits spread over
//! the whole filter, and saves five of six visits to memory.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// How long a line is, in bytes.
const LINE: usize = 64;

/// How many bits a key sets.
const PROBES: u32 = 6;

/// The hash of a key. It is part of the format: the same in every version and on every machine.
#[inline]
pub(crate) fn hash(key: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0x6c6f_676c_6164_6465, 0x7220_7461_626c_6573);
    hasher.write(key);
    hasher.finish()
}

/// The filter of keys with these hashes, with so many bits for each.
pub(crate) fn build(hashes: &[u64], bits: u32) -> Vec<u8> {
    let lines = (hashes.len() as u64 * u64::from(bits)).div_ceil(8 * LINE as u64);
    let mut filter = vec![0; usize::try_from(lines).unwrap_or(usize::MAX).saturating_mul(LINE)];
    if !filter.is_empty() {
        for &hash in hashes {
            let line = line_of(hash, filter.len());
            bits_of(hash).for_each(|(byte, mask)| filter[line + byte] |= mask);
        }
    }
    filter
}

// ANCHOR: may_have
/// Whether a key with this hash may be there. An empty filter knows nothing.
#[inline]
pub(crate) fn may_have(filter: &[u8], hash: u64) -> bool {
    if filter.is_empty() {
        return true;
    }
    let line = line_of(hash, filter.len());
    filter.get(line..line + LINE).is_none_or(|line| bits_of(hash).all(|(byte, mask)| line[byte] & mask != 0))
}
// ANCHOR_END: may_have

/// Where the line of a key begins.
#[inline]
fn line_of(hash: u64, filter_len: usize) -> usize {
    number_of_line(hash, filter_len / LINE) * LINE
}

/// Which of so many lines is that of a key: the upper half of its hash, as a fraction of their number.
#[inline]
pub(crate) fn number_of_line(hash: u64, lines: usize) -> usize {
    // Less than the number of lines.
    usize::try_from(((hash >> 32) * lines as u64) >> 32).unwrap_or(0)
}

/// The bytes of a line in which a key has its bits, and those bits.
#[inline]
fn bits_of(hash: u64) -> impl Iterator<Item = (usize, u8)> {
    // Less than 64.
    places_of(hash).map(|bit| (usize::try_from(bit / 8).unwrap_or(0), 1 << (bit % 8)))
}

/// The bits of a key in its line of 512: nine of the lower half of its hash for each, moved on by an odd number.
#[inline]
pub(crate) fn places_of(hash: u64) -> impl Iterator<Item = u64> {
    let step = (hash >> 17) | 1;
    (0..u64::from(PROBES)).map(move |probe| hash.wrapping_add(probe.wrapping_mul(step)) & 511)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(numbers: std::ops::Range<u32>) -> Vec<u64> {
        numbers.map(|number| hash(&number.to_be_bytes())).collect()
    }

    #[test]
    fn every_key_that_is_there_may_be_there_and_few_others() {
        for bits in [1, 10, 20] {
            let there = hashes(0..10_000);
            let filter = build(&there, bits);
            assert!(there.iter().all(|&hash| may_have(&filter, hash)));
            if bits == 10 {
                let wrong =
                    hashes(10_000..30_000).into_iter().filter(|&hash| may_have(&filter, hash)).count();
                assert!(wrong < 600, "{wrong} of 20,000 absent keys pass: more than 3 in a hundred");
            }
        }
    }

    #[test]
    fn a_table_without_a_filter_may_have_any_key() {
        assert!(may_have(&build(&hashes(0..10), 0), 42));
    }

    #[test]
    fn the_hash_of_a_key_is_the_one_that_stands_in_files() {
        assert_eq!(hash(b"name"), 5_617_660_793_571_994_561);
    }
}
