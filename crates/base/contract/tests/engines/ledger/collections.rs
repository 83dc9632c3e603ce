//! The collections of the ledger.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use logladder_engine::{
    Collections, Engine, Result, Visit, check_collection, collection_and_member, limits, split_at_collection,
};

use super::capabilities::let_others_in;
use super::record::{NO_END, Record};
use super::{Flaw, Ledger, State, Submitted};

impl Ledger {
    fn split<'k>(&self, key: &'k [u8]) -> Option<(&'k [u8], &'k [u8])> {
        if self.is(Flaw::SplitsAtTheLastStroke) {
            let at = key.iter().rposition(|&byte| byte == b'/').filter(|&at| at > 0)?;
            return Some((&key[..at], &key[at + 1..]));
        }
        match split_at_collection(key) {
            (None | Some([]), _) => None,
            (Some(collection), member) => Some((collection, member)),
        }
    }

    /// The live records of a collection.
    fn members(&self, state: &State, collection: &[u8]) -> Vec<Record> {
        let is_inside = |record: &&Record| match self.options.flaw {
            Flaw::DeletesWhatBeginsLikeIt => record.key.starts_with(collection),
            _ => self.split(&record.key).is_some_and(|(found, _)| found == collection),
        };
        state.live().filter(is_inside).cloned().collect()
    }
}

impl Collections for Ledger {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_entry(key, value)?;
        if !self.is(Flaw::PutsAnywhere) {
            collection_and_member(key)?;
        }
        let mut state = self.state()?;
        let old = state.value(key).map(|record| record.value.clone());
        if self.is(Flaw::PutsOutsideTheLock) {
            drop(state);
            let_others_in();
            state = self.state()?;
        }
        self.write_all(&mut state, &[Submitted { key, value: Some(value), end: NO_END }])?;
        Ok(old)
    }

    fn get_all(&self, collection: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        check_collection(collection)?;
        // Copied under the lock, and shown under none.
        let members = self.members(&*self.state()?, collection);
        for record in members {
            let value = match self.options.flaw {
                Flaw::ShowsMembersOneByOne => {
                    let_others_in();
                    self.get(&record.key)?.unwrap_or_default()
                }
                _ => record.value,
            };
            let Some((_, member)) = self.split(&record.key) else { continue };
            if visit(member, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn delete_all(&self, collection: &[u8]) -> Result<u64> {
        check_collection(collection)?;
        let mut state = self.state()?;
        let members = self.members(&state, collection);
        for record in &members {
            let delete = Submitted { key: &record.key, value: None, end: NO_END };
            if self.is(Flaw::LetsOthersIntoADeleteOfAll) {
                drop(state);
                let_others_in();
                state = self.state()?;
            }
            self.write_all(&mut state, &[delete])?;
        }
        Ok(members.len() as u64)
    }

    fn collections(&self) -> Result<Vec<Vec<u8>>> {
        let state = self.state()?;
        let names = state.live().filter_map(|record| self.split(&record.key));
        let names: BTreeSet<Vec<u8>> = names.map(|(collection, _)| collection.to_vec()).collect();
        Ok(names.into_iter().collect())
    }
}
