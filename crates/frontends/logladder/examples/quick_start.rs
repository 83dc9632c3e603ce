//! What a program that embeds a store looks like: `cargo run --example quick_start`.

use std::path::Path;

use logladder_hash_log::{Engine, HashLog, Open, Options};

fn main() -> logladder_hash_log::Result<()> {
    let store = HashLog::open(Path::new("target/quick-start"), Options::default())?;
    store.set(b"anna", b"engineer")?;
    store.set(b"bob", b"poet")?;
    store.delete(b"bob")?;
    assert_eq!(store.get(b"anna")?.as_deref(), Some(&b"engineer"[..]));
    assert_eq!(store.get(b"bob")?, None);
    store.sync() // from here on it survives a loss of power
}
