//! A server on a free port, and a client for it.
#![allow(dead_code, reason = "each test uses what it needs")]

pub(crate) mod redis;
pub(crate) mod view;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use logladder::{Engine, SyncPolicy};
use logladder_disk::{Fault, Filter, OpenOn, RecordingDisk};
use logladder_server::{Options, ServeError, Server, SharedEngine};
use tokio::sync::oneshot;

/// How long a test waits for anything before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Whether `check` says yes some time: other threads get their turn before each look.
pub(crate) fn in_the_end(mut check: impl FnMut() -> bool) -> bool {
    (0..1_000_000).any(|_| {
        std::thread::yield_now();
        check()
    })
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// Where the protocol of Redis is spoken.
    pub(crate) redis: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
    agent: ureq::Agent,
    _folder: tempfile::TempDir,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }

    /// The parts that every JSON answer of a refusal has.
    pub(crate) fn error(&self) -> String {
        let body: serde_json::Value =
            serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"));
        body["error"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.address.set_port(0);
    options.redis = Some(options.address);
    options
}

/// A store of the stage, with the defaults.
pub(crate) fn stage(name: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let engine = logladder::stage(name).unwrap().open(folder.path(), SyncPolicy::Never).unwrap();
    serve(engine, options(), folder)
}

/// The same, with each write on the disk before it is acknowledged.
pub(crate) fn durable(name: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let engine = logladder::stage(name).unwrap().open(folder.path(), SyncPolicy::Always).unwrap();
    serve(engine, options(), folder)
}

pub(crate) fn memory(options: Options) -> Running {
    serve(Box::new(logladder::memory::Memory::default()), options, tempfile::tempdir().unwrap())
}

/// A hash-log that keeps 100 versions of each key.
pub(crate) fn with_history() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut options = logladder::hash_log::Options::default();
    options.versions = Some(100);
    let engine = <logladder::hash_log::HashLog as logladder::Open>::open(folder.path(), options).unwrap();
    serve(Box::new(engine), self::options(), folder)
}

/// A scan-log on a disk whose next syncs fail once `fail` is called.
pub(crate) fn on_a_failing_disk() -> (Running, Arc<RecordingDisk>) {
    let disk = Arc::new(RecordingDisk::new());
    let options_of_store = logladder::scan_log::Options::default().with_sync(SyncPolicy::Never);
    let engine =
        logladder::scan_log::ScanLog::open_on(Arc::clone(&disk) as _, "store".as_ref(), options_of_store)
            .unwrap();
    (serve(Box::new(engine), options(), tempfile::tempdir().unwrap()), disk)
}

pub(crate) fn fail_syncs(disk: &RecordingDisk) {
    disk.inject(Fault { on: Filter::Sync, after: 0, torn_at: 0, kind: std::io::ErrorKind::Other });
}

pub(crate) fn serve(engine: Box<dyn Engine>, options: Options, folder: tempfile::TempDir) -> Running {
    serve_shared(Arc::new(engine), options, folder)
}

/// The folder is removed when the server has ended.
pub(crate) fn serve_shared(engine: SharedEngine, options: Options, folder: tempfile::TempDir) -> Running {
    let (stop, stopped) = oneshot::channel();
    let (bound, address) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Server::bind(engine, options).await.unwrap();
            bound.send((server.local_addr(), server.redis_addr())).unwrap();
            server.run(async { drop(stopped.await) }).await
        })
    });
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent();
    let (address, redis) = address.recv_timeout(PATIENCE).unwrap();
    let redis = redis.unwrap_or(address);
    Running { address, redis, stop: Some(stop), thread: Some(thread), agent, _folder: folder }
}

impl Running {
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = if body.is_empty() && !matches!(method, "PUT" | "POST") {
            self.agent.run(request.body(()).unwrap())
        } else {
            self.agent.run(request.body(body).unwrap())
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.body_mut().read_to_vec().unwrap(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[], body.as_bytes())
    }

    pub(crate) fn put(&self, path: &str, body: &[u8]) -> Answer {
        self.send("PUT", path, &[], body)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], b"")
    }

    /// A bare connection.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends `text` as it is, and reads until the server closes.
    pub(crate) fn raw(&self, text: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(text).unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is fine.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Tells the server to stop.
    pub(crate) fn tell_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> Result<(), ServeError> {
        self.tell_to_stop();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell_to_stop();
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            thread.join().unwrap().unwrap();
        }
    }
}
