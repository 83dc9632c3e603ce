//! [`Client`]: asks one server about keys, and says what became of it.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::history::{Found, Operation, Outcome};
use crate::running::PATIENCE;

/// Someone who asks one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: String,
}

/// An answer, as far as these tests look at it.
struct Answer {
    status: u16,
    version: Option<u64>,
    body: String,
}

impl Client {
    /// What the server says to this. The servers of these tests are not killed, so there is an answer.
    fn ask(&self, method: &str, path: &str, condition: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let len = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{condition}content-length: {len}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: "));
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            version: tag.and_then(|tag| tag.trim().trim_matches('"').parse().ok()),
            body: body.to_owned(),
        }
    }

    /// The answer to a read that had one.
    pub(crate) fn get(&self, key: &str) -> Outcome {
        let answer = self.ask("GET", &format!("/v1/keys/{key}"), "", "");
        let found: Option<Found> = match answer.status {
            200 => Some((answer.body.parse().unwrap(), answer.version.unwrap())),
            404 => None,
            503 => return Outcome::NotDone,
            status => panic!("{status}: {}", answer.body),
        };
        Outcome::Answered(Operation::Get { found })
    }

    pub(crate) fn set(&self, key: &str, value: u32) -> Outcome {
        let answer = self.ask("PUT", &format!("/v1/keys/{key}"), "", &value.to_string());
        written(&answer, Operation::Set { value, version: answer.version })
    }

    pub(crate) fn delete(&self, key: &str) -> Outcome {
        let answer = self.ask("DELETE", &format!("/v1/keys/{key}"), "", "");
        written(&answer, Operation::Delete)
    }

    /// Sets the value if the key has this version, or has no value.
    pub(crate) fn compare_and_set(&self, key: &str, expected: Option<u64>, value: u32) -> Outcome {
        let condition = match expected {
            Some(version) => format!("if-match: \"{version}\"\r\n"),
            None => "if-none-match: *\r\n".to_owned(),
        };
        let answer = self.ask("PUT", &format!("/v1/keys/{key}"), &condition, &value.to_string());
        let was_equal = [(204, true), (412, false)]
            .into_iter()
            .find_map(|(status, was_equal)| (status == answer.status).then_some(was_equal));
        let version = answer.version.filter(|_| was_equal == Some(true));
        let operation = Operation::CompareAndSet { expected, value, was_equal, version };
        if was_equal == Some(false) { Outcome::Answered(operation) } else { written(&answer, operation) }
    }

    /// What `/v1/cluster` says.
    pub(crate) fn cluster(&self) -> serde_json::Value {
        serde_json::from_str(&self.ask("GET", "/v1/cluster", "", "").body).unwrap()
    }
}

fn written(answer: &Answer, operation: Operation) -> Outcome {
    match answer.status {
        204 => Outcome::Answered(operation),
        503 => Outcome::NotDone,
        504 => Outcome::Unknown(operation),
        status => panic!("{status}: {}", answer.body),
    }
}
