//! Which segments are worth compacting.
//!
//! A tombstone may go only when no segment that is left holds an older record, since that could be a value of
//! its key; so it counts as waste only then.

use crate::usage::SegmentUsage;

/// So many sealed segments below a quarter of the usual size are merged, even if all of them is of use. Each
/// close and each crash leaves a small one.
const MANY_SMALL: usize = 8;

/// What `compact()` takes: each sealed segment that has anything to give up.
pub(crate) fn on_demand(all: &[SegmentUsage]) -> Vec<u64> {
    let mut chosen: Vec<u64> = Vec::new();
    loop {
        let floor_without = |id| floor(all, |other| other == id || chosen.contains(&other));
        // Taking one segment may free the tombstones of the next, so it goes on until there is none.
        let next = all.iter().find(|usage| {
            usage.is_sealed && !chosen.contains(&usage.id) && reclaimable(usage, floor_without(usage.id)) > 0
        });
        match next {
            Some(usage) => chosen.push(usage.id),
            None => return chosen,
        }
    }
}

/// What the background takes: sealed segments of which half or more is waste, and small ones if there are many.
pub(crate) fn in_background(all: &[SegmentUsage], segment_bytes: u64) -> Vec<u64> {
    let is_wasteful = |usage: &&SegmentUsage| {
        let waste = reclaimable(usage, floor(all, |other| other == usage.id));
        waste > 0 && waste >= usage.bytes / 2
    };
    let sealed = || all.iter().filter(|usage| usage.is_sealed);
    let mut chosen: Vec<u64> = sealed().filter(is_wasteful).map(|usage| usage.id).collect();
    let small: Vec<u64> =
        sealed().filter(|usage| usage.bytes < segment_bytes / 4).map(|usage| usage.id).collect();
    if small.len() >= MANY_SMALL {
        chosen.extend(small);
        chosen.sort_unstable();
        chosen.dedup();
    }
    chosen
}

/// The bytes that compacting a segment would give back, if no segment that is left holds a record with a number
/// below `floor`.
fn reclaimable(usage: &SegmentUsage, floor: u64) -> u64 {
    let tombstones = if usage.newest_tombstone < floor { usage.tombstone_bytes } else { 0 };
    usage.dead_bytes() + tombstones
}

/// The lowest sequence number in the segments that are left when those that `leaves` names are gone.
pub(crate) fn floor(all: &[SegmentUsage], leaves: impl Fn(u64) -> bool) -> u64 {
    all.iter().filter(|usage| !leaves(usage.id)).map(|usage| usage.min_sequence).min().unwrap_or(u64::MAX)
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
        }
    }

    #[test]
    fn a_segment_without_waste_is_left_alone() {
        let all = [segment(1, 100, 0), segment(2, 100, 0)];
        assert!(on_demand(&all).is_empty());
        assert!(in_background(&all, 100).is_empty());
    }

    #[test]
    fn on_demand_takes_the_least_waste_and_the_background_takes_half() {
        let all = [segment(1, 99, 0), segment(2, 51, 0), segment(3, 50, 0)];
        assert_eq!(on_demand(&all), [1, 2, 3]);
        assert_eq!(in_background(&all, 100), [3]);
    }

    #[test]
    fn the_active_segment_is_never_taken() {
        let active = SegmentUsage { is_sealed: false, ..segment(1, 0, 0) };
        assert!(on_demand(&[active]).is_empty());
        assert!(in_background(&[active], 100).is_empty());
    }

    #[test]
    fn tombstones_are_waste_only_when_nothing_older_is_left() {
        let old_and_alive = [segment(1, 100, 0), segment(2, 0, 100)];
        assert!(on_demand(&old_and_alive).is_empty());
        assert!(in_background(&old_and_alive, 100).is_empty());

        let old_and_dead = [segment(1, 0, 0), segment(2, 0, 100)];
        assert_eq!(on_demand(&old_and_dead), [1, 2], "the first frees the second");
        assert_eq!(in_background(&old_and_dead, 100), [1], "and the next round takes the second");
        assert_eq!(in_background(&old_and_dead[1..], 100), [2]);
    }

    #[test]
    fn many_small_segments_are_merged_and_few_are_not() {
        let small = |count| (1..=count).map(|id| segment(id, 100, 0)).collect::<Vec<_>>();
        assert!(in_background(&small(7), 1_000).is_empty());
        assert_eq!(in_background(&small(8), 1_000), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(in_background(&small(8), 400).is_empty(), "a quarter of the usual size is not small");
    }
}
