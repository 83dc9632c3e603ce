//! [`Segment`]: one file of the log, growing or sealed, and how a value is read from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{Disk, File, Map};
use logladder_engine::{Error, Result};

use crate::format::header::{Footer, SEGMENT_HEADER_LEN};
use crate::format::index;
use crate::format::record::{HEADER_LEN, Header, Kind, Record};
use crate::format::{Fields, Flaw};
use crate::index::Location;
use crate::usage::{SegmentUsage, Tombstones, Usage};

/// One file of the log. Whoever holds it can read it, whether or not the file still has a name.
#[derive(Debug)]
pub(crate) struct Segment {
    id: u32,
    path: PathBuf,
    min_sequence: u64,
    body: Body,
    usage: Arc<Usage>,
}

#[derive(Debug)]
enum Body {
    /// Records are still appended.
    Growing(Arc<dyn File>),
    /// It has its footer, and will never change.
    Sealed { bytes: SealedBytes, footer: Footer },
}

/// All bytes of a sealed segment, in place.
#[derive(Debug)]
enum SealedBytes {
    Map(Map),
    /// The reserve that the segment grew in. It is mapped already, and its pages are warm.
    Reserve(Arc<dyn File>),
}

impl SealedBytes {
    fn get(&self) -> &[u8] {
        match self {
            Self::Map(map) => map,
            // A file that is not mapped is never put here.
            Self::Reserve(file) => file.bytes().unwrap_or_default(),
        }
    }
}

impl Segment {
    /// A segment that is appended to, whose first record has the number `first_sequence`.
    pub(crate) fn growing(id: u32, file: Arc<dyn File>, first_sequence: u64) -> Self {
        let path = file.path().to_path_buf();
        Self { id, path, min_sequence: first_sequence, body: Body::Growing(file), usage: Arc::default() }
    }

    /// A segment that ends with `footer` and has these tombstones, of which nothing else counts yet.
    pub(crate) fn sealed(id: u32, path: &Path, map: Map, footer: Footer, tombstones: Tombstones) -> Self {
        let path = path.to_path_buf();
        let body = Body::Sealed { bytes: SealedBytes::Map(map), footer };
        Self { id, path, min_sequence: footer.min_sequence, body, usage: Arc::new(Usage::of(tombstones)) }
    }

    /// The sealed form of this growing segment. The two share what is known of its use.
    ///
    /// # Errors
    ///
    /// It has to be mapped, and cannot be.
    pub(crate) fn to_sealed(&self, disk: &dyn Disk, footer: Footer) -> Result<Self> {
        let (path, usage) = (self.path.clone(), Arc::clone(&self.usage));
        let bytes = match &self.body {
            Body::Growing(file) if file.bytes().is_some() => SealedBytes::Reserve(Arc::clone(file)),
            _ => SealedBytes::Map(disk.map(&path)?),
        };
        let body = Body::Sealed { bytes, footer };
        Ok(Self { id: self.id, path, min_sequence: footer.min_sequence, body, usage })
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// No record in it has a lower number.
    pub(crate) fn min_sequence(&self) -> u64 {
        self.min_sequence
    }

    pub(crate) fn is_sealed(&self) -> bool {
        matches!(self.body, Body::Sealed { .. })
    }

    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// How much of it is of use at this moment.
    pub(crate) fn usage_now(&self) -> SegmentUsage {
        let tombstones = self.usage.tombstones();
        SegmentUsage {
            id: u64::from(self.id),
            is_sealed: self.is_sealed(),
            bytes: self.data_len().saturating_sub(SEGMENT_HEADER_LEN as u64),
            live_bytes: self.usage.live_bytes(),
            tombstone_bytes: tombstones.bytes,
            newest_tombstone: tombstones.newest,
            min_sequence: self.min_sequence,
        }
    }

    /// Where its last record ends.
    pub(crate) fn data_len(&self) -> u64 {
        match &self.body {
            Body::Growing(file) => file.len(),
            Body::Sealed { footer, .. } => footer.data_len,
        }
    }

    /// The bytes of the whole file, if it is sealed.
    pub(crate) fn sealed_bytes(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Growing(_) => None,
            Body::Sealed { bytes, .. } => Some(bytes.get()),
        }
    }

    /// Hands the record at `location` to `read`.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if what is there is not a whole record that sets a key.
    pub(crate) fn with_record<T>(
        &self,
        location: Location,
        read: impl FnOnce(&Record<'_>) -> T,
    ) -> Result<T> {
        let offset = u64::from(location.offset);
        let in_place = match &self.body {
            Body::Growing(file) => file.bytes(),
            Body::Sealed { bytes, .. } => Some(bytes.get()),
        };
        let copied;
        let bytes = match (in_place, &self.body) {
            (Some(bytes), _) => bytes.get(index(offset)..).unwrap_or_default(),
            (None, Body::Growing(file)) => {
                copied = copy_record(&**file, offset)?;
                &copied
            }
            // A sealed segment is mapped.
            (None, Body::Sealed { .. }) => &[],
        };
        let damaged = |what: String| Error::corrupt(&self.path, offset, what);
        let record = Record::decode(bytes).map_err(|flaw| damaged(flaw.to_string()))?;
        if record.header.kind != Kind::Set {
            return Err(damaged("it holds another record than the one that was written here".into()));
        }
        Ok(read(&record))
    }
}

/// The bytes of the record at `offset` of a file that is not mapped, as far as the file has them.
fn copy_record(file: &dyn File, offset: u64) -> Result<Vec<u8>> {
    let mut header = [0; HEADER_LEN];
    file.read_at(offset, &mut header)?;
    let mut fields = Fields::of(&header[4..]);
    let Some(header) = Header::decode(&mut fields) else {
        return Err(Error::corrupt(file.path(), offset, Flaw::NoHeader.to_string()));
    };
    // Nothing of the header has been checked, so it is not believed beyond the file's end.
    let len = header.record_len().min(file.len().saturating_sub(offset));
    let mut bytes = vec![0; index(len)];
    file.read_at(offset, &mut bytes)?;
    Ok(bytes)
}
