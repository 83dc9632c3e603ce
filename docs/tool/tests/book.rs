//! The book of this repository says nothing that is not so, and builds.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use logladder::SyncPolicy;
use logladder::disk::{RealDisk, replace};
use logladder_book::{
    Book, Fault, dependencies, figures, generated, html, includes, lessons, links, mentions, pictures, stages,
};

fn book() -> Book {
    Book::of_this_repository().unwrap()
}

#[track_caller]
fn assert_none(faults: &[Fault]) {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "\n{}", lines.join("\n"));
}

#[test]
fn every_link_leads_to_something_that_is_there() {
    assert_none(&links::check(&book()));
}

#[test]
fn every_include_names_a_file_and_an_anchor_that_are_there() {
    assert_none(&includes::check(&book()));
}

#[test]
fn every_generated_block_says_what_the_code_says() {
    assert_none(&generated::check(&book()).unwrap());
}

#[test]
fn the_table_of_dependencies_and_the_manifest_name_the_same_packages() {
    assert_none(&dependencies::check(&book()).unwrap());
}

#[test]
fn every_test_that_is_mentioned_exists_and_no_figure_is_typed_by_hand() {
    assert_none(&mentions::check(&book()).unwrap());
    assert_none(&figures::check(&book()).unwrap());
}

#[test]
fn every_lesson_has_the_same_parts_in_the_same_order() {
    assert_none(&lessons::check(&book()));
}

#[test]
fn every_picture_is_shown_and_takes_its_looks_from_the_theme() {
    assert_none(&pictures::check(&book()).unwrap());
}

#[test]
fn every_stage_has_a_page_and_every_page_is_listed() {
    assert_none(&stages::check(&book()));
}

#[test]
fn the_book_builds_with_every_page_and_its_headings_have_the_names_that_links_use() {
    let book = book();
    let folder = tempfile::tempdir().unwrap();
    let first = html::build(&book, folder.path()).unwrap();
    assert!(first.starts_with(folder.path()));
    for page in
        book.pages.iter().filter(|page| Book::is_inside(&page.path) && !page.path.ends_with("SUMMARY.md"))
    {
        let built = folder.path().join(page.path.strip_prefix("docs/src").unwrap()).with_extension("html");
        let html =
            std::fs::read_to_string(&built).unwrap_or_else(|error| panic!("{}: {error}", built.display()));
        let missing: BTreeSet<String> = links::headings(&page.text)
            .into_iter()
            .filter(|heading| !html.contains(&format!("id=\"{heading}\"")))
            .collect();
        assert!(missing.is_empty(), "{} has no {missing:?}", built.display());
        assert!(!html.contains("{{#include"), "{} has an include that was not followed", built.display());
        for begin in ["<figure class=\"picture\">", "<figure class=\"chart\">"] {
            for figure in html.split(begin).skip(1).map(|rest| rest.split("</figure>").next().unwrap_or("")) {
                let is_whole = figure.trim_start().starts_with("<svg ") && figure.contains("</svg>");
                // What Markdown takes for a text of its own becomes a paragraph or code.
                assert!(is_whole && !figure.contains("<p>") && !figure.contains("<pre>"), "{figure}");
            }
        }
        for target in targets(&html) {
            let file = built.parent().unwrap().join(target.replace("%6D", "m"));
            assert!(file.exists(), "{} has a link to {target}, which is not there", built.display());
        }
    }
}

/// The files that a built page refers to, by path.
fn targets(html: &str) -> impl Iterator<Item = &str> {
    let quoted = |attribute: &'static str| {
        html.match_indices(attribute)
            .filter_map(move |(offset, _)| html[offset + attribute.len()..].split('"').next())
    };
    let paths =
        quoted(" href=\"").chain(quoted(" src=\"")).map(|target| target.split('#').next().unwrap_or(""));
    paths.filter(|path| !path.is_empty() && !path.contains(':'))
}

/// A repository of one page, to see that each check can fail.
fn sample(text: &str) -> (tempfile::TempDir, Book) {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("docs/src")).unwrap();
    let page = root.path().join("docs/src/page.md");
    replace(&*RealDisk::shared(), &page, &[text.as_bytes()], SyncPolicy::Never).unwrap();
    let book = Book::read(root.path()).unwrap();
    assert_eq!(book.pages.len(), 1);
    (root, book)
}

#[test]
fn links_to_nothing_are_found() {
    let (_root, book) =
        sample("# Here\n\n[a](#here) [b](#there)\n[c](absent.md) [d](../../../out) [e](../src#x)\n");
    let found: Vec<String> = links::check(&book).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "docs/src/page.md:3: the link to `#there` names a heading that is not there",
            "docs/src/page.md:4: the link to `absent.md` leads to no file",
            "docs/src/page.md:4: the link to `../../../out` leaves the repository",
            "docs/src/page.md:4: the link to `../src#x` names a heading, but leads to no page of the book",
        ]
    );
}

#[test]
fn includes_of_nothing_are_found() {
    let (_root, book) = sample("{{#include absent.rs}}\n{{#include ../src:1:2}}\n{{#playground a.rs}}\n");
    assert_eq!(includes::check(&book).len(), 3);
}

#[test]
fn a_picture_that_no_page_shows_or_that_has_colours_of_its_own_is_found() {
    let (root, book) = sample("# A\n");
    assert_eq!(pictures::check(&book).unwrap(), []);
    std::fs::create_dir(root.path().join("docs/src/pictures")).unwrap();
    let picture = root.path().join("docs/src/pictures/a.svg");
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 480 9\" role=\"img\" fill=\"red\">\
                <title>A</title><desc>B</desc></svg>\n";
    replace(&*RealDisk::shared(), &picture, &[svg], SyncPolicy::Never).unwrap();
    let found: Vec<String> = pictures::check(&book).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "docs/src/pictures/a.svg:1: no page shows this picture",
            "docs/src/pictures/a.svg:1: `fill=` has its place in docs/theme/pictures.css",
        ]
    );
}

#[test]
fn tests_that_do_not_exist_typed_figures_and_unlisted_pages_are_found() {
    let (_root, book) = sample("`test: no_such_test` took 3 ms.\n");
    let mention = mentions::check(&book).unwrap();
    assert!(mention.len() == 1 && mention[0].what.contains("no test `no_such_test`"), "{mention:?}");
    let figure = figures::check(&book).unwrap();
    assert!(figure.len() == 1 && figure[0].what.contains("`3 ms` is a figure"), "{figure:?}");
    assert!(stages::check(&book).iter().any(|fault| fault.what.contains("it is not there")));
    let summary = logladder_book::Page { path: "docs/src/SUMMARY.md".into(), text: String::new() };
    let book = Book { pages: vec![book.pages[0].clone(), summary], ..book };
    let faults = stages::check(&book);
    assert!(faults.iter().any(|fault| fault.what.contains("does not list this page")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.what.contains("docs/src/stages/1-memory.md")), "{faults:?}");
}

#[test]
fn a_transcript_that_no_test_replays_is_found_and_commands_alone_are_none() {
    let (root, book) = sample("```console\n$ a\n$ b\n```\n\n```console\n$ a\nprinted\n```\n");
    let found: Vec<String> = mentions::check(&book).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("docs/src/page.md:6: a transcript that no test replays"), "{found:?}");
    // A test that names the page and compares it.
    let tests = root.path().join("crates/a/tests");
    std::fs::create_dir_all(&tests).unwrap();
    let test = b"fn f() { assert_data_eq!(now, page(\"page.md\")); }\n";
    replace(&*RealDisk::shared(), &tests.join("t.rs"), &[test], SyncPolicy::Never).unwrap();
    assert_eq!(mentions::check(&book).unwrap(), []);
}
