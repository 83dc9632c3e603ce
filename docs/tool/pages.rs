//! [`Book`]: the pages of the book, and those at the root of the repository.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

/// The pages at the root of the repository that are held to the same rules.
const ROOT_PAGES: [&str; 3] = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];

/// Where the book's pages lie, from the root of the repository.
const SOURCE: &str = "docs/src";

/// A text in Markdown.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its file, from the root of the repository.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

impl Page {
    /// The line, from 1, that the byte `offset` is on.
    #[must_use]
    pub fn line_of(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
    }

    /// What a relative path on this page stands for, from the root of the repository; `None` if it leaves the
    /// repository.
    #[must_use]
    pub fn resolve(&self, path: &str) -> Option<PathBuf> {
        let mut resolved = self.path.parent().unwrap_or(Path::new("")).to_path_buf();
        for component in Path::new(path).components() {
            match component {
                Component::Normal(name) => resolved.push(name),
                Component::CurDir => {}
                Component::ParentDir => {
                    if !resolved.pop() {
                        return None;
                    }
                }
                Component::RootDir | Component::Prefix(_) => return None,
            }
        }
        Some(resolved)
    }
}

/// The book and the repository it speaks of.
#[derive(Debug)]
pub struct Book {
    /// The root of the repository.
    pub root: PathBuf,
    /// Every page, sorted by path.
    pub pages: Vec<Page>,
}

impl Book {
    /// The book of the repository that this program was built in.
    ///
    /// # Errors
    ///
    /// A page could not be read.
    pub fn of_this_repository() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self::read(root.parent().context("the package lies in the repository's folder `docs`")?)
    }

    /// The book of the repository at `root`.
    ///
    /// # Errors
    ///
    /// A page could not be read.
    pub fn read(root: &Path) -> Result<Self> {
        let mut book = Self { root: root.to_path_buf(), pages: Vec::new() };
        for page in ROOT_PAGES.iter().filter(|page| root.join(page).exists()) {
            book.add(PathBuf::from(page))?;
        }
        for path in files_below(root, Path::new(SOURCE))? {
            if path.extension().is_some_and(|extension| extension == "md") {
                book.add(path)?;
            }
        }
        book.pages.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(book)
    }

    fn add(&mut self, path: PathBuf) -> Result<()> {
        let text = read(&self.root, &path)?;
        self.pages.push(Page { path, text });
        Ok(())
    }

    /// The page at this path from the root of the repository.
    #[must_use]
    pub fn page(&self, path: impl AsRef<Path>) -> Option<&Page> {
        self.pages.iter().find(|page| page.path == path.as_ref())
    }

    /// The page that lists the others.
    #[must_use]
    pub fn summary(&self) -> Option<&Page> {
        self.page(Path::new(SOURCE).join("SUMMARY.md"))
    }

    /// Whether a path from the root of the repository lies among the book's pages.
    #[must_use]
    pub fn is_inside(path: &Path) -> bool {
        path.starts_with(SOURCE)
    }
}

/// The text of a file of the repository.
pub(crate) fn read(root: &Path, path: &Path) -> Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {}", path.display()))
}

/// Every file below the folder `dir` of the repository, by its path from the root.
pub(crate) fn files_below(root: &Path, dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder))
            .with_context(|| format!("cannot list the folder {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_resolved_from_its_page_and_never_out_of_the_repository() {
        let page = Page { path: "docs/src/stages/a.md".into(), text: "1\n2\n3".into() };
        assert_eq!(page.resolve("b.md"), Some("docs/src/stages/b.md".into()));
        assert_eq!(page.resolve("./../../../README.md"), Some("README.md".into()));
        assert_eq!(page.resolve("../../../../x"), None);
        assert_eq!(page.resolve("/etc"), None);
        assert_eq!([page.line_of(0), page.line_of(2), page.line_of(5)], [1, 2, 3]);
    }
}
