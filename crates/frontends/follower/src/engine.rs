//! [`Follower`]: the copy as an engine that takes no writes.

use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use logladder_engine::{
    Backup, Compact, Durability, Engine, Error, Expire, Expiry, Follow, FollowState, Iterate, Lag, Repair,
    Result, Stats, SyncPolicy, Visit,
};
use logladder_hash_log::HashLog;

use crate::leader::Leader;
use crate::local::{LocalCopy, PLACE};
use crate::progress::Progress;
use crate::{session, watch_leader};

/// The name that a copy has among the stages.
const NAME: &str = "follower";

/// How a copy is kept.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The server that is followed.
    pub leader: Leader,
    /// When the copy is synced. What a loss of power takes is followed again, so that never is a good choice.
    pub sync: SyncPolicy,
}

impl Options {
    /// Follows this server, and syncs the copy only when it is closed.
    #[must_use]
    pub fn new(leader: Leader) -> Self {
        Self { leader, sync: SyncPolicy::Never }
    }

    /// The same with this policy.
    #[must_use]
    pub fn with_sync(mut self, sync: SyncPolicy) -> Self {
        self.sync = sync;
        self
    }
}

/// What the threads that follow share with those that read.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) leader: Leader,
    pub(crate) progress: Progress,
    is_over: AtomicBool,
    /// The connection on which the changes come.
    connection: Mutex<Option<Arc<TcpStream>>>,
}

impl Shared {
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    pub(crate) fn keep_connection(&self, connection: &Arc<TcpStream>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(connection));
        // Whoever said so before found nothing to shut.
        if self.is_over() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn forget_connection(&self) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(connection) = &*self.connection.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// A copy of another store, which follows it.
#[derive(Debug)]
pub struct Follower {
    store: Arc<HashLog>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// The first damage that a read has found.
    damage: OnceLock<String>,
}

impl Follower {
    /// Opens the copy in the folder `dir`, which is made if it is not there, and follows. It returns at once: until
    /// the first copy is whole, [`trouble`](Engine::trouble) says so.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignStore`] if the folder holds a store that is no copy, or to which someone else has written since; else
    /// those of a hash-log.
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        let Options { leader, sync } = options;
        let copy = LocalCopy::open(dir, sync)?;
        let store = Arc::clone(copy.store());
        let progress = Progress::of(leader.url(), copy.place());
        let shared = Arc::new(Shared {
            leader,
            progress,
            is_over: AtomicBool::new(false),
            connection: Mutex::default(),
        });
        let mut follower = Self { store, shared, threads: Vec::new(), damage: OnceLock::new() };
        let shared = Arc::clone(&follower.shared);
        follower.start("follower", dir, move || session::run(&shared, copy))?;
        let shared = Arc::clone(&follower.shared);
        follower.start("follower-lag", dir, move || watch_leader::run(&shared))?;
        Ok(follower)
    }

    fn start(&mut self, name: &str, dir: &Path, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
        self.threads.push(thread.map_err(|error| Error::io("start a thread for", dir, error))?);
        Ok(())
    }

    fn end_threads(&mut self) {
        self.shared.end();
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // One that panicked has said so.
            let _ = thread.join();
        }
    }

    /// Hands on what a read came to, and remembers damage: the leader has what is lost here.
    fn noting<T>(&self, read: Result<T>) -> Result<T> {
        if let Err(error @ Error::Corrupt { .. }) = &read {
            self.damage.get_or_init(|| {
                format!(
                    "the copy is damaged ({error}): end it, move its folder away and start it again; everything is copied anew \
                     then"
                )
            });
        }
        read
    }

    fn read_only(&self) -> Error {
        let leader = self.shared.leader.url();
        Error::Unsupported { what: format!("this is a copy that follows {leader}: write there") }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end_threads();
    }
}

impl Engine for Follower {
    fn name(&self) -> &'static str {
        NAME
    }

    /// That of the copy: what it loses, it takes from the leader again.
    fn durability(&self) -> Durability {
        self.store.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if key == PLACE { Ok(None) } else { self.noting(self.store.get(key)) }
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        if key == PLACE {
            value.clear();
            return Ok(false);
        }
        self.noting(self.store.get_into(key, value))
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        if key == PLACE { Ok(false) } else { self.noting(self.store.get_with(key, read)) }
    }

    fn get_many(&self, keys: &[&[u8]], visit: &mut dyn FnMut(usize, Option<&[u8]>)) -> Result<()> {
        self.noting(self.store.get_many(keys, &mut |place, value| {
            let is_hidden = keys.get(place).is_some_and(|key| *key == PLACE);
            visit(place, value.filter(|_| !is_hidden));
        }))
    }

    fn set(&self, _key: &[u8], _value: &[u8]) -> Result<()> {
        Err(self.read_only())
    }

    fn delete(&self, _key: &[u8]) -> Result<()> {
        Err(self.read_only())
    }

    fn sync(&self) -> Result<()> {
        self.store.sync()
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = self.store.stats()?;
        if let Some(place) = self.store.get(PLACE)? {
            stats.live_keys = stats.live_keys.saturating_sub(1);
            stats.live_bytes = stats.live_bytes.saturating_sub((PLACE.len() + place.len()) as u64);
        }
        Ok(stats)
    }

    fn repairs(&self) -> &[Repair] {
        self.store.repairs()
    }

    /// That the copy is damaged or taken away, is the state of no moment, or cannot be written.
    fn trouble(&self) -> Option<String> {
        if let Some(damage) = self.damage.get() {
            return Some(damage.clone());
        }
        if let Some(trouble) = self.store.trouble() {
            return Some(trouble);
        }
        let lag = self.lag();
        if let FollowState::Failed { why } = lag.state {
            return Some(why);
        }
        if lag.position.is_some() && !matches!(lag.state, FollowState::Copying { .. }) {
            return None;
        }
        Some(match lag.state {
            FollowState::Away { why } => format!("there is no whole copy of {} yet: {why}", lag.leader),
            FollowState::Copying { keys } => format!("{} is being copied: {keys} keys so far", lag.leader),
            _ => format!("the copy of {} lacks what was written while it was made", lag.leader),
        })
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.end_threads();
        let store = Arc::clone(&self.store);
        // The threads had the others.
        drop(self);
        match Arc::try_unwrap(store) {
            Ok(store) => Box::new(store).close(),
            Err(shared) => shared.sync(),
        }
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }

    fn as_expire(&self) -> Option<&dyn Expire> {
        Some(self)
    }

    fn as_compact(&self) -> Option<&dyn Compact> {
        self.store.as_compact()
    }

    fn as_backup(&self) -> Option<&dyn Backup> {
        self.store.as_backup()
    }

    fn as_follow(&self) -> Option<&dyn Follow> {
        Some(self)
    }
}

impl Iterate for Follower {
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        self.noting(self.store.for_each(&mut |key, value| {
            if key == PLACE { std::ops::ControlFlow::Continue(()) } else { visit(key, value) }
        }))
    }

    fn is_consistent(&self) -> bool {
        self.store.is_consistent()
    }
}

impl Expire for Follower {
    fn set_until(&self, _key: &[u8], _value: &[u8], _end: std::time::SystemTime) -> Result<()> {
        Err(self.read_only())
    }

    fn expiry(&self, key: &[u8]) -> Result<Expiry> {
        self.noting(self.store.expiry(key))
    }
}

impl Follow for Follower {
    fn lag(&self) -> Lag {
        self.shared.progress.lag()
    }
}
