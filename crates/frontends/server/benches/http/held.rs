//! Clients that hold connections and do little with them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::served::{PATH, Served};

/// So many have asked once, and stay.
const IDLE: usize = 1000;
/// So many send the head of a request a byte at a time.
const SLOW: usize = 200;
/// How often such a byte comes.
const A_BYTE_EACH: Duration = Duration::from_secs(1);

/// Does `work` while the connections are held, and sees to it that all of them were there until its end. It must be over
/// before the server loses its patience with the slow ones, which is after 10 seconds.
pub(crate) fn during<T>(served: &Served, work: impl FnOnce() -> T) -> T {
    let mut idle: Vec<_> = (0..IDLE).map(|_| served.connect()).collect();
    for stream in &mut idle {
        ask(stream);
    }
    let begun = Instant::now();
    let mut slow: Vec<_> = (0..SLOW).map(|_| served.connect()).collect();
    for stream in &mut slow {
        write!(stream, "GET {PATH} HTTP/1.1\r\nhost: localhost\r\nslow: ").expect("it is taken");
    }
    let is_over = AtomicBool::new(false);
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                for stream in &slow {
                    let mut stream: &TcpStream = stream;
                    stream.write_all(b"z").expect("the server still listens");
                }
                std::thread::park_timeout(A_BYTE_EACH);
            }
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        done
    });
    assert!(begun.elapsed() < Duration::from_secs(9), "the work took too long for the slow clients");
    for stream in &mut slow {
        stream.write_all(b"\r\n\r\n").expect("the server still listens");
        read_answer(stream);
    }
    for stream in &mut idle {
        ask(stream);
    }
    done
}

fn ask(stream: &mut TcpStream) {
    write!(stream, "GET {PATH} HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is taken");
    read_answer(stream);
}

fn read_answer(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"v") {
        let mut piece = [0; 1024];
        let len = stream.read(&mut piece).expect("an answer comes");
        assert!(len > 0, "cut off: {}", answer.escape_ascii());
        answer.extend_from_slice(&piece[..len]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", answer.escape_ascii());
}
