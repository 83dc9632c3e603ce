//! [`Contestant`]: a way to open one engine. A stage of the ladder, a learner's engine and a rival all enter
//! the benchmark as one of these.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use logladder::Stage;
use logladder_disk::{Disk, OpenOn};
use logladder_engine::{Engine, Result, SyncPolicy};

type OpenFn = dyn Fn(Arc<dyn Disk>, &Path, SyncPolicy) -> Result<Box<dyn Engine>> + Send + Sync;

/// An engine that enters the benchmark, and how it is opened.
pub struct Contestant {
    name: String,
    number: Option<u8>,
    uses_the_disk: bool,
    open: Box<OpenFn>,
}

impl Contestant {
    /// A stage of the ladder.
    #[must_use]
    pub fn stage(stage: &'static Stage) -> Self {
        Self {
            name: stage.name.to_owned(),
            number: Some(stage.number),
            uses_the_disk: true,
            open: Box::new(|disk, dir, sync| stage.open_on(disk, dir, sync)),
        }
    }

    /// An engine that does its file work through [`Disk`], with the options it takes for a sync policy.
    ///
    /// ```
    /// use logladder::memory::{Memory, Options};
    /// use logladder_bench::Contestant;
    ///
    /// let mine = Contestant::on_disk::<Memory>("mine", |_sync| Options::default());
    /// assert_eq!(mine.name(), "mine");
    /// ```
    #[must_use]
    pub fn on_disk<E: OpenOn>(
        name: impl Into<String>,
        options: impl Fn(SyncPolicy) -> E::Options + Send + Sync + 'static,
    ) -> Self {
        let open = move |disk, dir: &Path, sync| {
            E::open_on(disk, dir, options(sync)).map(|engine| Box::new(engine) as Box<dyn Engine>)
        };
        Self { name: name.into(), number: None, uses_the_disk: true, open: Box::new(open) }
    }

    /// An engine that does its file work itself, such as another project's. What it writes cannot be
    /// counted.
    #[must_use]
    pub fn other(
        name: impl Into<String>,
        open: impl Fn(&Path, SyncPolicy) -> Result<Box<dyn Engine>> + Send + Sync + 'static,
    ) -> Self {
        let open = move |_disk: Arc<dyn Disk>, dir: &Path, sync| open(dir, sync);
        Self { name: name.into(), number: None, uses_the_disk: false, open: Box::new(open) }
    }

    /// Its name in tables and messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its place on the ladder, if it is a stage.
    #[must_use]
    pub fn number(&self) -> Option<u8> {
        self.number
    }

    /// Whether its writes go through the disk it is opened on, so that they can be counted.
    #[must_use]
    pub fn uses_the_disk(&self) -> bool {
        self.uses_the_disk
    }

    /// Opens its store in the folder `dir`.
    ///
    /// # Errors
    ///
    /// As [`Open::open`](logladder_engine::Open::open).
    pub fn open(&self, disk: Arc<dyn Disk>, dir: &Path, sync: SyncPolicy) -> Result<Box<dyn Engine>> {
        (self.open)(disk, dir, sync)
    }
}

impl fmt::Debug for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contestant")
            .field("name", &self.name)
            .field("number", &self.number)
            .field("uses_the_disk", &self.uses_the_disk)
            .finish_non_exhaustive()
    }
}
