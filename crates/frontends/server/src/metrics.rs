//! [`Metrics`]: how many requests there were, and how long they took.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use logladder_engine::{Engine, Lag, Stalls};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::redis::{Answers, COMMANDS};

/// What requests are counted by: there are only so many of each, whatever clients make up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Kind {
    method: &'static str,
    route: &'static str,
    pub(crate) status: u16,
}

impl Kind {
    pub(crate) fn of(method: &Method, route: &'static str, status: StatusCode) -> Self {
        Self { method: name_of(method), route, status: status.as_u16() }
    }
}

/// Where requests of one kind are counted.
#[derive(Debug)]
pub(crate) struct Series {
    kind: Kind,
    count: Counter,
    seconds: Histogram,
    sent: Counter,
}

impl Series {
    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, bytes: u64, took: Duration) {
        self.count.inc();
        self.seconds.observe(took.as_secs_f64());
        self.sent.inc_by(bytes);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CommandLabels {
    command: &'static str,
}

/// From 16 µs to 17 s, each bound twice the one before.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_016, 2.0, 21))
}

/// How many requests there were, and how long they took.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Kind, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    sent: Counter,
    refused: Counter,
    connections: Gauge,
    watchers: Gauge,
    failing: Gauge,
    uptime: Gauge,
    started: Instant,
    redis: RedisMetrics,
    commands: Family<CommandLabels, Counter>,
    /// How far a copy is behind: in changes, and in seconds.
    lag: Option<(Gauge, Gauge<f64, AtomicU64>)>,
    /// How often writers had to wait for room, and how many seconds.
    stalls: Option<(Counter, Counter<f64, AtomicU64>)>,
}

impl Metrics {
    pub(crate) fn new(engine: &dyn Engine) -> Self {
        let mut registry = Registry::with_prefix("logladder");
        let requests = Family::default();
        let seconds = Family::new_with_constructor(seconds as fn() -> Histogram);
        let (sent, refused) = (Counter::default(), Counter::default());
        let (connections, watchers, uptime) = (Gauge::default(), Gauge::default(), Gauge::default());
        let failing = Gauge::default();
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION")), ("stage", engine.name())]);
        registry.register("build", "The version of the server, and its stage", build);
        registry.register("http_requests", "Requests that were answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From the head of a request to the end of its answer",
            Unit::Seconds,
            seconds.clone(),
        );
        registry.register("http_sent_bytes", "Bytes of the bodies of answers", sent.clone());
        registry.register("http_refused_connections", "Connections beyond the limit", refused.clone());
        registry.register("http_connections", "Open connections", connections.clone());
        registry.register("watchers", "Clients that follow the changes", watchers.clone());
        let what =
            "1 if the last write failed, or the store's own last attempt to write what was acknowledged";
        registry.register("writes_failing", what, failing.clone());
        registry.register_with_unit("uptime", "Since the server started", Unit::Seconds, uptime.clone());
        let commands = Family::default();
        registry.register("redis_commands", "Commands that were answered", commands.clone());
        let redis = RedisMetrics::register(&mut registry);
        let lag = engine.as_follow().map(|_| register_lag(&mut registry));
        let stalls = engine.stalls().map(|_| register_stalls(&mut registry));
        let started = Instant::now();
        Self {
            registry,
            requests,
            seconds,
            sent,
            refused,
            connections,
            watchers,
            failing,
            uptime,
            started,
            redis,
            commands,
            lag,
            stalls,
        }
    }

    /// The part of the Redis protocol, with a count for each command.
    pub(crate) fn redis(&self) -> RedisMetrics {
        let count = |command| self.commands.get_or_create(&CommandLabels { command }).clone();
        let commands = COMMANDS.iter().map(|command| count(command.name)).collect();
        RedisMetrics { commands, unknown: count("unknown"), ..self.redis.clone() }
    }

    /// Where requests of this kind are counted.
    pub(crate) fn series(&self, kind: Kind) -> Series {
        let Kind { method, route, .. } = kind;
        Series {
            kind,
            count: self.requests.get_or_create(&kind).clone(),
            seconds: self.seconds.get_or_create(&RouteLabels { method, route }).clone(),
            sent: self.sent.clone(),
        }
    }

    pub(crate) fn refused(&self) {
        self.refused.inc();
    }

    pub(crate) fn connected(&self) {
        self.connections.inc();
    }

    pub(crate) fn disconnected(&self) {
        self.connections.dec();
    }

    /// All of it, as OpenMetrics.
    pub(crate) fn text(
        &self,
        watchers: usize,
        is_failing: bool,
        lag: Option<&Lag>,
        stalled: Option<Stalls>,
    ) -> Result<String, fmt::Error> {
        if let (Some((changes, seconds)), Some(lag)) = (&self.lag, lag) {
            // What nobody knows is no number that an alarm could take for a good one.
            changes.set(lag.changes.map_or(-1, |changes| i64::try_from(changes).unwrap_or(i64::MAX)));
            seconds.set(lag.time.map_or(f64::INFINITY, |time| time.as_secs_f64()));
        }
        if let (Some((count, seconds)), Some(stalled)) = (&self.stalls, stalled) {
            // The engine counts; of a store that was opened again it begins anew, as counters may.
            count.inner().store(stalled.count, Ordering::Relaxed);
            seconds.inner().store(stalled.time.as_secs_f64().to_bits(), Ordering::Relaxed);
        }
        self.watchers.set(i64::try_from(watchers).unwrap_or(i64::MAX));
        self.failing.set(is_failing.into());
        self.uptime.set(i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn register_lag(registry: &mut Registry) -> (Gauge, Gauge<f64, AtomicU64>) {
    let (changes, seconds) = (Gauge::default(), Gauge::<f64, AtomicU64>::default());
    registry.register(
        "follower_changes_behind",
        "Changes that the leader had more when it was last asked; -1 if that is not known",
        changes.clone(),
    );
    registry.register_with_unit(
        "follower_behind",
        "What was acknowledged so long ago is here",
        Unit::Seconds,
        seconds.clone(),
    );
    (changes, seconds)
}

fn register_stalls(registry: &mut Registry) -> (Counter, Counter<f64, AtomicU64>) {
    let (count, seconds) = (Counter::default(), Counter::<f64, AtomicU64>::default());
    registry.register("write_stalls", "Writes that had to wait for room", count.clone());
    registry.register_with_unit(
        "write_stall",
        "What those waits took together",
        Unit::Seconds,
        seconds.clone(),
    );
    (count, seconds)
}

/// What is counted of the Redis protocol. Copies count together.
#[derive(Debug, Clone)]
pub(crate) struct RedisMetrics {
    /// In the order of the table of commands.
    commands: Arc<[Counter]>,
    unknown: Counter,
    refusals: Counter,
    sent: Counter,
    connections: Gauge,
    seconds: Histogram,
}

impl RedisMetrics {
    fn register(registry: &mut Registry) -> Self {
        let (refusals, sent, connections) = (Counter::default(), Counter::default(), Gauge::default());
        let seconds = seconds();
        registry.register("redis_refused_commands", "Commands answered with an error", refusals.clone());
        registry.register("redis_sent_bytes", "Bytes of answers", sent.clone());
        registry.register("redis_connections", "Open connections", connections.clone());
        registry.register_with_unit(
            "redis_pipeline_duration",
            "From commands that came together to the end of their answers",
            Unit::Seconds,
            seconds.clone(),
        );
        Self { commands: Arc::default(), unknown: Counter::default(), refusals, sent, connections, seconds }
    }

    /// Counts a command, by its place in the table.
    pub(crate) fn count(&self, place: Option<usize>) {
        place.and_then(|place| self.commands.get(place)).unwrap_or(&self.unknown).inc();
    }

    pub(crate) fn answered(&self, answers: &Answers, took: Duration) {
        self.sent.inc_by(answers.len() as u64);
        self.seconds.observe(took.as_secs_f64());
        if answers.refusals > 0 {
            self.refusals.inc_by(answers.refusals);
        }
    }

    pub(crate) fn connection_begins(&self) {
        self.connections.inc();
    }

    pub(crate) fn connection_ends(&self) {
        self.connections.dec();
    }

    pub(crate) fn connected(&self) -> i64 {
        self.connections.get()
    }

    pub(crate) fn commands_so_far(&self) -> u64 {
        self.commands.iter().map(Counter::get).sum::<u64>() + self.unknown.get()
    }
}

/// The method as a label: clients can make names up, and there must be only so many.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
