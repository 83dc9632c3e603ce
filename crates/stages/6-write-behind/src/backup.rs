//! A copy of a store in use.

use std::path::Path;

use logladder_disk::names::file_name;
use logladder_engine::Result;

use crate::engine::{FORMAT_VERSION, STAGE};
use crate::member_file::Entry;
use crate::store::Store;

impl Store {
    /// Writes what the store holds at one moment into the empty folder `dir`.
    ///
    /// The line that makes the folder a store is written last: until then, it is one with things in it that belong
    /// to nobody, and is refused.
    pub(crate) fn backup(&self, dir: &Path) -> Result<()> {
        let disk = self.folder.disk();
        let target = self.folder.open_for_copy(dir, STAGE, FORMAT_VERSION, |_| false)?;
        for (collection, contents) in self.memory.snapshot()? {
            if contents.is_empty() {
                continue;
            }
            let inside = target.path(&collection.folder);
            disk.create_dir(&inside)?;
            for (member, value) in contents {
                let entry = Entry { collection: collection.name.as_deref(), member: &member, value: &value };
                let file = disk.create(&inside.join(file_name(&member)))?;
                file.append(&entry.head())?;
                file.append(&value)?;
            }
        }
        disk.sync_tree(target.dir())?;
        target.claim()
    }
}
