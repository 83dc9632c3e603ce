//! [`Sources`]: the files of figures that benchmarks have kept, as the page reads them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Failure, Report, Sheet, summary};

/// A table that a benchmark kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) headings: Vec<String>,
    /// Whether the column is set to the right.
    pub(super) right: Vec<bool>,
    pub(super) rows: Vec<Vec<String>>,
}

impl From<Sheet> for Table {
    fn from(sheet: Sheet) -> Self {
        let Sheet { name, title, headings, right, rows, marked: _ } = sheet;
        Self { name: name.to_owned(), title, headings, right, rows }
    }
}

/// A file of figures.
#[derive(Debug, Deserialize)]
pub(super) struct Saved {
    /// What was run where, in a sentence.
    pub(super) run: String,
    pub(super) tables: Vec<Table>,
    /// The figures as numbers, each benchmark's in its own way.
    #[serde(flatten)]
    pub(super) numbers: Map<String, Value>,
}

impl Saved {
    /// The whole report, where the file is of a benchmark that keeps one.
    pub(super) fn report(&self) -> Option<Report> {
        serde_json::from_value(Value::Object(self.numbers.clone())).ok()
    }

    /// What survives a crash in each engine of the list `name`: who writes such a list says it of each.
    pub(super) fn durabilities(&self, name: &str) -> BTreeMap<String, String> {
        let entries = self.numbers.get(name).and_then(Value::as_array);
        let pair = |entry: &Value| {
            let text = |field| entry.get(field).and_then(Value::as_str).map(str::to_owned);
            Some((text("engine")?, text("durability")?))
        };
        entries.into_iter().flatten().filter_map(pair).collect()
    }
}

/// Every file of figures in a folder, by its name without the ending.
#[derive(Debug, Default)]
pub struct Sources {
    pub(super) files: BTreeMap<String, Saved>,
    /// Where the figures of the climb are from, if they are not those of the folder.
    pub(super) climb_from: Option<String>,
}

impl Sources {
    /// Reads every `.json` file of the folder.
    ///
    /// # Errors
    ///
    /// [`Failure::Input`]: the folder or a file cannot be read, or a file holds no figures.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let failed =
            |path: &Path, what: String| Failure::Input { path: path.to_path_buf(), line: None, what };
        let listing = fs::read_dir(folder).map_err(|error| failed(folder, error.to_string()))?;
        let mut files = BTreeMap::new();
        for entry in listing {
            let path = entry.map_err(|error| failed(folder, error.to_string()))?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = fs::read(&path).map_err(|error| failed(&path, error.to_string()))?;
            let saved = serde_json::from_slice(&text)
                .map_err(|error| failed(&path, format!("not a file of figures: {error}")))?;
            files.insert(name, saved);
        }
        Ok(Self { files, climb_from: None })
    }

    /// The same with this climb in place of the one that is kept: one that is not for the documentation, because engines
    /// of somebody's own are in it. `from` says where it lies.
    ///
    /// # Errors
    ///
    /// [`Failure::System`]: the report is none that can be written down.
    pub fn with_climb(mut self, from: &str, report: &Report) -> Result<Self, Failure> {
        let numbers = serde_json::to_value(report)
            .and_then(serde_json::from_value)
            .map_err(|error| Failure::system("write the report of a climb as JSON", &error))?;
        let run = format!("{}, {}.", report.machine, report.date);
        let tables = summary::of_climb(report).into_iter().map(Table::from).collect();
        self.files.insert("climb".to_owned(), Saved { run, tables, numbers });
        self.climb_from = Some(from.to_owned());
        Ok(self)
    }
}
