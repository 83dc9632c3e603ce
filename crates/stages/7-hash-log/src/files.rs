//! The files of a store, by their names.

use std::collections::BTreeSet;

use logladder_disk::StoreFolder;
use logladder_engine::{Error, Result};

use crate::format::header::{Footer, Origin, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::format::manifest::Manifest;
use crate::scan;

/// The name of the [manifest](crate::format::manifest).
pub(crate) const MANIFEST: &str = "MANIFEST";

/// The name of the [checkpoint](crate::format::checkpoint).
pub(crate) const CHECKPOINT: &str = "CHECKPOINT";

/// What a file of a store is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Manifest,
    Checkpoint,
    Segment(u64),
    Hint(u64),
}

impl FileKind {
    /// `None` if no file of this stage has such a name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        if name == MANIFEST {
            return Some(Self::Manifest);
        }
        if name == CHECKPOINT {
            return Some(Self::Checkpoint);
        }
        let (number, extension) = name.strip_prefix("segment-")?.split_once('.')?;
        if number.len() != 10 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let id = number.parse().ok().filter(|&id| id > 0)?;
        match extension {
            "log" => Some(Self::Segment(id)),
            "hint" => Some(Self::Hint(id)),
            _ => None,
        }
    }
}

/// The name of the segment `id`.
pub(crate) fn segment_name(id: u64) -> String {
    format!("segment-{id:010}.log")
}

/// The name of its hint.
pub(crate) fn hint_name(id: u64) -> String {
    format!("segment-{id:010}.hint")
}

/// Whether the segment `bytes`, which `manifest` cannot know yet, was made by a compaction that was interrupted before it was
/// listed, so that it holds nothing that the listed segments do not.
///
/// A segment is listed before the first set is written into it, so one with sets means that the list is an older one. And
/// what compaction copies was sealed before, and the list says what number comes behind all that is sealed: so copies of records
/// from there on, which are of a later time than the list, mean the same.
pub(crate) fn is_interrupted_copy(manifest: &Manifest, header: &SegmentHeader, bytes: &[u8]) -> bool {
    let next_sequence = || match Footer::at_end_of(bytes) {
        Ok(footer) => footer.next_sequence,
        // It is damaged, and nobody needs it, unless what can be read of it says something else.
        Err(_) => {
            scan::survey(bytes, header, |_| Ok(())).map_or(u64::MAX, |found| found.footer.next_sequence)
        }
    };
    header.origin == Origin::Compaction && next_sequence() <= manifest.next_sequence
}

/// What is wrong with a manifest that does not know of the segment `id`, which is no copy of a compaction that was interrupted.
pub(crate) fn is_older_than(id: u64) -> String {
    format!(
        "it does not know of {}, and is older than that file: put the newer manifest back, with all files of that time, or \
         move that file away to have the store as it was then",
        segment_name(id)
    )
}

/// The files of a store, by their names.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) has_manifest: bool,
    pub(crate) has_checkpoint: bool,
    pub(crate) segments: BTreeSet<u64>,
    hints: BTreeSet<u64>,
}

impl Files {
    /// What lies in `folder`.
    pub(crate) fn in_folder(folder: &StoreFolder) -> Result<Self> {
        let mut files = Self::default();
        for entry in folder.list()? {
            let kind = FileKind::of(&entry.name);
            if entry.is_dir && kind.is_some() {
                let what = "a folder stands where a file of the store belongs: move it away";
                return Err(Error::corrupt(&folder.path(&entry.name), 0, what));
            }
            match kind {
                Some(FileKind::Manifest) => files.has_manifest = true,
                Some(FileKind::Checkpoint) => files.has_checkpoint = true,
                Some(FileKind::Segment(id)) => drop(files.segments.insert(id)),
                Some(FileKind::Hint(id)) => drop(files.hints.insert(id)),
                None => {}
            }
        }
        Ok(files)
    }

    /// The manifest, or that of an empty store if there is none yet, with a hash key that is made then. A store
    /// gets its manifest before its first record, so a segment without one can only be empty.
    pub(crate) fn manifest(
        &self,
        folder: &StoreFolder,
        hash_key: impl FnOnce() -> [u8; 16],
    ) -> Result<Manifest> {
        let path = folder.path(MANIFEST);
        if self.has_manifest {
            return Manifest::decode(&path, &folder.disk().read(&path)?);
        }
        for &id in &self.segments {
            let bytes = folder.disk().map(&folder.path(&segment_name(id)))?;
            if !scan::is_zero_from(&bytes, SEGMENT_HEADER_LEN as u64) {
                let what = format!("it is missing, and {} is not empty", segment_name(id));
                return Err(Error::corrupt(&path, 0, what));
            }
        }
        Ok(Manifest::empty(hash_key()))
    }

    /// That no segment which is not listed holds anything that is nowhere else: of those that the list cannot know yet, only
    /// the copies of a compaction that was interrupted.
    pub(crate) fn check_orphans(&self, folder: &StoreFolder, manifest: &Manifest) -> Result<()> {
        let is_orphan = |id: &&u64| !manifest.lists(**id) && **id >= manifest.next_segment;
        for &id in self.segments.iter().filter(is_orphan) {
            let path = folder.path(&segment_name(id));
            let bytes = folder.disk().map(&path)?;
            let is_copy = SegmentHeader::decode(&path, manifest.mark(), id, &bytes)
                .is_ok_and(|header| is_interrupted_copy(manifest, &header, &bytes));
            if !is_copy && !scan::is_zero_from(&bytes, SEGMENT_HEADER_LEN as u64) {
                return Err(Error::corrupt(&folder.path(MANIFEST), 0, is_older_than(id)));
            }
        }
        Ok(())
    }

    /// Removes what belongs to no list: the copies of a compaction that was not installed, or the sources of one
    /// that was. The removal needs no sync: if it is lost, it is done again. A segment with records that is
    /// marked as another store's is left alone: somebody put it there.
    pub(crate) fn remove_orphans(&self, folder: &StoreFolder, manifest: &Manifest) -> Result<()> {
        let mut orphans = Vec::new();
        for &id in self.segments.iter().filter(|&&id| !manifest.lists(id)) {
            let path = folder.path(&segment_name(id));
            let bytes = folder.disk().map(&path)?;
            let is_anothers = SegmentHeader::is_of_another_store(manifest.mark(), &bytes)
                && !scan::is_zero_from(&bytes, SEGMENT_HEADER_LEN as u64);
            if !is_anothers {
                orphans.push(path);
            }
        }
        let hints = self.hints.iter().filter(|&&id| !manifest.lists(id));
        orphans.extend(hints.map(|&id| folder.path(&hint_name(id))));
        if !orphans.is_empty() {
            // The process before may have put this manifest in place and failed to sync its name: a loss of power
            // would bring back the one that lists these.
            folder.disk().sync_dir(folder.dir())?;
        }
        orphans.iter().try_for_each(|path| folder.disk().remove(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_the_file_is_and_back() {
        assert_eq!(segment_name(1), "segment-0000000001.log");
        for id in [1, 42, u64::from(u32::MAX)] {
            assert_eq!(FileKind::of(&segment_name(id)), Some(FileKind::Segment(id)));
            assert_eq!(FileKind::of(&hint_name(id)), Some(FileKind::Hint(id)));
        }
    }

    #[test]
    fn other_names_are_not_ours() {
        for name in [
            "segment-0000000000.log",
            "segment-1.log",
            "segment-00000000001.log",
            "segment-+000000001.log",
            "segment-0000000001.log.tmp",
            "segment-0000000001.log.torn-32",
            "segment-0000000001.log ",
            "segment-0000000001",
            "manifest",
            "LOGLADDER",
        ] {
            assert_eq!(FileKind::of(name), None, "{name}");
        }
    }
}
