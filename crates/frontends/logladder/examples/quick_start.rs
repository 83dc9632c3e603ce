//! What a program that embeds a store looks like: `cargo run --example quick_start`.

use logladder::hash_log::{HashLog, Options};
use logladder::{Engine, Open};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?; // yours would stay, say "data/people"
    let store = HashLog::open(folder.path(), Options::default())?;
    store.set(b"anna", b"engineer")?;
    store.set(b"bob", b"poet")?;
    store.delete(b"bob")?;
    assert_eq!(store.get(b"anna")?.as_deref(), Some(&b"engineer"[..]));
    assert_eq!(store.get(b"bob")?, None);
    store.sync()?; // from here on it survives a loss of power
    Ok(())
}
