//! Stores in order, whose files are then replaced, and what was ever written to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use logladder_disk::{LOCK_FILE, OpenOn, RecordingDisk};
use logladder_engine::{Atomic, Batch, Compact, Engine, SyncPolicy};
use logladder_sorted_log::{Compression, SortedLog};

use super::{DIR, Files, files_of, options};

/// The names that files may have: the store's own, what its work leaves beside them, numbers at the end of all numbers, and a
/// stranger's.
pub(crate) static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let others = [
        LOCK_FILE,
        "MANIFEST",
        "MANIFEST.tmp",
        "0000000002.log.torn-32",
        "notes.txt",
        "9999999999.log",
        "9999999999.table",
        "9223372036854775808.table",
        "18446744073709551615.log",
    ];
    let numbered = (1..=40).flat_map(|number| ["table", "log"].map(|kind| format!("{number:010}.{kind}")));
    others.map(str::to_owned).into_iter().chain(numbered).collect()
});

/// What was once written under each key of [`STORES`].
pub(crate) type Written = BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>;

/// What the stores are made of: a key, and its value unless it is deleted.
const WRITES: [(&[u8], Option<&[u8]>); 16] = [
    (b"name", Some(b"anna")),
    (b"city", Some(b"Rome")),
    (b"", Some(b"the empty key")),
    (b"name", Some(b"bob")),
    (b"city", None),
    (b"empty", Some(b"")),
    (b"zeros", Some(&[0; 40])),
    (b"name", None),
    (b"names", Some(&[b'n'; 90])),
    (b"namesake", Some(b"a key that begins as another does")),
    (b"name", Some(b"carl")),
    (b"gone", Some(b"soon")),
    (b"gone", None),
    (b"\xFF\xFF", Some(&[0xFF; 70])),
    (b"last", Some(b"LLSL")),
    (b"zeros", Some(&[0; 90])),
];

/// The keys that were written.
pub(super) fn keys() -> impl Iterator<Item = &'static [u8]> {
    WRITES.into_iter().map(|(key, _)| key)
}

pub(crate) static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
    let mut written = Written::new();
    for (key, value) in WRITES {
        let values = written.entry(key.to_vec()).or_default();
        values.extend(value.map(<[u8]>::to_vec));
    }
    for (key, value) in [(&b"name"[..], &b"dora"[..]), (b"city", b"Oslo")] {
        written.entry(key.to_vec()).or_default().insert(value.to_vec());
    }
    written
});

/// A store that is one log; one that has tables in some levels and was not closed; one with compressed blocks and no
/// filters; one that was compacted; and one whose tables have everything, so that it has no log.
pub(crate) static STORES: LazyLock<Vec<Files>> = LazyLock::new(|| {
    [0, 1, 2, 3, 4]
        .map(|kind| {
            let disk = RecordingDisk::new();
            let mut options = options().with_sync(SyncPolicy::Never);
            if kind == 0 {
                options = options.with_memtable_bytes(16 << 10);
            }
            if kind == 2 {
                options = options.with_compression(Compression::Lz4).with_filter_bits(0);
            }
            let store = SortedLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options);
            let Ok(store) = store else { panic!("a new store does not open: {store:?}") };
            for (number, (key, value)) in WRITES.into_iter().enumerate() {
                let done = match value {
                    Some(value) => store.set(key, value),
                    None => store.delete(key),
                };
                let compacted = if kind == 3 && number == 9 { store.compact().map(drop) } else { Ok(()) };
                assert!(done.is_ok() && compacted.is_ok(), "{done:?}, {compacted:?}");
            }
            let mut batch = Batch::new();
            batch.set(b"name", b"dora").delete(b"zeros").set(b"city", b"Oslo");
            let written = store.write(&batch);
            let flushed = if kind == 4 { store.flush() } else { Ok(()) };
            assert!(written.is_ok() && flushed.is_ok(), "{written:?}, {flushed:?}");
            if kind % 2 == 0 {
                assert!(Box::new(store).close().is_ok());
            } else {
                drop(store);
            }
            files_of(&disk)
        })
        .into()
});
