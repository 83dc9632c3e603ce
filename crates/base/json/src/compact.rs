//! Whether a text is a compact JSON object or array: one that any careful JSON reader and writer gives back
//! byte for byte.
//!
//! The question is answered by doing it: serde_json reads the text, and [`Echo`] writes every value as it
//! comes. Nothing is built in memory but the copy, and members keep their order. serde_json stops at 128
//! levels, so that a deep text cannot overflow the stack.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Whether `bytes` are a compact JSON object or array.
pub(crate) fn is_compact_container(bytes: &[u8]) -> bool {
    let has_brackets = matches!(bytes, [b'{', .., b'}'] | [b'[', .., b']']);
    if !has_brackets {
        return false;
    }
    let mut copy = Vec::with_capacity(bytes.len());
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let echoed = Echo { out: &mut copy }.deserialize(&mut reader).and_then(|()| reader.end());
    echoed.is_ok() && copy == bytes
}

/// Writes the value that it reads.
struct Echo<'o> {
    out: &'o mut Vec<u8>,
}

impl Echo<'_> {
    fn scalar<E: Error>(self, value: &(impl serde::Serialize + ?Sized)) -> Result<(), E> {
        serde_json::to_writer(self.out, value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Echo<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Echo<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar(&())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(&value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(&value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(&value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let start = self.out.len();
        serde_json::to_writer(&mut *self.out, &value).map_err(E::custom)?;
        // Writers agree on `0.5`, but not on `1e100`, which some write as `1e+100`.
        if self.out[start..].contains(&b'e') {
            return Err(E::custom("a number has an exponent"));
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.out.push(b'[');
        let mut is_first = true;
        loop {
            let before = self.out.len();
            if !is_first {
                self.out.push(b',');
            }
            if elements.next_element_seed(Echo { out: self.out })?.is_none() {
                self.out.truncate(before);
                break;
            }
            is_first = false;
        }
        self.out.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        self.out.push(b'{');
        while let Some(name) = members.next_key::<String>()? {
            if !names.is_empty() {
                self.out.push(b',');
            }
            Echo { out: self.out }.scalar::<A::Error>(&name)?;
            self.out.push(b':');
            members.next_value_seed(Echo { out: self.out })?;
            if !names.insert(name) {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        self.out.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_writer_gives_back_is_compact() {
        for text in [
            "{}",
            "[]",
            r#"{"name":"anna"}"#,
            r#"{"z":1,"a":2}"#,
            r#"["animal",1]"#,
            "[null,true,false,-1,0.5,1.0,18446744073709551615,-9223372036854775808]",
            r#"["\"\\\b\f\n\r\t\u0000\u001f",""]"#,
            "[\"\u{7f}\u{2028}ü\"]",
        ] {
            assert!(is_compact_container(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_some_writer_would_change_is_not() {
        for text in [
            "",
            "{",
            "[",
            "]",
            "[1",
            "{}{}",
            "[]]",
            "[,]",
            "[1,]",
            " []",
            "[] ",
            "[ ]",
            "[\n]",
            "[1, 2]",
            r#"{"a": 1}"#,
            "[1e5]",
            "[1e100]",
            "[1e+100]",
            "[1e-7]",
            "[1E5]",
            "[1.50]",
            "[-0]",
            "[00]",
            "[+1]",
            "[.5]",
            "[1.]",
            "[18446744073709551616]",
            "[-9223372036854775809]",
            "[1e999]",
            "[NaN]",
            "[0.1000000000000000055]",
            r#"["\u0041"]"#,
            r#"["\/"]"#,
            r#"["\u001F"]"#,
            r#"["\u000a"]"#,
            r#"["\ud800"]"#,
            r#"["\u00fc"]"#,
            r#"{"a":1,"a":2}"#,
            r#"[{"a":{"b":1,"b":1}}]"#,
            "{1:2}",
            "{\"a\":1}\n",
            "\u{feff}[]",
            "1",
            "\"a\"",
            "null",
        ] {
            assert!(!is_compact_container(text.as_bytes()), "{text}");
        }
        assert!(!is_compact_container(b"[\"\xff\"]"));
        assert!(!is_compact_container(b"[\"\x01\"]"));
    }

    #[test]
    fn nesting_is_compact_up_to_127_levels_and_beyond_does_no_harm() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(is_compact_container(nested(127).as_bytes()));
        assert!(!is_compact_container(nested(128).as_bytes()));
        assert!(!is_compact_container(nested(1_000_000).as_bytes()));
    }
}
