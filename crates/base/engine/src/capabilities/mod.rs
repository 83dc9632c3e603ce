//! Capabilities: what some stages can do and others cannot. Each is a trait that
//! [`Engine`](crate::Engine) hands out by an accessor.

mod atomic;
mod backup;
mod changes;
mod cluster;
mod collections;
mod compact;
mod expire;
mod follow;
mod history;
mod iterate;
mod ordered;

pub use atomic::{Atomic, Batch, Write};
pub use backup::Backup;
pub use changes::{Change, Changes, Position, VisitChange};
pub use cluster::{Cluster, Member, MemberState};
pub use collections::{Collections, check_collection, collection_and_member, split_at_collection};
pub use compact::{Compact, Compacted};
pub use expire::{Expire, Expiry};
pub use follow::{Follow, FollowState, Lag};
pub use history::{History, Version, VisitVersion};
pub use iterate::{Iterate, Visit};
pub use ordered::{Direction, KeyRange, Ordered, range_of_prefix};
