//! Real input for `climb`: Unicode's character names, or a file of the user's.
//!
//! | format | a record | |
//! |---|---|---|
//! | JSON Lines | `{"key": K, "value": V}` or `[K, V]` | a string stands for its text, anything else for its JSON text without spaces; other fields are ignored |
//! | CSV | the first two columns | quoting as in RFC 4180; a first row `key,value` is a header |
//! | TSV | `key<TAB>value` | the value is the rest of the line; no quoting |
//!
//! Empty lines are skipped, a byte order mark too. A key that comes again overwrites the earlier one, in the
//! input as in the store.

mod formats;
mod row_lines;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::row_lines::RowLines;
use crate::Failure;

/// Where records come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Unicode's names of characters: `U+0041` is `LATIN CAPITAL LETTER A`. Those that are computed from the
    /// code point (ideographs, Hangul syllables and their like) are left out: some 34,000 remain. Unicode data files are
    /// under the Unicode licence; the crate `unicode_names2` brings them.
    UnicodeNames,
    /// A file of the user's.
    File(FileSource),
}

/// A file, and how to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSource {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub format: Format,
    /// Whether a CSV file begins with a row of names.
    pub header: Header,
    /// Whether bad lines are skipped and counted. If not, the first one is an error.
    pub skip_bad_lines: bool,
}

/// The format of an input file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One JSON value a line.
    JsonLines,
    /// Comma-separated values.
    Csv,
    /// Key, tab, value.
    Tsv,
}

/// Whether the first row of a CSV file is names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Header {
    /// It is if its first two cells are `key` and `value`, in any case.
    #[default]
    Detect,
    /// It is.
    Yes,
    /// It is a record.
    No,
}

/// Records, in the order of the input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records {
    /// Where they come from, for people to read.
    pub origin: String,
    /// Keys and values. A key may come again.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
    /// Lines that were skipped: their numbers, from 1, and what was wrong with each. At most the first
    /// hundred.
    pub skipped: Vec<(u64, String)>,
    /// How many lines were skipped in all.
    pub skipped_count: u64,
}

impl Format {
    /// Every format's name, for a flag's help.
    pub const NAMES: [&'static str; 3] = ["jsonl", "csv", "tsv"];

    /// The format of this name or file extension: `jsonl` (`ndjson`, `json`), `csv`, `tsv` (`tab`, `txt`).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            "tsv" | "tab" | "txt" => Some(Self::Tsv),
            _ => None,
        }
    }
}

impl FileSource {
    /// A file whose format its extension tells.
    ///
    /// # Errors
    ///
    /// [`Failure::Input`] if it does not.
    pub fn new(path: &Path) -> Result<Self, Failure> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match Format::named(extension) {
            Some(format) => Ok(Self::with_format(path, format)),
            None => Err(Failure::Input {
                path: path.to_path_buf(),
                line: None,
                what: format!("its name does not tell its format: say which of {}", Format::NAMES.join(", ")),
            }),
        }
    }

    /// A file of this format.
    #[must_use]
    pub fn with_format(path: &Path, format: Format) -> Self {
        Self { path: path.to_path_buf(), format, header: Header::Detect, skip_bad_lines: false }
    }
}

impl Source {
    /// Reads all records.
    ///
    /// # Errors
    ///
    /// [`Failure::Input`]: the file cannot be read, a line of it is bad (unless those are skipped), or it
    /// has no records.
    pub fn read(&self) -> Result<Records, Failure> {
        match self {
            Self::UnicodeNames => Ok(unicode_names()),
            Self::File(file) => formats::read(file),
        }
    }
}

fn unicode_names() -> Records {
    let computed = ["IDEOGRAPH-", "CHARACTER-", "HIEROGLYPH-", "HANGUL SYLLABLE "];
    let entries = ('\0'..=char::MAX).filter_map(|character| {
        let name = unicode_names2::name(character)?.to_string();
        let is_computed = computed.iter().any(|part| name.contains(part));
        let key = format!("U+{:04X}", u32::from(character));
        (!is_computed).then(|| (key.into_bytes(), name.into_bytes()))
    });
    Records { origin: "Unicode's character names".into(), entries: entries.collect(), ..Records::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_input_is_some_thirty_thousand_names_of_characters() {
        let records = Source::UnicodeNames.read().unwrap();
        let letter = (b"U+0041".to_vec(), b"LATIN CAPITAL LETTER A".to_vec());
        assert!(records.entries.contains(&letter));
        assert!((30_000..40_000).contains(&records.entries.len()), "{}", records.entries.len());
        let ideographs = records.entries.iter().filter(|(_, name)| name.starts_with(b"CJK UNIFIED"));
        assert_eq!(ideographs.count(), 0);
    }

    #[test]
    fn a_file_whose_name_tells_no_format_is_refused_by_name() {
        let failure = FileSource::new(Path::new("data.bin")).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "data.bin: its name does not tell its format: say which of jsonl, csv, tsv"
        );
        assert_eq!(FileSource::new(Path::new("a/DATA.CSV")).unwrap().format, Format::Csv);
    }
}
