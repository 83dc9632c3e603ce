//! [`Segment`]: one file of the log, growing or sealed, and how a record is read from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{Disk, File, Map, prefetch};
use logladder_engine::{Error, Result};

use crate::format::header::{Footer, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::format::index;
use crate::format::record::{HEADER_LEN, Header, Record};
use crate::format::{Fields, Flaw};
use crate::usage::{SegmentUsage, Usage};

/// One file of the log. Whoever holds it can read it, whether or not the file still has a name.
#[derive(Debug)]
pub(crate) struct Segment {
    header: SegmentHeader,
    path: PathBuf,
    body: Body,
    usage: Arc<Usage>,
}

#[derive(Debug)]
enum Body {
    /// Records are still appended, or were until a moment ago.
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
    #[inline]
    fn get(&self) -> &[u8] {
        match self {
            Self::Map(map) => map,
            // A file that is not mapped is never put here.
            Self::Reserve(file) => file.bytes().unwrap_or_default(),
        }
    }
}

/// The bytes of a segment from some offset on: in place, or copied from a file that is not mapped.
enum Tail<'s> {
    InPlace(&'s [u8]),
    Copied(Vec<u8>),
}

impl Segment {
    /// A segment that is appended to.
    pub(crate) fn growing(header: SegmentHeader, file: Arc<dyn File>) -> Self {
        let path = file.path().to_path_buf();
        Self { header, path, body: Body::Growing(file), usage: Arc::default() }
    }

    /// A segment that ends with `footer`.
    pub(crate) fn sealed(header: SegmentHeader, path: &Path, map: Map, footer: Footer, usage: Usage) -> Self {
        let body = Body::Sealed { bytes: SealedBytes::Map(map), footer };
        Self { header, path: path.to_path_buf(), body, usage: Arc::new(usage) }
    }

    /// The sealed form of this growing segment. The two share what is known of its use.
    ///
    /// # Errors
    ///
    /// It has to be mapped, and cannot be.
    pub(crate) fn to_sealed(&self, disk: &dyn Disk, footer: Footer) -> Result<Self> {
        let bytes = match &self.body {
            Body::Growing(file) if file.bytes().is_some() => SealedBytes::Reserve(Arc::clone(file)),
            _ => SealedBytes::Map(disk.map(&self.path)?),
        };
        let body = Body::Sealed { bytes, footer };
        Ok(Self { header: self.header, path: self.path.clone(), body, usage: Arc::clone(&self.usage) })
    }

    /// The number in the file's name.
    pub(crate) fn id(&self) -> u64 {
        self.header.id
    }

    pub(crate) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// No record in it has a lower number.
    pub(crate) fn min_sequence(&self) -> u64 {
        match &self.body {
            Body::Growing(_) => self.header.first_sequence,
            Body::Sealed { footer, .. } => footer.min_sequence,
        }
    }

    /// Its footer, if it is sealed.
    pub(crate) fn footer(&self) -> Option<&Footer> {
        match &self.body {
            Body::Growing(_) => None,
            Body::Sealed { footer, .. } => Some(footer),
        }
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.footer().is_some()
    }

    /// Whether each append to it is a system call, because space could not be reserved for it.
    pub(crate) fn is_unreserved(&self) -> bool {
        matches!(&self.body, Body::Growing(file) if file.bytes().is_none())
    }

    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// How much of it is of use at this moment.
    pub(crate) fn usage_now(&self) -> SegmentUsage {
        let fixed = self.usage.fixed();
        SegmentUsage {
            id: self.id(),
            is_sealed: self.is_sealed(),
            bytes: self.data_len().saturating_sub(SEGMENT_HEADER_LEN as u64),
            live_bytes: self.usage.live_bytes(),
            tombstone_bytes: fixed.tombstones.bytes,
            newest_tombstone: fixed.tombstones.highest,
            min_sequence: self.min_sequence(),
            ending_bytes: fixed.ending.bytes,
            last_end: fixed.ending.highest,
        }
    }

    /// Where its last record ends.
    pub(crate) fn data_len(&self) -> u64 {
        match &self.body {
            Body::Growing(file) => file.len(),
            Body::Sealed { footer, .. } => footer.data_len,
        }
    }

    /// Its bytes, as far as they are written, if they are mapped. Of a sealed segment these are all.
    #[inline]
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Growing(file) => file.bytes(),
            Body::Sealed { bytes, .. } => Some(bytes.get()),
        }
    }

    /// Hands the record at `offset` to `read`.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if what is there is not a whole record that says something of a key.
    #[inline]
    pub(crate) fn with_record<T>(&self, offset: u32, read: impl FnOnce(&Record<'_>) -> T) -> Result<T> {
        let tail = self.tail(offset)?;
        let bytes = match &tail {
            Tail::InPlace(bytes) => bytes,
            Tail::Copied(bytes) => bytes.as_slice(),
        };
        match Record::decode(bytes) {
            Ok(record) if record.header.kind.has_key() => Ok(read(&record)),
            Ok(_) => Err(self.damaged(offset, "it holds another record than the one that was written here")),
            Err(flaw) => Err(self.damaged(offset, &flaw.to_string())),
        }
    }

    /// The same for who does not care whether the record is damaged, as long as it looks like one. `None` if not.
    pub(crate) fn with_unchecked_record<T>(
        &self,
        offset: u32,
        read: impl FnOnce(&Record<'_>) -> T,
    ) -> Option<T> {
        let tail = self.tail(offset).ok()?;
        let bytes = match &tail {
            Tail::InPlace(bytes) => bytes,
            Tail::Copied(bytes) => bytes.as_slice(),
        };
        Record::unchecked(bytes)
            .ok()
            .filter(|record| record.header.kind.has_key())
            .map(|record| read(&record))
    }

    /// Has the first `len` bytes of the record at `offset` fetched.
    #[inline]
    pub(crate) fn prefetch(&self, offset: u32, len: usize) {
        let start = index(offset.into());
        let bytes = self.bytes().and_then(|bytes| bytes.get(start..)).unwrap_or_default();
        prefetch(&bytes[..len.min(bytes.len())]);
    }

    #[inline]
    fn tail(&self, offset: u32) -> Result<Tail<'_>> {
        Ok(match (self.bytes(), &self.body) {
            (Some(bytes), _) => Tail::InPlace(bytes.get(index(offset.into())..).unwrap_or_default()),
            (None, Body::Growing(file)) => Tail::Copied(copy_record(&**file, offset.into())?),
            // A sealed segment is mapped.
            (None, Body::Sealed { .. }) => Tail::InPlace(&[]),
        })
    }

    #[cold]
    fn damaged(&self, offset: u32, what: &str) -> Error {
        Error::corrupt(&self.path, offset.into(), what)
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
