//! Opening a store: finding out what a crash left, and putting it in order.
//!
//! First everything is looked at and nothing changed. Only when all of it makes sense is the end of the log
//! repaired, the manifest brought up to date, and what belongs to no list removed. Each of these steps leads
//! back here if a crash interrupts it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use logladder_disk::{Disk, Map, StoreFolder, cut_torn_tail};
use logladder_engine::{Error, Repair, Result};

use crate::catalog::Catalog;
use crate::files::{FileKind, MANIFEST, check_id, hint_name, segment_name};
use crate::format::header::{FOOTER_LEN, Footer, Origin, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::format::hint;
use crate::format::manifest::Manifest;
use crate::format::{Flaw, index};
use crate::load::Loader;
use crate::scan::{self, Stop, Tail};
use crate::seal::Contents;
use crate::segment::Segment;
use crate::store::{write_hint, write_manifest};
use crate::usage::Tombstones;

/// A store in order, with every segment sealed.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) catalog: Catalog,
    pub(crate) manifest: Manifest,
    pub(crate) repairs: Vec<Repair>,
}

/// Opens what lies in `folder`.
///
/// # Errors
///
/// [`Error::Corrupt`] and [`Error::UnsupportedVersion`], in which case nothing has been changed; or the disk
/// failed.
pub(crate) fn recover(folder: &StoreFolder) -> Result<Recovered> {
    let files = Files::in_folder(folder)?;
    let manifest = files.manifest(folder)?;
    let looked = look(folder, &files, &manifest)?;
    folder.claim()?;
    let recovered = repair(folder, looked, manifest)?;
    files.remove_orphans(folder, &recovered.manifest)?;
    Ok(recovered)
}

/// The files of the store, by their names.
struct Files {
    has_manifest: bool,
    segments: BTreeSet<u64>,
    hints: BTreeSet<u64>,
}

impl Files {
    fn in_folder(folder: &StoreFolder) -> Result<Self> {
        let mut files = Self { has_manifest: false, segments: BTreeSet::new(), hints: BTreeSet::new() };
        for entry in folder.list()? {
            let kind = FileKind::of(&entry.name);
            if entry.is_dir && kind.is_some() {
                let what = "a folder stands where a file of the store belongs: move it away";
                return Err(Error::corrupt(&folder.path(&entry.name), 0, what));
            }
            match kind {
                Some(FileKind::Manifest) => files.has_manifest = true,
                Some(FileKind::Segment(id)) => {
                    files.segments.insert(id);
                }
                Some(FileKind::Hint(id)) => {
                    files.hints.insert(id);
                }
                None => {}
            }
        }
        Ok(files)
    }

    /// The manifest, or that of an empty store if there is none yet. A store gets its manifest before its first
    /// record, so a segment without one can only be empty.
    fn manifest(&self, folder: &StoreFolder) -> Result<Manifest> {
        let path = folder.path(MANIFEST);
        if self.has_manifest {
            return Manifest::decode(&path, &folder.disk().read(&path)?);
        }
        for &id in &self.segments {
            let bytes = folder.disk().read(&folder.path(&segment_name(id)))?;
            if !scan::is_zero_from(&bytes, SEGMENT_HEADER_LEN as u64) {
                let what = format!("it is missing, and {} is not empty", segment_name(id));
                return Err(Error::corrupt(&path, 0, what));
            }
        }
        Ok(Manifest::default())
    }

    /// That no segment which is not listed holds anything that is nowhere else. A segment is listed before the first
    /// set is written into it, so one with sets that is newer than the list means that the list is an older one.
    fn check_orphans(&self, folder: &StoreFolder, manifest: &Manifest) -> Result<()> {
        for &id in self.segments.difference(&manifest.segments).filter(|&&id| id >= manifest.next_segment) {
            let path = folder.path(&segment_name(id));
            let bytes = folder.disk().map(&path)?;
            let is_copy = SegmentHeader::decode(&path, id, &bytes)
                .is_ok_and(|header| header.origin == Origin::Compaction);
            if !is_copy && !scan::is_zero_from(&bytes, SEGMENT_HEADER_LEN as u64) {
                let what = format!("it does not know of {}: it is older than that file", segment_name(id));
                return Err(Error::corrupt(&folder.path(MANIFEST), 0, what));
            }
        }
        Ok(())
    }

    /// Removes what belongs to no list: the copies of a compaction that was not installed, or the sources of one
    /// that was. The removal needs no sync: if it is lost, it is done again.
    fn remove_orphans(&self, folder: &StoreFolder, manifest: &Manifest) -> Result<()> {
        let orphans =
            |ids: &BTreeSet<u64>| -> Vec<u64> { ids.difference(&manifest.segments).copied().collect() };
        for id in orphans(&self.segments) {
            folder.disk().remove(&folder.path(&segment_name(id)))?;
        }
        for id in orphans(&self.hints) {
            folder.disk().remove(&folder.path(&hint_name(id)))?;
        }
        Ok(())
    }
}

/// What was found, before anything is changed.
#[derive(Default)]
struct Looked {
    loader: Loader,
    sealed: Vec<Segment>,
    /// The active segment of the last process.
    last: Option<Last>,
    /// Hints that were missing or worthless, made anew.
    new_hints: Vec<(u64, Vec<u8>)>,
}

/// Looks at every segment that `manifest` lists, and changes nothing.
fn look(folder: &StoreFolder, files: &Files, manifest: &Manifest) -> Result<Looked> {
    let mut looked = Looked::default();
    files.check_orphans(folder, manifest)?;
    for &id in &manifest.segments {
        let path = folder.path(&segment_name(id));
        if !files.segments.contains(&id) {
            return Err(Error::corrupt(&path, 0, "it is missing, and the manifest lists it"));
        }
        let map = folder.disk().map(&path)?;
        let header = SegmentHeader::decode(&path, id, &map)?;
        if manifest.active == Some(id) {
            looked.look_at_last(path, &map, &header)?;
        } else {
            looked.look_at_sealed(folder, &path, map, &header)?;
        }
    }
    Ok(looked)
}

impl Looked {
    /// Takes in a sealed segment: by its hint, or record by record if that is of no use.
    fn look_at_sealed(
        &mut self,
        folder: &StoreFolder,
        path: &Path,
        map: Map,
        header: &SegmentHeader,
    ) -> Result<()> {
        let id = header.id;
        let damaged = |offset, flaw: Flaw| Error::corrupt(path, offset, flaw.to_string());
        let footer = Footer::at_end_of(&map)
            .map_err(|flaw| damaged(map.len().saturating_sub(FOOTER_LEN) as u64, flaw))?;
        // A hint that cannot be read is as good as none.
        let hint = folder.disk().read(&folder.path(&hint_name(id))).ok();
        if let Some(hint) = hint
            && let Some(tombstones) =
                hint::decode(&hint, id, &footer).map(|entries| Tombstones::among(&entries))
        {
            let short = check_id(folder.dir(), id)?;
            self.sealed.push(Segment::sealed(short, path, map, footer, tombstones));
            return self.loader.load(short, hint);
        }
        let survey = scan::survey(&map, header);
        survey.check_sealed().map_err(|flaw| damaged(survey.footer.data_len, flaw))?;
        let contents = Contents::of(id, &survey);
        let short = check_id(folder.dir(), id)?;
        self.sealed.push(Segment::sealed(short, path, map.clone(), footer, contents.tombstones));
        self.new_hints.push((id, contents.hint.clone()));
        self.loader.load(short, contents.hint)
    }

    /// Takes in the active segment of the last process, up to where its valid records end.
    fn look_at_last(&mut self, path: PathBuf, bytes: &[u8], header: &SegmentHeader) -> Result<()> {
        let survey = scan::survey(bytes, header);
        let end = survey.footer.data_len;
        let damaged = |offset, what: String| Error::corrupt(&path, offset, what);
        let mut torn_end = None;
        match survey.stop {
            Stop::End => {}
            Stop::Footer(_) => {
                survey.check_sealed().map_err(|flaw| damaged(end, flaw.to_string()))?;
                let behind = end + FOOTER_LEN as u64;
                if !scan::is_zero_from(bytes, behind) {
                    return Err(damaged(behind, Flaw::BehindFooter.to_string()));
                }
            }
            // These records are whole, so no unfinished write explains them.
            Stop::Flaw(flaw @ (Flaw::Sequence { .. } | Flaw::Footer)) => {
                return Err(damaged(end, flaw.to_string()));
            }
            Stop::Flaw(flaw) => {
                match scan::judge_tail(bytes, index(end), survey.footer.next_sequence, header.origin) {
                    Tail::Unused => {}
                    Tail::Torn { end } => torn_end = Some(end),
                    Tail::Damaged { follower } => {
                        let what = format!("{flaw}, and a valid one follows at offset {follower}");
                        return Err(damaged(end, what));
                    }
                }
            }
        }
        let contents = Contents::of(header.id, &survey);
        self.loader.load(check_id(&path, header.id)?, contents.hint.clone())?;
        self.last = Some(Last { id: header.id, path, contents, torn_end });
        Ok(())
    }
}

/// The active segment of the last process, which may have ended in the middle of a write.
struct Last {
    id: u64,
    path: PathBuf,
    contents: Contents,
    /// Where an unfinished write behind the records ends.
    torn_end: Option<u64>,
}

impl Last {
    fn is_empty(&self) -> bool {
        self.contents.footer.records == 0
    }

    /// Cuts off what stands behind the records, and seals the segment if there are any.
    ///
    /// A footer that is there already is written again, and the file is cut even if it ends there: an earlier
    /// attempt may have done both, and failed to sync them. What was done again is covered by the next sync.
    fn put_in_order(&self, disk: &dyn Disk) -> Result<Option<Repair>> {
        let file = disk.open(&self.path)?;
        let data_len = self.contents.footer.data_len;
        let mut repair = None;
        if let Some(torn_end) = self.torn_end {
            // The unused reserve first: it is not worth keeping a copy of.
            file.truncate(torn_end)?;
            repair = Some(cut_torn_tail(disk, &*file, data_len)?);
        }
        file.truncate(data_len)?;
        if !self.is_empty() {
            file.append(&self.contents.footer.encode())?;
        }
        file.sync()?;
        Ok(repair)
    }
}

/// Puts the store in order: every segment sealed, none of them empty, every hint in its place.
fn repair(folder: &StoreFolder, looked: Looked, mut manifest: Manifest) -> Result<Recovered> {
    let Looked { loader, mut sealed, last, mut new_hints } = looked;
    let mut repairs = Vec::new();
    if let Some(last) = last {
        repairs.extend(last.put_in_order(&**folder.disk())?);
        manifest.active = None;
        manifest.next_sequence = manifest.next_sequence.max(last.contents.footer.next_sequence);
        if last.is_empty() {
            manifest.segments.remove(&last.id);
        } else {
            let map = folder.disk().map(&last.path)?;
            let (footer, tombstones) = (last.contents.footer, last.contents.tombstones);
            let id = check_id(folder.dir(), last.id)?;
            sealed.push(Segment::sealed(id, &last.path, map, footer, tombstones));
            new_hints.push((last.id, last.contents.hint));
        }
        write_manifest(folder, &manifest)?;
    }
    for (id, hint) in &new_hints {
        write_hint(folder, *id, hint);
    }
    let index = loader.finish(&sealed)?;
    Ok(Recovered { catalog: Catalog::new(index, sealed), manifest, repairs })
}
