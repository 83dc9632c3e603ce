//! [`Collections`]: keys in two layers, `collection/member`.

use crate::{Error, Result, Visit};

/// What stands between a collection and its member: the first one of a key counts.
const SEPARATOR: u8 = b'/';

/// Keys in two layers, as those of dskvs: `artist/daft_punk` is the member `daft_punk` of the collection `artist`.
///
/// The first `/` of a key ends its collection; others are part of the member. This face of an engine is strict: a key
/// must name a collection and a member. The [`Engine`](crate::Engine) below it takes every byte string, and what it
/// was given is shown here where it fits: a key that ends with its first `/` is a member with an empty name. A key
/// without `/` belongs to no collection, nor does one that begins with it.
pub trait Collections {
    /// Sets `key` to `value`, as [`set`](crate::Engine::set), and gives back the value that it had. No other write
    /// comes between the two.
    ///
    /// # Errors
    ///
    /// [`EmptyKey`](Error::EmptyKey), [`NoCollection`](Error::NoCollection), [`NoMember`](Error::NoMember), and those
    /// of [`set`](crate::Engine::set).
    fn put(&self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Shows every member of the collection and its value to `visit`, in no particular order, until it breaks: those
    /// of one moment during the call. A collection without members, or one that never was, shows nothing. The visitor
    /// runs under no lock: it may call the engine, to read or to write.
    ///
    /// # Errors
    ///
    /// Those of [`check_collection`], and those of [`get`](crate::Engine::get).
    fn get_all(&self, collection: &[u8], visit: &mut Visit<'_>) -> Result<()>;

    /// Deletes every member of the collection, and says how many there were. Whoever reads sees all of them or none;
    /// a crash may leave some.
    ///
    /// # Errors
    ///
    /// Those of [`check_collection`], and those of [`delete`](crate::Engine::delete).
    fn delete_all(&self, collection: &[u8]) -> Result<u64>;

    /// The names of the collections that have a member, sorted.
    ///
    /// # Errors
    ///
    /// As [`get`](crate::Engine::get).
    fn collections(&self) -> Result<Vec<Vec<u8>>>;
}

/// Takes a key apart into its collection and its member. Neither is empty.
///
/// ```
/// use logladder_engine::{Error, collection_and_member};
///
/// assert_eq!(collection_and_member(b"artist/daft_punk")?, (&b"artist"[..], &b"daft_punk"[..]));
/// assert_eq!(collection_and_member(b"a/b/c")?, (&b"a"[..], &b"b/c"[..]));
/// assert!(matches!(collection_and_member(b""), Err(Error::EmptyKey)));
/// assert!(matches!(collection_and_member(b"daft_punk"), Err(Error::NoCollection { .. })));
/// assert!(matches!(collection_and_member(b"artist/"), Err(Error::NoMember { .. })));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
///
/// [`Error::EmptyKey`], [`Error::NoCollection`], [`Error::NoMember`].
pub fn collection_and_member(key: &[u8]) -> Result<(&[u8], &[u8])> {
    match split_at_collection(key) {
        _ if key.is_empty() => Err(Error::EmptyKey),
        (None | Some([]), _) => Err(Error::NoCollection { key: key.to_vec() }),
        (_, []) => Err(Error::NoMember { key: key.to_vec() }),
        (Some(collection), member) => Ok((collection, member)),
    }
}

/// Takes any key apart at its first `/`: into its collection, if it has that character, and the rest.
///
/// ```
/// use logladder_engine::split_at_collection;
///
/// assert_eq!(split_at_collection(b"/member"), (Some(&b""[..]), &b"member"[..]));
/// assert_eq!(split_at_collection(b"alone"), (None, &b"alone"[..]));
/// ```
#[must_use]
pub fn split_at_collection(key: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match key.iter().position(|&byte| byte == SEPARATOR) {
        Some(at) => (Some(&key[..at]), &key[at + 1..]),
        None => (None, key),
    }
}

/// Refuses what is no name of a collection.
///
/// # Errors
///
/// [`Error::NoCollection`] for the empty one, [`Error::InvalidKey`] for one with a `/`, [`Error::TooLarge`].
pub fn check_collection(collection: &[u8]) -> Result<()> {
    crate::limits::check_key(collection)?;
    if collection.is_empty() {
        return Err(Error::NoCollection { key: Vec::new() });
    }
    if collection.contains(&SEPARATOR) {
        return Err(Error::InvalidKey { why: "the name of a collection ends before the first `/`".into() });
    }
    Ok(())
}
