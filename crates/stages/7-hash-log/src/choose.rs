//! Which segments are worth compacting.
//!
//! A tombstone may go only when no segment that is left holds an older record, since that could be a value of
//! its key; so it counts as waste only then.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::usage::SegmentUsage;

/// So many sealed segments below a quarter of the usual size are merged, even if all of them is of use. Each
/// close and each crash leaves a small one.
const MANY_SMALL: usize = 8;

/// A round of the background may always take so many bytes, however small the segments are.
const LEAST_ROUND_BYTES: u64 = 8 << 20;

/// A sealed segment of less than so many bytes is a crumb: it is merged with others even while the store closes.
const CRUMB_BYTES: u64 = 64 << 10;

/// What `compact()` takes: each sealed segment that has anything to give up. If tombstones are held in place by
/// segments that have nothing to give up themselves, it takes those as well.
pub(crate) fn on_demand(all: &[SegmentUsage]) -> Vec<u64> {
    let sealed = || all.iter().filter(|usage| usage.is_sealed);
    let mut chosen = BTreeSet::new();
    loop {
        let floor = Floor::without(all, &chosen);
        let more: Vec<u64> = sealed()
            .filter(|usage| {
                !chosen.contains(&usage.id) && reclaimable(usage, floor.without_also(usage.id)) > 0
            })
            .map(|usage| usage.id)
            .collect();
        // Taking some may free the tombstones of others, so it goes on until there is none.
        if more.is_empty() {
            break;
        }
        chosen.extend(more);
    }
    let floor = Floor::without(all, &chosen);
    if sealed().any(|usage| usage.tombstone_bytes > 0 && usage.newest_tombstone >= floor.lowest) {
        chosen.extend(sealed().map(|usage| usage.id));
    }
    chosen.into_iter().collect()
}

/// How eager the compaction in the background is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zeal {
    /// While writes go on: a segment is taken once three eighths of it are waste. Then the disk holds no more than
    /// 1.6 times what is of use, and each byte is written again some 1.7 times.
    Busy,
    /// While nothing is written: an eighth is enough.
    Idle,
}

impl Zeal {
    fn is_worth_it(self, waste: u64, bytes: u64) -> bool {
        let eighths = match self {
            Self::Busy => 3,
            Self::Idle => 1,
        };
        waste > 0 && waste.saturating_mul(8) >= bytes.saturating_mul(eighths)
    }
}

/// What the background takes: sealed segments of which enough is waste, those with the most first, and small ones if
/// there are many; not much more than two segments' worth at a time, so that what is done is done even if the process
/// does not live long. If half of everything is tombstones that other segments hold in place, it takes everything.
pub(crate) fn in_background(all: &[SegmentUsage], segment_bytes: u64, zeal: Zeal) -> Vec<u64> {
    let sealed = || all.iter().filter(|usage| usage.is_sealed);
    let floor = Floor::without(all, &BTreeSet::new());
    let is_held = |usage: &&SegmentUsage| usage.newest_tombstone >= floor.without_also(usage.id);
    let held = total_of(sealed().filter(is_held).map(|usage| usage.tombstone_bytes));
    let total = total_of(sealed().map(|usage| usage.bytes));
    if held > 0 && held >= total / 2 {
        return sealed().map(|usage| usage.id).collect();
    }
    let waste = |usage: &SegmentUsage| reclaimable(usage, floor.without_also(usage.id));
    let mut chosen: Vec<(&SegmentUsage, u64)> = sealed()
        .map(|usage| (usage, waste(usage)))
        .filter(|(usage, waste)| zeal.is_worth_it(*waste, usage.bytes))
        .collect();
    // By waste in a thousand.
    chosen.sort_by_key(|(usage, waste)| Reverse(waste.saturating_mul(1_000) / usage.bytes.max(1)));
    let is_small = |usage: &&SegmentUsage| usage.bytes < segment_bytes / 4;
    if sealed().filter(is_small).count() >= MANY_SMALL {
        let known: BTreeSet<u64> = chosen.iter().map(|(usage, _)| usage.id).collect();
        chosen.extend(
            sealed().filter(is_small).filter(|usage| !known.contains(&usage.id)).map(|usage| (usage, 0)),
        );
    }
    let most_bytes = segment_bytes.saturating_mul(2).max(LEAST_ROUND_BYTES);
    let mut bytes = 0_u64;
    // Two at least, so that small ones become fewer.
    let fits = |(place, (usage, _)): &(usize, (&SegmentUsage, u64))| {
        bytes = bytes.saturating_add(usage.bytes);
        *place < 2 || bytes <= most_bytes
    };
    chosen.into_iter().enumerate().take_while(fits).map(|(_, (usage, _))| usage.id).collect()
}

/// Sums that a checkpoint or a footer has made up must not overflow.
fn total_of(bytes: impl Iterator<Item = u64>) -> u64 {
    bytes.fold(0, u64::saturating_add)
}

/// How many bytes of use and of waste there are: what the writer goes by when compaction does not keep up.
pub(crate) fn balance(all: &[SegmentUsage]) -> (u64, u64) {
    let bytes = total_of(all.iter().map(|usage| usage.bytes));
    let waste = total_of(all.iter().map(SegmentUsage::dead_bytes));
    (bytes.saturating_sub(waste), waste)
}

/// What is merged while the store closes: crumbs, if there are many. A program that opens, writes a little and
/// closes would otherwise leave one each time.
pub(crate) fn crumbs(all: &[SegmentUsage]) -> Vec<u64> {
    let is_crumb = |usage: &&SegmentUsage| usage.is_sealed && usage.bytes < CRUMB_BYTES;
    let crumbs: Vec<u64> = all.iter().filter(is_crumb).map(|usage| usage.id).collect();
    if crumbs.len() >= MANY_SMALL { crumbs } else { Vec::new() }
}

/// The bytes that compacting a segment would give back, if no segment that is left holds a record with a number
/// below `floor`.
fn reclaimable(usage: &SegmentUsage, floor: u64) -> u64 {
    let tombstones = if usage.newest_tombstone < floor { usage.tombstone_bytes } else { 0 };
    usage.dead_bytes() + tombstones
}

/// The lowest sequence number in the segments that are left when some are gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    pub(crate) lowest: u64,
    /// The segment that has it, and the lowest in the others.
    holder: u64,
    next: u64,
}

impl Floor {
    /// The floor when the segments `gone` are.
    pub(crate) fn without(all: &[SegmentUsage], gone: &BTreeSet<u64>) -> Self {
        let mut floor = Self { lowest: u64::MAX, holder: 0, next: u64::MAX };
        for usage in all.iter().filter(|usage| !gone.contains(&usage.id)) {
            if usage.min_sequence < floor.lowest {
                floor = Self { lowest: usage.min_sequence, holder: usage.id, next: floor.lowest };
            } else {
                floor.next = floor.next.min(usage.min_sequence);
            }
        }
        floor
    }

    /// The floor when this segment is gone as well.
    fn without_also(&self, id: u64) -> u64 {
        if id == self.holder { self.next } else { self.lowest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sealed segment of 100 bytes with records from `10 * id` on.
    fn segment(id: u64, live_bytes: u64, tombstone_bytes: u64) -> SegmentUsage {
        SegmentUsage {
            id,
            is_sealed: true,
            bytes: 100,
            live_bytes,
            tombstone_bytes,
            newest_tombstone: if tombstone_bytes > 0 { 10 * id + 9 } else { 0 },
            min_sequence: 10 * id,
            ending_bytes: 0,
            last_end: 0,
        }
    }

    #[test]
    fn a_segment_without_waste_is_left_alone() {
        let all = [segment(1, 100, 0), segment(2, 100, 0)];
        assert!(on_demand(&all).is_empty());
        assert!(in_background(&all, 100, Zeal::Busy).is_empty());
    }

    #[test]
    fn on_demand_takes_the_least_waste_and_the_background_takes_three_eighths_or_one() {
        let all =
            [segment(1, 99, 0), segment(2, 63, 0), segment(3, 62, 0), segment(4, 87, 0), segment(5, 88, 0)];
        assert_eq!(on_demand(&all), [1, 2, 3, 4, 5]);
        assert_eq!(in_background(&all, 100, Zeal::Busy), [3]);
        assert_eq!(in_background(&all, 100, Zeal::Idle), [3, 2, 4], "the most wasteful first");
    }

    #[test]
    fn the_active_segment_is_never_taken() {
        let active = SegmentUsage { is_sealed: false, ..segment(1, 0, 0) };
        assert!(on_demand(&[active]).is_empty());
        assert!(in_background(&[active], 100, Zeal::Busy).is_empty());
    }

    #[test]
    fn tombstones_are_waste_only_when_nothing_older_is_left() {
        let old_and_alive = [segment(1, 100, 0), segment(2, 0, 40)];
        let old_and_alive = [old_and_alive[0], SegmentUsage { live_bytes: 60, ..old_and_alive[1] }];
        assert!(in_background(&old_and_alive, 100, Zeal::Busy).is_empty());
        assert_eq!(on_demand(&old_and_alive), [1, 2], "on demand, what holds them in place is taken as well");

        let old_and_dead = [segment(1, 0, 0), segment(2, 0, 100)];
        assert_eq!(on_demand(&old_and_dead), [1, 2], "the first frees the second");
        let few_graves = [segment(1, 0, 0), SegmentUsage { live_bytes: 60, ..segment(2, 0, 40) }];
        assert_eq!(
            in_background(&few_graves, 100, Zeal::Busy),
            [1],
            "the background takes what is wasteful now"
        );
        assert_eq!(in_background(&old_and_dead[1..], 100, Zeal::Busy), [2]);
    }

    #[test]
    fn tombstones_that_are_half_of_everything_are_freed_whatever_holds_them() {
        let queue = [segment(1, 100, 0), segment(2, 0, 100)];
        assert_eq!(in_background(&queue, 100, Zeal::Busy), [1, 2]);
        let mut beside_more = queue.to_vec();
        beside_more.extend((3..=5).map(|id| segment(id, 100, 0)));
        assert!(in_background(&beside_more, 100, Zeal::Busy).is_empty());
    }

    #[test]
    fn a_round_of_the_background_is_bounded_but_takes_two() {
        let large = |id| SegmentUsage { bytes: 100 << 20, ..segment(id, 0, 0) };
        let all: Vec<SegmentUsage> = (1..=9).map(large).collect();
        assert_eq!(in_background(&all, 1, Zeal::Busy), [1, 2]);
        assert_eq!(in_background(&all, 200 << 20, Zeal::Busy), [1, 2, 3, 4]);
    }

    #[test]
    fn crumbs_are_merged_at_the_end_once_there_are_eight() {
        let crumbs_of = |count| (1..=count).map(|id| segment(id, 100, 0)).collect::<Vec<_>>();
        assert!(crumbs(&crumbs_of(7)).is_empty());
        assert_eq!(crumbs(&crumbs_of(8)).len(), 8);
    }

    #[test]
    fn many_small_segments_are_merged_and_few_are_not() {
        let small = |count| (1..=count).map(|id| segment(id, 100, 0)).collect::<Vec<_>>();
        assert!(in_background(&small(7), 1_000, Zeal::Busy).is_empty());
        assert_eq!(in_background(&small(8), 1_000, Zeal::Busy), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(
            in_background(&small(8), 400, Zeal::Busy).is_empty(),
            "a quarter of the usual size is not small"
        );
    }
}
