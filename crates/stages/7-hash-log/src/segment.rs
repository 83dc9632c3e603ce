//! [`Segment`]: one file of the log, growing or sealed, and how a value is read from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{File, Map};
use logladder_engine::{Error, Result};

use crate::format::header::Footer;
use crate::format::index;
use crate::format::record::{Kind, Record};
use crate::index::Location;

/// One file of the log. Whoever holds it can read it, whether or not the file still has a name.
#[derive(Debug)]
pub(crate) struct Segment {
    id: u64,
    path: PathBuf,
    min_sequence: u64,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// Records are still appended.
    Growing(Arc<dyn File>),
    /// It has its footer, and will never change.
    Sealed { map: Map, footer: Footer },
}

impl Segment {
    /// A segment that is appended to, whose first record has the number `first_sequence`.
    pub(crate) fn growing(id: u64, file: Arc<dyn File>, first_sequence: u64) -> Self {
        let path = file.path().to_path_buf();
        Self { id, path, min_sequence: first_sequence, body: Body::Growing(file) }
    }

    /// A segment that ends with `footer`.
    pub(crate) fn sealed(id: u64, path: &Path, map: Map, footer: Footer) -> Self {
        let path = path.to_path_buf();
        Self { id, path, min_sequence: footer.min_sequence, body: Body::Sealed { map, footer } }
    }

    pub(crate) fn id(&self) -> u64 {
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
            Body::Sealed { map, .. } => Some(map),
        }
    }

    /// Puts the value of `key`, whose record is at `location`, into `value`, in place of what is there.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if what is there is not that record, whole.
    pub(crate) fn read_into(&self, location: &Location, key: &[u8], value: &mut Vec<u8>) -> Result<()> {
        value.clear();
        let (start, len) = (index(location.offset), index(location.record_len(key.len())));
        let copied;
        let in_place = match &self.body {
            Body::Growing(file) => file.bytes(),
            Body::Sealed { map, .. } => Some(&**map),
        };
        let record = match (in_place, &self.body) {
            (None, Body::Growing(file)) => {
                // The length is that of a record which this process wrote.
                let mut bytes = vec![0; len];
                file.read_at(location.offset, &mut bytes)?;
                copied = bytes;
                &copied
            }
            // Should the record not be there whole, nothing is: that is found to be no record.
            (bytes, _) => bytes.and_then(|bytes| bytes.get(start..)?.get(..len)).unwrap_or_default(),
        };
        value.extend_from_slice(self.value_in(record, location, key)?);
        Ok(())
    }

    /// The value in the bytes of one record, which must be the one that the index means.
    fn value_in<'b>(&self, bytes: &'b [u8], location: &Location, key: &[u8]) -> Result<&'b [u8]> {
        let damaged = |what: String| Error::corrupt(&self.path, location.offset, what);
        let record = Record::decode(bytes).map_err(|flaw| damaged(flaw.to_string()))?;
        if record.header.kind != Kind::Set || record.header.sequence != location.sequence || record.key != key
        {
            return Err(damaged("it holds another record than the one that was written here".into()));
        }
        Ok(record.value)
    }
}
