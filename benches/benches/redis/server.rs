//! What `redis-benchmark` says of a `redis-server` of our own.

use std::time::Duration;

use anyhow::Result;
use logladder_bench::redis::{RedisBenchmark, RedisServer};

use crate::{KEYS, VALUE_LEN};

/// So many commands say how many fit into the time.
const PROBE: u64 = 2_000;

/// A server that ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    redis: RedisServer,
    // Behind the process, which writes to it.
    _folder: tempfile::TempDir,
}

/// Operations a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    pub(crate) ping: f64,
    pub(crate) set: f64,
    pub(crate) get: f64,
}

impl Server {
    /// Starts one with this policy, and waits until it answers.
    pub(crate) fn start(policy: &str) -> Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let sync = policy.strip_prefix("appendfsync ");
        let appends = if sync.is_some() { "yes" } else { "no" };
        let settings = ["--appendonly", appends, "--appendfsync", sync.unwrap_or("no")];
        Ok(Self { redis: RedisServer::start(&settings, folder.path())?, _folder: folder })
    }

    /// What `redis-benchmark` finds: first how many commands fit into the time, then so many of each. The sets come
    /// before the gets, which then find their keys.
    pub(crate) fn rates(&self, clients: u32, pipeline: u32, time: Duration) -> Result<Rates> {
        let address = self.redis.address();
        let benchmark = RedisBenchmark { address, clients, pipeline, keys: KEYS, value_len: VALUE_LEN };
        let rate = |command: &str| -> Result<f64> {
            let least = PROBE.max(u64::from(clients * pipeline) * 4);
            let probed = benchmark.rate(command, least)?;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "far below 2^53")]
            let count = (probed * time.as_secs_f64()) as u64;
            if count <= least { Ok(probed) } else { Ok(benchmark.rate(command, count)?) }
        };
        Ok(Rates { ping: rate("PING_MBULK")?, set: rate("SET")?, get: rate("GET")? })
    }
}
