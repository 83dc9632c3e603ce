//! From a key to the name of its file.
//!
//! A key is any byte string; a file name is not. `/` and NUL are forbidden, `.` and `..` are taken, some file
//! systems fold case or normalise Unicode, some reserve `CON` or drop a dot at the end. Hexadecimal in lower
//! case behind a prefix has none of these troubles, and two keys never share a name. Stages 3 and 6 name their
//! files so.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// What the name of a key's file begins with if the key stands in it.
const PLAIN: &str = "k-";
/// What it begins with if only the key's SHA-256 does.
const HASHED: &str = "h-";

/// The longest key that stands in its file's name: two digits a byte, and within the 255 bytes of most file
/// systems there must be room for the prefix and for `.tmp`.
const LONGEST_PLAIN_KEY: usize = (255 - PLAIN.len() - crate::TEMPORARY_SUFFIX.len()) / 2;

// ANCHOR: file_name
/// The name of the file of `key`.
///
/// Keys of up to 124 bytes are in it, in hexadecimal. A longer one is named by its SHA-256, and the file
/// holds the whole key: two long keys that share a hash are not expected before the sun goes out, but each
/// read checks.
///
/// ```
/// assert_eq!(logladder_disk::names::file_name(b"name"), "k-6e616d65");
/// assert_eq!(logladder_disk::names::file_name(b"../../etc"), "k-2e2e2f2e2e2f657463");
/// assert!(logladder_disk::names::file_name(&[b'x'; 125]).starts_with("h-"));
/// ```
#[must_use]
pub fn file_name(key: &[u8]) -> String {
    if key.len() <= LONGEST_PLAIN_KEY {
        format!("{PLAIN}{}", HEXLOWER.encode(key))
    } else {
        format!("{HASHED}{}", HEXLOWER.encode(&Sha256::digest(key)))
    }
}
// ANCHOR_END: file_name

/// Whether [`file_name`] gives this name to some key. Any other file in a folder of such files is a stranger's.
#[must_use]
pub fn is_of_key(name: &str) -> bool {
    let digits = match (name.strip_prefix(PLAIN), name.strip_prefix(HASHED)) {
        (Some(digits), _) if digits.len() % 2 == 0 && digits.len() <= 2 * LONGEST_PLAIN_KEY => digits,
        (_, Some(digits)) if digits.len() == 2 * <Sha256 as Digest>::output_size() => digits,
        _ => return false,
    };
    digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_name_is_longer_than_a_file_system_allows_with_its_temporary_suffix() {
        for len in 0..300 {
            let name = file_name(&vec![0xff; len]);
            assert!(name.len() + crate::TEMPORARY_SUFFIX.len() <= 255, "{len} bytes give {name}");
        }
    }

    #[test]
    fn a_name_that_no_key_has_is_told_from_those_of_keys() {
        let (long, hash) = ("61".repeat(LONGEST_PLAIN_KEY), "61".repeat(32));
        for good in [String::from("k-"), "k-61".into(), format!("k-{long}"), format!("h-{hash}")] {
            assert!(is_of_key(&good), "{good}");
        }
        for bad in ["k-6", "k-6A", "k-6g", "h-", "h-61", "61", &format!("k-{long}61"), &format!("h-{hash}61")]
        {
            assert!(!is_of_key(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn two_keys_never_share_a_name_even_where_case_is_folded(
            keys in proptest::collection::hash_set(
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..6),
                    proptest::collection::vec(proptest::sample::select(b"aAbB.".to_vec()), 0..4),
                    proptest::collection::vec(any::<u8>(), 120..130),
                ],
                0..200,
            )
        ) {
            let mut names = HashMap::new();
            for key in keys {
                let name = file_name(&key);
                prop_assert!(is_of_key(&name));
                if let Some(other) = names.insert(name.to_ascii_lowercase(), key.clone()) {
                    prop_assert!(false, "{key:?} and {other:?} share {name}");
                }
            }
        }
    }
}
