//! [`Request`]: a command and its arguments, as ranges of the bytes that came.

use std::borrow::Cow;

use redis_protocol::resp2::decode::decode_range;
use redis_protocol::resp2::types::RangeFrame;

use super::refusal::Refused;

/// A command and its arguments: at least the command.
#[derive(Debug)]
pub(crate) struct Request<'i> {
    bytes: Cow<'i, [u8]>,
    parts: Vec<RangeFrame>,
}

impl<'i> Request<'i> {
    /// From an array of byte strings, whole and within the limits.
    pub(crate) fn decode(frame: &'i [u8]) -> Result<Self, Refused> {
        match decode_range(frame) {
            Ok(Some((RangeFrame::Array(parts), _))) => Ok(Self { bytes: Cow::Borrowed(frame), parts }),
            Ok(_) => Err(Refused::protocol("expected an array of bulk strings")),
            Err(error) => Err(Refused::protocol(error.details())),
        }
    }

    /// From a line of words, as someone types it who has no client at hand. Quotes hold a word together; within double ones `\n`, `\x0a` and so
    /// on stand for bytes. None, if there is no word.
    pub(crate) fn of_words(line: &[u8]) -> Result<Option<Request<'static>>, Refused> {
        let (mut bytes, mut parts) = (Vec::new(), Vec::new());
        let mut rest = line.trim_ascii_start();
        while !rest.is_empty() {
            let begin = bytes.len();
            rest = word(rest, &mut bytes)
                .ok_or_else(|| Refused::protocol("unbalanced quotes in request"))?
                .trim_ascii_start();
            parts.push(RangeFrame::BulkString((begin, bytes.len())));
        }
        Ok((!parts.is_empty()).then_some(Request { bytes: Cow::Owned(bytes), parts }))
    }

    /// How many parts there are, with the command.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// One of them: 0 is the command. What is not there is empty.
    pub(crate) fn part(&self, place: usize) -> &[u8] {
        match self.parts.get(place) {
            Some(RangeFrame::BulkString((begin, end))) => self.bytes.get(*begin..*end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Those from `place` on.
    pub(crate) fn parts_from(&self, place: usize) -> impl ExactSizeIterator<Item = &[u8]> {
        (place.min(self.len())..self.len()).map(|place| self.part(place))
    }

    /// A whole number, written as Redis does.
    pub(crate) fn integer(&self, place: usize) -> Result<i64, Refused> {
        integer(self.part(place)).ok_or(Refused::NO_INTEGER)
    }

    /// Whether the part is this word, in letters of any case.
    pub(crate) fn is(&self, place: usize, word: &str) -> bool {
        self.part(place).eq_ignore_ascii_case(word.as_bytes())
    }
}

/// A whole number of 64 bits as Redis writes it: no sign but a minus, no zeros before it, no spaces.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_plain = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', ..] => true,
        _ => false,
    };
    if is_plain { str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// Puts the first word of `text` into `bytes`, and says what stands behind it.
fn word<'t>(mut text: &'t [u8], bytes: &mut Vec<u8>) -> Option<&'t [u8]> {
    loop {
        match text {
            [] => return Some(text),
            [space, ..] if space.is_ascii_whitespace() => return Some(text),
            [b'"', rest @ ..] => return quoted(rest, bytes),
            [b'\'', rest @ ..] => return literal(rest, bytes),
            [byte, rest @ ..] => {
                bytes.push(*byte);
                text = rest;
            }
        }
    }
}

/// A closing quote ends the word.
fn behind_quote(rest: &[u8]) -> Option<&[u8]> {
    rest.first().is_none_or(u8::is_ascii_whitespace).then_some(rest)
}

fn quoted<'t>(mut text: &'t [u8], bytes: &mut Vec<u8>) -> Option<&'t [u8]> {
    let nibble = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    loop {
        let (byte, rest) = match text {
            [] => return None,
            [b'"', rest @ ..] => return behind_quote(rest),
            [b'\\', b'x', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (nibble(high)? << 4 | nibble(low)?, rest)
            }
            [b'\\', escaped, rest @ ..] => {
                let byte = match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                };
                (byte, rest)
            }
            [byte, rest @ ..] => (*byte, rest),
        };
        bytes.push(byte);
        text = rest;
    }
}

fn literal<'t>(mut text: &'t [u8], bytes: &mut Vec<u8>) -> Option<&'t [u8]> {
    loop {
        let (byte, rest) = match text {
            [] => return None,
            [b'\'', rest @ ..] => return behind_quote(rest),
            [b'\\', b'\'', rest @ ..] => (b'\'', rest),
            [byte, rest @ ..] => (*byte, rest),
        };
        bytes.push(byte);
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(request: &Request<'_>) -> Vec<Vec<u8>> {
        request.parts_from(0).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn a_frame_and_a_line_of_words_are_the_same_request() {
        let frame = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\n b\r\n";
        let expected = [b"SET".to_vec(), b"k".to_vec(), b"a\r\n b".to_vec()];
        assert_eq!(parts(&Request::decode(frame).unwrap()), expected);
        let words = Request::of_words(b"  SET k \"a\\r\\x0a b\" ").unwrap().unwrap();
        assert_eq!(parts(&words), expected);
        assert!(Request::of_words(b"   ").unwrap().is_none());
        let words = Request::of_words(b"x '' 'it\\'s' \"\\\"\" a'b c'").unwrap().unwrap();
        assert_eq!(parts(&words), [&b"x"[..], b"", b"it's", b"\"", b"ab c"]);
        for unbalanced in [&b"\"a"[..], b"'a", b"\"a\"b", b"'a'b", b"\"a\\"] {
            assert!(Request::of_words(unbalanced).is_err(), "{}", unbalanced.escape_ascii());
        }
    }

    #[test]
    fn an_integer_is_what_redis_would_write() {
        let good =
            [("0", 0), ("-1", -1), ("9223372036854775807", i64::MAX), ("-9223372036854775808", i64::MIN)];
        for (text, number) in good {
            assert_eq!(integer(text.as_bytes()), Some(number));
        }
        for bad in ["", "-", "-0", "+1", "01", " 1", "1 ", "1.0", "9223372036854775808", "x", "\u{665}"] {
            assert_eq!(integer(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
