//! Locks, condition variables, atomics and threads: those of the standard library, or those of [shuttle].
//!
//! With the feature `shuttle`, which only `tests/schedules` asks for, the program runs one thread at a time, and each
//! use of one of these is a place at which shuttle may let another thread go on. So a test goes through thousands of
//! orders of events, and one that fails can be had again. What shuttle leaves out:
//!
//! - Time. A wait with a limit has none: it ends when it is woken.
//! - Weak memory. Each atomic is as if it were sequentially consistent, whatever order it is asked for.
//!
//! What opening uses before the store is shared (`load`, `logladder_disk::parallel`) is the standard library's in both cases, and so is
//! `Arc`: no order of events goes wrong over those.
//!
//! [shuttle]: https://docs.rs/shuttle

#[cfg(not(feature = "shuttle"))]
mod chosen {
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};
    pub(crate) use std::thread;

    pub(crate) use arc_swap::ArcSwap;

    /// Whether a thread panicked while it held the lock.
    pub(crate) fn is_poisoned<T>(mutex: &Mutex<T>) -> bool {
        mutex.is_poisoned()
    }
}

#[cfg(feature = "shuttle")]
mod chosen {
    use std::sync::Arc;

    use arc_swap::Guard;
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic};
    pub(crate) use shuttle::thread;

    /// Whether a thread panicked while it held the lock. Shuttle cannot tell, and ends the test at a panic anyway.
    pub(crate) fn is_poisoned<T>(_mutex: &Mutex<T>) -> bool {
        false
    }

    /// As [`arc_swap::ArcSwap`]. Before each use of it, another thread may go on.
    #[derive(Debug)]
    pub(crate) struct ArcSwap<T> {
        inner: arc_swap::ArcSwap<T>,
        /// Shuttle does not know `arc_swap`, but takes notice when this is read.
        turn: atomic::AtomicBool,
    }

    impl<T> ArcSwap<T> {
        pub(crate) fn from_pointee(value: T) -> Self {
            Self { inner: arc_swap::ArcSwap::from_pointee(value), turn: atomic::AtomicBool::new(false) }
        }

        pub(crate) fn load(&self) -> Guard<Arc<T>> {
            self.let_others_go_on();
            self.inner.load()
        }

        pub(crate) fn load_full(&self) -> Arc<T> {
            self.let_others_go_on();
            self.inner.load_full()
        }

        pub(crate) fn store(&self, value: Arc<T>) {
            self.let_others_go_on();
            self.inner.store(value);
        }

        fn let_others_go_on(&self) {
            self.turn.load(atomic::Ordering::SeqCst);
        }
    }
}

pub(crate) use chosen::{ArcSwap, Condvar, Mutex, MutexGuard, atomic, is_poisoned, thread};
