//! The cases, by theme. What each of them proves is said in [`list`](crate::list).

pub(crate) mod compact;
pub(crate) mod folder;
pub(crate) mod iterate;
pub(crate) mod keys;
pub(crate) mod reads;
pub(crate) mod reopen;
pub(crate) mod threads;
pub(crate) mod values;
pub(crate) mod writes;
