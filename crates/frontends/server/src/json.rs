//! Reading JSON that a client sent: objects are objects, and what is wrong is said in the words of JSON.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::answer::Refusal;

/// A JSON object of the form of `T`. What is derived for a structure takes an array of its members as well.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// The body as an object of this form.
pub(crate) fn parse<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Object(parsed)) => Ok(parsed),
        // The message ends with the line and the column.
        Err(error) if error.is_data() => {
            Err(Refusal::bad(format!("unexpected JSON: {}", in_words_of_json(&error.to_string()))))
        }
        Err(error) => Err(Refusal::bad(format!("bad JSON: {error}"))),
    }
}

/// `invalid type: sequence, expected …` with the names that JSON has for its types. What the client sent stands between
/// the two, and stays as it is.
fn in_words_of_json(message: &str) -> String {
    let parts = message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "));
    let Some((found, expected)) = parts else { return message.to_owned() };
    let found = match found {
        "sequence" => "an array",
        "map" => "an object",
        other => other,
    };
    let expected = match expected.strip_prefix("a sequence") {
        Some(place) => format!("an array{place}"),
        None => expected.to_owned(),
    };
    format!("{found}, and not {expected}")
}
