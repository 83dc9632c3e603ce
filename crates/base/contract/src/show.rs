//! Byte strings, for messages: escaped, and shortened where they are long.

use std::any::Any;

const SHOWN: usize = 60;

/// A byte string as a reader can take it in.
pub(crate) fn show(bytes: &[u8]) -> String {
    if bytes.len() <= SHOWN {
        return format!("\"{}\"", bytes.escape_ascii());
    }
    format!("\"{}…\" ({} bytes)", bytes[..SHOWN / 2].escape_ascii(), bytes.len())
}

/// A value, or that there is none.
pub(crate) fn show_value(value: Option<&[u8]>) -> String {
    value.map_or_else(|| "no value".to_owned(), show)
}

/// What a panic said.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_string_is_shown_whole_and_a_long_one_with_its_length() {
        assert_eq!(show(b"a\n\xff"), "\"a\\n\\xff\"");
        assert!(show(&[b'x'; 1_000]).ends_with("x…\" (1000 bytes)"));
    }
}
