//! A `redis-server` of our own, and what its `redis-benchmark` says of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{KEYS, VALUE_LEN};

/// What to do where there is no Redis.
pub(crate) const MISSING: &str = "redis-server and redis-benchmark are not installed. On Debian and its kin, as root: \
     `apt-get update && apt-get install -y redis-server redis-tools`. The service that this may start is not needed \
     (`service redis-server stop`): the benchmark starts a server of its own.";

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// So many commands say how many fit into the time.
const PROBE: u64 = 2_000;

/// What the server calls itself: `Redis server v=7.0.15 …`. None if it, or its benchmark, is not there.
pub(crate) fn version() -> Option<String> {
    let said = |program: &str| {
        let output = Command::new(program).arg("--version").output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    said("redis-benchmark")?;
    let server = said("redis-server")?;
    let version = server.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
    Some(format!("Redis {version}"))
}

/// A server that ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    port: u16,
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
        // Free a moment ago. Should someone else take it, the server says so and ends.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let sync = policy.strip_prefix("appendfsync ");
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no", "--save", ""])
            .args(["--appendonly", if sync.is_some() { "yes" } else { "no" }])
            .args(["--appendfsync", sync.unwrap_or("no")])
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .context("redis-server does not start")?;
        let mut server = Self { process, port, _folder: folder };
        server.await_answer()?;
        Ok(server)
    }

    fn await_answer(&mut self) -> Result<()> {
        let start = Instant::now();
        while !self.answers() {
            if let Some(status) = self.process.try_wait()? {
                bail!("redis-server ended with {status}");
            }
            if start.elapsed() > PATIENCE {
                bail!("redis-server does not answer on port {}", self.port);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<[u8; 7]> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"PING\r\n")?;
            let mut answer = [0; 7];
            stream.read_exact(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| &answer == b"+PONG\r\n")
    }

    /// What `redis-benchmark` finds: first how many commands fit into the time, then so many of each. The sets come
    /// before the gets, which then find their keys.
    pub(crate) fn rates(&self, clients: u32, at_once: u32, time: Duration) -> Result<Rates> {
        let rate = |command: &str, name: &str| -> Result<f64> {
            let least = PROBE.max(u64::from(clients * at_once) * 4);
            let probed = self.benchmark(command, name, clients, at_once, least)?;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "far below 2^53")]
            let count = (probed * time.as_secs_f64()) as u64;
            if count <= least { Ok(probed) } else { self.benchmark(command, name, clients, at_once, count) }
        };
        Ok(Rates {
            ping: rate("ping_mbulk", "PING_MBULK")?,
            set: rate("set", "SET")?,
            get: rate("get", "GET")?,
        })
    }

    /// Keys are `key:` and twelve digits.
    fn benchmark(&self, command: &str, name: &str, clients: u32, at_once: u32, count: u64) -> Result<f64> {
        let number = |number: u64| number.to_string();
        let output = Command::new("redis-benchmark")
            .args(["-h", "127.0.0.1", "-p", &number(self.port.into()), "--csv", "-t", command])
            .args(["-c", &number(clients.into()), "-P", &number(at_once.into()), "-n", &number(count)])
            .args(["-r", &number(KEYS.into()), "-d", &number(VALUE_LEN as u64)])
            .output()
            .context("redis-benchmark does not start")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let rates: BTreeMap<&str, f64> = said
            .lines()
            .filter_map(|line| {
                let mut cells = line.split(',').map(|cell| cell.trim_matches('"'));
                Some((cells.next()?, cells.next()?.parse().ok()?))
            })
            .collect();
        rates.get(name).copied().with_context(|| {
            format!(
                "redis-benchmark says nothing of {name}: {said} {}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What it holds is thrown away.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
