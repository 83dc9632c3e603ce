//! [`Client`]: what asks the servers; and [`Load`], numbered writes one after the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::machines::Machine;

/// How long a client waits for an answer. A server gives up before that.
const PATIENCE: Duration = Duration::from_secs(4);

/// The time between two writes.
const PACE: Duration = Duration::from_millis(2);

/// Someone who asks servers over HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    writer: ureq::Agent,
    reader: ureq::Agent,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    Done,
    /// It was not done, and a server said so, or nobody was there.
    Refused(String),
    /// It was done or not.
    Unknown(String),
}

impl Client {
    pub(crate) fn new() -> Self {
        let config =
            || ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
        // A connection that its server has closed would make a write look lost that was never sent.
        let writer = config().max_idle_connections(0).build().new_agent();
        Self { writer, reader: config().build().new_agent() }
    }

    pub(crate) fn put(&self, url: &str, key: &str, value: &str) -> Written {
        match self.writer.put(format!("{url}/v1/keys/{key}")).send(value) {
            Ok(answer) if answer.status().is_success() => Written::Done,
            Ok(mut answer) => {
                let (status, why) = (answer.status(), answer.body_mut().read_to_string().unwrap_or_default());
                let why = format!("{} {}", status.as_u16(), error_of(&why));
                if status == 503 { Written::Refused(why) } else { Written::Unknown(why) }
            }
            Err(ureq::Error::ConnectionFailed) => Written::Refused("nobody listens".to_owned()),
            Err(ureq::Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Written::Refused("nobody listens".to_owned())
            }
            Err(error) => Written::Unknown(error.to_string()),
        }
    }

    /// The value of a key; `None` if it has none.
    pub(crate) fn get(&self, url: &str, key: &str) -> Result<Option<String>> {
        let mut answer = self.reader.get(format!("{url}/v1/keys/{key}")).call()?;
        let body = answer.body_mut().read_to_string()?;
        match answer.status().as_u16() {
            200 => Ok(Some(body)),
            404 => Ok(None),
            status => anyhow::bail!("{status} {}", error_of(&body)),
        }
    }

    /// What `/v1/cluster` of this server says.
    pub(crate) fn cluster(&self, url: &str) -> Result<Value> {
        let mut answer = self.reader.get(format!("{url}/v1/cluster")).call()?;
        let body = answer.body_mut().read_to_string()?;
        serde_json::from_str(&body).with_context(|| format!("{url} says {body:?} of its cluster"))
    }

    /// Whether the machine's server is there and its node knows of a leader.
    pub(crate) fn is_answered_by(&self, machine: &Machine) -> bool {
        let Ok(cluster) = self.cluster(machine.url()) else { return false };
        let members = cluster["members"].as_array().cloned().unwrap_or_default();
        members.iter().any(|member| member["endpoint"] == machine.endpoint() && !member["said"].is_null())
    }
}

/// What an answer that is a refusal says.
fn error_of(body: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(body).ok();
    let error = parsed.as_ref().and_then(|body| body["error"].as_str());
    error.unwrap_or(body).trim().to_owned()
}

/// What is known of the writes so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Told {
    /// The numbers of those that were acknowledged, and when.
    pub(crate) done: Vec<(u64, Instant)>,
    /// Those of which nobody knows.
    pub(crate) unknown: Vec<(u64, String)>,
    /// How often one was refused, and then tried at another server.
    pub(crate) refused: u64,
}

/// A thread that writes one number after the other: each at the server that took the last one, and at the next if that
/// refuses.
#[derive(Debug)]
pub(crate) struct Load {
    told: Arc<Mutex<Told>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(client: Client, urls: Vec<String>) -> Self {
        let (told, is_over) = (Arc::new(Mutex::new(Told::default())), Arc::new(AtomicBool::new(false)));
        let (tells, ends) = (Arc::clone(&told), Arc::clone(&is_over));
        let thread = thread::spawn(move || {
            let mut at = 0;
            let mut number = 0;
            while !ends.load(Ordering::Relaxed) {
                let written = client.put(&urls[at % urls.len()], &key(number), &number.to_string());
                let mut told = tells.lock().unwrap_or_else(PoisonError::into_inner);
                match written {
                    Written::Done => {
                        told.done.push((number, Instant::now()));
                        number += 1;
                    }
                    // It is not written a second time.
                    Written::Unknown(why) => {
                        told.unknown.push((number, why));
                        (number, at) = (number + 1, at + 1);
                    }
                    Written::Refused(_) => {
                        told.refused += 1;
                        at += 1;
                    }
                }
                drop(told);
                thread::sleep(PACE);
            }
        });
        Self { told, is_over, thread: Some(thread) }
    }

    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the first write was acknowledged after that moment; `None` if none is within `patience`.
    pub(crate) fn next_done(&self, after: Instant, patience: Duration) -> Option<Instant> {
        while after.elapsed() < patience {
            let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, when)) = told.done.last().filter(|(_, when)| *when > after) {
                // The list grows at its end, and is looked at more often than it does by much.
                let first = told.done.iter().rev().take_while(|(_, when)| *when > after).last();
                return Some(first.map_or(*when, |(_, when)| *when));
            }
            drop(told);
            thread::sleep(PACE);
        }
        None
    }

    pub(crate) fn end(mut self) -> Told {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.told()
    }
}

/// The key under which a number is written.
pub(crate) fn key(number: u64) -> String {
    format!("write-{number}")
}
