//! The book as HTML.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use mdbook_driver::MDBook;
use mdbook_driver::book::BookItem;

use crate::{Book, Page, links};

/// Where the book is built unless another place is named, from the root of the repository.
pub const DESTINATION: &str = "docs/book";

/// Builds the book of the repository into the folder `destination`, and says where its first page is.
///
/// Links to files outside the book, such as source code, are made to lead from the built page to the file in the
/// repository; so the book is read best where it was built.
///
/// # Errors
///
/// A page or the folder cannot be read or written.
pub fn build(book: &Book, destination: &Path) -> Result<PathBuf> {
    build_with(book, destination, None)
}

/// The same with pages that wait at a WebSocket of this name for the word `reload`.
///
/// # Errors
///
/// As [`build`].
pub(crate) fn build_with_reload(book: &Book, destination: &Path, endpoint: &str) -> Result<PathBuf> {
    build_with(book, destination, Some(endpoint))
}

fn build_with(book: &Book, destination: &Path, reload: Option<&str>) -> Result<PathBuf> {
    let destination = std::path::absolute(destination)?;
    let mut html = MDBook::load(book.root.join("docs"))?;
    if let Some(endpoint) = reload {
        html.config.set("output.html.live-reload-endpoint", endpoint)?;
    }
    html.config.build.build_dir.clone_from(&destination);
    html.book.for_each_mut(|item| {
        if let BookItem::Chapter(chapter) = item
            && let Some(source) = &chapter.source_path
            && let Some(page) = book.page(Path::new("docs/src").join(source))
        {
            chapter.content = with_links_to_the_repository(book, page, &destination.join(source));
        }
    });
    html.build()?;
    let first = destination.join("index.html");
    if !first.is_file() {
        bail!("the book has no first page: {} was not made", first.display());
    }
    Ok(first)
}

/// The text of `page`, built to the file `built`, with its links out of the book turned.
fn with_links_to_the_repository(book: &Book, page: &Page, built: &Path) -> String {
    let mut text = page.text.clone();
    // From the end, so that a change moves nothing that is still to be changed.
    for link in links::links(&page.text).iter().rev() {
        let Some((path, _)) = link.path_and_heading() else { continue };
        let Some(target) = page.resolve(path).filter(|target| !path.is_empty() && !Book::is_inside(target))
        else {
            continue;
        };
        let turned = from_folder(built.parent().unwrap_or(Path::new("/")), &book.root.join(target));
        // mdBook takes every `.md` for a page of its own, unless it does not recognise it.
        let turned = turned.replace(".md", ".%6Dd");
        let written = &page.text[link.range.clone()];
        text.replace_range(
            link.range.clone(),
            &written.replace(&format!("]({path}"), &format!("]({turned}")),
        );
    }
    text
}

/// The relative path from a folder to a file, both absolute.
fn from_folder(folder: &Path, file: &Path) -> String {
    let shared = folder.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| "..".to_owned());
    let down = file.components().skip(shared).map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_out_of_the_book_leads_from_the_built_page_to_the_file() {
        let page = Page {
            path: "docs/src/stages/a.md".into(),
            text: "[code](../../../crates/a.rs), [rules](../../../CONTRIBUTING.md#rules), [b](b.md), `[c](../d)`"
                .into(),
        };
        let book = Book { root: "/repo".into(), pages: vec![] };
        assert_eq!(
            with_links_to_the_repository(&book, &page, Path::new("/tmp/book/stages/a.md")),
            "[code](../../../repo/crates/a.rs), [rules](../../../repo/CONTRIBUTING.%6Dd#rules), [b](b.md), `[c](../d)`"
        );
    }
}
