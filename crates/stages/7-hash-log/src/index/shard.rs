//! [`Shard`]: a hash table whose slots stand in the order of their fingerprints.
//!
//! A fingerprint's *home* is its share of the table: the lowest stands at the beginning, the highest at the end.
//! It stands there, or as little to the right as the order allows. So a search goes right from the home, and
//! ends at the first greater fingerprint or empty slot.
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

use super::{Location, OFFSET_BITS, PRINT_BITS};
use crate::sync::ArcSwap;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Slots are in use up to nine in ten; then the table grows by a seventh. So some 78 in 100 are in use at least,
/// and a key takes between 8.9 and 10.3 bytes.
const USED_OF_TEN: usize = 9;
const GROWTH: usize = 7;
/// Slots behind the last home, for what is pushed to the right there. There may be more if they are needed.
const OVERHANG: usize = 16;

const PLACE_BITS: u32 = 64 - PRINT_BITS;

/// A fingerprint and a place in one word. Empty is 0; dead is a fingerprint with the place 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u64);

impl Slot {
    const EMPTY: Self = Self(0);

    pub(crate) fn new(print: u32, location: Location) -> Self {
        let place = u64::from(location.seat) << OFFSET_BITS | u64::from(location.offset);
        Self(u64::from(print) << PLACE_BITS | place)
    }

    /// The slot of this word, and the word of this slot: what a checkpoint holds.
    pub(crate) fn of_word(word: u64) -> Self {
        Self(word)
    }

    pub(crate) fn word(self) -> u64 {
        self.0
    }

    /// The same fingerprint at another place.
    pub(crate) fn at(self, location: Location) -> Self {
        Self::new(self.print(), location)
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "what is left of the word has that many bits")]
    pub(crate) fn print(self) -> u32 {
        (self.0 >> PLACE_BITS) as u32
    }

    fn dead(self) -> Self {
        Self(self.0 >> PLACE_BITS << PLACE_BITS)
    }

    /// Where the record is, unless it is empty or dead.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "each part is cut to the bits that it takes")]
    pub(crate) fn location(self) -> Option<Location> {
        let seat = (self.0 >> OFFSET_BITS) as u16;
        let offset = self.0 as u32 & ((1 << OFFSET_BITS) - 1);
        (seat != 0).then_some(Location { seat, offset })
    }
}

/// The slots of a shard: one for each home, and the overhang.
#[derive(Debug)]
pub(crate) struct Table {
    slots: Box<[AtomicU64]>,
    homes: usize,
}

impl Table {
    fn empty() -> Self {
        Self { slots: Box::new([]), homes: 0 }
    }

    #[inline]
    fn get(&self, place: usize) -> Option<Slot> {
        // What a slot points to was there before the slot was stored.
        self.slots.get(place).map(|slot| Slot(slot.load(Ordering::Acquire)))
    }

    fn put(&self, place: usize, slot: Slot) {
        if let Some(there) = self.slots.get(place) {
            there.store(slot.0, Ordering::Release);
        }
    }

    #[inline]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the product's upper part is below the number of homes"
    )]
    fn home(&self, print: u32) -> usize {
        ((u64::from(print) * self.homes as u64) >> PRINT_BITS) as usize
    }

    /// The slots in use from a print's home on, with their places.
    #[inline]
    fn run(&self, print: u32) -> impl Iterator<Item = (usize, Slot)> {
        (self.home(print)..)
            .map_while(|place| Some((place, self.get(place)?)))
            .take_while(|(_, slot)| *slot != Slot::EMPTY)
    }

    /// The place of each key with this print.
    #[inline]
    pub(crate) fn places_of(&self, print: u32) -> impl Iterator<Item = Location> {
        self.run(print)
            .take_while(move |(_, slot)| slot.print() <= print)
            .filter(move |(_, slot)| slot.print() == print)
            .filter_map(|(_, slot)| slot.location())
    }

    /// Has the slot fetched where a search for this print begins.
    #[inline]
    pub(crate) fn prefetch(&self, print: u32) {
        if let Some(slot) = self.slots.get(self.home(print)) {
            logladder_disk::prefetch(slot);
        }
    }

    fn find(&self, print: u32, location: Location) -> Option<usize> {
        let wanted = Slot::new(print, location);
        self.run(print)
            .take_while(|(_, slot)| slot.print() <= print)
            .find(|(_, slot)| *slot == wanted)
            .map(|(place, _)| place)
    }

    pub(crate) fn replace(&self, print: u32, old: Location, new: Location) -> bool {
        let found = self.find(print, old);
        if let Some(place) = found {
            self.put(place, Slot::new(print, new));
        }
        found.is_some()
    }

    /// All slots, empty ones too, from left to right.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.slots.iter().map(|slot| Slot(slot.load(Ordering::Acquire)))
    }

    fn places(&self) -> impl Iterator<Item = Location> {
        self.slots().filter_map(Slot::location)
    }

    /// Slots in order, laid out over so many homes.
    fn lay_out(homes: usize, in_order: impl Iterator<Item = Slot>) -> Self {
        let mut table = Self { slots: Box::default(), homes };
        let mut slots = Vec::with_capacity(homes + OVERHANG);
        for slot in in_order {
            let home = table.home(slot.print());
            if slots.len() < home {
                slots.resize(home, 0);
            }
            slots.push(slot.0);
        }
        let behind = slots.len().saturating_sub(homes);
        slots.resize(homes + behind.next_multiple_of(OVERHANG).max(OVERHANG), 0);
        table.slots = slots.into_iter().map(AtomicU64::new).collect();
        table
    }
}

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
        self.table.load().slots.len() * size_of::<AtomicU64>()
    }

    /// Adds a place before the others with this print.
    pub(crate) fn add(&self, print: u32, location: Location) {
        let (live, dead) = (self.len(), self.dead.load(Ordering::Relaxed) as usize);
        let table = self.table.load();
        if (live + dead + 1) * 10 > table.homes * USED_OF_TEN || !self.make_room(&table, print, location) {
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
            return end < table.slots.len();
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
        if (live + dead + more) * 10 > table.homes * USED_OF_TEN {
            self.lay_out_anew(&table, homes_for(2 * (live + more)));
        }
    }

    /// Gives room back until the table is as full as it may be.
    pub(crate) fn trim(&self) {
        let table = self.table.load();
        let homes = homes_for(self.len());
        if homes < table.homes {
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
