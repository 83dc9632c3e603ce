//! Numbers as bytes, and bytes as numbers: the words that all files of this stage are written in.
//!
//! Fixed numbers are little-endian. A *varint* has seven bits in each byte, the lowest first; the top bit says that
//! another byte follows.

/// Appends `number` as a varint.
#[inline]
pub(crate) fn put_varint(buffer: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        // The low seven bits, and the mark that more follow.
        buffer.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    buffer.push(number.to_le_bytes()[0]);
}

/// Appends a key behind its length.
pub(crate) fn put_key(buffer: &mut Vec<u8>, key: &[u8]) {
    put_varint(buffer, key.len() as u64);
    buffer.extend_from_slice(key);
}

/// A number that counts bytes in memory. One that no memory has becomes the largest, which no slice reaches.
pub(crate) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// How many bytes [`head`] looks at.
pub(crate) const HEAD_LEN: usize = 16;

/// The first bytes of a key as a number, with zeros behind a key that is shorter. Of two keys the one with the smaller number
/// comes first; where the numbers are the same, the keys themselves have to be compared.
#[inline]
pub(crate) fn head(key: &[u8]) -> u128 {
    if let Some(first) = key.first_chunk::<HEAD_LEN>() {
        return u128::from_be_bytes(*first);
    }
    let mut bytes = [0; HEAD_LEN];
    bytes[..key.len()].copy_from_slice(key);
    u128::from_be_bytes(bytes)
}

/// Reads from the front of some bytes. Every answer is `None` once they are used up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// From the offset `at` on.
    pub(crate) fn at(bytes: &'b [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// How far it has come.
    #[inline]
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let end = self.at.checked_add(len)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let first = self.byte()?;
        if first < 0x80 {
            return Some(first.into());
        }
        let mut number = u64::from(first & 0x7F);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if (bits << shift) >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A varint that is a length.
    #[inline]
    pub(crate) fn len(&mut self) -> Option<usize> {
        self.varint().and_then(|number| usize::try_from(number).ok())
    }

    /// What [`put_key`] wrote.
    pub(crate) fn key(&mut self) -> Option<&'b [u8]> {
        let len = self.len()?;
        self.take(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back_from_its_varint() {
        let powers = (0..64).map(|bit| 1_u64 << bit);
        for number in powers.flat_map(|power| [power - 1, power, power + 1]).chain([u64::MAX]) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, number);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.varint(), Some(number));
            assert!(reader.is_empty());
            assert_eq!(Reader::new(&bytes[..bytes.len() - 1]).varint(), None, "cut short");
        }
    }

    #[test]
    fn keys_stand_in_the_order_of_their_heads_unless_those_are_the_same() {
        let keys: [&[u8]; 8] =
            [b"", b"\0", b"\0\0", b"a", b"a\0", b"aa", b"aaaaaaaaaaaaaaaa", b"aaaaaaaaaaaaaaaab"];
        for (one, other) in keys.iter().flat_map(|one| keys.iter().map(move |other| (one, other))) {
            let by_head = head(one).cmp(&head(other));
            assert!(by_head.is_eq() || by_head == one.cmp(other), "{one:?} {other:?}");
        }
        assert_ne!(head(b"a"), head(b"aa"));
    }

    #[test]
    fn a_varint_of_more_than_64_bits_is_refused() {
        assert_eq!(Reader::new(&[0xFF; 11]).varint(), None);
        assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02]).varint(), None);
    }
}
