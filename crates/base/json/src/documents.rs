//! [`Documents`]: typed keys and values over an engine of byte strings.

use std::{error, fmt};

use logladder_engine::{Engine, Error};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// Typed `get`, `set` and `delete` over any engine. Keys are whatever serde can write, and so are values.
///
/// A key is made canonical: the members of its objects are sorted by name, at every depth. So
/// `{"a":1,"b":2}` and `{"b":2,"a":1}` are one key. A value keeps its members in the order of its type.
///
/// Both are stored as compact JSON text, with one exception: a string is stored as the bare text that it is,
/// unless that text is JSON itself. So the key `"test-1"` is the six bytes `test-1`, the same that a program
/// without types or the command line would use; the number `5` is the byte `5`; and the string `"5"`, which
/// must not be mistaken for it, is the three bytes `"5"`. In return a value that is not JSON is read as a
/// string.
///
/// `1` and `1.0` are two keys, as they are two texts. A float that is not a number is stored as `null`: JSON
/// has no other word for it.
///
/// # Examples
///
/// ```
/// use logladder_engine::Engine;
/// use logladder_json::{DocumentError, Documents};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, PartialEq, Debug)]
/// struct Animal {
///     name: String,
///     description: String,
/// }
///
/// fn keep(engine: &dyn Engine) -> Result<(), DocumentError> {
///     let hobgoblin =
///         Animal { name: "Hobgoblin".into(), description: "An unsightly little elf".into() };
///     let animals = Documents::new(engine);
///     animals.set(&("animal", 1), &hobgoblin)?;
///     assert_eq!(animals.get(&("animal", 1))?, Some(hobgoblin));
///
///     // What the engine holds is JSON.
///     let stored = engine.get(br#"["animal",1]"#)?;
///     let text: &[u8] = br#"{"name":"Hobgoblin","description":"An unsightly little elf"}"#;
///     assert_eq!(stored.as_deref(), Some(text));
///     Ok(())
/// }
/// # mod map { include!("../tests/map/mod.rs"); }
/// # keep(&map::Map::default())?;
/// # Ok::<(), DocumentError>(())
/// ```
#[derive(Debug)]
pub struct Documents<'e, E: ?Sized> {
    engine: &'e E,
}

impl<'e, E: Engine + ?Sized> Documents<'e, E> {
    /// Documents in `engine`.
    #[must_use]
    pub fn new(engine: &'e E) -> Self {
        Self { engine }
    }

    /// The value of `key`, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`DocumentError::Shape`] if the value does not fit the type `T`; [`DocumentError::Key`] if serde cannot
    /// write the key; and the engine's own.
    pub fn get<T: DeserializeOwned>(
        &self,
        key: &(impl Serialize + ?Sized),
    ) -> Result<Option<T>, DocumentError> {
        let key = canonical_key(key)?;
        let Some(value) = self.engine.get(&key)? else { return Ok(None) };
        match from_stored(&value) {
            Ok(value) => Ok(Some(value)),
            Err(source) => {
                Err(DocumentError::Shape { key: String::from_utf8_lossy(&key).into_owned(), source })
            }
        }
    }

    /// Sets `key` to `value`.
    ///
    /// # Errors
    ///
    /// [`DocumentError::Key`] or [`DocumentError::Value`] if serde cannot write it; and the engine's own.
    pub fn set(
        &self,
        key: &(impl Serialize + ?Sized),
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), DocumentError> {
        let key = canonical_key(key)?;
        let value = serde_json::to_string(value).and_then(to_stored).map_err(DocumentError::Value)?;
        Ok(self.engine.set(&key, &value)?)
    }

    /// Removes `key`. Removing an absent key is fine.
    ///
    /// # Errors
    ///
    /// [`DocumentError::Key`] if serde cannot write the key; and the engine's own.
    pub fn delete(&self, key: &(impl Serialize + ?Sized)) -> Result<(), DocumentError> {
        Ok(self.engine.delete(&canonical_key(key)?)?)
    }
}

/// The one byte string of all keys that are equal as JSON values.
fn canonical_key(key: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, DocumentError> {
    let canonical = || {
        let mut value = serde_json::to_value(key)?;
        // Usually they are sorted already. Not so if any crate of the program has asked serde_json to
        // preserve their order: that feature is shared by all.
        value.sort_all_objects();
        to_stored(value.to_string())
    };
    canonical().map_err(DocumentError::Key)
}

/// The byte string that is stored for the JSON `text`: a string bare, if nobody can mistake it.
fn to_stored(text: String) -> Result<Vec<u8>, serde_json::Error> {
    if text.starts_with('"') {
        let bare: String = serde_json::from_str(&text)?;
        if !is_json(bare.as_bytes()) {
            return Ok(bare.into_bytes());
        }
    }
    Ok(text.into_bytes())
}

fn from_stored<T: DeserializeOwned>(stored: &[u8]) -> Result<T, serde_json::Error> {
    if is_json(stored) {
        return serde_json::from_slice(stored);
    }
    match str::from_utf8(stored) {
        Ok(bare) => T::deserialize(serde::de::value::StrDeserializer::new(bare)),
        Err(_) => Err(serde::de::Error::custom("it is neither JSON nor text")),
    }
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// What can go wrong with a document.
#[derive(Debug)]
#[non_exhaustive]
pub enum DocumentError {
    /// The engine's own error.
    Engine(Error),
    /// Serde cannot write the key as JSON. Nothing was read or written.
    Key(serde_json::Error),
    /// Serde cannot write the value as JSON. Nothing was written.
    Value(serde_json::Error),
    /// The stored value does not fit the type that was asked for.
    Shape {
        /// The key, as it is stored.
        key: String,
        /// Where it does not fit.
        source: serde_json::Error,
    },
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(source) => source.fmt(f),
            Self::Key(source) => write!(f, "the key cannot be written as JSON: {source}"),
            Self::Value(source) => write!(f, "the value cannot be written as JSON: {source}"),
            Self::Shape { key, source } => {
                write!(f, "the value of {key} does not fit the type that was asked for: {source}")
            }
        }
    }
}

impl error::Error for DocumentError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Engine(source) => Some(source),
            Self::Key(source) | Self::Value(source) | Self::Shape { source, .. } => Some(source),
        }
    }
}

impl From<Error> for DocumentError {
    fn from(source: Error) -> Self {
        Self::Engine(source)
    }
}
