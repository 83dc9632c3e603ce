//! Sealing a segment: from then on it never changes, and says so itself.

use logladder_disk::{Disk, File, StoreFolder, replace};
use logladder_engine::{Error, Result, SyncPolicy};

use crate::Hints;
use crate::files::hint_name;
use crate::format::Flaw;
use crate::format::header::{Footer, SegmentHeader};
use crate::format::hint;
use crate::scan::{self, Stop, Survey};
use crate::store::Store;
use crate::usage::Fixed;

/// Where a hint would be a larger part of its segment than this, there is none.
const LARGEST_PART: u64 = 8;

/// What is known of a segment once all its records have been read.
#[derive(Debug)]
pub(crate) struct Contents {
    /// The footer that it has or should have.
    pub(crate) footer: Footer,
    /// What stands behind its last record.
    pub(crate) stop: Stop,
    /// The bytes of its hint, if it is to have one.
    pub(crate) hint: Option<Vec<u8>>,
    pub(crate) fixed: Fixed,
}

impl Contents {
    /// Of the segment `bytes`.
    ///
    /// # Errors
    ///
    /// None: nothing is asked of the records.
    pub(crate) fn of(bytes: &[u8], header: &SegmentHeader, hints: Hints) -> Result<Self> {
        let (mut fixed, mut hint_len) = (Fixed::default(), hint::EMPTY_LEN);
        let Survey { footer, stop } = scan::survey(bytes, header, |entry| {
            fixed.add(entry);
            hint_len += entry.len() as u64;
            Ok(())
        })?;
        let hint =
            is_wanted(hint_len, &footer, hints).then(|| hint_of(bytes, header, &footer)).transpose()?;
        Ok(Self { footer, stop, hint, fixed })
    }

    /// That the segment is whole and sealed.
    ///
    /// # Errors
    ///
    /// The flaw; it is at the offset `self.footer.data_len`.
    pub(crate) fn check_sealed(&self) -> std::result::Result<(), Flaw> {
        Survey { footer: self.footer, stop: self.stop }.check_sealed()
    }
}

/// Whether a segment is to have a hint of this length.
pub(crate) fn is_wanted(hint_len: u64, footer: &Footer, hints: Hints) -> bool {
    hints == Hints::Always || hint_len <= footer.data_len / LARGEST_PART
}

/// The hint of the segment `bytes`, which ends with `footer`.
///
/// # Errors
///
/// None: nothing is asked of the records.
pub(crate) fn hint_of(bytes: &[u8], header: &SegmentHeader, footer: &Footer) -> Result<Vec<u8>> {
    let mut entries = Vec::new();
    scan::survey(bytes, header, |entry| {
        entries.push(*entry);
        Ok(())
    })?;
    Ok(hint::encode(header.id, footer, &entries))
}

/// Appends the footer to the `file` of a segment's records. It is for the caller to sync it.
///
/// What was written is read once more, so that nothing is sealed that could not be read back.
///
/// # Errors
///
/// It cannot be read back, or the disk failed.
pub(crate) fn append_footer(
    disk: &dyn Disk,
    file: &dyn File,
    header: &SegmentHeader,
    hints: Hints,
) -> Result<Contents> {
    let map;
    let bytes = if let Some(bytes) = file.bytes() {
        bytes
    } else {
        map = disk.map(file.path())?;
        &map
    };
    let contents = Contents::of(bytes, header, hints)?;
    if let Stop::Flaw(flaw) = contents.stop {
        return Err(Error::corrupt(file.path(), contents.footer.data_len, flaw.to_string()));
    }
    file.append(&contents.footer.encode()?)?;
    Ok(contents)
}

/// Writes the hint of segment `id`. It is a cache: if it cannot be written, or a crash takes it, the next open
/// reads the segment instead. So it is not synced, and a failure is no failure of the store.
pub(crate) fn write_hint(folder: &StoreFolder, id: u64, hint: Option<&[u8]>) {
    if let Some(hint) = hint
        && folder.check_in_place().is_ok()
    {
        let _ = replace(&**folder.disk(), &folder.path(&hint_name(id)), &[hint], SyncPolicy::Never);
    }
}

impl Store {
    /// Seals everything that has been written. The next write begins another segment.
    pub(crate) fn seal(&self) -> Result<()> {
        {
            let mut writer = self.writer()?;
            if let Some(active) = writer.active.take() {
                writer.full.push(active);
            }
        }
        self.seal_full()
    }

    /// Seals every segment that is full.
    pub(crate) fn seal_full(&self) -> Result<()> {
        while self.seal_oldest()? {}
        Ok(())
    }

    /// Seals the segment that has been full for longest, if there is one.
    ///
    /// Nobody writes to it any more, so this is done beside the writers and takes as long as the disk needs. Its
    /// records are published before: compaction, which takes sealed segments, goes by the index.
    pub(crate) fn seal_oldest(&self) -> Result<bool> {
        let syncing = self.syncing.lock().map_err(|_| Error::panicked())?;
        let (full, is_published) = {
            let writer = self.writer()?;
            let Some(full) = writer.full.first().cloned() else { return Ok(false) };
            (full, writer.unpublished.is_empty())
        };
        if !is_published {
            self.sync_tail(&syncing)?;
        }
        let id = full.header.id;
        // A file that is not mapped is read back by its path.
        self.poison.guard(self.folder.check_in_place())?;
        let contents = self.poison.guard(self.finish(&*full.file, &full.header))?;
        write_hint(&self.folder, id, contents.hint.as_deref());
        let footer = contents.footer;
        self.poison.guard(self.install(|list| {
            list.tail.remove(&id);
            list.sealed.insert(id);
            list.next_sequence = list.next_sequence.max(footer.next_sequence);
        }))?;
        let mut writer = self.writer()?;
        if let Some(growing) = self.catalog.segments().get(full.seat) {
            self.catalog.replace(full.seat, self.poison.guard(growing.to_sealed(self.disk(), footer))?);
        }
        writer.full.retain(|other| other.seat != full.seat);
        drop(writer);
        self.signal.wake();
        Ok(true)
    }

    /// Appends the footer, gives back the unused reserve, and puts it all on the disk.
    fn finish(&self, file: &dyn File, header: &SegmentHeader) -> Result<Contents> {
        let contents = append_footer(self.disk(), file, header, self.options.hints)?;
        file.truncate(file.len())?;
        file.sync()?;
        Ok(contents)
    }
}
