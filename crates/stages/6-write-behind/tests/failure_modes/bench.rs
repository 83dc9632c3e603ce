//! What the tests stand on: a store on a recording disk, and its files to look at and to damage.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use logladder_contract::{Deed, WatchedDisk};

use logladder_disk::{Fault, Filter, OpenOn, RecordingDisk};
use logladder_engine::{Engine, Result};
use logladder_write_behind::{Janitor, Options, WriteBehind};

pub(crate) const DIR: &str = "/store";

/// A signal that never comes fails the test instead of hanging it.
pub(crate) const FAR_TOO_LONG: Duration = Duration::from_mins(2);

/// Nothing is written before the test asks for it.
pub(crate) fn on_demand() -> Options {
    Options::default().with_janitor(Janitor::OnDemand)
}

pub(crate) fn open(disk: &RecordingDisk) -> Result<WriteBehind> {
    open_with(disk, on_demand())
}

pub(crate) fn open_with(disk: &RecordingDisk, options: Options) -> Result<WriteBehind> {
    WriteBehind::open_on(Arc::new(disk.clone()), Path::new(DIR), options)
}

/// A path in the store's folder.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

/// What somebody finds who opens the store on a copy of the disk, as after the death of the process.
pub(crate) fn value_on_disk(disk: &RecordingDisk, key: &[u8]) -> Option<Vec<u8>> {
    open(&RecordingDisk::from_tree(disk.tree())).unwrap().get(key).unwrap()
}

/// The next operation of this kind fails.
pub(crate) fn break_next(disk: &RecordingDisk, on: Filter) {
    disk.inject(Fault { on, after: 0, torn_at: 0, kind: std::io::ErrorKind::Other });
}

pub(crate) fn unwritten(store: &WriteBehind) -> u64 {
    store.stats().unwrap().unwritten_keys
}

/// A disk that tells when something is about to be done to a file whose name begins so, and waits to be told to go on: the
/// first time only.
pub(crate) fn paused_at(
    disk: &RecordingDisk,
    deed: Deed,
    start: &'static str,
) -> (Arc<WatchedDisk>, Receiver<()>, impl FnOnce()) {
    let (begins, begun) = channel();
    let (go, going) = channel::<()>();
    let going = Mutex::new(Some(going));
    let watched = WatchedDisk::new(disk, move |done, name| {
        if done == deed
            && name.starts_with(start)
            && let Some(going) = going.lock().unwrap().take()
        {
            begins.send(()).unwrap();
            going.recv_timeout(FAR_TOO_LONG).unwrap();
        }
        Ok(())
    });
    (watched, begun, move || go.send(()).unwrap())
}
