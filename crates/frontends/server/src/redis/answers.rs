//! [`Answers`]: what goes back to the client, in RESP2 or RESP3.

use std::fmt::Write;

use bytes::{Buf, BytesMut};
use redis_protocol::resp2::encode::extend_encode_borrowed;
use redis_protocol::resp2::types::BorrowedFrame;
use redis_protocol::resp3;

use super::refusal::Refused;

/// The memory that is kept for answers between two pipelines, in bytes.
const MOST_KEPT: usize = 64 << 10;

/// Which version of the protocol is spoken. They differ in what they have for maps and for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

impl Protocol {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// Answers that have not been sent.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    bytes: BytesMut,
    pub(crate) protocol: Protocol,
    /// How many were refusals.
    pub(crate) refusals: u64,
}

impl Answers {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes back what was said behind `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// All of them were sent.
    pub(crate) fn clear(&mut self) {
        self.refusals = 0;
        if self.bytes.capacity() > MOST_KEPT {
            self.bytes = BytesMut::new();
        } else {
            self.bytes.clear();
        }
    }

    fn frame(&mut self, frame: &BorrowedFrame<'_>) {
        // It makes room for itself, so it always fits.
        let _ = extend_encode_borrowed(&mut self.bytes, frame, false);
    }

    pub(crate) fn ok(&mut self) {
        self.bytes.extend_from_slice(b"+OK\r\n");
    }

    /// A word without a line end.
    pub(crate) fn word(&mut self, word: &'static str) {
        self.frame(&BorrowedFrame::SimpleString(word.as_bytes()));
    }

    pub(crate) fn integer(&mut self, number: i64) {
        self.frame(&BorrowedFrame::Integer(number));
    }

    pub(crate) fn count(&mut self, number: usize) {
        self.integer(i64::try_from(number).unwrap_or(i64::MAX));
    }

    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        self.frame(&BorrowedFrame::BulkString(bytes));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bulk(text.as_bytes());
    }

    /// No value.
    pub(crate) fn null(&mut self) {
        match self.protocol {
            Protocol::Resp2 => self.frame(&BorrowedFrame::Null),
            Protocol::Resp3 => {
                // As in `frame`.
                let null = resp3::types::BorrowedFrame::Null;
                let _ = resp3::encode::complete::extend_encode_borrowed(&mut self.bytes, &null, false);
            }
        }
    }

    pub(crate) fn value(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.bulk(value),
            None => self.null(),
        }
    }

    /// The head of an array; its parts follow.
    pub(crate) fn array(&mut self, parts: usize) {
        // Writing to a buffer that grows cannot fail.
        let _ = write!(self.bytes, "*{parts}\r\n");
    }

    /// The head of a map; its keys and values follow in turn.
    pub(crate) fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(pairs * 2),
            Protocol::Resp3 => drop(write!(self.bytes, "%{pairs}\r\n")),
        }
    }

    /// Says why something was not done, on one line.
    pub(crate) fn refuse(&mut self, refused: &Refused) {
        self.refusals += 1;
        let text = refused.to_string().replace(|letter: char| letter.is_control(), " ");
        self.frame(&BorrowedFrame::Error(&text));
    }

    /// All that was said, as one piece to send.
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.chunk()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(protocol: Protocol, say: impl FnOnce(&mut Answers)) -> String {
        let mut answers = Answers { protocol, ..Answers::default() };
        say(&mut answers);
        String::from_utf8(answers.as_slice().to_vec()).unwrap()
    }

    #[test]
    fn nothing_and_maps_are_as_the_protocol_has_them() {
        let say = |answers: &mut Answers| {
            answers.map(1);
            answers.text("a");
            answers.null();
            answers.array(1);
            answers.integer(-7);
        };
        assert_eq!(said(Protocol::Resp2, say), "*2\r\n$1\r\na\r\n$-1\r\n*1\r\n:-7\r\n");
        assert_eq!(said(Protocol::Resp3, say), "%1\r\n$1\r\na\r\n_\r\n*1\r\n:-7\r\n");
    }

    #[test]
    fn a_refusal_is_one_line_whatever_the_client_sent() {
        let refused = Refused::command("ERR a\r\n+OK\r\nb");
        assert_eq!(said(Protocol::Resp2, |answers| answers.refuse(&refused)), "-ERR a  +OK  b\r\n");
    }
}
