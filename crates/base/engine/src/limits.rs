//! How long a key and a value may be: the same for every stage, so that data moves freely between them.

use crate::{Error, Result};

/// The longest key: 65,535 bytes. A record's header has two bytes for the length of its key.
pub const MAX_KEY_LEN: usize = 65_535;

/// The longest value: 1 GiB less one byte. A record's header has 30 bits for the length of its value.
pub const MAX_VALUE_LEN: usize = (1 << 30) - 1;

/// Refuses a key that is too long.
///
/// # Errors
///
/// [`Error::TooLarge`].
pub fn check_key(key: &[u8]) -> Result<()> {
    check("the key", key.len(), MAX_KEY_LEN)
}

/// Refuses a key or a value that is too long.
///
/// # Errors
///
/// [`Error::TooLarge`].
pub fn check_entry(key: &[u8], value: &[u8]) -> Result<()> {
    check_key(key)?;
    check("the value", value.len(), MAX_VALUE_LEN)
}

fn check(what: &'static str, len: usize, limit: usize) -> Result<()> {
    if len > limit {
        return Err(Error::TooLarge { what, len: len as u64, limit: limit as u64 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_key_passes_and_one_byte_more_is_refused() {
        assert!(check_key(&vec![0; MAX_KEY_LEN]).is_ok());
        let error = check_key(&vec![0; MAX_KEY_LEN + 1]).unwrap_err();
        assert!(matches!(error, Error::TooLarge { len: 65_536, limit: 65_535, .. }), "{error}");
    }

    #[test]
    fn the_longest_value_passes_and_one_byte_more_is_refused() {
        // Zeroed memory that nobody touches costs nothing.
        assert!(check_entry(b"k", &vec![0; MAX_VALUE_LEN]).is_ok());
        assert!(matches!(
            check_entry(b"k", &vec![0; MAX_VALUE_LEN + 1]),
            Err(Error::TooLarge { len: 1_073_741_824, .. })
        ));
    }
}
