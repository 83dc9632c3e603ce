//! Byte strings as they are typed and printed.
//!
//! Text stands for itself. What is not UTF-8, or holds control characters (which a terminal would obey), is written
//! as `b"…"` with the escapes of Rust's byte strings: `b"\x00\xff\n"`. So is text that begins with `b"`, so that each
//! byte string has one reading.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use logladder::json;

const PREFIX: &str = "b\"";

/// A key or a value from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Typed(pub(crate) Vec<u8>);

impl FromStr for Typed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        taken(text).map(|bytes| Self(bytes.into_owned()))
    }
}

/// The byte string that `text` stands for.
///
/// # Errors
///
/// It begins with `b"` and is not of that form.
pub(crate) fn taken(text: &str) -> Result<Cow<'_, [u8]>, String> {
    let Some(inner) = text.strip_prefix(PREFIX) else { return Ok(Cow::Borrowed(text.as_bytes())) };
    let Some(inner) = inner.strip_suffix('"') else {
        return Err(format!("what begins with {PREFIX} must end with a quote"));
    };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match rest.next() {
            Some('n') => bytes.push(b'\n'),
            Some('r') => bytes.push(b'\r'),
            Some('t') => bytes.push(b'\t'),
            Some('0') => bytes.push(0),
            Some(quoted @ ('\\' | '\'' | '"')) => bytes.push(quoted as u8),
            Some('x') => {
                let digits = rest.as_str().get(..2).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
                let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
                bytes.push(byte.ok_or("\\x must be followed by two hexadecimal digits")?);
                rest = rest.as_str()[2..].chars();
            }
            other => {
                let found = other.map(String::from).unwrap_or_default();
                return Err(format!("\\{found} is no escape: there are \\n \\r \\t \\0 \\\\ \\' \\\" \\x00"));
            }
        }
    }
    Ok(Cow::Owned(bytes))
}

/// A byte string on one line.
pub(crate) fn shown(bytes: &[u8]) -> Cow<'_, str> {
    shown_unless(bytes, char::is_control)
}

/// A byte string that may take several lines.
pub(crate) fn shown_as_text(bytes: &[u8]) -> Cow<'_, str> {
    shown_unless(bytes, |character| character.is_control() && !matches!(character, '\n' | '\t'))
}

fn shown_unless(bytes: &[u8], is_unfit: impl Fn(char) -> bool) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) if !text.starts_with(PREFIX) && !text.contains(is_unfit) => Cow::Borrowed(text),
        _ => Cow::Owned(format!("{PREFIX}{}\"", bytes.escape_ascii())),
    }
}

/// A byte string as a JSON value: JSON stands for itself, other text is a string, and what is no text is base64 in
/// a wrapper.
pub(crate) fn as_json(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    json::encode(bytes, &mut text);
    // It is JSON, and so UTF-8.
    String::from_utf8_lossy(&text).into_owned()
}

/// Text as a JSON string, whatever it says.
pub(crate) fn as_json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `1 record`, `2 records`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `12345678` as `12,345,678`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{digit}");
    }
    text
}

/// A length of time such as `2s` or `100ms`.
///
/// # Errors
///
/// It is none.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("not a time such as `1s` or `100ms`: {error}"))
}

/// A [`duration`] that is not nothing.
///
/// # Errors
///
/// It is none, or nothing.
pub(crate) fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("a value that ends at once would never be seen: `del` removes one".to_owned()),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_string_reads_back_from_how_it_is_shown() {
        let samples: [&[u8]; 8] = [
            b"",
            b"anna",
            "Größe\\n".as_bytes(),
            b"\xff\x00",
            b"a\tb\nc",
            b"b\"",
            b"b\"x\"",
            b"\x1b[2J'\"\\",
        ];
        for bytes in samples.into_iter().map(<[u8]>::to_vec).chain((0..=255).map(|byte| vec![byte])) {
            assert_eq!(taken(&shown(&bytes)).unwrap(), bytes);
            assert_eq!(taken(&shown_as_text(&bytes)).unwrap(), bytes);
            assert!(!shown(&bytes).contains(char::is_control));
        }
        assert_eq!(shown(b"{\"a\":\"x\\n\"}"), "{\"a\":\"x\\n\"}");
    }

    #[test]
    fn a_wrong_escape_is_refused() {
        for text in ["b\"", "b\"x", "b\"\\\"", "b\"\\x1\"", "b\"\\xé\"", "b\"\\q\"", "b\"\\x+1\""] {
            assert!(taken(text).is_err(), "{text}");
        }
        assert_eq!(taken("b").unwrap(), &b"b"[..]);
    }

    #[test]
    fn a_count_has_a_comma_before_each_three_digits() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }
}
