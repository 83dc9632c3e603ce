//! Going through the keys of a store: all or some, as they come or sorted.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use anyhow::Result;
use clap::Args;
use logladder::Engine;
use logladder_engine::{Direction, Ordered, range_of_prefix};

use crate::bytes::Typed;
use crate::store;

/// Which keys, and in what order.
#[derive(Debug, Default, Args)]
pub(crate) struct Listing {
    /// Only keys that begin with this
    #[arg(long)]
    pub(crate) prefix: Option<Typed>,
    /// At most so many keys; with --sorted, the first ones
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Sort by key, which takes memory for all that is printed unless the stage has its keys in order
    #[arg(long)]
    pub(crate) sorted: bool,
}

impl Listing {
    fn has(&self, key: &[u8]) -> bool {
        self.prefix.as_ref().is_none_or(|Typed(prefix)| key.starts_with(prefix))
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
    let limit = listing.limit.unwrap_or(usize::MAX);
    let iterate = store::iterate(engine)?;
    let mut sorted: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut seen: u64 = 0;
    let mut outcome = Ok(());
    iterate.for_each(&mut |key, value| {
        // What a copy keeps for itself is no key of anybody.
        if !listing.has(key) || logladder_follower::is_place(key, value) {
            return ControlFlow::Continue(());
        }
        if listing.sorted {
            // Of what is not among the first, nothing is kept.
            if sorted.len() < limit || sorted.last_key_value().is_some_and(|(last, _)| key < last.as_slice())
            {
                sorted.insert(key.to_vec(), value.to_vec());
            }
            if sorted.len() > limit {
                sorted.pop_last();
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
    for (key, value) in &sorted {
        visit(key, value)?;
    }
    Ok(seen)
}

/// The same, of a stage that has its keys in order: nothing is collected.
fn in_order(ordered: &dyn Ordered, listing: &Listing, visit: &mut VisitEntry<'_>) -> Result<u64> {
    let limit = listing.limit.map_or(u64::MAX, |limit| limit as u64);
    let prefix = listing.prefix.as_ref().map_or(&b""[..], |Typed(prefix)| prefix.as_slice());
    let (mut seen, mut outcome, mut end) = (0, Ok(()), Vec::new());
    ordered.scan(range_of_prefix(prefix, &mut end), Direction::Forward, &mut |key, value| {
        seen += 1;
        if seen > limit {
            return ControlFlow::Break(());
        }
        outcome = visit(key, value);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome.map(|()| seen)
}
