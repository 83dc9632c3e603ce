//! The table of stages, as the pages show it, and that each stage has its page.

use std::fmt::Write as _;
use std::path::Path;

use logladder::{STAGES, Stage};

use crate::{Book, Fault, Page, links};

/// The page of a stage, from the root of the repository.
#[must_use]
pub fn page_of(stage: &Stage) -> String {
    format!("docs/src/stages/{}-{}.md", stage.number, stage.name)
}

/// The folder of a stage's crate, from the root of the repository.
#[must_use]
pub fn crate_of(stage: &Stage) -> String {
    format!("crates/stages/{}-{}", stage.number, stage.name)
}

/// Every stage without a page, and every page that `SUMMARY.md` leaves out.
#[must_use]
pub fn check(book: &Book) -> Vec<Fault> {
    let Some(summary) = book.summary() else {
        let page = Page { path: "docs/src/SUMMARY.md".into(), text: String::new() };
        return vec![Fault::new(&page, 0, "it is not there")];
    };
    let listed = links::pages_linked(summary);
    let without_page = STAGES.iter().map(page_of).filter(|path| book.page(path).is_none());
    let missing = without_page
        .map(|path| Fault::new(summary, 0, format!("a stage stands, and its page {path} does not")));
    let unlisted = book
        .pages
        .iter()
        .filter(|page| {
            Book::is_inside(&page.path) && page.path != summary.path && !listed.contains(&page.path)
        })
        .map(|page| Fault::new(page, 0, "SUMMARY.md does not list this page, so the book leaves it out"));
    missing.chain(unlisted).collect()
}

/// The table of stages, with links as they are right on `page`.
pub(crate) fn table(page: &Page) -> String {
    let mut table = String::from(
        "| | stage | what it is | what it fixes | what still hurts | |\n|---|---|---|---|---|---|\n",
    );
    for stage in STAGES {
        let lesson = relative(&page.path, &page_of(stage));
        // The file, not the folder, so that the link also leads somewhere without a web server.
        let code = relative(&page.path, &format!("{}/src/lib.rs", crate_of(stage)));
        let Stage { number, name, summary, fixes, hurts, .. } = stage;
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "| {number} | [{name}]({lesson}) | {summary} | {fixes} | {hurts} | [code]({code}) |"
        );
    }
    table
}

/// The path from the page at `from` to `to`, both from the root of the repository.
fn relative(from: &Path, to: &str) -> String {
    let folder = from.parent().unwrap_or(Path::new(""));
    let mut from = folder.components().peekable();
    let mut to = Path::new(to).components().peekable();
    while from.peek().is_some() && from.peek() == to.peek() {
        from.next();
        to.next();
    }
    let up = from.map(|_| "..".to_owned());
    let down = to.map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_goes_up_to_the_common_folder_and_down_again() {
        assert_eq!(relative(Path::new("README.md"), "docs/src/a.md"), "docs/src/a.md");
        assert_eq!(relative(Path::new("docs/src/b.md"), "docs/src/stages/a.md"), "stages/a.md");
        assert_eq!(relative(Path::new("docs/src/stages/b.md"), "crates/a.rs"), "../../../crates/a.rs");
    }
}
