//! Doing many independent things when a store is opened, by as many threads as the machine has, if it is worth it.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use logladder_engine::{Error, Result};

/// Below so many bytes, one thread is done before a second has started.
const WORTH_IT: u64 = 8 << 20;

/// More threads than this would wait for each other.
const MOST_THREADS: usize = 8;

/// What `work` says of each number below `count`, in order. Together they read about so many `bytes`: less than
/// 8 MiB are read by the caller's thread alone, more by up to eight.
///
/// # Errors
///
/// That of the lowest number that has one.
pub fn for_each<T: Send>(
    count: usize,
    bytes: u64,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    // How many threads the machine has is asked last: the answer is in files of the system.
    let available = || thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS).min(count);
    let threads = if bytes < WORTH_IT { 1 } else { available() };
    if threads < 2 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(count));
    let take = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            break;
        }
        let outcome = work(number);
        if let Ok(mut done) = done.lock() {
            done.push((number, outcome));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(take);
        }
        take();
    });
    let mut done = done.into_inner().map_err(|_| Error::panicked())?;
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_done_once_and_in_order_by_one_thread_or_several() {
        for bytes in [0, u64::MAX] {
            let squares = for_each(1_000, bytes, |number| Ok(number * number)).unwrap();
            assert!(squares.into_iter().eq((0..1_000).map(|number| number * number)));
        }
    }

    #[test]
    fn the_error_of_the_lowest_number_is_the_answer() {
        for bytes in [0, u64::MAX] {
            let refuse = |number: usize| match number % 10 {
                7 => Err(Error::InvalidKey { why: number.to_string() }),
                _ => Ok(()),
            };
            let error = for_each(100, bytes, refuse).unwrap_err();
            assert!(error.to_string().ends_with(": 7"), "{error}");
        }
    }
}
