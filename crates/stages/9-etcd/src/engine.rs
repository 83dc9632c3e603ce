//! [`Etcd`]: the engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use etcd_client::{Compare, CompareOp, GetOptions, Txn, TxnOp, TxnOpResponse};
use logladder_disk::{Disk, OpenOn};
use logladder_engine::{
    Atomic, Changes, Cluster, Collections, Compact, Durability, Engine, Error, History, Iterate, Open,
    Ordered, Result, Stats, limits,
};
use tokio::task::JoinSet;

use crate::commit::Commits;
use crate::fault::Fault;
use crate::layout::{LAYOUT_VERSION, Layout, value_of};
use crate::members::Members;
use crate::runtime::Runtime;
use crate::store::Store;
use crate::tail::Tail;
use crate::{Options, Reads};

/// How many reads of one `get_many` are under way at once.
const READS_AT_ONCE: usize = 64;

/// A store in a cluster.
#[derive(Debug)]
pub struct Etcd {
    pub(crate) runtime: Runtime,
    pub(crate) store: Arc<Store>,
    /// The sets that wait for a transaction.
    pub(crate) commits: Arc<Commits>,
    /// The revisions that visits of this engine read at, and how many of them.
    pub(crate) pinned: Mutex<BTreeMap<i64, usize>>,
    /// Watches that were left where who follows the changes may go on.
    pub(crate) tails: Mutex<Vec<Tail>>,
}

impl Etcd {
    /// Opens the store that the options name. Nothing of it lies in a folder.
    ///
    /// # Errors
    ///
    /// [`Error::NoQuorum`] if no majority answers in time; [`Error::UnsupportedVersion`] if the store was made by newer
    /// code; [`Error::InvalidKey`] if its prefix cannot be one; [`Error::Cluster`] for endpoints that make no sense.
    pub fn connect(options: Options) -> Result<Self> {
        let layout = Layout::new(&options.prefix)?;
        let runtime = Runtime::start()?;
        let named = options.clone();
        let members = runtime.wait(async move { Members::new(&named).await })??;
        let store = Arc::new(Store { members, layout, options });
        let asked = Arc::clone(&store);
        runtime.wait(async move { check_version(&asked).await })??;
        Ok(Self {
            runtime,
            store,
            commits: Arc::default(),
            pinned: Mutex::default(),
            tails: Mutex::default(),
        })
    }

    /// Does the work on the runtime's thread.
    pub(crate) fn run<T, F>(&self, work: impl FnOnce(Arc<Store>) -> F) -> std::result::Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = std::result::Result<T, Fault>> + Send + 'static,
    {
        self.runtime.wait(work(Arc::clone(&self.store)))?
    }

    /// What `key` holds.
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        let place = self.store.layout.data(key);
        let reads = self.store.options.reads;
        let answer = self.run(|store| async move { store.get(place, GetOptions::new(), reads).await })?;
        match answer.kvs().first() {
            Some(found) => Ok(value_of(key, found.value())?.map(<[u8]>::to_vec)),
            None => Ok(None),
        }
    }

    /// Does a transaction that writes.
    pub(crate) fn write_txn(&self, txn: Txn) -> Result<etcd_client::TxnResponse> {
        Ok(self.run(|store| async move { store.write(txn).await })?)
    }
}

/// Says in the store which layout it has, unless it says so already; else reads it.
async fn check_version(store: &Store) -> std::result::Result<(), Fault> {
    let (key, ours) = (store.layout.version(), LAYOUT_VERSION.to_string());
    let answer = store.get(key.clone(), GetOptions::new(), Reads::Linearizable).await?;
    let mut found = answer.kvs().first().map(|found| found.value().to_vec());
    if found.is_none() {
        let is_new = Compare::version(key.clone(), CompareOp::Equal, 0);
        let make = TxnOp::put(key.clone(), ours.clone(), None);
        let look = TxnOp::get(key.clone(), None);
        match store.write(Txn::new().when([is_new]).and_then([make]).or_else([look])).await {
            Ok(answer) if answer.succeeded() => return Ok(()),
            // Somebody else was first.
            Ok(answer) => {
                if let Some(TxnOpResponse::Get(theirs)) = answer.op_responses().first() {
                    found = theirs.kvs().first().map(|found| found.value().to_vec());
                }
            }
            // Whether it was done or not, whoever opens it next does it or finds it done.
            Err(Fault::Unknown(_)) => return Ok(()),
            Err(fault) => return Err(fault),
        }
    }
    if found.as_deref() == Some(ours.as_bytes()) {
        return Ok(());
    }
    let path = PathBuf::from(format!("the key `{}` in etcd", key.escape_ascii()));
    let text = found.as_deref().and_then(|found| std::str::from_utf8(found).ok());
    Err(Fault::Refused(match text.and_then(|text| text.parse().ok()) {
        Some(found) => Error::UnsupportedVersion { path, found, supported: LAYOUT_VERSION },
        None => Error::corrupt(&path, 0, "it should hold the version of the store's layout"),
    }))
}

impl Engine for Etcd {
    fn name(&self) -> &'static str {
        "etcd"
    }

    /// Each write is on the disks of a majority of the members before it is acknowledged.
    fn durability(&self) -> Durability {
        Durability::PowerLoss
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read(key)
    }

    /// Several at once, over one connection.
    fn get_many(&self, keys: &[&[u8]], visit: &mut dyn FnMut(usize, Option<&[u8]>)) -> Result<()> {
        keys.iter().try_for_each(|key| limits::check_key(key))?;
        for (chunk, keys) in keys.chunks(READS_AT_ONCE).enumerate() {
            let places: Vec<Vec<u8>> = keys.iter().map(|key| self.store.layout.data(key)).collect();
            let found = self.run(|store| read_all(store, places))?;
            for (number, (key, found)) in keys.iter().zip(found).enumerate() {
                let value = found.as_deref().map(|found| value_of(key, found)).transpose()?.flatten();
                visit(chunk * READS_AT_ONCE + number, value);
            }
        }
        Ok(())
    }

    /// In one transaction with the sets of other threads that came while one was under way.
    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.store.check_entry(key, value)?;
        self.set_together(key, value)
    }

    /// If it is there: what was never set, or is deleted already, is no change.
    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        self.write_txn(
            Txn::new().when([self.store.is_there(key)]).and_then(self.store.one_change(key, None)),
        )?;
        Ok(())
    }

    /// Does nothing: what was acknowledged is on the disks of a majority.
    fn sync(&self) -> Result<()> {
        Ok(())
    }

    /// That the members that answer are none of the cluster that was opened.
    fn trouble(&self) -> Option<String> {
        self.store.members.other_cluster().map(|error| error.to_string())
    }

    /// Reads every key and value. The bytes on the members' disks are not in it: they are the cluster's, and others have
    /// theirs among them.
    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        self.for_each(&mut |key, value| {
            stats.live_keys += 1;
            stats.live_bytes += (key.len() + value.len()) as u64;
            std::ops::ControlFlow::Continue(())
        })?;
        Ok(stats)
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }

    fn as_ordered(&self) -> Option<&dyn Ordered> {
        Some(self)
    }

    fn as_atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn as_history(&self) -> Option<&dyn History> {
        Some(self)
    }

    fn as_changes(&self) -> Option<&dyn Changes> {
        Some(self)
    }

    fn as_collections(&self) -> Option<&dyn Collections> {
        Some(self)
    }

    fn as_compact(&self) -> Option<&dyn Compact> {
        Some(self)
    }

    fn as_cluster(&self) -> Option<&dyn Cluster> {
        Some(self)
    }
}

/// What stands in these places, each read by itself.
async fn read_all(
    store: Arc<Store>,
    places: Vec<Vec<u8>>,
) -> std::result::Result<Vec<Option<Vec<u8>>>, Fault> {
    let mut found = vec![None; places.len()];
    let mut reads = JoinSet::new();
    for (number, place) in places.into_iter().enumerate() {
        let store = Arc::clone(&store);
        reads.spawn(async move {
            let answer = store.get(place, GetOptions::new(), store.options.reads).await?;
            Ok::<_, Fault>((number, answer.kvs().first().map(|found| found.value().to_vec())))
        });
    }
    while let Some(read) = reads.join_next().await {
        let (number, value) = read.map_err(|_| Error::panicked())??;
        if let Some(place) = found.get_mut(number) {
            *place = value;
        }
    }
    Ok(found)
}

impl Open for Etcd {
    type Options = Options;

    /// As [`Etcd::connect`]. The folder is neither read nor made.
    fn open(_dir: &Path, options: Options) -> Result<Self> {
        Self::connect(options)
    }
}

impl OpenOn for Etcd {
    fn open_on(_disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Self> {
        Self::open(dir, options)
    }
}
