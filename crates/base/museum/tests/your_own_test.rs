//! A test of one's own against every bug, as the page on the museum shows it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

// ANCHOR: yours
use logladder_museum::Sandbox;

fn what_was_acknowledged_survives(sandbox: &mut Sandbox) {
    let store = sandbox.open();
    store.set(b"city", b"Dhaka").unwrap();
    store.set(b"name", b"anna").unwrap();
    store.set(b"name", b"bob").unwrap();
    store.delete(b"city").unwrap();
    drop(store);
    sandbox.lose_power();
    let store = sandbox.open();
    assert_eq!(store.get(b"name").unwrap().as_deref(), Some(&b"bob"[..]));
    assert_eq!(store.get(b"city").unwrap(), None);
}

logladder_museum::against_every_bug!(what_was_acknowledged_survives, notices "loses-deletes" "forgets-to-sync");
// ANCHOR_END: yours
