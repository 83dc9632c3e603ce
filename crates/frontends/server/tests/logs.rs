//! What the log says of a store whose writes fail, and of connections for which there is no room.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use harness::{PATIENCE, options, serve};
use logladder_disk::{OpenOn, RecordingDisk};

/// The log of this process, as text.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let begin = || {
            let log = Self::default();
            let writer = log.clone();
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
            log
        };
        LOG.get_or_init(begin).clone()
    }

    fn count(&self, what: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).matches(what).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether `check` says yes in time; a request to the server lies between two looks.
fn soon(server: &harness::Running, mut check: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if check() {
            return true;
        }
        assert_eq!(server.get("/healthz").status, 200);
    }
    false
}

#[test]
fn a_write_that_fails_in_the_background_is_in_the_log_once_and_in_the_metrics() {
    let log = Log::start();
    let disk = Arc::new(RecordingDisk::new());
    let options_of_store = logladder::write_behind::Options::default();
    let engine = logladder::write_behind::WriteBehind::open_on(
        Arc::clone(&disk) as _,
        "store".as_ref(),
        options_of_store,
    );
    let server = serve(Box::new(engine.unwrap()), options(), tempfile::tempdir().unwrap());
    let is_failing =
        |is: u8| server.get("/metrics").text().contains(&format!("logladder_writes_failing {is}\n"));
    assert!(is_failing(0));
    disk.set_read_only(true);
    // Acknowledged, and written later, as this stage does it.
    assert_eq!(server.put("/v1/keys/artist/air", b"v").status, 204);
    assert!(soon(&server, || log.count("WARN logladder_server::server: Writes fail: ") == 1));
    assert!(is_failing(1));
    assert_eq!(server.get("/readyz").status, 503);
    disk.set_read_only(false);
    assert!(soon(&server, || log.count("INFO logladder_server::server: Writes succeed again") == 1));
    assert!(is_failing(0));
    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(log.count("Writes fail: "), 1);
}

#[test]
fn connections_without_a_place_are_in_the_log_and_do_not_fill_it() {
    let log = Log::start();
    let mut options = options();
    options.max_connections = 1;
    let server = harness::memory(options);
    let mut held = server.connect();
    held.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    std::io::Read::read_exact(&mut held, &mut [0; 12]).unwrap();
    for _ in 0..100 {
        assert!(server.raw(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").contains(" 503 "));
    }
    let said = log.count("All 1 connections are taken: refused ");
    assert!((1..10).contains(&said), "{said}");
}
