//! [`Collections`]: the members of a collection stand next to each other in etcd, because their keys begin alike.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use etcd_client::{PutOptions, Txn, TxnOp, TxnOpResponse};
use logladder_engine::{
    Collections, Direction, Error, Result, Visit, check_collection, collection_and_member, limits,
    split_at_collection,
};

use crate::Etcd;
use crate::count::counting;
use crate::layout::{stored, value_of};
use crate::pages::Pages;

/// How long to wait before a collection is read again in which something has changed, at first and at most.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

impl Collections for Etcd {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        collection_and_member(key)?;
        self.store.check_entry(key, value)?;
        let before = PutOptions::new().with_prev_key();
        let mut operations = vec![TxnOp::put(self.store.layout.data(key), stored(Some(value)), Some(before))];
        operations.extend(counting(&self.store, 1));
        let answer = self.write_txn(Txn::new().and_then(operations))?;
        match answer.op_responses().first() {
            Some(TxnOpResponse::Put(put)) => match put.prev_key() {
                Some(old) => Ok(value_of(key, old.value())?.map(<[u8]>::to_vec)),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn get_all(&self, collection: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        check_collection(collection)?;
        self.show(self.store.layout.members(collection), Direction::Forward, &mut |key, value| {
            visit(split_at_collection(key).1, value)
        })
    }

    /// Reads the keys, and deletes them if nothing in the collection has changed since; else again. So all go at once, after
    /// a crash as well, and the number is right.
    ///
    /// # Errors
    ///
    /// Also [`Error::TooLarge`] if the list of its members is longer than a request may be: delete them one by one, then.
    /// [`Error::Contended`] if something had changed each time, until the deadline.
    fn delete_all(&self, collection: &[u8]) -> Result<u64> {
        check_collection(collection)?;
        let deadline = Instant::now() + self.store.options.timeout;
        let mut pause = PAUSE;
        while Instant::now() < deadline {
            let range = self.store.layout.members(collection);
            let mut pages = Pages::new(self, range.clone(), Self::sure());
            let mut keys = Vec::new();
            loop {
                let page = pages.next()?;
                if page.is_empty() {
                    break;
                }
                for pair in page {
                    let Some(key) = self.store.layout.key_of(pair.key()) else { continue };
                    if value_of(key, pair.value())?.is_some() {
                        keys.push(key.to_vec());
                    }
                }
            }
            if keys.is_empty() {
                return Ok(0);
            }
            let txn = self.store.delete_unless_changed(&keys, range, pages.revision())?;
            if self.write_txn(txn)?.succeeded() {
                return Ok(keys.len() as u64);
            }
            thread::sleep(pause);
            pause = LONGEST_PAUSE.min(pause * 2);
        }
        Err(Error::Contended { what: "delete a whole collection" })
    }

    /// Where a collection is found, its other members are stepped over.
    fn collections(&self) -> Result<Vec<Vec<u8>>> {
        let mut names = BTreeSet::new();
        let mut pages = Pages::new(self, self.store.layout.all_data(), self.store.options.reads);
        loop {
            let page = pages.next()?;
            if page.is_empty() {
                return Ok(names.into_iter().collect());
            }
            for pair in page {
                let Some(key) = self.store.layout.key_of(pair.key()) else { continue };
                let (Some(name @ [_, ..]), _) = split_at_collection(key) else { continue };
                if !names.contains(name) && value_of(key, pair.value())?.is_some() {
                    names.insert(name.to_vec());
                    pages.skip_to(self.store.layout.members(name).end);
                    break;
                }
            }
        }
    }
}
