//! Clients that hold connections and do little with them.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::requests::{connect, get_value, read_value};
use crate::served::PATH;

/// So many have asked once, and stay.
const IDLE: usize = 1000;
/// So many send the head of a request a byte at a time.
const SLOW: usize = 200;
/// How often such a byte comes.
const A_BYTE_EACH: Duration = Duration::from_secs(1);

/// How long the server is patient with a head that has begun, less a second.
const PATIENCE: Duration = Duration::from_secs(9);

/// Does `work` while the connections are held, and sees to it that all of them were there until its end. It must be over
/// before the server loses its patience with the slow ones.
pub(crate) fn during<T>(server: SocketAddr, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let connect_all = |count| (0..count).map(|_| connect(server)).collect::<Result<Vec<TcpStream>>>();
    let mut idle = connect_all(IDLE)?;
    idle.iter_mut().try_for_each(get_value)?;
    let begun = Instant::now();
    let mut slow = connect_all(SLOW)?;
    for stream in &mut slow {
        stream.write_all(format!("GET {PATH} HTTP/1.1\r\nhost: localhost\r\nslow: ").as_bytes())?;
    }
    let is_over = AtomicBool::new(false);
    let done = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                for mut stream in &slow {
                    // Whoever was cut off is found below.
                    let _ = stream.write_all(b"z");
                }
                thread::park_timeout(A_BYTE_EACH);
            }
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        done
    });
    ensure!(begun.elapsed() < PATIENCE, "the work took too long for the slow clients");
    for stream in &mut slow {
        stream.write_all(b"\r\n\r\n")?;
        read_value(stream)?;
    }
    idle.iter_mut().try_for_each(get_value)?;
    done
}
