//! [`encode`] and [`decode`]: a byte string as one JSON value, and back.

use std::borrow::Cow;

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::DecodeError;
use crate::compact::is_compact_container;

/// How the wrapper of a byte string begins that is no text. Only this spelling is taken for it.
const WRAPPER: &[u8] = br#"{"$base64":"#;

/// Appends `bytes` to `out` as one JSON value, without white space or line breaks.
///
/// The same bytes always give the same text, so two byte strings are equal exactly if their texts are.
///
/// ```
/// let json = |bytes: &[u8]| {
///     let mut out = Vec::new();
///     logladder_json::encode(bytes, &mut out);
///     String::from_utf8(out)
/// };
/// assert_eq!(json(b"value-1")?, r#""value-1""#);
/// assert_eq!(json(br#"{"name":"anna"}"#)?, r#"{"name":"anna"}"#);
/// assert_eq!(json(b"\xff\x00")?, r#"{"$base64":"/wA="}"#);
/// // Not compact, so it is kept as the text it is.
/// assert_eq!(json(b"[1, 2]")?, r#""[1, 2]""#);
/// // A byte string that looks like the wrapper is not taken for it.
/// assert_eq!(json(br#"{"$base64":"/wA="}"#)?, r#""{\"$base64\":\"/wA=\"}""#);
/// # Ok::<(), std::string::FromUtf8Error>(())
/// ```
pub fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.starts_with(WRAPPER) && is_compact_container(bytes) {
        out.extend_from_slice(bytes);
    } else if let Ok(text) = str::from_utf8(bytes) {
        encode_string(text, out);
    } else {
        out.extend_from_slice(WRAPPER);
        out.push(b'"');
        out.extend_from_slice(BASE64.encode(bytes).as_bytes());
        out.extend_from_slice(b"\"}");
    }
}

/// Appends `text` to `out` as a JSON string.
pub(crate) fn encode_string(text: &str, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, text);
    debug_assert!(written.is_ok(), "writing a string to memory cannot fail");
}

/// The byte string that the JSON value `text` stands for; borrowed from it wherever that is possible.
///
/// It takes whatever [`encode`] wrote, and JSON from elsewhere as well:
///
/// - A string stands for its text, however it is escaped.
/// - An object whose only member is `$base64` stands for the bytes wrapped in it.
/// - Any other value stands for its own text less the white space between its parts: `{"a": 1e5}` for the
///   nine bytes `{"a":1e5}`, and `true` for the four bytes `true`.
///
/// So `1` and `"1"` stand for the same byte string. [`encode`] writes that as `"1"`, and `{"a":1e5}` as a
/// string too: a text from elsewhere may change its form when it is written again, but never the byte string
/// that it stands for.
///
/// # Errors
///
/// `text` is not one JSON value, or its wrapper holds no base64.
pub fn decode(text: &[u8]) -> Result<Cow<'_, [u8]>, DecodeError> {
    decode_raw(serde_json::from_slice(text)?)
}

/// As [`decode`], of a part of a larger text that has been parsed already.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_raw(value: &RawValue) -> Result<Cow<'_, [u8]>, DecodeError> {
    // serde_json has checked the text, and has left out the white space around it.
    let text = value.get();
    match text.as_bytes() {
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => Ok(Cow::Borrowed(inner)),
        [b'"', ..] => Ok(Cow::Owned(serde_json::from_str::<String>(text)?.into_bytes())),
        [b'{', ..] => match unwrap_base64(text)? {
            Some(bytes) => Ok(Cow::Owned(bytes)),
            None => Ok(without_white_space(text.as_bytes())),
        },
        _ => Ok(without_white_space(text.as_bytes())),
    }
}

/// The bytes wrapped in the object `text`, or `None` if it is an object like any other.
fn unwrap_base64(text: &str) -> Result<Option<Vec<u8>>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrapper<'t> {
        #[serde(rename = "$base64", borrow)]
        wrapped: &'t RawValue,
    }

    // Most objects are not the wrapper, and their first name says so at once.
    let first_name = text[1..].trim_ascii_start();
    if !first_name.starts_with(r#""$base64""#) {
        return Ok(None);
    }
    let Ok(wrapper) = serde_json::from_str::<Wrapper<'_>>(text) else { return Ok(None) };
    let base64: String = serde_json::from_str(wrapper.wrapped.get()).map_err(|_| DecodeError::NotBase64)?;
    BASE64.decode(base64.as_bytes()).map(Some).map_err(|_| DecodeError::NotBase64)
}

/// A checked JSON text less the white space outside its strings.
fn without_white_space(text: &[u8]) -> Cow<'_, [u8]> {
    let mut is_in_string = false;
    let mut is_escaped = false;
    let mut is_significant = |byte: u8| {
        if is_in_string {
            is_in_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            return true;
        }
        is_in_string = byte == b'"';
        !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
    };
    match text.iter().position(|&byte| !is_significant(byte)) {
        None => Cow::Borrowed(text),
        Some(first) => {
            let mut kept = text[..first].to_vec();
            // The white space at `first` left the state as it was: outside a string.
            kept.extend(text[first + 1..].iter().filter(|&&byte| is_significant(byte)));
            Cow::Owned(kept)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(text: &str) -> Vec<u8> {
        decode(text.as_bytes()).unwrap().into_owned()
    }

    #[test]
    fn a_foreign_scalar_stands_for_its_text() {
        for text in ["1", "1.50", "1e5", "-0", "true", "false", "null", "123456789012345678901234567890"] {
            assert_eq!(meaning(text), text.as_bytes());
            assert_eq!(meaning(&format!(" {text}\n")), text.as_bytes());
            // Written again it has another form and the same meaning.
            let mut again = Vec::new();
            encode(text.as_bytes(), &mut again);
            assert_eq!(again, format!("\"{text}\"").into_bytes());
            assert_eq!(decode(&again).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn a_foreign_object_stands_for_its_text_without_white_space() {
        assert_eq!(meaning("{ \"a b\" :\t[1e5 ,\r\n\" \\\" \"] }"), br#"{"a b":[1e5," \" "]}"#);
        assert_eq!(meaning(r#"["\\" , 1]"#), br#"["\\",1]"#);
        assert_eq!(
            meaning(&("[ ".repeat(5000) + &"]".repeat(5000))),
            ("[".repeat(5000) + &"]".repeat(5000)).as_bytes()
        );
    }

    #[test]
    fn a_foreign_string_stands_for_its_text_however_it_is_escaped() {
        assert_eq!(meaning(r#""\u0061\/\ud83d\ude00\n""#), "a/😀\n".as_bytes());
        assert!(matches!(decode(br#""\ud800""#), Err(DecodeError::NotJson(_))));
    }

    #[test]
    fn only_an_object_with_the_single_member_base64_is_the_wrapper() {
        assert_eq!(meaning(r#"{"$base64":"/wA="}"#), b"\xff\x00");
        assert_eq!(meaning(r#"{ "$base64" : "\/wA=" }"#), b"\xff\x00");
        for other in [
            r#"{"$base64":"/wA=","a":1}"#,
            r#"{"$base64":"","$base64":""}"#,
            r#"{"$base65":""}"#,
            r#"{"\u0024base64":"/wA="}"#,
        ] {
            assert_eq!(meaning(other), other.as_bytes(), "{other}");
        }
        for broken in
            [r#"{"$base64":1}"#, r#"{"$base64":"/wA"}"#, r#"{"$base64":"/wB="}"#, r#"{"$base64":"?"}"#]
        {
            assert!(matches!(decode(broken.as_bytes()), Err(DecodeError::NotBase64)), "{broken}");
        }
    }

    #[test]
    fn what_is_not_one_json_value_is_refused() {
        for text in ["", " ", "a", "[", "[1,]", "{} {}", "\"a", "\"\n\"", "01", "{\"a\"}", "nul"] {
            assert!(matches!(decode(text.as_bytes()), Err(DecodeError::NotJson(_))), "{text}");
        }
        assert!(decode(b"\"\xff\"").is_err());
    }

    #[test]
    fn strings_without_escapes_and_compact_values_are_borrowed() {
        for text in [r#""value-1""#, r#"{"name":"anna"}"#, "[1,[2]]", "1"] {
            assert!(matches!(decode(text.as_bytes()), Ok(Cow::Borrowed(_))), "{text}");
        }
    }
}
