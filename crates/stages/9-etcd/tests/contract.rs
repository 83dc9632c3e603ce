//! Stage 9 keeps the contract, against a real etcd.
//!
//! Its data is not in the folder that it is opened in, so what is done to files is not applicable: see
//! `Subject::elsewhere`. Everything else is asked of it: cases, scripts, the model, and a process that is killed.
//!
//! A compaction of etcd takes the history of all its stores. So each bench has a server to itself while it lasts, from a
//! pool of as many as there are benches at once. Which server and which store that is stands in a file in the folder, so that
//! opening the folder again, also by another process, finds the same store.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod servers;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use logladder_contract::Subject;
use logladder_disk::Disk;
use logladder_engine::{Engine, Result};
use logladder_etcd::{Etcd, Options};

use servers::Server;

/// The file that says where the store of a folder is.
const PLACE: &str = "PLACE";

fn subject() -> Subject {
    Subject::new("etcd", |disk, dir| open(&disk, dir))
        .elsewhere()
        .refuses_batches_over(Options::default().max_request_bytes)
}

logladder_contract::contract!(subject);

fn open(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Box<dyn Engine>> {
    let path = dir.join(PLACE);
    let place = if disk.entry(&path)?.is_some() {
        String::from_utf8(disk.read(&path)?).unwrap()
    } else {
        let place = format!("{}\n{}", lease(disk, dir), new_prefix());
        make_folder(&**disk, dir)?;
        disk.create(&path)?.append(place.as_bytes())?;
        place
    };
    let (endpoint, prefix) = place.split_once('\n').unwrap();
    Ok(Box::new(Etcd::connect(Options::default().with_endpoints([endpoint]).with_prefix(prefix))?))
}

fn make_folder(disk: &dyn Disk, dir: &Path) -> Result<()> {
    if disk.entry(dir)?.is_none() {
        make_folder(disk, dir.parent().unwrap())?;
        disk.create_dir(dir)?;
    }
    Ok(())
}

fn new_prefix() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("store {} of {}", NEXT.fetch_add(1, Ordering::Relaxed), std::process::id())
}

/// A server and whose it is.
struct Lease {
    server: Server,
    owner: Owner,
}

/// What there is as long as the bench is.
enum Owner {
    Disk(Weak<dyn Disk>),
    Folder(PathBuf),
}

impl Owner {
    fn is_gone(&self) -> bool {
        match self {
            Self::Disk(disk) => disk.strong_count() == 0,
            Self::Folder(dir) => !dir.exists(),
        }
    }
}

/// A server that no other bench has.
fn lease(disk: &Arc<dyn Disk>, dir: &Path) -> String {
    static POOL: Mutex<Vec<Lease>> = Mutex::new(Vec::new());
    // The folder of the bench, which is there on the real disk alone.
    let root = dir.parent().unwrap();
    let owner = if root.parent().is_some() && root.exists() {
        Owner::Folder(root.to_path_buf())
    } else {
        Owner::Disk(Arc::downgrade(disk))
    };
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(free) = pool.iter_mut().find(|lease| lease.owner.is_gone()) {
        free.owner = owner;
        return free.server.endpoint().to_owned();
    }
    let server = Server::alone();
    let endpoint = server.endpoint().to_owned();
    pool.push(Lease { server, owner });
    endpoint
}
