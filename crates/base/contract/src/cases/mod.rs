//! The cases, by theme. What each of them proves is said in [`list`](crate::list).

pub(crate) mod atomic;
pub(crate) mod backup;
pub(crate) mod changes;
pub(crate) mod collections;
pub(crate) mod compact;
pub(crate) mod consistent;
pub(crate) mod expire;
pub(crate) mod folder;
pub(crate) mod follow;
pub(crate) mod history;
pub(crate) mod iterate;
pub(crate) mod keys;
mod moments;
pub(crate) mod ordered;
pub(crate) mod reads;
pub(crate) mod reopen;
pub(crate) mod threads;
pub(crate) mod values;
pub(crate) mod writes;
