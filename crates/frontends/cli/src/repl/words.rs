//! A line of the REPL: its words, and what they say.

use logladder::json;

use crate::bytes::taken;

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    Set(Vec<u8>, Vec<u8>),
    Get(Vec<u8>),
    Del(Vec<u8>),
    /// The keys with this prefix.
    Scan(Vec<u8>),
    /// The versions of this key.
    History(Vec<u8>),
    Stats,
    Compact,
    Check,
    Help,
    Exit,
}

/// The first words that are understood.
pub(super) const NAMES: [&str; 13] = [
    "db_set", "db_get", "set", "get", "del", "scan", "history", "stats", "compact", "check", "help", "exit",
    "quit",
];

/// Reads a line; an empty one says nothing.
///
/// # Errors
///
/// It cannot be understood.
pub(super) fn parse(line: &str) -> Result<Option<Deed>, String> {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim_start();
    Ok(Some(match name {
        "" => return Ok(None),
        "db_set" | "set" => {
            let (key, value) = first_word(rest)?;
            if rest.is_empty() || value.is_empty() {
                return Err(format!(
                    "{name} takes a key and a value, as in: {name} 1 '{{\"name\": \"anna\"}}'"
                ));
            }
            Deed::Set(key, value_of(value)?)
        }
        // What stands behind the key is left aside, as in the program that had this word.
        "db_get" if !rest.is_empty() => Deed::Get(first_word(rest)?.0),
        "db_get" | "get" => Deed::Get(only_key(name, rest)?),
        "del" => Deed::Del(only_key(name, rest)?),
        "scan" if rest.is_empty() => Deed::Scan(Vec::new()),
        "scan" => Deed::Scan(only_key(name, rest)?),
        "history" => Deed::History(only_key(name, rest)?),
        "stats" => Deed::Stats,
        "compact" => Deed::Compact,
        "check" => Deed::Check,
        "help" => Deed::Help,
        "exit" | "quit" => Deed::Exit,
        other => return Err(format!("there is no command `{other}`: type help")),
    }))
}

fn only_key(name: &str, rest: &str) -> Result<Vec<u8>, String> {
    if rest.is_empty() {
        return Err(format!("{name} takes one key"));
    }
    match first_word(rest)? {
        (key, "") => Ok(key),
        (_, more) => Err(format!("{name} takes one key, and {more} is too much")),
    }
}

/// The first word, which may be in single quotes, and what comes behind it.
fn first_word(text: &str) -> Result<(Vec<u8>, &str), String> {
    if let Some(inner) = text.strip_prefix('\'') {
        let (word, rest) = inner.split_once('\'').ok_or("the single quote is not closed")?;
        return Ok((word.as_bytes().to_vec(), rest.trim_start()));
    }
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Ok((taken(word)?.into_owned(), rest.trim_start()))
}

/// A value: all of the rest of the line. What is in single quotes is JSON if it can be, and then it is kept without
/// the white space between its parts; and so is an object or an array without quotes.
fn value_of(text: &str) -> Result<Vec<u8>, String> {
    if let Some(inner) = text.strip_prefix('\'') {
        let inner = inner.strip_suffix('\'').ok_or("the single quote is not closed")?;
        return Ok(json::decode(inner.as_bytes()).map_or_else(|_| inner.as_bytes().to_vec(), Vec::from));
    }
    if text.starts_with(['{', '[']) {
        return Ok(json::decode(text.as_bytes()).map_or_else(|_| text.as_bytes().to_vec(), Vec::from));
    }
    Ok(taken(text)?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(line: &str) -> (String, String) {
        match parse(line) {
            Ok(Some(Deed::Set(key, value))) => {
                (String::from_utf8(key).unwrap(), String::from_utf8(value).unwrap())
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_value_is_a_word_or_several_or_json_in_single_quotes() {
        for (line, value) in [
            ("db_set 1 ana", "ana"),
            ("  set  1   two  words ", "two  words"),
            (r#"db_set 1 '{"name": "anna"}'"#, r#"{"name":"anna"}"#),
            (r#"set 1 {"name": "anna"}"#, r#"{"name":"anna"}"#),
            (r#"set 1 '"text"'"#, "text"),
            ("set 1 'no json, it''s text'", "no json, it''s text"),
            ("set 1 '5'", "5"),
            ("set 1 ''", ""),
        ] {
            assert_eq!(set(line), ("1".to_owned(), value.to_owned()), "{line}");
        }
        assert_eq!(set("set 'a key' v").0, "a key");
        assert_eq!(parse("get b\"\\xff\""), Ok(Some(Deed::Get(vec![0xff]))));
        assert_eq!(parse("history 'a key'"), Ok(Some(Deed::History(b"a key".to_vec()))));
        assert_eq!(parse("  "), Ok(None));
        for line in ["db_get 2", "db_get 2 '{\"name\": \"bob\"}", "db_get 2 '{\"name\": \"bob\"}'"] {
            assert_eq!(parse(line), Ok(Some(Deed::Get(b"2".to_vec()))), "{line}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_understood_says_why() {
        for line in [
            "set",
            "set 1",
            "get",
            "get 1 2",
            "del",
            "history",
            "history 1 2",
            "fetch 1",
            "set 1 'open",
            "set 'open 1",
            "db_get",
            "db_get 'open",
            "get 2 '{}",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(NAMES.iter().all(|name| !matches!(parse(name), Err(why) if why.contains("no command"))));
    }
}
