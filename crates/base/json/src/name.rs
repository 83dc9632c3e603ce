//! [`encode_name`] and [`decode_name`]: a byte string as the name of a member, which JSON wants to be a string.

use std::borrow::Cow;

use data_encoding::BASE64;

use crate::DecodeError;
use crate::text::encode_string;

/// What the name of a byte string begins with that is no text.
pub const NAME_PREFIX: &str = "$base64:";

/// Appends `bytes` to `out` as a JSON string.
///
/// UTF-8 is its own name. Anything else is written in base64 behind [`NAME_PREFIX`]; and so is a text that
/// begins with this prefix, so that no two byte strings share a name.
///
/// ```
/// let name = |bytes: &[u8]| {
///     let mut out = Vec::new();
///     logladder_json::encode_name(bytes, &mut out);
///     String::from_utf8(out)
/// };
/// assert_eq!(name(b"1")?, r#""1""#);
/// assert_eq!(name(br#"["animal",1]"#)?, r#""[\"animal\",1]""#);
/// assert_eq!(name(b"\xff\x00")?, r#""$base64:/wA=""#);
/// assert_eq!(name(b"$base64:/wA=")?, r#""$base64:JGJhc2U2NDovd0E9""#);
/// # Ok::<(), std::string::FromUtf8Error>(())
/// ```
pub fn encode_name(bytes: &[u8], out: &mut Vec<u8>) {
    match str::from_utf8(bytes) {
        Ok(text) if !text.starts_with(NAME_PREFIX) => encode_string(text, out),
        _ => encode_string(&(NAME_PREFIX.to_owned() + &BASE64.encode(bytes)), out),
    }
}

/// The byte string that a member's name stands for. `name` is the name itself, no longer quoted or escaped.
///
/// # Errors
///
/// It begins with [`NAME_PREFIX`], and what follows is not base64.
pub fn decode_name(name: &str) -> Result<Cow<'_, [u8]>, DecodeError> {
    match name.strip_prefix(NAME_PREFIX) {
        None => Ok(Cow::Borrowed(name.as_bytes())),
        Some(base64) => BASE64.decode(base64.as_bytes()).map(Cow::Owned).map_err(|_| DecodeError::NotBase64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_the_prefix_and_no_base64_is_refused() {
        assert!(matches!(decode_name("$base64:?"), Err(DecodeError::NotBase64)));
        assert_eq!(decode_name("$base64").unwrap(), &b"$base64"[..]);
        assert_eq!(decode_name("$base64:").unwrap(), &b""[..]);
    }
}
