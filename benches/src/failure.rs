//! [`Failure`]: why there is no figure. A measurement that fails prints nothing but this.

use std::path::PathBuf;
use std::{error, fmt};

use serde::{Deserialize, Serialize};

/// Why a measurement or its input was given up. It travels as JSON from the worker process to its parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Failure {
    /// An engine answered with something other than what was stored. No figure of it is worth printing.
    WrongValue {
        /// The engine.
        engine: String,
        /// The phase it happened in.
        during: String,
        /// The key, escaped, shortened if it is long.
        key: String,
        /// What was stored under it; the like of `key`, or `nothing`.
        expected: String,
        /// What the engine found.
        found: String,
    },
    /// An engine returned an error.
    Engine {
        /// The engine.
        engine: String,
        /// The phase it happened in.
        during: String,
        /// Its message.
        what: String,
    },
    /// A worker process ended without a result.
    Worker {
        /// The engine it ran.
        engine: String,
        /// How it ended.
        what: String,
    },
    /// An input file cannot be used.
    Input {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, if one line is to blame.
        line: Option<u64>,
        /// What is wrong, and what can be done.
        what: String,
    },
    /// The operating system refused something that the benchmark itself needs.
    System {
        /// What was being done, as a verb and its object.
        doing: String,
        /// What the system said.
        what: String,
    },
}

impl Failure {
    /// A [`Failure::WrongValue`] from the bytes themselves.
    #[must_use]
    pub fn wrong_value(
        engine: &str,
        during: &str,
        key: &[u8],
        expected: Option<&[u8]>,
        found: Option<&[u8]>,
    ) -> Self {
        let show = |value: Option<&[u8]>| value.map_or_else(|| "nothing".to_owned(), escape);
        let mut found_text = show(found);
        if let (Some(expected), Some(found)) = (expected, found) {
            let same = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
            found_text = format!("{found_text} (first difference at byte {same})");
        }
        Self::WrongValue {
            engine: engine.to_owned(),
            during: during.to_owned(),
            key: escape(key),
            expected: show(expected),
            found: found_text,
        }
    }

    /// A [`Failure::System`] from what was being done and the error.
    #[must_use]
    pub fn system(doing: impl Into<String>, error: &dyn error::Error) -> Self {
        Self::System { doing: doing.into(), what: error.to_string() }
    }
}

/// The bytes as quoted text with escapes; of more than 60, the beginning and the length.
fn escape(bytes: &[u8]) -> String {
    const SHOWN: usize = 60;
    let shown = match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= SHOWN => return format!("{text:?}"),
        _ => &bytes[..bytes.len().min(SHOWN)],
    };
    let more = if bytes.len() > SHOWN { format!("… ({} bytes)", bytes.len()) } else { String::new() };
    format!("\"{}\"{more}", shown.escape_ascii())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongValue { engine, during, key, expected, found } => write!(
                f,
                "{engine} answered wrongly ({during}): key {key}: expected {expected}, found {found}"
            ),
            Self::Engine { engine, during, what } => write!(f, "{engine} failed ({during}): {what}"),
            Self::Worker { engine, what } => write!(f, "the process that ran {engine} {what}"),
            Self::Input { path, line: Some(line), what } => write!(f, "{}:{line}: {what}", path.display()),
            Self::Input { path, line: None, what } => write!(f, "{}: {what}", path.display()),
            Self::System { doing, what } => write!(f, "cannot {doing}: {what}"),
        }
    }
}

impl error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_is_named_with_engine_key_expected_and_found() {
        let failure =
            Failure::wrong_value("scan-log", "read back", b"U+0041", Some(b"LATIN A"), Some(b"LATIN B"));
        assert_eq!(
            failure.to_string(),
            "scan-log answered wrongly (read back): key \"U+0041\": expected \"LATIN A\", \
             found \"LATIN B\" (first difference at byte 6)"
        );
        let absent = Failure::wrong_value("memory", "check", b"\xff", Some(&[b'x'; 100]), None);
        assert!(absent.to_string().contains(r#"key "\xff""#), "{absent}");
        assert!(absent.to_string().ends_with("… (100 bytes), found nothing"), "{absent}");
    }
}
