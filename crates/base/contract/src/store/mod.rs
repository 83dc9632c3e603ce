//! [`Store`]: an engine whose failures fail the case.

mod capabilities;

use logladder_engine::Engine;

use crate::show::{show, show_value};

pub use capabilities::MadeChange;

/// An open engine, each of whose failures fails the case.
pub struct Store {
    engine: Box<dyn Engine>,
}

impl Store {
    pub(crate) fn new(engine: Box<dyn Engine>) -> Self {
        Self { engine }
    }

    /// The engine itself, for what is expected to fail.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// The engine itself, to be shared.
    #[must_use]
    pub fn into_engine(self) -> Box<dyn Engine> {
        self.engine
    }

    /// Sets `key` to `value`.
    #[track_caller]
    pub fn set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (key, value) = (key.as_ref(), value.as_ref());
        if let Err(error) = self.engine.set(key, value) {
            panic!("set {} = {} failed: {error}", show(key), show(value));
        }
    }

    /// Deletes `key`.
    #[track_caller]
    pub fn delete(&self, key: impl AsRef<[u8]>) {
        let key = key.as_ref();
        if let Err(error) = self.engine.delete(key) {
            panic!("delete {} failed: {error}", show(key));
        }
    }

    /// The value of `key`.
    #[track_caller]
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        let key = key.as_ref();
        self.engine.get(key).unwrap_or_else(|error| panic!("get {} failed: {error}", show(key)))
    }

    /// Asserts that `key` has this value, by `get` and by `get_into`.
    #[track_caller]
    pub fn holds(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.shows(key.as_ref(), Some(value.as_ref()));
    }

    /// Asserts that `key` has no value, by `get` and by `get_into`.
    #[track_caller]
    pub fn lacks(&self, key: impl AsRef<[u8]>) {
        self.shows(key.as_ref(), None);
    }

    /// Asserts what `key` has, by `get` and by `get_into`.
    #[track_caller]
    pub fn shows(&self, key: &[u8], expected: Option<&[u8]>) {
        let got = self.get(key);
        assert!(
            got.as_deref() == expected,
            "get {} gave {}, and should give {}",
            show(key),
            show_value(got.as_deref()),
            show_value(expected)
        );
        let mut buffer = b"what was in the buffer before".to_vec();
        let found = match self.engine.get_into(key, &mut buffer) {
            Ok(found) => found.then_some(buffer),
            Err(error) => panic!("get_into {} failed: {error}", show(key)),
        };
        assert!(
            found.as_deref() == expected,
            "get_into {} gave {}, and should give {}",
            show(key),
            show_value(found.as_deref()),
            show_value(expected)
        );
    }

    /// Syncs.
    #[track_caller]
    pub fn sync(&self) {
        if let Err(error) = self.engine.sync() {
            panic!("sync failed: {error}");
        }
    }

    /// Closes.
    #[track_caller]
    pub fn close(self) {
        if let Err(error) = self.engine.close() {
            panic!("close failed: {error}");
        }
    }

    /// Sizes and counts.
    #[track_caller]
    #[must_use]
    pub fn stats(&self) -> logladder_engine::Stats {
        self.engine.stats().unwrap_or_else(|error| panic!("stats failed: {error}"))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.engine.name()).finish()
    }
}
