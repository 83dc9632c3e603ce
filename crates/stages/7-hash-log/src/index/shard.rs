//! [`Shard`]: a hash table whose slots stand in the order of their fingerprints.
//!
//! A fingerprint's *home* is its share of the table: the lowest stands at the beginning, the highest at the end.
//! It stands there, or as little to the right as the order allows. So a search goes right from the home, and
//! ends at the first greater fingerprint or empty slot.

use super::Location;

/// Slots are in use up to nine in ten; then the table grows by a seventh. So at least 78 in 100 are in use, and
/// a key takes between 13.3 and 15.4 bytes.
const USED_OF_TEN: usize = 9;
const GROWTH: usize = 7;
/// Slots behind the last home, for what is pushed to the right there. There may be more if they are needed.
const OVERHANG: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    fingerprint: u32,
    /// Its segment is 0 if the slot is empty.
    location: Location,
}

const EMPTY: Slot = Slot { fingerprint: 0, location: Location { segment: 0, offset: 0 } };

impl Slot {
    fn is_empty(&self) -> bool {
        self.location.segment == 0
    }
}

/// A part of the index.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// One for each home, and the overhang.
    slots: Vec<Slot>,
    homes: usize,
    len: usize,
}

impl Shard {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Location> {
        self.slots.iter().filter(|slot| !slot.is_empty()).map(|slot| slot.location)
    }

    /// Shows the place of each key with this fingerprint.
    pub(super) fn for_each(&self, fingerprint: u32, mut show: impl FnMut(Location)) {
        for slot in &self.slots[self.first_of(fingerprint)..] {
            if slot.is_empty() || slot.fingerprint != fingerprint {
                break;
            }
            show(slot.location);
        }
    }

    /// The slot of the key with this fingerprint and place.
    pub(super) fn find(&self, fingerprint: u32, location: Location) -> Option<usize> {
        let start = self.first_of(fingerprint);
        let same =
            self.slots[start..].iter().take_while(|slot| !slot.is_empty() && slot.fingerprint == fingerprint);
        same.enumerate().find(|(_, slot)| slot.location == location).map(|(step, _)| start + step)
    }

    pub(super) fn replace(&mut self, fingerprint: u32, old: Location, new: Location) -> bool {
        let Some(place) = self.find(fingerprint, old) else { return false };
        self.slots[place].location = new;
        true
    }

    pub(super) fn insert(&mut self, fingerprint: u32, location: Location) {
        if (self.len + 1) * 10 > self.homes * USED_OF_TEN {
            self.grow();
        }
        let place = self.first_of(fingerprint);
        let run = self.slots[place..].iter().take_while(|slot| !slot.is_empty()).count();
        if place + run == self.slots.len() {
            self.lengthen();
        }
        self.slots.copy_within(place..place + run, place + 1);
        self.slots[place] = Slot { fingerprint, location };
        self.len += 1;
    }

    pub(super) fn remove(&mut self, fingerprint: u32, location: Location) -> bool {
        let Some(mut hole) = self.find(fingerprint, location) else { return false };
        // Whoever was pushed to the right by it moves back, so that no search ends too early.
        while let Some(next) = self.slots.get(hole + 1)
            && !next.is_empty()
            && self.home(next.fingerprint) <= hole
        {
            self.slots[hole] = *next;
            hole += 1;
        }
        self.slots[hole] = EMPTY;
        self.len -= 1;
        true
    }

    /// Puts another place, or none, in place of each.
    pub(super) fn rewrite(&mut self, to: &mut impl FnMut(Location) -> Option<Location>) {
        if self.len == 0 {
            return;
        }
        let rewritten = |slot: &Slot| to(slot.location).map(|location| Slot { location, ..*slot });
        let kept: Vec<Slot> =
            self.slots.iter().filter(|slot| !slot.is_empty()).filter_map(rewritten).collect();
        self.lay_out(self.homes, &kept);
    }

    /// Where the search for this fingerprint begins to be of interest: the first slot from its home on that is
    /// empty or does not come before it.
    fn first_of(&self, fingerprint: u32) -> usize {
        let home = self.home(fingerprint);
        let before = |slot: &&Slot| !slot.is_empty() && slot.fingerprint < fingerprint;
        home + self.slots[home..].iter().take_while(before).count()
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the product's upper half is below the number of homes"
    )]
    fn home(&self, fingerprint: u32) -> usize {
        ((u64::from(fingerprint) * self.homes as u64) >> 32) as usize
    }

    fn grow(&mut self) {
        let slots: Vec<Slot> = self.slots.iter().filter(|slot| !slot.is_empty()).copied().collect();
        let homes = self.homes;
        self.lay_out(homes + homes / GROWTH + 4, &slots);
    }

    /// Begins anew with so many homes and these slots, which are in order.
    fn lay_out(&mut self, homes: usize, slots: &[Slot]) {
        (self.slots, self.homes, self.len) = (Vec::new(), homes, slots.len());
        self.slots.reserve_exact(homes + OVERHANG);
        self.slots.resize(homes + OVERHANG, EMPTY);
        let mut next = 0;
        for slot in slots {
            let place = self.home(slot.fingerprint).max(next);
            while place >= self.slots.len() {
                self.lengthen();
            }
            self.slots[place] = *slot;
            next = place + 1;
        }
    }

    /// Adds to the overhang.
    fn lengthen(&mut self) {
        self.slots.reserve_exact(OVERHANG);
        self.slots.resize(self.slots.len() + OVERHANG, EMPTY);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn at(offset: u32) -> Location {
        Location { segment: 1, offset }
    }

    fn found(shard: &Shard, fingerprint: u32) -> BTreeSet<Location> {
        let mut found = BTreeSet::new();
        shard.for_each(fingerprint, |location| assert!(found.insert(location)));
        found
    }

    proptest! {
        /// Few fingerprints, some at the very ends, so that they collide and push each other about.
        #[test]
        fn it_holds_what_a_set_of_pairs_holds_whatever_is_added_and_removed(
            steps in proptest::collection::vec(
                (any::<bool>(), prop_oneof![0_u32..4, u32::MAX - 4..=u32::MAX, any::<u32>()], 0_u32..4), 0..400)
        ) {
            let mut shard = Shard::default();
            let mut model = BTreeSet::new();
            for (adds, fingerprint, offset) in steps {
                let pair = (fingerprint, at(offset));
                if adds && model.insert(pair) {
                    shard.insert(fingerprint, at(offset));
                } else if !adds {
                    prop_assert_eq!(shard.remove(fingerprint, at(offset)), model.remove(&pair));
                }
                prop_assert_eq!(shard.len(), model.len());
                let same: BTreeSet<Location> =
                    model.iter().filter(|(print, _)| *print == fingerprint).map(|(_, place)| *place).collect();
                prop_assert_eq!(found(&shard, fingerprint), same);
            }
            for (fingerprint, place) in &model {
                prop_assert!(shard.find(*fingerprint, *place).is_some());
            }
        }
    }

    /// Failure mode 24: memory that explodes.
    #[test]
    fn a_key_takes_at_most_sixteen_bytes_once_there_are_some_thousand() {
        let mut shard = Shard::default();
        for n in 0_u32..20_000 {
            shard.insert(n.wrapping_mul(0x9E37_79B9), at(n));
            if n > 2_000 {
                assert!(shard.bytes() <= 16 * shard.len(), "{} bytes for {}", shard.bytes(), shard.len());
            }
        }
    }

    #[test]
    fn an_empty_shard_takes_no_memory_and_finds_nothing() {
        let shard = Shard::default();
        assert_eq!((shard.bytes(), found(&shard, 7)), (0, BTreeSet::new()));
    }

    #[test]
    fn rewriting_moves_some_and_drops_others() {
        let mut shard = Shard::default();
        (0..100).for_each(|n| shard.insert(n << 24, at(n)));
        shard.rewrite(&mut |place| (place.offset % 2 == 0).then(|| at(place.offset + 1_000)));
        assert_eq!(shard.len(), 50);
        assert_eq!(found(&shard, 4 << 24), BTreeSet::from([at(1_004)]));
        assert_eq!(found(&shard, 5 << 24), BTreeSet::new());
    }
}
