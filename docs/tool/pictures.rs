//! The pictures of the lessons: SVG files in `docs/src/pictures` that stand in their pages by `{{#include}}`.
//!
//! A picture that is part of the page takes its colours from the reader's theme. So it has none of its own, and no size either:
//! its looks are in `docs/theme/pictures.css`, the same for all. It says in words what it shows, for those who cannot see
//! it; and it has no empty line, at which Markdown would take it for the end of the HTML.

use std::path::Path;

use anyhow::Result;

use crate::pages::{files_below, read};
use crate::{Book, Fault, Page};

/// Where they lie, from the root of the repository.
const FOLDER: &str = "docs/src/pictures";

/// What a picture must have: what it begins with, and the words that it needs.
const HAS: [(&str, &str); 4] = [
    ("viewBox=\"0 0 480 ", "is as wide as the others: a viewBox of 480"),
    ("role=\"img\"", "is an image to a screen reader: role=\"img\""),
    ("<title>", "has a title"),
    ("<desc>", "says in words what it shows: a desc"),
];

/// What a picture must not have.
const HAS_NOT: [&str; 6] = ["<style", " style=", " fill=", " stroke=", " font-", "<script"];

/// How a picture stands in a page.
#[must_use]
pub fn shown(name: &str) -> String {
    format!("<figure class=\"picture\">\n{{{{#include ../pictures/{name}.svg}}}}\n")
}

/// Every picture that would not be right in every theme, or that no page shows.
///
/// # Errors
///
/// A picture could not be read.
pub fn check(book: &Book) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    if !book.root.join(FOLDER).exists() {
        return Ok(faults);
    }
    for path in files_below(&book.root, Path::new(FOLDER))? {
        let text = read(&book.root, &path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let is_shown = book.pages.iter().any(|page| page.text.contains(&shown(&name)));
        let picture = Page { path: path.clone(), text };
        if !is_shown {
            faults.push(Fault::new(&picture, 0, "no page shows this picture"));
        }
        faults.extend(faults_of(&picture));
    }
    Ok(faults)
}

fn faults_of(picture: &Page) -> Vec<Fault> {
    let text = picture.text.trim_end();
    let mut faults = Vec::new();
    if !text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" ") {
        faults.push(Fault::new(picture, 0, "a picture is an SVG file"));
    }
    for (needed, what) in HAS {
        if !text.contains(needed) {
            faults.push(Fault::new(picture, 0, format!("a picture {what}")));
        }
    }
    for unwanted in HAS_NOT {
        if let Some(offset) = text.find(unwanted) {
            let what = format!("`{}` has its place in docs/theme/pictures.css", unwanted.trim());
            faults.push(Fault::new(picture, offset, what));
        }
    }
    if let Some(offset) = text.find("\n\n") {
        faults.push(Fault::new(picture, offset + 1, "an empty line ends the picture in a page"));
    }
    if let Err((offset, what)) = balanced(text) {
        faults.push(Fault::new(picture, offset, what));
    }
    faults
}

/// Whether every element that begins ends in its place, since one that does not would swallow the rest of the page.
fn balanced(text: &str) -> Result<(), (usize, String)> {
    let mut open: Vec<(usize, &str)> = Vec::new();
    for (offset, _) in text.match_indices('<') {
        let Some((tag, _)) = text[offset + 1..].split_once('>') else {
            return Err((offset, "a tag without its end".into()));
        };
        if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some((_, opened)) if opened == name => {}
                _ => return Err((offset, format!("`</{name}>` ends what did not begin"))),
            }
        } else if !tag.ends_with('/') {
            open.push((offset, tag.split_whitespace().next().unwrap_or("")));
        }
    }
    match open.pop() {
        Some((offset, name)) => Err((offset, format!("`<{name}>` has no end"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 480 99\" role=\"img\">\n\
                        <title>A</title><desc>B</desc>\n<rect class=\"box\"/>\n</svg>\n";

    fn faults(text: &str) -> Vec<String> {
        let picture = Page { path: "docs/src/pictures/a.svg".into(), text: text.into() };
        faults_of(&picture).iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn assert_one(text: &str, what: &str) {
        let found = faults(text);
        assert!(found.len() == 1 && found[0].contains(what), "{found:?}");
    }

    #[test]
    fn a_picture_without_colours_and_sizes_of_its_own_has_no_fault() {
        assert_eq!(faults(GOOD), Vec::<String>::new());
    }

    #[test]
    fn each_way_in_which_a_picture_would_be_wrong_in_a_page_is_a_fault() {
        assert_one(&GOOD.replace("0 0 480", "0 0 640"), "as wide as the others");
        assert_one(&GOOD.replace("<desc>B</desc>", ""), "says in words");
        assert_one(&GOOD.replace("<title>A</title>", ""), "has a title");
        assert_one(&GOOD.replace(" role=\"img\"", ""), "screen reader");
        assert_one(&GOOD.replace("class=\"box\"", "fill=\"red\""), "a.svg:3: `fill=` has its place");
        assert_one(&GOOD.replace("\n<rect", "\n\n<rect"), "a.svg:3: an empty line");
        assert_one(&GOOD.replace("\"box\"/>", "\"box\">"), "`</svg>` ends what did not begin");
        assert_one(&GOOD.replace("</svg>", ""), "`<svg>` has no end");
    }
}
