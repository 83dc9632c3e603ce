//! [`Ordered`]: keys in the order of their bytes.

use std::ops::Bound;

use crate::{Result, Visit};

/// From which key to which: each end is in it ([`Bound::Included`]), or not ([`Bound::Excluded`]), or there is none.
pub type KeyRange<'k> = (Bound<&'k [u8]>, Bound<&'k [u8]>);

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The least key first.
    Forward,
    /// The greatest key first.
    Backward,
}

/// Keys in the order of their bytes, from any of them to any other.
///
/// A stage that keeps a hash of each key has lost their order, and must look at all of them to find those between two; one
/// that keeps them sorted goes to the first and reads on.
pub trait Ordered {
    /// Shows every key of `range`, and its value, to `visit`, in the order of the keys' bytes or against it, until it
    /// breaks. They are those of one moment during the call, whatever is written meanwhile, and a [batch](crate::Batch) is among
    /// them whole or not at all. A range whose end lies before its beginning is empty. The visitor runs under no lock: it may call
    /// the engine, to read or to write.
    ///
    /// # Errors
    ///
    /// As [`Engine::get`](crate::Engine::get); what was shown before the error was right.
    fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) -> Result<()>;
}

/// The keys that begin with `prefix`, as a range. The buffer keeps its end.
///
/// ```
/// use std::ops::Bound;
/// use logladder_engine::range_of_prefix;
///
/// let mut end = Vec::new();
/// assert_eq!(range_of_prefix(b"user/", &mut end), (Bound::Included(&b"user/"[..]), Bound::Excluded(&b"user0"[..])));
/// assert_eq!(range_of_prefix(b"\xFF", &mut end), (Bound::Included(&b"\xFF"[..]), Bound::Unbounded));
/// ```
pub fn range_of_prefix<'k>(prefix: &'k [u8], end: &'k mut Vec<u8>) -> KeyRange<'k> {
    end.clear();
    end.extend_from_slice(prefix);
    // The least key that is greater than all that begin so: with the last byte that can be raised raised.
    while let Some(last) = end.pop() {
        if let Some(raised) = last.checked_add(1) {
            end.push(raised);
            return (Bound::Included(prefix), Bound::Excluded(end));
        }
    }
    (Bound::Included(prefix), Bound::Unbounded)
}
