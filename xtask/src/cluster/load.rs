//! [`Client`]: what asks the servers; and [`Load`], numbered writes one after the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::machines::Machine;

/// How long a client waits for an answer. A server gives up before that.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// A value that a server has, and how often its key was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) value: String,
    pub(crate) version: u64,
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
    pub(crate) fn get(&self, url: &str, key: &str) -> Result<Option<Found>> {
        let mut answer = self.reader.get(format!("{url}/v1/keys/{key}")).call()?;
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).unwrap_or_default();
        let version = tag.trim_matches('"').parse().ok();
        let body = answer.body_mut().read_to_string()?;
        match answer.status().as_u16() {
            200 => {
                let version = version.with_context(|| format!("{url} says no version of {key}"))?;
                Ok(Some(Found { value: body, version }))
            }
            404 => Ok(None),
            status => bail!("{status} {}", error_of(&body)),
        }
    }

    /// What `/v1/cluster` of this server says.
    pub(crate) fn cluster(&self, url: &str) -> Result<Value> {
        let mut answer = self.reader.get(format!("{url}/v1/cluster")).call()?;
        let body = answer.body_mut().read_to_string()?;
        serde_json::from_str(&body).with_context(|| format!("{url} says {body:?} of its cluster"))
    }

    /// Whether the node of etcd at this endpoint knows of a leader, and a majority answers it.
    pub(crate) fn is_well(&self, endpoint: &str) -> bool {
        let Ok(mut answer) = self.reader.get(format!("{endpoint}/health")).call() else { return false };
        answer.body_mut().read_to_string().is_ok_and(|body| body.contains(r#""health":"true""#))
    }

    /// Whether the machine's server is there, its node is, and the cluster has a leader.
    pub(crate) fn is_answered_by(&self, machine: &Machine) -> bool {
        let Ok(cluster) = self.cluster(machine.url()) else { return false };
        let members = cluster["members"].as_array().cloned().unwrap_or_default();
        let has_answered =
            |member: &Value| member["endpoint"] == machine.endpoint() && !member["said"].is_null();
        !cluster["leader"].is_null() && members.iter().any(has_answered)
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

/// A thread that writes one number after the other, each at the next server, and again at the one after that if it is
/// refused there.
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
            let mut number = 0;
            for url in urls.iter().cycle() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let written = client.put(url, &key(number), &number.to_string());
                let mut told = tells.lock().unwrap_or_else(PoisonError::into_inner);
                match written {
                    Written::Refused(_) => told.refused += 1,
                    Written::Done => {
                        told.done.push((number, Instant::now()));
                        number += 1;
                    }
                    // It is not written a second time.
                    Written::Unknown(why) => {
                        told.unknown.push((number, why));
                        number += 1;
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

    /// How many writes were acknowledged so far.
    pub(crate) fn done(&self) -> usize {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).done.len()
    }

    /// The longest time without an acknowledged write since that moment, and when it ended. It need not be over yet.
    pub(crate) fn longest_pause_since(&self, moment: Instant) -> (Duration, Instant) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let first = told.done.partition_point(|(_, when)| *when <= moment);
        let ends = told.done[first..].iter().map(|(_, when)| *when).chain([Instant::now()]);
        let mut last = moment;
        let pauses = ends.map(|end| (end.saturating_duration_since(std::mem::replace(&mut last, end)), end));
        pauses.max_by_key(|(pause, _)| *pause).unwrap_or((Duration::ZERO, moment))
    }

    pub(crate) fn end(mut self) -> Told {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.told()
    }
}

impl Drop for Load {
    /// Where the check ends early, the thread ends with it.
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// The key under which a number is written.
pub(crate) fn key(number: u64) -> String {
    format!("write-{number}")
}
