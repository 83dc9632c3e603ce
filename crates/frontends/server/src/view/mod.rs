//! The live view: a page that shows the files of the store while it is in use.
//!
//! ```text
//!   the page (assets/) ◄── /view              plain HTML, CSS and JavaScript, within the binary
//!        │  writes: the /v1 routes, as anybody's
//!        ▼
//!   the store ──► its files ──► layout.rs ──► history.rs ──► /view/states, server-sent events
//!                     (log.rs, segments.rs, sorted.rs)
//!   crashable.rs: a store on a disk in memory, which can crash ◄── POST /view/crash, /view/reopen
//! ```
//!
//! It is there only if [`Options::view`](crate::Options::view) says so. Of a store in a folder the files are looked at from
//! outside, now and then and within bounds. A [`CrashableStore`] says by itself what each operation did.
//!
//! The page itself shows nothing of the store, and is sent to whoever asks, as far as `Host` and `Origin` are right. What the
//! store has goes to those with the token.

mod crashable;
mod folder;
mod history;
mod layout;
mod log;
mod page;
mod routes;
mod segments;
mod sorted;
mod words;

use std::path::Path;
use std::sync::Arc;

use logladder::Stage;

pub use self::crashable::{Crash, CrashableStore};
use self::folder::Folder;
use self::history::History;
pub(crate) use self::page::is_page;
pub(crate) use self::routes::router;

/// What the live view shows. Clones show the same.
#[derive(Debug, Clone)]
pub struct View {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Folder(Arc<Folder>),
    Crashable(CrashableStore),
}

impl View {
    /// Of the store of this stage in `dir`, which the server has open. Its files are looked at from outside.
    #[must_use]
    pub fn of_folder(stage: &'static Stage, dir: &Path) -> Self {
        Self { source: Source::Folder(Arc::new(Folder::new(stage, dir))) }
    }

    /// Of a store that can crash. The server must be over the same one.
    #[must_use]
    pub fn of_crashable(store: &CrashableStore) -> Self {
        Self { source: Source::Crashable(store.clone()) }
    }

    fn history(&self) -> Arc<History> {
        match &self.source {
            Source::Folder(folder) => Arc::clone(&folder.history),
            Source::Crashable(store) => store.history(),
        }
    }

    fn stage(&self) -> &'static Stage {
        match &self.source {
            Source::Folder(folder) => folder.stage,
            Source::Crashable(store) => store.stage(),
        }
    }

    fn crashable(&self) -> Option<&CrashableStore> {
        match &self.source {
            Source::Folder(_) => None,
            Source::Crashable(store) => Some(store),
        }
    }
}
