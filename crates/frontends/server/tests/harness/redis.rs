//! A client of the protocol of Redis, for tests: it says bytes and shows answers as text.

use std::io::{Read, Write};
use std::net::TcpStream;

use redis_protocol::resp3::types::OwnedFrame as Frame;
use redis_protocol::{resp2, resp3};

use super::{PATIENCE, Running};

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// Whether it has said so: the versions differ in what they have for nothing.
    pub(crate) speaks_resp3: bool,
    unread: Vec<u8>,
}

impl Running {
    /// A connection to the port of Redis.
    pub(crate) fn redis(&self) -> Client {
        let stream = TcpStream::connect(self.redis).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client { stream, speaks_resp3: false, unread: Vec::new() }
    }

    /// Sends the bytes to the port of Redis, and reads until the server closes.
    pub(crate) fn redis_raw(&self, bytes: &[u8]) -> String {
        let mut client = self.redis();
        // It may close before it has read all of this.
        let _ = client.stream.write_all(bytes);
        client.rest()
    }
}

/// A command as a frame.
pub(crate) fn frame<T: AsRef<[u8]>>(parts: &[T]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        let part = part.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

impl Client {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next answer; none if the server closed before it.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            let decoded = if self.speaks_resp3 {
                resp3::decode::complete::decode(&self.unread).unwrap()
            } else {
                let decoded = resp2::decode::decode(&self.unread).unwrap();
                decoded.map(|(frame, len)| (frame.into_resp3(), len))
            };
            if let Some((frame, len)) = decoded {
                self.unread.drain(..len);
                return Some(frame);
            }
            let mut piece = [0; 16 << 10];
            match self.stream.read(&mut piece) {
                Ok(0) => return None,
                Ok(len) => self.unread.extend_from_slice(&piece[..len]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}; so far {}", self.unread.escape_ascii()),
            }
        }
    }

    /// Says the words of `command`, which are divided by spaces, and shows the answer.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        let parts: Vec<&str> = command.split(' ').collect();
        self.send(&frame(&parts));
        show(&self.next().unwrap_or_else(|| panic!("no answer to {command}")))
    }

    /// Compares the answers to commands with what is expected.
    pub(crate) fn expect(&mut self, exchange: &[(&str, &str)]) {
        for (command, expected) in exchange {
            assert_eq!(self.ask(command), *expected, "{command}");
        }
    }

    /// What comes until the server closes.
    pub(crate) fn rest(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.unread);
        // A reset after the answer is fine; a server that does not close is not.
        if let Err(error) = self.stream.read_to_end(&mut bytes) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{}", bytes.escape_ascii());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// An answer as text: `OK`, `"bytes"`, `7`, `nil`, `[1 2]`, `{"a": 1}`, `-ERR …`.
pub(crate) fn show(frame: &Frame) -> String {
    match frame {
        Frame::SimpleString { data, .. } => String::from_utf8_lossy(data).into_owned(),
        Frame::BlobString { data, .. } => format!("\"{}\"", data.escape_ascii()),
        Frame::SimpleError { data, .. } => format!("-{data}"),
        Frame::Number { data, .. } => data.to_string(),
        Frame::Null => "nil".into(),
        Frame::Array { data, .. } => {
            format!("[{}]", data.iter().map(show).collect::<Vec<_>>().join(" "))
        }
        Frame::Map { data, .. } => {
            let mut pairs: Vec<_> =
                data.iter().map(|(name, value)| format!("{}: {}", show(name), show(value))).collect();
            pairs.sort();
            format!("{{{}}}", pairs.join(", "))
        }
        other => panic!("{other:?}"),
    }
}
