//! [`Evidence`]: what the files of a folder say about which of them are the store, as far as they can be believed.

use std::collections::BTreeSet;

use logladder_disk::Untouched;
use logladder_engine::{Error, Problem, Result, Severity};

use crate::files::{FileKind, MANIFEST, segment_name};
use crate::format::header::{SEGMENT_HEADER_LEN, SegmentHeader};
use crate::format::manifest::Manifest;
use crate::scan::is_zero_from;

/// Where the mark of the store stands in a segment's header.
const MARK: std::ops::Range<usize> = 24..28;

/// What is known of a store before its records are read.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// The manifest, if it is whole.
    pub(crate) manifest: Option<Manifest>,
    /// What the store's segments are marked with: as the manifest says, or else most of them.
    pub(crate) mark: u32,
    /// The segments that are there.
    pub(crate) segments: BTreeSet<u64>,
    /// What is wrong with the manifest, and which segments are missing.
    pub(crate) problems: Vec<Problem>,
}

/// What the manifest says of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    Sealed,
    Tail,
    /// It is not listed, and its number is an earlier one: compaction is done with it.
    Before,
    /// It is not listed, and its number is a later one.
    Nowhere,
    /// There is no manifest.
    NoList,
}

impl Evidence {
    /// Looks at the manifest in `folder`, or else at the headers of its segments.
    ///
    /// # Errors
    ///
    /// The manifest is of a newer version.
    pub(crate) fn in_folder(folder: &Untouched) -> Result<Self> {
        let path = folder.path(MANIFEST);
        let files = || folder.entries.iter().filter(|entry| !entry.is_dir);
        let segments: BTreeSet<u64> = files()
            .filter_map(|entry| match FileKind::of(&entry.name) {
                Some(FileKind::Segment(id)) => Some(id),
                _ => None,
            })
            .collect();
        let mut problems = Vec::new();
        let has_manifest = files().any(|entry| entry.name == MANIFEST);
        let manifest = match has_manifest.then(|| Manifest::decode(&path, &folder.read(MANIFEST)?)) {
            Some(Err(error @ Error::UnsupportedVersion { .. })) => return Err(error),
            Some(Err(error)) => {
                problems.push(Problem::of_error(Severity::Damage, &path, error));
                None
            }
            Some(Ok(manifest)) => Some(manifest),
            None => None,
        };
        for &id in manifest.iter().flat_map(|manifest| manifest.sealed.iter().chain(&manifest.tail)) {
            if !segments.contains(&id) {
                let what = "it is missing, and the manifest lists it";
                problems.push(Problem::new(Severity::Damage, &folder.path(&segment_name(id)), 0, what));
            }
        }
        let mark = match &manifest {
            Some(manifest) => manifest.mark(),
            None => commonest_mark(folder, &segments, &mut problems, has_manifest),
        };
        Ok(Self { manifest, mark, segments, problems })
    }

    pub(crate) fn listed(&self, id: u64) -> Listed {
        match &self.manifest {
            None => Listed::NoList,
            Some(manifest) if manifest.sealed.contains(&id) => Listed::Sealed,
            Some(manifest) if manifest.tail.contains(&id) => Listed::Tail,
            Some(manifest) if id < manifest.next_segment => Listed::Before,
            Some(_) => Listed::Nowhere,
        }
    }

    /// Whether these are the bytes of a segment of another store. Its header must be whole to say so.
    pub(crate) fn is_foreign(&self, bytes: &[u8]) -> bool {
        mark_in(bytes).is_some_and(|mark| mark != self.mark)
    }

    /// The key of the store's hash, if that is known.
    pub(crate) fn hash_key(&self) -> [u8; 16] {
        self.manifest.as_ref().map(|manifest| manifest.hash_key).unwrap_or_default()
    }
}

/// The mark in a header that is whole, whatever segment it is of.
fn mark_in(bytes: &[u8]) -> Option<u32> {
    let number = |range: std::ops::Range<usize>| bytes.get(range);
    let mark = u32::from_le_bytes(number(MARK)?.try_into().ok()?);
    let id = u64::from_le_bytes(number(8..16)?.try_into().ok()?);
    SegmentHeader::decode(std::path::Path::new(""), mark, id, bytes).ok().map(|header| header.store)
}

/// The mark of the segments that have the most bytes between them.
fn commonest_mark(
    folder: &Untouched,
    segments: &BTreeSet<u64>,
    problems: &mut Vec<Problem>,
    has_manifest: bool,
) -> u32 {
    let mut bytes_by_mark = std::collections::BTreeMap::<u32, u64>::new();
    let mut first_with_records = None;
    for &id in segments {
        let Ok(bytes) = folder.read(&segment_name(id)) else { continue };
        if !is_zero_from(&bytes, SEGMENT_HEADER_LEN as u64) {
            first_with_records.get_or_insert(id);
        }
        if let Some(mark) = mark_in(&bytes) {
            let sum = bytes_by_mark.entry(mark).or_default();
            *sum = sum.saturating_add(bytes.len() as u64);
        }
    }
    if let Some(id) = first_with_records.filter(|_| !has_manifest) {
        let what = format!("it is missing, and {} is not empty", segment_name(id));
        problems.push(Problem::new(Severity::Damage, &folder.path(MANIFEST), 0, what));
    }
    bytes_by_mark.into_iter().max_by_key(|(_, bytes)| *bytes).map_or(0, |(mark, _)| mark)
}
