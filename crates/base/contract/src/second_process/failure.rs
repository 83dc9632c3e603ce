//! What the second process does when the store reports an error: it tells, and checks that no more is promised.

use logladder_engine::{Engine, Error};

use super::ledger::Ledger;
use super::say;
use super::steps::{perform, step};

/// Says which error came of what: `failed WHAT CODE`, with the system's number of the error or the name of ours.
pub fn tell(what: &str, error: &Error) {
    let code = match error {
        Error::Io { source, .. } => {
            source.raw_os_error().map_or_else(|| format!("{:?}", source.kind()), |code| code.to_string())
        }
        Error::Poisoned { .. } => "poisoned".into(),
        other => format!("{other:?}"),
    };
    say(&format!("failed {what} {code}"));
    say(&format!("because {error}"));
}

/// What the line of [`tell`] told: what failed, and with which code.
#[must_use]
pub fn told(line: &str) -> Option<(String, String)> {
    let (what, code) = line.strip_prefix("failed ")?.split_once(' ')?;
    Some((what.to_owned(), code.to_owned()))
}

/// After a failed step or sync every write and every sync is refused, and reads go on with what was acknowledged.
pub fn takes_no_more_and_reads_on(store: &dyn Engine, ledger: &Ledger, seed: u64) {
    let mut ledger = ledger.clone();
    ledger.settle(store, "after the failure");
    let changes = step(seed, 0, ledger.next()[0]);
    assert!(perform(store, &changes).is_err(), "a write after a failed one was acknowledged");
    assert!(store.sync().is_err(), "a sync after a failed write said yes");
    ledger.check(store, "after the refusals");
}
