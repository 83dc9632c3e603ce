//! The threads of the engine: they do their work, say what went wrong and what to do, and end when they are told to.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use logladder_contract::{Deed, WatchedDisk};
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Compact, Engine, Error};
use logladder_sorted_log::{Options, SortedLog, Work, salvage_with};

use crate::bench::{
    DIR, close, contents, damage, is_table, names, on_demand, open, open_with, path, tiny, with_flipped_bit,
    write_until_it_fails,
};

/// A signal that never comes fails the test instead of hanging it.
const FAR_TOO_LONG: Duration = Duration::from_mins(2);

fn busy() -> Options {
    tiny().with_work(Work::Background)
}

/// Failure mode 12, where nobody asked for the work: what a thread could not do the next write tells, with the file, and with
/// what to do; and that done, the store goes on.
#[test]
fn what_a_thread_failed_to_do_the_next_write_tells_and_opening_again_heals() {
    let moments = [
        (Deed::Create, ".table"),
        (Deed::Map, ".table"),
        (Deed::SyncDir, "store"),
        (Deed::Rename, "MANIFEST"),
        (Deed::Remove, ".log"),
        (Deed::Remove, ".table"),
    ];
    // At once, and after some of the same have gone well.
    for ((what, ending), after) in moments.into_iter().flat_map(|moment| [(moment, 0), (moment, 5)]) {
        let when = format!("{what:?} {ending} after {after}");
        let disk = RecordingDisk::new();
        let left = Arc::new(Mutex::new(None::<u32>));
        let watched = WatchedDisk::new(&disk, {
            let left = Arc::clone(&left);
            move |deed, name| {
                let mut left = left.lock().unwrap();
                let Some(left) = left.as_mut().filter(|_| deed == what && name.ends_with(ending)) else {
                    return Ok(());
                };
                let is_due = *left == 0;
                *left = left.saturating_sub(1);
                if !is_due {
                    return Ok(());
                }
                Err(Error::io("use", &path(name), io::Error::from(io::ErrorKind::StorageFull)))
            }
        });
        // So much room in a log that a writer begins few of its own, and mostly a thread meets the failure.
        let roomy = busy().with_memtable_bytes(2_000);
        let store = SortedLog::open_on(watched, Path::new(DIR), roomy).unwrap();
        *left.lock().unwrap() = Some(after);
        let (refusal, either) = write_until_it_fails(&store);
        // Whoever begins a log syncs its folder and notes it in the manifest, which is written anew when it has grown.
        let is_writers_own =
            matches!(&refusal, Error::Io { .. }) && matches!(what, Deed::SyncDir | Deed::Rename);
        assert!(is_writers_own || matches!(refusal, Error::Poisoned { .. }), "{when}: {refusal:?}");
        let told = refusal.to_string();
        assert!(told.contains("/store") && told.contains("free some space"), "{when}: {told}");
        for later in [store.set(b"later", b"x"), store.delete(b"key"), store.sync(), store.flush()] {
            let later = later.unwrap_err();
            assert!(matches!(later, Error::Poisoned { .. }), "{when}: {later:?}");
            assert!(later.to_string().ends_with("open it again"), "{when}: {later}");
        }
        assert_eq!(contents(&store), either[0], "{when}: reads go on");
        assert!(matches!(Box::new(store).close(), Err(Error::Poisoned { .. })), "{when}");

        let store = open_with(&disk, busy()).unwrap();
        assert!(either.contains(&contents(&store)), "{when}, opened again");
        assert!(store.left_alone().is_empty(), "{when}: {:?}", store.left_alone());
        for number in 0..100_u8 {
            store.set(&[number], &[number; 50]).unwrap();
        }
        store.compact().unwrap();
        close(store);
    }
}

/// A disk that tells when a merge is about to make its first table, and goes on when it is told to. The tables before that
/// are those of flushes.
fn paused_at_the_first_merge(disk: &RecordingDisk) -> (Arc<WatchedDisk>, Receiver<()>, impl FnOnce()) {
    let (begins, begun) = channel();
    let (go, going) = channel::<()>();
    let going = Mutex::new(Some(going));
    let watched = WatchedDisk::new(disk, move |deed, name| {
        let is_merge = std::thread::current().name() == Some("logladder-merge");
        if deed == Deed::Create
            && is_table(name)
            && is_merge
            && let Some(going) = going.lock().unwrap().take()
        {
            begins.send(()).unwrap();
            going.recv_timeout(FAR_TOO_LONG).unwrap();
        }
        Ok(())
    });
    (watched, begun, move || go.send(()).unwrap())
}

/// What a caller flushes, a copy or a compaction too, is the merging thread's work as well: a writer that waits for room in
/// level 0 does not call it again.
#[test]
fn tables_that_a_caller_flushed_are_merged_without_another_write() {
    let disk = RecordingDisk::new();
    let (tell, merged) = channel();
    let watched = WatchedDisk::new(&disk, move |deed, name| {
        if deed == Deed::Remove && is_table(name) {
            tell.send(()).unwrap();
        }
        Ok(())
    });
    let store = SortedLog::open_on(watched, Path::new(DIR), busy()).unwrap();
    // Again and again: a thread may still be looking of its own accord.
    for round in 0..50_u8 {
        for _ in 0..2 {
            store.set(b"key", &[round]).unwrap();
            store.flush().unwrap();
        }
        // What a merge replaces is removed behind it.
        while store.levels()[0].0 >= 2 {
            merged.recv_timeout(FAR_TOO_LONG).expect("level 0 is merged");
        }
    }
    close(store);
}

#[test]
fn reads_and_writes_go_on_while_a_merge_is_stuck() {
    let disk = RecordingDisk::new();
    let (watched, begun, go) = paused_at_the_first_merge(&disk);
    // Level 0 has room for so many tables that nobody has to wait for the merge.
    let options = busy().with_level0_tables(20).with_memtable_bytes(2_000);
    let store = SortedLog::open_on(watched, Path::new(DIR), options).unwrap();
    let mut round = 0_u32;
    while begun.try_recv().is_err() {
        store.set(b"key", &round.to_be_bytes()).unwrap();
        round += 1;
    }
    for _ in 0..100 {
        round += 1;
        store.set(b"key", &round.to_be_bytes()).unwrap();
        store.sync().unwrap();
        assert_eq!(store.get(b"key").unwrap().unwrap(), round.to_be_bytes());
    }
    go();
    close(store);
    assert_eq!(open(&disk).unwrap().get(b"key").unwrap().unwrap(), round.to_be_bytes());
}

/// Neither waits for a merge to finish, nor deadlocks with one.
#[test]
fn dropping_or_closing_in_the_middle_of_a_merge_loses_nothing_and_leaves_no_file_behind() {
    for is_closed in [false, true] {
        let disk = RecordingDisk::new();
        let (watched, begun, go) = paused_at_the_first_merge(&disk);
        let store = SortedLog::open_on(watched, Path::new(DIR), busy().with_level0_tables(20)).unwrap();
        let mut expected = crate::bench::Contents::new();
        for number in 0_u16.. {
            let (key, value) = (number.to_be_bytes().to_vec(), vec![b'v'; 100]);
            store.set(&key, &value).unwrap();
            expected.insert(key, value);
            if begun.try_recv().is_ok() {
                break;
            }
        }
        // The thread goes on only when the end has begun, or is about to.
        go();
        if is_closed {
            close(store);
        } else {
            drop(store);
        }
        let store = open(&disk).unwrap();
        assert!(store.left_alone().is_empty(), "{:?}", store.left_alone());
        assert_eq!(contents(&store), expected);
        let listed: usize = store.levels().iter().map(|(tables, _)| tables).sum();
        assert_eq!(names(&disk, ".table").len(), listed);
    }
}

/// A store with one table of keys that begin with `a`, whose first block is damaged, and the name of that table.
fn with_a_damaged_table() -> (RecordingDisk, String) {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for number in 0..100_u8 {
        store.set(&[b'a', number], &[number; 100]).unwrap();
    }
    store.flush().unwrap();
    close(store);
    let table = crate::bench::the(&disk, ".table");
    // In the first block, which begins behind the header.
    (with_flipped_bit(&disk, &table, 40 * 8), table)
}

/// A damaged table that only a merge comes to costs the keys in its damaged block and nothing else: it stays where it is, what
/// does not need it is merged, and the store tells of it.
#[test]
fn damage_that_a_merge_meets_stops_no_write_to_other_keys_and_nothing_is_thrown_away() {
    for work in [Work::Background, Work::Caller] {
        let (disk, table) = with_a_damaged_table();
        let whole = crate::bench::bytes(&disk, &table);
        let options = on_demand().with_work(work).with_level0_tables(2).with_memtable_bytes(300);
        // Opening again finds it again, and goes on too.
        for round in 0..2_u16 {
            let store = open_with(&disk, options).unwrap();
            for number in 0..300_u16 {
                store.set(&(number % 40).to_be_bytes(), &(1_000 * round + number).to_be_bytes()).unwrap();
            }
            store.flush().unwrap();
            assert!(store.levels()[1].0 > 1, "{work:?}: what is not damaged is merged: {:?}", store.levels());
            // The second time it lies deeper, where nothing has to be merged with it.
            if round == 0 {
                let told = store.trouble().unwrap();
                assert!(told.contains(&table) && told.contains("check --repair FOLDER"), "{work:?}: {told}");
            }
            assert_eq!(damage(store.get(&[b'a', 0]).unwrap_err()), (table.clone(), 32));
            assert_eq!(store.get(&[b'a', 99]).unwrap().unwrap(), [99; 100]);
            for number in 260..300_u16 {
                let value = store.get(&(number % 40).to_be_bytes()).unwrap();
                assert_eq!(value.unwrap(), (1_000 * round + number).to_be_bytes());
            }
            close(store);
            assert!(crate::bench::bytes(&disk, &table) == whole, "{work:?}: it may still be restored");
        }
    }
}

/// Where nothing can be merged without the damaged table, level 0 must not grow for ever: writes are refused with its name
/// and with what to do, and everything that was acknowledged is there.
#[test]
fn where_damage_is_in_the_way_of_every_merge_writes_are_refused_by_name_and_salvaging_helps() {
    for work in [Work::Caller, Work::Background] {
        let (disk, table) = with_a_damaged_table();
        let options = on_demand().with_work(work).with_level0_tables(2).with_memtable_bytes(300);
        let mut acknowledged = crate::bench::Contents::new();
        for round in 0..2 {
            let store = open_with(&disk, options).unwrap();
            let refusal = (0_u32..5_000).find_map(|number| {
                // The first keys and the last, so that every table overlaps the damaged one.
                let key = vec![b'a', if number % 2 == 0 { 60 } else { 98 }];
                let done = store.set(&key, &number.to_be_bytes());
                if done.is_ok() {
                    acknowledged.insert(key, number.to_be_bytes().to_vec());
                }
                done.err()
            });
            let refusal = refusal.unwrap();
            let told = refusal.to_string();
            assert_eq!(damage(refusal), (table.clone(), 32), "{work:?} {round}");
            assert!(told.contains("merged") && told.contains("check --repair FOLDER"), "{work:?}: {told}");
            assert!(store.levels()[0].0 <= 14, "{work:?} {round}: {:?}", store.levels());
            // It is no failure of the disk: what was written is synced, and read.
            store.sync().unwrap();
            for (key, value) in &acknowledged {
                assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
            }
            close(store);
        }
        let (old, new) = (Path::new(DIR), Path::new("/new"));
        let shared = Arc::new(disk.clone());
        salvage_with(shared.clone(), old, new, on_demand(), &mut |_| ()).unwrap();
        let store = SortedLog::open_on(shared, new, options).unwrap();
        for (key, value) in &acknowledged {
            assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
        }
        for number in 0..300_u16 {
            store.set(&[b'a', 60], &number.to_be_bytes()).unwrap();
        }
        assert_eq!((store.get(&[b'a', 99]).unwrap().unwrap(), store.trouble()), (vec![99; 100], None));
    }
}
