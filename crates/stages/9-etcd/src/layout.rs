//! [`Layout`]: where a store lies among the keys of etcd, and how a value stands there.
//!
//! ```text
//!   logladder:v                     the version of this layout: "1"
//!   logladder:ca  :cb  :cc  …       how many changes there were: see count.rs
//!   logladder:dname                 "=anna", or "-" since it was deleted
//!   logladder:e‹4›name‹0›           a write of `name` that a later one of the same batch replaced; ‹4› is a number, as bytes
//!            │
//!            └ one letter for what it is; `d` and `e` stand next to each other, so that one watch sees both
//! ```
//!
//! The `:` ends the prefix and never stands in it, so that no store's keys lie among those of another.

use std::ops::Bound;
use std::path::Path;

use logladder_engine::limits::MAX_KEY_LEN;
use logladder_engine::{Error, KeyRange, Result};

/// What ends the prefix.
const END_OF_PREFIX: u8 = b':';

const VERSION: u8 = b'v';
const NOTHING: u8 = b'n';
const COUNT: u8 = b'c';
const DATA: u8 = b'd';
const EARLIER: u8 = b'e';

/// The letter of the first counter: that of the changes that come one at a time.
const FIRST_COUNT: u8 = b'a';

/// A value stands behind it. It is greater than the other, so that etcd can be asked whether a key has a value.
const IS_SET: u8 = b'=';
/// The key was deleted. Nothing stands behind it.
const IS_DELETED: u8 = b'-';

/// What the key of the layout's version holds.
pub(crate) const LAYOUT_VERSION: u32 = 1;

/// From one key of etcd to the one behind the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: Vec<u8>,
    pub(crate) end: Vec<u8>,
}

/// Where a store lies.
#[derive(Debug)]
pub(crate) struct Layout {
    root: Vec<u8>,
}

impl Layout {
    pub(crate) fn new(prefix: &str) -> Result<Self> {
        let is_bad = |letter: char| letter == ':' || letter.is_control();
        if prefix.is_empty() || prefix.len() > 1_024 || prefix.contains(is_bad) {
            let why = format!(
                "the prefix {prefix:?} names no store: it takes 1 to 1,024 bytes without `:` and control characters"
            );
            return Err(Error::InvalidKey { why });
        }
        let mut root = prefix.as_bytes().to_vec();
        root.push(END_OF_PREFIX);
        Ok(Self { root })
    }

    /// How many bytes a key of the store takes in etcd beside itself, at most.
    pub(crate) fn overhead(&self) -> usize {
        self.root.len() + 1 + 2 + 4
    }

    fn key(&self, kind: u8, parts: &[&[u8]]) -> Vec<u8> {
        let mut key =
            Vec::with_capacity(self.root.len() + 1 + parts.iter().map(|part| part.len()).sum::<usize>());
        key.extend_from_slice(&self.root);
        key.push(kind);
        for part in parts {
            key.extend_from_slice(part);
        }
        key
    }

    pub(crate) fn version(&self) -> Vec<u8> {
        self.key(VERSION, &[])
    }

    /// Where nothing ever stands.
    pub(crate) fn nothing(&self) -> Range {
        Range { start: self.key(NOTHING, &[]), end: self.key(NOTHING + 1, &[]) }
    }

    /// The counter of this number.
    pub(crate) fn count(&self, number: u8) -> Vec<u8> {
        self.key(COUNT, &[&[FIRST_COUNT.saturating_add(number)]])
    }

    /// Every counter.
    pub(crate) fn counts(&self) -> Range {
        Range { start: self.key(COUNT, &[]), end: self.key(COUNT + 1, &[]) }
    }

    /// The number of a counter, by its key.
    pub(crate) fn number_of(&self, stored: &[u8]) -> Option<u8> {
        match stored.strip_prefix(self.root.as_slice()) {
            Some([COUNT, letter]) => letter.checked_sub(FIRST_COUNT).filter(|number| *number < 64),
            _ => None,
        }
    }

    /// What `key` holds.
    pub(crate) fn data(&self, key: &[u8]) -> Vec<u8> {
        self.key(DATA, &[key])
    }

    /// Every key.
    pub(crate) fn all_data(&self) -> Range {
        Range { start: self.key(DATA, &[]), end: self.key(DATA + 1, &[]) }
    }

    /// The keys of a range.
    pub(crate) fn data_within(&self, (start, end): KeyRange<'_>) -> Range {
        let all = self.all_data();
        // The least key behind this one.
        let behind = |key: &[u8]| self.key(DATA, &[key, b"\0"]);
        Range {
            start: match start {
                Bound::Included(key) => self.data(key),
                Bound::Excluded(key) => behind(key),
                Bound::Unbounded => all.start,
            },
            end: match end {
                Bound::Included(key) => behind(key),
                Bound::Excluded(key) => self.data(key),
                Bound::Unbounded => all.end,
            },
        }
    }

    /// The members of a collection.
    pub(crate) fn members(&self, collection: &[u8]) -> Range {
        // The byte behind `/`.
        Range { start: self.key(DATA, &[collection, b"/"]), end: self.key(DATA, &[collection, b"0"]) }
    }

    /// The write of `key` number `nth`, counted from 0, of those that a later one of the same batch replaced. Behind the
    /// length of the key, so that those of one key are next to each other whatever other keys there are.
    pub(crate) fn earlier(&self, key: &[u8], nth: u32) -> Vec<u8> {
        self.key(EARLIER, &[&length(key), key, &nth.to_be_bytes()])
    }

    /// All such writes of `key`.
    pub(crate) fn all_earlier(&self, key: &[u8]) -> Range {
        let mut end = self.earlier(key, u32::MAX);
        end.push(0);
        Range { start: self.earlier(key, 0), end }
    }

    /// Everything of which each change is a change of the store.
    pub(crate) fn changing(&self) -> Range {
        Range { start: self.key(DATA, &[]), end: self.key(EARLIER + 1, &[]) }
    }

    /// The key of the store that a key of etcd stands for, if it does.
    pub(crate) fn key_of<'k>(&self, stored: &'k [u8]) -> Option<&'k [u8]> {
        match stored.strip_prefix(self.root.as_slice())? {
            [DATA, key @ ..] => Some(key),
            [EARLIER, high, low, rest @ ..] => {
                let key = rest.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
                (rest.len() == key.len() + 4).then_some(key)
            }
            _ => None,
        }
    }
}

/// The length of a key, which [`MAX_KEY_LEN`] keeps to two bytes.
fn length(key: &[u8]) -> [u8; 2] {
    const { assert!(MAX_KEY_LEN == u16::MAX as usize) };
    u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes()
}

/// What stands in etcd for a value, or for a delete.
pub(crate) fn stored(value: Option<&[u8]>) -> Vec<u8> {
    match value {
        Some(value) => {
            let mut stored = Vec::with_capacity(1 + value.len());
            stored.push(IS_SET);
            stored.extend_from_slice(value);
            stored
        }
        None => vec![IS_DELETED],
    }
}

/// The value that stands in etcd under `key`, or `None` for a delete.
///
/// # Errors
///
/// [`Error::Corrupt`]: no store has written that.
pub(crate) fn value_of<'v>(key: &[u8], stored: &'v [u8]) -> Result<Option<&'v [u8]>> {
    match stored {
        [IS_SET, value @ ..] => Ok(Some(value)),
        [IS_DELETED] => Ok(None),
        _ => {
            let place = format!("the key `{}` in etcd", key.escape_ascii());
            Err(Error::corrupt(Path::new(&place), 0, "it begins neither with `=` nor is it `-`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new("a").unwrap()
    }

    #[test]
    fn every_key_is_found_again_under_the_name_it_has_in_etcd() {
        for key in [&b""[..], b"name", b"\0", b"\xFF\xFF", &vec![b'x'; MAX_KEY_LEN]] {
            assert_eq!(layout().key_of(&layout().data(key)), Some(key));
            for nth in [0, 1, u32::MAX] {
                assert_eq!(layout().key_of(&layout().earlier(key, nth)), Some(key));
            }
        }
        for foreign in
            [&b"a:ca"[..], b"a:v", b"b:dname", b"", b"a:", b"a:e\0", b"a:e\0\x04nam", b"a:e\xFF\xFFx"]
        {
            assert_eq!(layout().key_of(foreign), None, "{foreign:?}");
        }
    }

    #[test]
    fn the_earlier_writes_of_one_key_are_no_other_keys() {
        let layout = layout();
        for (one, other) in [(&b"a"[..], &b"ab"[..]), (b"", b"\0\0\0\0"), (b"a", b"a\0\0\0\x01")] {
            let range = layout.all_earlier(one);
            let is_within = |key: Vec<u8>| range.start <= key && key < range.end;
            assert!(is_within(layout.earlier(one, 0)) && is_within(layout.earlier(one, u32::MAX)));
            for nth in [0, 1, u32::MAX] {
                assert!(!is_within(layout.earlier(other, nth)), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn no_key_of_one_store_lies_in_the_range_of_another() {
        let (one, other) = (Layout::new("shop").unwrap(), Layout::new("shop/d").unwrap());
        let range = one.changing();
        for key in [&b""[..], b"/", b"d", b"\0"] {
            let theirs = other.data(key);
            assert!(theirs < range.start || theirs >= range.end, "{key:?}");
        }
        for bad in ["", "a:b", "a\n", &"x".repeat(1_025)] {
            assert!(matches!(Layout::new(bad), Err(Error::InvalidKey { .. })), "{bad:?}");
        }
    }

    #[test]
    fn what_no_store_has_written_is_damage_and_no_value() {
        assert_eq!(value_of(b"k", &stored(Some(b"-"))).unwrap(), Some(&b"-"[..]));
        assert_eq!(value_of(b"k", &stored(Some(b""))).unwrap(), Some(&b""[..]));
        assert_eq!(value_of(b"k", &stored(None)).unwrap(), None);
        for foreign in [&b""[..], b"anna", b"--"] {
            assert!(matches!(value_of(b"k", foreign), Err(Error::Corrupt { .. })), "{foreign:?}");
        }
    }
}
