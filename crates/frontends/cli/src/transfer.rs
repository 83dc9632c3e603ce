//! `import` and `export`: keys and values from and to files that other programs know.

mod import;
mod lines;
mod read;
mod write;

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use logladder_engine::limits;

pub(crate) use self::import::Import;
pub(crate) use self::write::Export;
use crate::outcome::Refusal;

/// The name of standard input and output.
const PIPE: &str = "-";

/// A form of a file of keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `{"key":…,"value":…}` on each line.
    JsonLines,
    /// Two columns, with or without a first row that says `key,value`.
    Csv,
    /// A key, a tab, a value.
    Tsv,
    /// One JSON object: what the stage json-file keeps.
    Database,
    /// `[key,value,deleted]` on each line: what the stage scan-log keeps.
    Store,
    /// `{"operation":"SET","key":…,"value":…}` on each line: an append-only file.
    Aof,
}

const FORMATS: [(&str, Format); 6] = [
    ("jsonl", Format::JsonLines),
    ("csv", Format::Csv),
    ("tsv", Format::Tsv),
    ("database.json", Format::Database),
    ("store.json", Format::Store),
    ("aof", Format::Aof),
];

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        FORMATS.iter().find(|(name, _)| *name == text).map(|&(_, format)| format).ok_or_else(|| {
            let names: Vec<&str> = FORMATS.iter().map(|&(name, _)| name).collect();
            format!("there are {}", names.join(", "))
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = FORMATS.iter().find(|(_, format)| format == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

impl Format {
    /// The form that was asked for, or that the name of the file tells; for a pipe, tab-separated lines.
    ///
    /// # Errors
    ///
    /// The name tells none.
    fn of(asked: Option<Self>, path: &Path) -> Result<Self> {
        if let Some(format) = asked {
            return Ok(format);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let ending = name.rsplit('.').next().unwrap_or_default();
        match (name.as_str(), ending) {
            ("store.json", _) => Ok(Self::Store),
            (PIPE, _) | (_, "tsv" | "tab" | "txt") => Ok(Self::Tsv),
            (_, "jsonl" | "ndjson") => Ok(Self::JsonLines),
            (_, "csv") => Ok(Self::Csv),
            (_, "json") => Ok(Self::Database),
            (_, "aof") => Ok(Self::Aof),
            _ => {
                let what = format!("the name of {} tells no format: say it with --format", path.display());
                Err(Refusal::Usage(what).into())
            }
        }
    }
}

/// All of standard input, if it is no longer than a value may be.
///
/// # Errors
///
/// It cannot be read, or is longer.
pub(crate) fn whole_input() -> Result<Vec<u8>> {
    let mut value = Vec::new();
    let most = limits::MAX_VALUE_LEN as u64 + 1;
    std::io::stdin().lock().take(most).read_to_end(&mut value).context("cannot read standard input")?;
    limits::check_entry(&[], &value)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_tells_its_format() {
        for (name, format) in [
            ("a/x.jsonl", Format::JsonLines),
            ("x.CSV", Format::Csv),
            ("-", Format::Tsv),
            ("database.json", Format::Database),
            ("old/store.json", Format::Store),
            ("test.aof", Format::Aof),
        ] {
            assert_eq!(Format::of(None, Path::new(name)).unwrap(), format, "{name}");
        }
        assert!(Format::of(None, Path::new("data")).is_err());
        assert_eq!(Format::of(Some(Format::Csv), Path::new("data")).unwrap(), Format::Csv);
    }

    #[test]
    fn each_format_reads_back_from_its_name() {
        for (name, format) in FORMATS {
            assert_eq!(name.parse(), Ok(format));
            assert_eq!(format.to_string(), name);
        }
    }
}
