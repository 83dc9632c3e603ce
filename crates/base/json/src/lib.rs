//! Byte strings as JSON text, and typed documents with canonical keys over any engine.
//!
//! Two stages of the ladder keep their data as JSON, so that it can be read in an editor: `json-file` and
//! `scan-log`. An engine's keys and values are byte strings, though, and JSON knows only text. [`encode`] and
//! [`decode`] are the bridge:
//!
//! | a byte string that is | is written as | for example |
//! |---|---|---|
//! | a compact JSON object or array | itself | `{"name":"anna"}` |
//! | any other UTF-8 | a JSON string | `"value-1"` |
//! | anything else | base64 in a wrapper | `{"$base64":"/wD/"}` |
//!
//! The round trip is exact for every byte string; tests throw random and malicious ones at it. *Compact*
//! means that parsing the text and writing it again, with its members in their order, gives the same bytes.
//! Whatever is not certain to survive that in any hands becomes a JSON string, which always does: white
//! space, exponents, `-0` and `1.50`, integers that fit no 64 bits, needless escapes, an object that names a
//! member twice, nesting beyond 127 levels, and an object that could be taken for the wrapper.
//!
//! [`encode_name`] and [`decode_name`] do the same where JSON allows only a string: the name of a member.
//!
//! [`Documents`] goes the other way: it puts typed values, by way of serde, into any engine.

mod compact;
mod documents;
mod error;
mod name;
mod text;

pub use documents::{DocumentError, Documents};
pub use error::DecodeError;
pub use name::{NAME_PREFIX, decode_name, encode_name};
pub use text::{decode, decode_raw, encode};
