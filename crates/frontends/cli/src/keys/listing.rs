//! Going through the keys of a store: all or some, as they come or sorted.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow, RangeBounds};

use anyhow::Result;
use clap::Args;
use logladder::Engine;
use logladder_engine::{Direction, KeyRange, Ordered, range_of_prefix};

use crate::bytes::Typed;
use crate::capability;

/// Which keys, and in what order.
#[derive(Debug, Default, Args)]
pub(crate) struct Listing {
    /// Only keys that begin with this
    #[arg(long)]
    pub(crate) prefix: Option<Typed>,
    /// Only this key and those behind it, in the order of their bytes
    #[arg(long, value_name = "KEY")]
    pub(crate) from: Option<Typed>,
    /// Only keys before this one
    #[arg(long, value_name = "KEY")]
    pub(crate) to: Option<Typed>,
    /// At most so many keys; with --sorted or --reverse, the first ones that would be printed
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Sort by key, which takes memory for all that is printed unless the stage has its keys in order
    #[arg(long)]
    pub(crate) sorted: bool,
    /// The greatest key first; else as --sorted
    #[arg(long)]
    pub(crate) reverse: bool,
}

impl Listing {
    /// From which key to which. The buffer keeps where those with the prefix end.
    fn range<'l>(&'l self, buffer: &'l mut Vec<u8>) -> KeyRange<'l> {
        let of = |key: &'l Option<Typed>| key.as_ref().map_or(&b""[..], |Typed(key)| key.as_slice());
        let (_, end_of_prefix) = range_of_prefix(of(&self.prefix), buffer);
        let end = match (end_of_prefix, &self.to) {
            (Bound::Excluded(end), Some(Typed(to))) => Bound::Excluded(end.min(to)),
            (_, Some(Typed(to))) => Bound::Excluded(to.as_slice()),
            (end, None) => end,
        };
        (Bound::Included(of(&self.prefix).max(of(&self.from))), end)
    }
}

/// What a visitor of entries is: it is shown a key and its value.
pub(crate) type VisitEntry<'v> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'v;

/// Shows the entries that the listing asks for to `visit`, and says how many there are in all, as far as was looked. A stage that
/// has its keys in order is asked for these alone, and for one more at most.
///
/// # Errors
///
/// The stage cannot list its keys, or a read failed; or those of `visit`.
pub(crate) fn for_each_entry(
    engine: &dyn Engine,
    listing: &Listing,
    visit: &mut VisitEntry<'_>,
) -> Result<u64> {
    if let Some(ordered) = engine.as_ordered() {
        return in_order(ordered, listing, visit);
    }
    let mut buffer = Vec::new();
    let range = listing.range(&mut buffer);
    let limit = listing.limit.unwrap_or(usize::MAX);
    let iterate = capability::iterate(engine)?;
    let mut sorted: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut seen: u64 = 0;
    let mut outcome = Ok(());
    iterate.for_each(&mut |key, value| {
        // What a copy keeps for itself is no key of anybody.
        if !RangeBounds::<[u8]>::contains(&range, key) || logladder_follower::is_place(key, value) {
            return ControlFlow::Continue(());
        }
        if listing.sorted || listing.reverse {
            // Of what is not among the first, nothing is kept.
            let comes_before = |last: &[u8]| if listing.reverse { key > last } else { key < last };
            let last = if listing.reverse { sorted.first_key_value() } else { sorted.last_key_value() };
            if sorted.len() < limit || last.is_some_and(|(last, _)| comes_before(last)) {
                sorted.insert(key.to_vec(), value.to_vec());
            }
            if sorted.len() > limit {
                if listing.reverse {
                    sorted.pop_first()
                } else {
                    sorted.pop_last()
                };
            }
        } else if seen >= limit as u64 {
            return ControlFlow::Break(());
        } else {
            outcome = visit(key, value);
        }
        seen += 1;
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome?;
    let mut rest = sorted.into_iter();
    while let Some((key, value)) = if listing.reverse { rest.next_back() } else { rest.next() } {
        visit(&key, &value)?;
    }
    Ok(seen)
}

/// The same, of a stage that has its keys in order: nothing is collected.
fn in_order(ordered: &dyn Ordered, listing: &Listing, visit: &mut VisitEntry<'_>) -> Result<u64> {
    let limit = listing.limit.map_or(u64::MAX, |limit| limit as u64);
    let direction = if listing.reverse { Direction::Backward } else { Direction::Forward };
    let (mut seen, mut outcome, mut buffer) = (0, Ok(()), Vec::new());
    ordered.scan(listing.range(&mut buffer), direction, &mut |key, value| {
        // What a copy keeps for itself is no key of anybody.
        if logladder_follower::is_place(key, value) {
            return ControlFlow::Continue(());
        }
        seen += 1;
        if seen > limit {
            return ControlFlow::Break(());
        }
        outcome = visit(key, value);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome.map(|()| seen)
}
