//! [`Shard`]: a hash table whose slots stand in the order of their fingerprints.
//!
//! The [`Table`] is searched, and the shard changes it.
//!
//! # Searches beside a change
//!
//! One thread changes a shard, others search it meanwhile and take no lock.
//!
//! - Adding moves slots to the right, the rightmost first. Each step copies a slot before it is written over, so a
//!   search from left to right finds what it looks for either before the move or behind it.
//! - Removing moves nothing: the slot keeps its fingerprint and becomes *dead*. The next addition that would have
//!   to move it takes its room.
//! - Growing builds a new table, and puts it in place of the old one when it is whole. A search that began in the
//!   old one ends there.

use std::ops::Deref;
use std::sync::Arc;

use super::Location;
use super::table::{Slot, Table};
use crate::sync::ArcSwap;
use crate::sync::atomic::{AtomicU32, Ordering};

/// Slots are in use up to nine in ten; then the table grows by a seventh. So some 78 in 100 are in use at least,
/// and a key takes between 8.9 and 10.3 bytes.
const USED_OF_TEN: usize = 9;
const GROWTH: usize = 7;
/// The homes of a table that is as full with so many keys as it may be.
fn homes_for(count: usize) -> usize {
    count.saturating_mul(10) / USED_OF_TEN + 4
}

/// A part of the index.
#[derive(Debug)]
pub(crate) struct Shard {
    table: ArcSwap<Table>,
    live: AtomicU32,
    dead: AtomicU32,
}

impl Default for Shard {
    fn default() -> Self {
        Self::of_table(Table::empty())
    }
}

impl Shard {
    #[allow(clippy::cast_possible_truncation, reason = "a shard has at most 2³² slots: places have 44 bits")]
    fn of_table(table: Table) -> Self {
        let live = table.places().count() as u32;
        Self { table: ArcSwap::from_pointee(table), live: AtomicU32::new(live), dead: AtomicU32::new(0) }
    }

    /// The shard with so many slots, which stood in one in this order.
    pub(crate) fn of_slots(count: usize, in_order: impl Iterator<Item = Slot>) -> Self {
        Self::of_table(Table::lay_out(homes_for(count), in_order))
    }

    #[inline]
    pub(crate) fn table(&self) -> impl Deref<Target = Arc<Table>> + use<> {
        self.table.load()
    }

    pub(crate) fn len(&self) -> usize {
        self.live.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn bytes(&self) -> usize {
        self.table.load().bytes()
    }

    /// Adds a place before the others with this print.
    pub(crate) fn add(&self, print: u32, location: Location) {
        let (live, dead) = (self.len(), self.dead.load(Ordering::Relaxed) as usize);
        let table = self.table.load();
        if (live + dead + 1) * 10 > table.homes() * USED_OF_TEN || !self.make_room(&table, print, location) {
            self.grow_and_add(&table, print, location);
        }
        self.live.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts a slot where it belongs, if what must move for it can.
    fn make_room(&self, table: &Table, print: u32, location: Location) -> bool {
        let mut run = table.run(print);
        let first = run.find(|(_, slot)| slot.print() >= print);
        let new = Slot::new(print, location);
        let Some((place, slot)) = first else {
            // The run ends before: at an empty slot, or at the end of the table.
            let end = table.home(print) + table.run(print).count();
            table.put(end, new);
            return end < table.len();
        };
        if slot.location().is_none() {
            table.put(place, new);
            self.dead.fetch_sub(1, Ordering::Relaxed);
            return true;
        }
        let mut end = place + 1;
        let dead = loop {
            match table.get(end) {
                None => return false,
                Some(Slot::EMPTY) => break false,
                Some(slot) if slot.location().is_none() => break true,
                Some(_) => end += 1,
            }
        };
        for to in (place + 1..=end).rev() {
            if let Some(slot) = table.get(to - 1) {
                table.put(to, slot);
            }
        }
        table.put(place, new);
        self.dead.fetch_sub(u32::from(dead), Ordering::Relaxed);
        true
    }

    /// Puts a larger table in place of this one, without what is dead and with one slot more.
    fn grow_and_add(&self, table: &Table, print: u32, location: Location) {
        let homes = self.len() * 10 / USED_OF_TEN;
        let live = |slot: &Slot| slot.location().is_some();
        let before = table.slots().filter(live).take_while(|slot| slot.print() < print);
        let behind = table.slots().filter(live).skip_while(|slot| slot.print() < print);
        let all = before.chain([Slot::new(print, location)]).chain(behind);
        self.table.store(Arc::new(Table::lay_out(homes + homes / GROWTH + 4, all)));
        self.dead.store(0, Ordering::Relaxed);
    }

    /// Makes room for so many more at once, and for as many again as there are then: what is to be added piece by piece
    /// is moved a few times, and not with each seventh. [`trim`](Self::trim) gives back what was not needed.
    pub(crate) fn reserve(&self, more: usize) {
        let table = self.table.load();
        let (live, dead) = (self.len(), self.dead.load(Ordering::Relaxed) as usize);
        if (live + dead + more) * 10 > table.homes() * USED_OF_TEN {
            self.lay_out_anew(&table, homes_for(2 * (live + more)));
        }
    }

    /// Gives room back until the table is as full as it may be.
    pub(crate) fn trim(&self) {
        let table = self.table.load();
        let homes = homes_for(self.len());
        if homes < table.homes() {
            self.lay_out_anew(&table, homes);
        }
    }

    /// Puts another table in place of this one, without what is dead.
    fn lay_out_anew(&self, table: &Table, homes: usize) {
        let live = table.slots().filter(|slot| slot.location().is_some());
        self.table.store(Arc::new(Table::lay_out(homes, live)));
        self.dead.store(0, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, print: u32, location: Location) -> bool {
        let table = self.table.load();
        let Some(place) = table.find(print, location) else { return false };
        table.put(place, Slot::new(print, location).dead());
        self.live.fetch_sub(1, Ordering::Relaxed);
        self.dead.fetch_add(1, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::AtomicBool;

    use proptest::prelude::*;

    use super::*;
    use crate::index::PRINT_BITS;

    const MAX_PRINT: u32 = (1 << PRINT_BITS) - 1;

    fn at(offset: u32) -> Location {
        Location { seat: 1, offset }
    }

    fn found(shard: &Shard, print: u32) -> Vec<Location> {
        shard.table().places_of(print).collect()
    }

    proptest! {
        /// Few fingerprints, some at the very ends, so that they collide and push each other about.
        #[test]
        fn it_holds_what_a_map_of_lists_holds_whatever_is_added_and_removed(
            steps in proptest::collection::vec(
                (any::<bool>(), prop_oneof![1_u32..4, MAX_PRINT - 4..=MAX_PRINT, 1..MAX_PRINT], 0_u32..4), 0..400)
        ) {
            let shard = Shard::default();
            let mut model: BTreeMap<u32, Vec<Location>> = BTreeMap::new();
            for (adds, print, offset) in steps {
                let list = model.entry(print).or_default();
                let known = list.iter().position(|place| *place == at(offset));
                match (adds, known) {
                    (true, None) => {
                        list.insert(0, at(offset));
                        shard.add(print, at(offset));
                    }
                    (false, _) => {
                        prop_assert_eq!(shard.remove(print, at(offset)), known.is_some());
                        known.map(|place| list.remove(place));
                    }
                    _ => {}
                }
                prop_assert_eq!(&found(&shard, print), list);
            }
            prop_assert_eq!(shard.len(), model.values().map(Vec::len).sum::<usize>());
            let slots: Vec<Slot> =
                shard.table().slots().filter(|slot| slot.location().is_some()).collect();
            let copy = Shard::of_slots(slots.len(), slots.into_iter());
            let bytes = shard.bytes();
            shard.reserve(1_000);
            prop_assert!(shard.bytes() >= 8 * 1_000);
            for (print, list) in &model {
                prop_assert_eq!(&found(&shard, *print), list, "with room");
                prop_assert_eq!(&found(&copy, *print), list, "of slots");
            }
            shard.trim();
            prop_assert!(shard.bytes() <= bytes + 8 * 64);
            for (print, list) in &model {
                prop_assert_eq!(&found(&shard, *print), list, "trimmed");
            }
        }
    }

    /// Failure mode 24: memory that explodes.
    #[test]
    fn a_key_takes_at_most_eleven_bytes_once_there_are_some_thousand() {
        let shard = Shard::default();
        for n in 0_u32..20_000 {
            shard.add((n.wrapping_mul(0x9E37_79B9) >> 12).max(1), at(n));
            if n > 2_000 {
                assert!(shard.bytes() <= 11 * shard.len(), "{} bytes for {}", shard.bytes(), shard.len());
            }
        }
    }

    #[test]
    fn an_empty_shard_takes_no_memory_and_finds_nothing() {
        let shard = Shard::default();
        assert_eq!((shard.bytes(), found(&shard, 7)), (0, vec![]));
    }

    #[test]
    fn a_search_beside_changes_never_misses_what_stays() {
        let shard = Shard::default();
        let steady: Vec<u32> = (1..200).map(|n| n * 5_000).collect();
        for &print in &steady {
            shard.add(print, at(print));
        }
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..200_u32 {
                    for n in 0..200 {
                        shard.add((n * 5_000 + round % 7).max(1), Location { seat: 2, offset: n });
                    }
                    for n in 0..200 {
                        assert!(
                            shard.remove((n * 5_000 + round % 7).max(1), Location { seat: 2, offset: n })
                        );
                    }
                }
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) {
                for &print in &steady {
                    assert!(found(&shard, print).contains(&at(print)), "{print}");
                }
            }
        });
    }
}
