//! The wall clock: nothing that it says decides what is newest.

use std::fs::File;
use std::time::{Duration, SystemTime};

use logladder_engine::{Engine, Open};
use logladder_sorted_log::SortedLog;

use crate::bench::{close, contents, on_demand, pairs};

/// Failure mode 21. What a clock that steps back leaves in a folder are newer files with older times.
#[test]
fn files_whose_times_run_backwards_or_lie_in_the_future_change_nothing() {
    let hour = Duration::from_hours(1);
    let now = SystemTime::now();
    let times: [fn(SystemTime, Duration, u32) -> SystemTime; 3] = [
        |now, hour, place| now - hour * place,
        |now, hour, place| now + hour * 24 * 365 * 50 - hour * place,
        |_, _, _| SystemTime::UNIX_EPOCH,
    ];
    for time in times {
        let dir = tempfile::tempdir().unwrap();
        let store = SortedLog::open(dir.path(), on_demand()).unwrap();
        for round in ["1", "2", "3", "4"] {
            store.set(b"key", round.as_bytes()).unwrap();
            store.set(b"gone", round.as_bytes()).unwrap();
            store.flush().unwrap();
        }
        store.delete(b"gone").unwrap();
        close(store);
        for opening in ["first", "second"] {
            let mut paths: Vec<_> =
                std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            for (place, path) in (1..).zip(&paths) {
                File::options().write(true).open(path).unwrap().set_modified(time(now, hour, place)).unwrap();
            }
            let store = SortedLog::open(dir.path(), on_demand()).unwrap();
            assert_eq!(contents(&store), pairs(&[("key", "4")]), "{opening} opening");
            store.set(b"key", b"5").unwrap();
            assert_eq!(contents(&store), pairs(&[("key", "5")]));
            store.set(b"key", b"4").unwrap();
            drop(store);
        }
    }
}
