//! [`Gauge`]: whether a whole request has come, and whether it keeps the limits, before anything is made of it.
//!
//! The decoder takes a frame of any shape and depth, of the lengths that it announces, and begins anew with each byte
//! that was missing. So it is shown a request only once that has been gone through here: an array of byte strings,
//! within the limits, and whole. Nothing is allocated for a length that a client says, and what has been gone
//! through once is not gone through again.

use memchr::memchr;

use super::refusal::Refused;

/// The longest line: `*` or `$`, and a number. Redis has 64 KiB for it, and a number needs 20 digits.
const MOST_LINE: usize = 32;

/// The longest line of a request in words. Redis has the same.
const MOST_WORDS: usize = 64 << 10;

/// What a request may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Parts: the command and its arguments.
    pub(crate) parts: usize,
    /// Bytes of one part.
    pub(crate) part: usize,
    /// Bytes of all parts together.
    pub(crate) all: usize,
    /// Whether the client has shown that it may be here.
    pub(crate) is_known: bool,
}

impl Limits {
    /// Those of Redis, with so many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        Self { parts: 1 << 20, part: bytes, all: bytes, is_known: true }
    }

    /// Those of Redis for a client that has not shown the token yet: enough to show it.
    pub(crate) fn of_stranger() -> Self {
        Self { parts: 10, part: 16 << 10, all: 64 << 10, is_known: false }
    }
}

/// What stands at the beginning of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measured {
    /// A request that has not come as a whole.
    Partial,
    /// An array of byte strings, of so many bytes.
    Frame(usize),
    /// A line of words, and the bytes that end it.
    Words { line: usize, end: usize },
    /// Nothing that asks for an answer: an empty line, or an array of nothing.
    Nothing(usize),
}

/// How far the request at the beginning of the input has been gone through.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// So many bytes: up to a part that has not come as a whole.
    passed: usize,
    /// How many parts are still to come, once that is known.
    left: Option<usize>,
    /// The bytes of the parts before.
    bytes: usize,
}

impl Gauge {
    /// Goes on where it ended. `input` begins with the same bytes as the last time, and has perhaps more.
    ///
    /// # Errors
    ///
    /// What stands there is no request, or over a limit. The connection is of no use any more.
    pub(crate) fn measure(&mut self, input: &[u8], limits: Limits) -> Result<Measured, Refused> {
        let measured = match (self.left, input.first()) {
            (None, None) => Measured::Partial,
            (None, Some(b'*')) => self.count_parts(input, limits)?,
            (None, Some(_)) => self.words(input)?,
            (Some(_), _) => self.parts(input, limits)?,
        };
        if measured != Measured::Partial {
            *self = Self::default();
        }
        Ok(measured)
    }

    fn count_parts(&mut self, input: &[u8], limits: Limits) -> Result<Measured, Refused> {
        let Some((line, passed)) = line(input, 0, "too big mbulk count string")? else {
            return Ok(Measured::Partial);
        };
        let invalid = Refused::protocol("invalid multibulk length");
        let Ok(count) = usize::try_from(number(line).ok_or(invalid)?) else {
            // Redis takes a count below zero for an array of nothing.
            return Ok(Measured::Nothing(passed));
        };
        match count {
            0 => return Ok(Measured::Nothing(passed)),
            _ if count > limits.parts && limits.is_known => {
                return Err(Refused::protocol("invalid multibulk length"));
            }
            _ if count > limits.parts => return Err(Refused::protocol("unauthenticated multibulk length")),
            _ => {}
        }
        (self.passed, self.left) = (passed, Some(count));
        self.parts(input, limits)
    }

    fn parts(&mut self, input: &[u8], limits: Limits) -> Result<Measured, Refused> {
        let mut left = self.left.unwrap_or(0);
        while left > 0 {
            match input.get(self.passed) {
                None => break,
                Some(b'$') => {}
                Some(other) => {
                    return Err(Refused::protocol(format!("expected '$', got '{}'", char::from(*other))));
                }
            }
            let Some((line, begin)) = line(input, self.passed, "too big bulk count string")? else { break };
            let len = number(line).and_then(|len| usize::try_from(len).ok());
            let len = match len {
                Some(len) if len <= limits.part => len,
                Some(_) if !limits.is_known => {
                    return Err(Refused::protocol("unauthenticated bulk length"));
                }
                _ => return Err(Refused::protocol("invalid bulk length")),
            };
            // Each is at most `limits.all`, so no sum of them can overflow.
            let bytes = self.bytes + len;
            if bytes > limits.all {
                let why = format!("the request is longer than {} bytes", limits.all);
                return Err(Refused::protocol(why));
            }
            let end = begin + len;
            match input.get(end..end + 2) {
                None => break,
                Some(b"\r\n") => {}
                Some(_) => return Err(Refused::protocol("expected the end of a line behind a bulk string")),
            }
            self.passed = end + 2;
            self.bytes = bytes;
            left -= 1;
        }
        self.left = Some(left);
        Ok(if left == 0 { Measured::Frame(self.passed) } else { Measured::Partial })
    }

    fn words(&mut self, input: &[u8]) -> Result<Measured, Refused> {
        let window = &input[..input.len().min(MOST_WORDS)];
        let Some(found) = memchr(b'\n', &window[self.passed.min(window.len())..]) else {
            if window.len() == MOST_WORDS {
                return Err(Refused::protocol("too big inline request"));
            }
            self.passed = window.len();
            return Ok(Measured::Partial);
        };
        let end = self.passed + found;
        let line = if input[..end].ends_with(b"\r") { end - 1 } else { end };
        Ok(if line == 0 { Measured::Nothing(end + 1) } else { Measured::Words { line, end: end + 1 } })
    }
}

/// What stands behind the sign at `begin`, up to the end of the line, and where the next line begins.
fn line<'i>(
    input: &'i [u8],
    begin: usize,
    too_long: &'static str,
) -> Result<Option<(&'i [u8], usize)>, Refused> {
    let rest = &input[begin + 1..];
    let window = &rest[..rest.len().min(MOST_LINE)];
    match memchr(b'\r', window) {
        Some(len) => match rest.get(len + 1) {
            None => Ok(None),
            Some(b'\n') => Ok(Some((&rest[..len], begin + 1 + len + 2))),
            Some(_) => Err(Refused::protocol("expected the end of a line behind a length")),
        },
        None if window.len() == MOST_LINE => Err(Refused::protocol(too_long)),
        None => Ok(None),
    }
}

/// A number as the protocol writes it: digits, perhaps behind a minus.
fn number(digits: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match digits {
        [b'-', rest @ ..] => (true, rest),
        other => (false, other),
    };
    // More of them would be more than any limit.
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut number = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(if is_negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { parts: 4, part: 10, all: 15, is_known: true };

    /// What is found when the input comes a byte at a time, and what when it comes at once.
    fn measure(input: &[u8]) -> Result<Measured, String> {
        let at_once = Gauge::default().measure(input, LIMITS);
        let mut gauge = Gauge::default();
        let singly = (0..=input.len())
            .map(|len| gauge.measure(&input[..len], LIMITS))
            .find(|measured| !matches!(measured, Ok(Measured::Partial)))
            .unwrap_or(Ok(Measured::Partial));
        let text = |outcome: Result<Measured, Refused>| outcome.map_err(|refused| refused.to_string());
        let (at_once, singly) = (text(at_once), text(singly));
        assert_eq!(at_once, singly, "{}", input.escape_ascii());
        singly
    }

    #[test]
    fn a_request_is_measured_alike_whole_and_byte_by_byte() {
        assert_eq!(measure(b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n"), Ok(Measured::Frame(19)));
        assert_eq!(measure(b"*1\r\n$4\r\n\r\n\r\n\r\n"), Ok(Measured::Frame(14)));
        assert_eq!(measure(b"PING\r\n"), Ok(Measured::Words { line: 4, end: 6 }));
        assert_eq!(measure(b"PING\n"), Ok(Measured::Words { line: 4, end: 5 }));
        for nothing in [&b"\r\n"[..], b"\n", b"*0\r\n", b"*-1\r\n"] {
            assert_eq!(measure(nothing), Ok(Measured::Nothing(nothing.len())));
        }
        for partial in [&b""[..], b"*", b"*2", b"*2\r", b"*2\r\n$3\r\nGET\r\n$10\r\nhalf", b"PIN", b"PING\r"]
        {
            assert_eq!(measure(partial), Ok(Measured::Partial), "{}", partial.escape_ascii());
        }
    }

    #[test]
    fn what_is_over_a_limit_or_no_request_is_refused_as_soon_as_that_is_known() {
        let refused = |input: &[u8], why: &str| {
            assert_eq!(measure(input), Err(format!("ERR Protocol error: {why}")), "{}", input.escape_ascii());
        };
        refused(b"*1000000000\r\n", "invalid multibulk length");
        refused(b"*5\r\n", "invalid multibulk length");
        refused(b"*99999999999999999999\r\n", "invalid multibulk length");
        refused(b"*x\r\n", "invalid multibulk length");
        refused(b"*\r\n", "invalid multibulk length");
        refused(b"*1\r\n$1073741824\r\n", "invalid bulk length");
        refused(b"*1\r\n$-1\r\n", "invalid bulk length");
        refused(b"*2\r\n$10\r\n0123456789\r\n$6\r\n", "the request is longer than 15 bytes");
        refused(b"*1\r\n*1\r\n", "expected '$', got '*'");
        refused(b"*1\r\n:1\r\n", "expected '$', got ':'");
        refused(b"*1\r\n$1\r\nabc", "expected the end of a line behind a bulk string");
        refused(b"*1\rx", "expected the end of a line behind a length");
        refused(&[b'*'; 40], "too big mbulk count string");
        refused(&vec![b'x'; MOST_WORDS], "too big inline request");
        let stranger =
            |input: &[u8]| Gauge::default().measure(input, Limits::of_stranger()).map_err(|e| e.to_string());
        assert_eq!(stranger(b"*11\r\n"), Err("ERR Protocol error: unauthenticated multibulk length".into()));
        assert_eq!(
            stranger(b"*1\r\n$16385\r\n"),
            Err("ERR Protocol error: unauthenticated bulk length".into())
        );
    }
}
