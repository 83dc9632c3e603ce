//! [`Table`]: slots in the order of their fingerprints, and how they are searched.
//!
//! A fingerprint's *home* is its share of the table: the lowest stands at the beginning, the highest at the end.
//! It stands there, or as little to the right as the order allows. So a search goes right from the home, and
//! ends at the first greater fingerprint or empty slot.

use super::{Location, OFFSET_BITS, PRINT_BITS};
use crate::sync::atomic::{AtomicU64, Ordering};

/// Slots behind the last home, for what is pushed to the right there. There may be more if they are needed.
const OVERHANG: usize = 16;

const PLACE_BITS: u32 = 64 - PRINT_BITS;

/// A fingerprint and a place in one word. Empty is 0; dead is a fingerprint with the place 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u64);

impl Slot {
    pub(super) const EMPTY: Self = Self(0);

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

    pub(super) fn dead(self) -> Self {
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
    pub(super) fn empty() -> Self {
        Self { slots: Box::new([]), homes: 0 }
    }

    pub(super) fn homes(&self) -> usize {
        self.homes
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<AtomicU64>()
    }

    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<Slot> {
        // What a slot points to was there before the slot was stored.
        self.slots.get(place).map(|slot| Slot(slot.load(Ordering::Acquire)))
    }

    pub(super) fn put(&self, place: usize, slot: Slot) {
        if let Some(there) = self.slots.get(place) {
            there.store(slot.0, Ordering::Release);
        }
    }

    #[inline]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the product's upper part is below the number of homes"
    )]
    pub(super) fn home(&self, print: u32) -> usize {
        ((u64::from(print) * self.homes as u64) >> PRINT_BITS) as usize
    }

    /// The slots in use from a print's home on, with their places.
    #[inline]
    pub(super) fn run(&self, print: u32) -> impl Iterator<Item = (usize, Slot)> {
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

    pub(super) fn find(&self, print: u32, location: Location) -> Option<usize> {
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

    pub(super) fn places(&self) -> impl Iterator<Item = Location> {
        self.slots().filter_map(Slot::location)
    }

    /// Slots in order, laid out over so many homes.
    pub(super) fn lay_out(homes: usize, in_order: impl Iterator<Item = Slot>) -> Self {
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
