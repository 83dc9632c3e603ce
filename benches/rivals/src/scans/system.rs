//! What the system says of this process: bytes written, and whether it rests.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// The process is looked at so often.
const STEP: Duration = Duration::from_millis(100);

/// It rests once it has done next to nothing for so many looks: a second.
const QUIET_LOOKS: usize = 10;

/// Next to nothing: hundredths of a second of processor time within that second. Threads that look for work now and then
/// take some.
const QUIET_TICKS: u64 = 5;

/// The bytes of pages that this process has made dirty, in files or maps of files; `write_bytes` of `/proc/self/io`, which
/// Linux has. A page that is changed again before it has reached the disk counts once.
pub(super) fn written() -> Option<u64> {
    written_of(&fs::read_to_string("/proc/self/io").ok()?)
}

fn written_of(io: &str) -> Option<u64> {
    io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

/// The processor time of this process, in hundredths of a second.
fn ticks() -> Option<u64> {
    ticks_of(&fs::read_to_string("/proc/self/stat").ok()?)
}

fn ticks_of(stat: &str) -> Option<u64> {
    // The second field is the name, in parentheses, and may have some itself.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    user.checked_add(system)
}

/// Waits until this process rests, but no longer than `limit`; where the system does not tell, that is how long it waits. Says
/// how long it took.
pub(super) fn settle(limit: Duration) -> Duration {
    let started = Instant::now();
    let mut looks = Vec::new();
    while started.elapsed() < limit {
        thread::sleep(STEP);
        let Some(look) = written().zip(ticks()) else { continue };
        looks.push(look);
        if rests(&looks) {
            break;
        }
    }
    started.elapsed()
}

/// Whether the last of these looks, each at bytes written and processor time, show a process that rests.
fn rests(looks: &[(u64, u64)]) -> bool {
    let Some(first) = looks.len().checked_sub(1 + QUIET_LOOKS) else { return false };
    let ((bytes, ticks), last) = (looks[first], looks[looks.len() - 1]);
    last.0 == bytes && last.1 <= ticks + QUIET_TICKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_whatever_the_name_of_the_process() {
        let io = "wchar: 7\nwrite_bytes: 4096\ncancelled_write_bytes: 3\n";
        assert_eq!(written_of(io), Some(4096));
        assert_eq!(written_of("wchar: 7\n"), None);
        let stat = "12 (a (b) c) S 1 12 12 0 -1 4194304 93 0 0 0 31 11 0 0 20 0 1 0";
        assert_eq!(ticks_of(stat), Some(42));
        assert_eq!(ticks_of("12 (a) S 1"), None);
    }

    #[test]
    fn a_process_rests_once_it_has_written_nothing_and_hardly_computed_for_a_second() {
        let mut looks = vec![(4096, 10); QUIET_LOOKS];
        assert!(!rests(&looks), "it was not looked at for long enough");
        looks.push((4096, 10 + QUIET_TICKS));
        assert!(rests(&looks));
        looks.push((4096, 16 + QUIET_TICKS));
        assert!(!rests(&looks), "it computes");
        looks.extend([(8192, 16 + QUIET_TICKS); QUIET_LOOKS]);
        assert!(!rests(&looks), "it wrote something a second ago");
        looks.push((8192, 16 + QUIET_TICKS));
        assert!(rests(&looks));
    }
}
