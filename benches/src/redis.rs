//! Debian's `redis-server` in a process and a folder of its own, and its `redis-benchmark`, which asks any server that
//! speaks its protocol.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;

/// What to do where there is no Redis.
pub const MISSING: &str = "redis-server and redis-benchmark are not installed. On Debian and its kin, as root: \
     `apt-get update && apt-get install -y redis-server redis-tools`. The service that this may start is not needed \
     (`service redis-server stop`): the benchmark starts a server of its own.";

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the installed server calls itself: `Redis 7.0.15`. None if it, or its benchmark, is not there.
#[must_use]
pub fn version() -> Option<String> {
    let said = |program: &str| {
        let output = Command::new(program).arg("--version").output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    said("redis-benchmark")?;
    let server = said("redis-server")?;
    let version = server.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
    Some(format!("Redis {version}"))
}

fn failed(doing: &str, what: &str) -> Failure {
    Failure::system(doing, &io::Error::other(what.to_owned()))
}

/// A `redis-server`, which is killed when this is dropped: what it holds is thrown away.
#[derive(Debug)]
pub struct RedisServer {
    process: Child,
    address: SocketAddr,
}

impl RedisServer {
    /// Starts one on a free port, with these settings and without snapshots, and waits until it answers. Its files go
    /// into `folder`, which must outlive it.
    ///
    /// # Errors
    ///
    /// [`Failure::System`]: it is not installed, or did not start.
    pub fn start(settings: &[&str], folder: &Path) -> Result<Self, Failure> {
        const DOING: &str = "start redis-server";
        let system = |error: io::Error| Failure::system(DOING, &error);
        // Free a moment ago. Should someone else take it, the server says so and ends.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(system)?;
        let address = listener.local_addr().map_err(system)?;
        drop(listener);
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--daemonize", "no"])
            .args(["--save", ""])
            .args(settings)
            .arg("--dir")
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| failed(DOING, &format!("{error}. {MISSING}")))?;
        let mut server = Self { process, address };
        let began = Instant::now();
        while !server.answers() {
            if let Some(status) = server.process.try_wait().map_err(system)? {
                return Err(failed(DOING, &format!("it ended with {status}")));
            }
            if began.elapsed() > PATIENCE {
                return Err(failed(DOING, &format!("it does not answer at {address}")));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    fn answers(&self) -> bool {
        let ask = || -> io::Result<[u8; 7]> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"PING\r\n")?;
            let mut answer = [0; 7];
            stream.read_exact(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| &answer == b"+PONG\r\n")
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How `redis-benchmark` asks a server: keys are `key:` and twelve digits, drawn at random.
#[derive(Debug, Clone, Copy)]
pub struct RedisBenchmark {
    /// The server.
    pub address: SocketAddr,
    /// Connections.
    pub clients: u32,
    /// Requests that are sent before an answer is awaited.
    pub pipeline: u32,
    /// Keys to choose from.
    pub keys: u32,
    /// Bytes of a value.
    pub value_len: usize,
}

impl RedisBenchmark {
    /// Requests a second, over so many of `command`: `SET`, `GET`, `PING_MBULK`.
    ///
    /// # Errors
    ///
    /// [`Failure::System`]: it is not installed, or the server answered with an error.
    pub fn rate(&self, command: &str, requests: u64) -> Result<f64, Failure> {
        const DOING: &str = "measure with redis-benchmark";
        let Self { address, clients, pipeline, keys, value_len } = self;
        let output = Command::new("redis-benchmark")
            .args([
                "-h",
                &address.ip().to_string(),
                "-p",
                &address.port().to_string(),
                "--csv",
                "-t",
                command,
            ])
            .args(["-c", &clients.to_string(), "-P", &pipeline.to_string(), "-n", &requests.to_string()])
            .args(["-r", &keys.to_string(), "-d", &value_len.to_string()])
            .output()
            .map_err(|error| failed(DOING, &format!("{error}. {MISSING}")))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let said = || failed(DOING, &format!("{printed}{}", String::from_utf8_lossy(&output.stderr)));
        if !output.status.success() || printed.contains("Error") {
            return Err(said());
        }
        let mut rows = printed.lines().map(|line| line.split(',').map(|cell| cell.trim_matches('"')));
        rows.find_map(|mut row| (row.next()? == command).then(|| row.next()?.parse().ok())?).ok_or_else(said)
    }
}
