//! [`Client`]: `redis-benchmark` against one server, and a look at what that server then holds.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use logladder_bench::redis::RedisBenchmark;
use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;

/// Connections at once, which is what `redis-benchmark` has if nothing else is said.
const CONNECTIONS: u32 = 50;
/// Keys to choose from, and the bytes of a value.
const KEYS: u32 = 100_000;
const VALUE_LEN: usize = 100;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Set,
    Get,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set => "SET",
            Self::Get => "GET",
        })
    }
}

/// Whoever asks one server.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    /// What was found last, by command and pipeline: how many requests make a turn.
    rates: Vec<((Command, u32), f64)>,
}

impl Client {
    /// Fills the server.
    pub(crate) fn begin(address: SocketAddr) -> Result<Self> {
        let client = Self { address, rates: Vec::new() };
        // Three draws for each key leave few out.
        client.run(Command::Set, 64, u64::from(KEYS) * 3)?;
        Ok(client)
    }

    /// Requests a second over about so long.
    pub(crate) fn turn(&mut self, command: Command, pipeline: u32, turn: Duration) -> Result<f64> {
        let kind = (command, pipeline);
        let place = if let Some(place) = self.rates.iter().position(|(known, _)| *known == kind) {
            place
        } else {
            let first = self.run(command, pipeline, 2000 * u64::from(pipeline))?;
            self.rates.push((kind, first));
            self.rates.len() - 1
        };
        let requests = Duration::as_secs_f64(&turn) * self.rates[place].1;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is positive and far below 2^53"
        )]
        let rate = self.run(command, pipeline, (requests as u64).max(1000))?;
        self.rates[place].1 = rate;
        Ok(rate)
    }

    fn run(&self, command: Command, pipeline: u32, requests: u64) -> Result<f64> {
        let (address, clients) = (self.address, CONNECTIONS);
        let benchmark = RedisBenchmark { address, clients, pipeline, keys: KEYS, value_len: VALUE_LEN };
        Ok(benchmark.rate(&command.to_string(), requests)?)
    }

    /// Reads a hundredth of the keys. `redis-benchmark` gives all of them one value, which this returns.
    pub(crate) fn read_back(&self) -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let asked: Vec<String> = (0..KEYS).step_by(100).map(|key| format!("GET key:{key:012}\r\n")).collect();
        stream.write_all(asked.concat().as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers)?;
        let (mut rest, mut values) = (answers.as_slice(), Vec::new());
        while let Some((frame, len)) = decode(rest)? {
            match frame {
                OwnedFrame::BulkString(value) => values.push(value),
                OwnedFrame::Null => {}
                other => bail!("an answer to GET: {other:?}"),
            }
            rest = &rest[len..];
        }
        let value = values.first().context("no key that was set has a value")?;
        let is_right = value.len() == VALUE_LEN && values.iter().all(|other| other == value);
        ensure!(is_right && values.len() > asked.len() / 2, "values that were set are not there");
        Ok(value.clone())
    }
}
