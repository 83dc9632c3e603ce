//! How large a stage's code is, part by part.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// Lines of code, by what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Lines {
    /// What is compiled into the engine.
    pub(super) code: usize,
    /// What is written for readers.
    pub(super) comments: usize,
    /// Its tests, in the same file or in the folder `tests`.
    pub(super) tests: usize,
}

impl Lines {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            code: self.code + other.code,
            comments: self.comments + other.comments,
            tests: self.tests + other.tests,
        }
    }
}

/// The parts of a crate: a module with the folder of the same name, and all of `tests` as one part.
pub(super) fn parts(crate_folder: &Path) -> Result<BTreeMap<String, Lines>> {
    let mut parts: BTreeMap<String, Lines> = BTreeMap::new();
    for file in rust_files(&crate_folder.join("src"))? {
        let inside = file.strip_prefix(crate_folder.join("src")).unwrap_or(&file);
        let part = inside.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let part = part.unwrap_or_default().trim_end_matches(".rs").to_owned();
        let lines = count(&read(&file)?);
        let so_far = parts.entry(part).or_default();
        *so_far = so_far.plus(lines);
    }
    let tests = crate_folder.join("tests");
    if tests.is_dir() {
        let mut all = Lines::default();
        for file in rust_files(&tests)? {
            let Lines { code, comments, tests } = count(&read(&file)?);
            all.tests += code + comments + tests;
        }
        parts.insert("(tests)".to_owned(), all);
    }
    Ok(parts)
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Every Rust file in the folder and below.
fn rust_files(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    let listing = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in listing {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Counts the lines of a file. Empty ones count nowhere; the module `tests` reaches to the end of its file.
fn count(source: &str) -> Lines {
    let mut lines = Lines::default();
    let mut in_tests = false;
    for line in source.lines().map(str::trim).filter(|line| !line.is_empty()) {
        in_tests = in_tests || line == "#[cfg(test)]";
        if in_tests {
            lines.tests += 1;
        } else if line.starts_with("//") {
            lines.comments += 1;
        } else {
            lines.code += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_code_a_comment_or_a_test() {
        let source = "//! Head.\n\nfn a() {} // b\n// c\n#[cfg(test)]\nmod tests {\n    // d\n}\n";
        assert_eq!(count(source), Lines { code: 1, comments: 2, tests: 4 });
    }

    #[test]
    fn a_module_and_its_folder_are_one_part() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let parts = parts(&root.join("crates/stages/7-hash-log")).unwrap();
        assert!(parts.contains_key("index") && !parts.contains_key("index.rs"));
        assert!(parts["(tests)"].tests > 100 && parts["(tests)"].code == 0);
    }
}
