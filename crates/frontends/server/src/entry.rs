//! [`Found`]: a value with its version, and writes that depend on it.

use std::borrow::Cow;
use std::ops::ControlFlow;

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use data_encoding::HEXLOWER;
use logladder_engine::{Engine, Error, Expiry};
use sha2::{Digest, Sha256};

use crate::answer::Refusal;
use crate::capability::Capability;

/// A value that a key has.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) value: Vec<u8>,
    /// Its version, in a stage that has them.
    pub(crate) version: Option<u64>,
}

impl Found {
    pub(crate) fn tag(&self) -> String {
        tag(self.version, &self.value)
    }

    /// Whether a client that has this tag has this value. A copy, which counts no versions, gives out tags of the other kind
    /// for the same value, and writes that depend on one are sent on to here.
    fn is(&self, given: &str) -> bool {
        given == self.tag() || (given.starts_with(OF_BYTES) && given == tag(None, &self.value))
    }
}

/// How the tag of a value begins that has no version.
const OF_BYTES: &str = "\"sha256-";

/// The `ETag` of a value: its version, or where there are none the head of its SHA-256.
pub(crate) fn tag(version: Option<u64>, value: &[u8]) -> String {
    if let Some(version) = version {
        return format!("\"{version}\"");
    }
    let mut tag = String::with_capacity(OF_BYTES.len() + 32 + 1);
    tag.push_str(OF_BYTES);
    HEXLOWER.encode_append(&Sha256::digest(value)[..16], &mut tag);
    tag.push('"');
    tag
}

/// The value of `key` and its version.
pub(crate) fn look(engine: &dyn Engine, key: &[u8]) -> Result<Option<Found>, Refusal> {
    let Some(history) = engine.as_history() else {
        return Ok(engine.get(key)?.map(|value| Found { value, version: None }));
    };
    let mut found = None;
    history.versions(key, &mut |shown| {
        found = shown.value.map(|value| Found { value: value.to_vec(), version: Some(shown.number) });
        ControlFlow::Break(())
    })?;
    // The history may show a value that has ended.
    if let (Some(_), Some(expire)) = (&found, engine.as_expire())
        && expire.expiry(key)? == Expiry::Absent
    {
        return Ok(None);
    }
    Ok(found)
}

/// The version that a write of `value` got: the newest with that value. Another write may have come since.
///
/// `None` as well if the cluster is lost just here: the write is done, and must not be answered as if it were not.
pub(crate) fn version_of(engine: &dyn Engine, key: &[u8], value: &[u8]) -> Result<Option<u64>, Refusal> {
    const FAR_ENOUGH: usize = 64;
    let Some(history) = engine.as_history() else { return Ok(None) };
    let (mut version, mut left) = (None, FAR_ENOUGH);
    let read = history.versions(key, &mut |shown| {
        left -= 1;
        if shown.value == Some(value) {
            version = Some(shown.number);
        }
        if version.is_some() || left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match read {
        Err(Error::NoQuorum { .. }) => Ok(None),
        read => Ok(read.map(|()| version)?),
    }
}

/// What may stand between the tags of a list: more commas than are needed, too.
const BETWEEN_TAGS: [char; 3] = [',', ' ', '\t'];

/// `If-Match` and `If-None-Match` of RFC 9110, section 13.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Conditions {
    matches: Option<Tags>,
    differs: Option<Tags>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    Any,
    These(Vec<Tag>),
}

/// A tag as a client sends it back, with its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    text: String,
    /// `W/"…"`: the value is as good as that one. Ours are exact; something on the way may have weakened them.
    is_weak: bool,
}

impl Conditions {
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        Ok(Self { matches: tags(headers, &IF_MATCH)?, differs: tags(headers, &IF_NONE_MATCH)? })
    }

    /// Refuses them where nothing heeds them: who sends one meant a write that may not be done.
    pub(crate) fn refuse(headers: &HeaderMap) -> Result<(), Refusal> {
        match [IF_MATCH, IF_NONE_MATCH].into_iter().find(|name| headers.contains_key(name)) {
            Some(name) => {
                let why = format!("{name} counts for /v1/keys/{{key}} alone; nothing was written");
                Err(Refusal::bad(why))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the first one holds, and the second one. A weak tag is never an exact match, and always a hint that the
    /// client has the value.
    pub(crate) fn hold(&self, found: Option<&Found>) -> (bool, bool) {
        let is_among = |tags: &Tags, takes_weak: bool| match (tags, found) {
            (_, None) => false,
            (Tags::Any, Some(_)) => true,
            (Tags::These(tags), Some(found)) => {
                tags.iter().any(|tag| (takes_weak || !tag.is_weak) && found.is(&tag.text))
            }
        };
        let matches = self.matches.as_ref().is_none_or(|tags| is_among(tags, false));
        (matches, !self.differs.as_ref().is_some_and(|tags| is_among(tags, true)))
    }
}

/// The tags in all the lines of this header, if there is one. A list of none is refused: it asks for nothing, and whoever
/// sends it meant to ask.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, Refusal> {
    let bad = || Refusal::bad(format!("{name}: it takes * or tags in quotes, such as \"3\""));
    let mut tags: Option<Vec<Tag>> = None;
    for line in headers.get_all(name) {
        let mut rest = line.to_str().map_err(|_| bad())?.trim_matches(BETWEEN_TAGS);
        if rest == "*" {
            return Ok(Some(Tags::Any));
        }
        let tags = tags.get_or_insert_default();
        while !rest.is_empty() {
            let (tag, behind) = first_tag(rest).ok_or_else(bad)?;
            tags.push(tag);
            rest = behind;
        }
    }
    match tags {
        None => Ok(None),
        Some(tags) if tags.is_empty() => Err(bad()),
        Some(tags) => Ok(Some(Tags::These(tags))),
    }
}

/// The tag at the beginning of a list, and what stands behind its comma. A tag may have commas within its quotes.
fn first_tag(list: &str) -> Option<(Tag, &str)> {
    let (is_weak, quoted) = list.strip_prefix("W/").map_or((false, list), |quoted| (true, quoted));
    let end = quoted.strip_prefix('"')?.find('"')? + 2;
    let (text, behind) = quoted.split_at(end);
    let behind = behind.trim_start();
    let rest = if behind.is_empty() { behind } else { behind.strip_prefix(',')? };
    Some((Tag { text: text.to_owned(), is_weak }, rest.trim_start_matches(BETWEEN_TAGS)))
}

/// Writes `new` if the conditions hold for what is there, as one step. A value that was changed and changed back between
/// the look and the write counts as unchanged.
pub(crate) fn write_if(
    engine: &dyn Engine,
    key: &[u8],
    conditions: &Conditions,
    new: Option<&[u8]>,
) -> Result<(), Refusal> {
    replace(engine, key, new, |found| {
        if conditions.hold(found) == (true, true) {
            return Ok(());
        }
        let there = match found {
            Some(found) => format!("the value there is {}", found.tag()),
            None => "there is no value".into(),
        };
        Err(Refusal::new(StatusCode::PRECONDITION_FAILED, format!("{there}; nothing was written")))
    })
}

/// Writes `new` if `allowed` says so of what is there, as one step in a stage that compares before it writes.
pub(crate) fn replace(
    engine: &dyn Engine,
    key: &[u8],
    new: Option<&[u8]>,
    mut allowed: impl FnMut(Option<&Found>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    update(engine, key, |found| {
        allowed(found)?;
        Ok((new.map_or(Update::Delete, |new| Update::Set(new.into())), ()))
    })
}

/// What becomes of a value.
#[derive(Debug)]
pub(crate) enum Update<'v> {
    Keep,
    Set(Cow<'v, [u8]>),
    Delete,
}

/// Does what `decide` makes of what is there, as one step in a stage that compares before it writes. It is asked again
/// if another write came first.
pub(crate) fn update<'v, T, E: From<Refusal> + From<Error>>(
    engine: &dyn Engine,
    key: &[u8],
    mut decide: impl FnMut(Option<&Found>) -> Result<(Update<'v>, T), E>,
) -> Result<T, E> {
    // Each failure means that another write came first. So many in a row do not happen by chance.
    const TRIES: usize = 1000;
    let Some(atomic) = engine.as_atomic() else { return Err(Capability::Atomic.lacking(engine).into()) };
    for _ in 0..TRIES {
        let found = look(engine, key)?;
        let (update, outcome) = decide(found.as_ref())?;
        let new = match &update {
            Update::Keep => return Ok(outcome),
            Update::Set(value) => Some(&**value),
            Update::Delete => None,
        };
        if atomic.compare_and_set(key, found.as_ref().map(|found| &*found.value), new)? {
            return Ok(outcome);
        }
    }
    let why = "others write this key all the time; nothing was written";
    Err(Refusal::new(StatusCode::CONFLICT, why).into())
}

#[cfg(test)]
mod tests {
    use logladder_engine::{Durability, History, Result, Stats, VisitVersion};

    use super::*;

    /// A store in a cluster that takes writes, and is lost whenever something is read.
    struct Lost;

    fn lost<T>() -> Result<T> {
        Err(Error::NoQuorum { why: "nobody answers".to_owned() })
    }

    impl Engine for Lost {
        fn name(&self) -> &'static str {
            "lost"
        }

        fn durability(&self) -> Durability {
            Durability::PowerLoss
        }

        fn get(&self, _key: &[u8]) -> Result<Option<Vec<u8>>> {
            lost()
        }

        fn set(&self, _key: &[u8], _value: &[u8]) -> Result<()> {
            Ok(())
        }

        fn delete(&self, _key: &[u8]) -> Result<()> {
            Ok(())
        }

        fn sync(&self) -> Result<()> {
            Ok(())
        }

        fn stats(&self) -> Result<Stats> {
            lost()
        }

        fn as_history(&self) -> Option<&dyn History> {
            Some(self)
        }
    }

    impl History for Lost {
        fn versions(&self, _key: &[u8], _visit: &mut VisitVersion<'_>) -> Result<()> {
            lost()
        }
    }

    #[test]
    fn a_write_that_was_done_is_not_refused_because_its_version_cannot_be_read() {
        assert!(matches!(version_of(&Lost, b"key", b"value"), Ok(None)));
        assert!(look(&Lost, b"key").is_err(), "a read is");
    }
}
