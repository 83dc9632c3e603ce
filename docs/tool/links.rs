//! Links: where each leads, and whether that is there.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::{Book, Fault, Page};

/// A link or an image on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it stands in the page's text, from its first bracket to its last.
    pub range: Range<usize>,
    /// Where it leads, as it is written.
    pub target: String,
}

impl Link {
    /// The path that it leads to, as it is written, and the heading there; `None` if it leads to the web.
    #[must_use]
    pub fn path_and_heading(&self) -> Option<(&str, Option<&str>)> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'+' | b'-' | b'.');
        let scheme = self.target.split_once(':').map(|(scheme, _)| scheme);
        if scheme.is_some_and(|scheme| scheme.bytes().all(is_letter)) {
            return None;
        }
        match self.target.split_once('#') {
            Some((path, heading)) => Some((path, Some(heading))),
            None => Some((&self.target, None)),
        }
    }
}

/// Every link of a Markdown text to somewhere that is not there.
#[must_use]
pub fn check(book: &Book) -> Vec<Fault> {
    book.pages
        .iter()
        .flat_map(|page| {
            links(&page.text).into_iter().filter_map(|link| {
                let what = fault_of(book, page, &link)?;
                Some(Fault::new(page, link.range.start, format!("the link to `{}` {what}", link.target)))
            })
        })
        .collect()
}

fn fault_of(book: &Book, page: &Page, link: &Link) -> Option<&'static str> {
    let (path, heading) = link.path_and_heading()?;
    let Some(target) = (if path.is_empty() { Some(page.path.clone()) } else { page.resolve(path) }) else {
        return Some("leaves the repository");
    };
    if !book.root.join(&target).exists() {
        return Some("leads to no file");
    }
    let heading = heading?;
    match book.page(&target) {
        None => Some("names a heading, but leads to no page of the book"),
        Some(page) if !headings(&page.text).contains(heading) => Some("names a heading that is not there"),
        Some(_) => None,
    }
}

/// The links and images of a Markdown text, in order.
#[must_use]
pub fn links(text: &str) -> Vec<Link> {
    Parser::new_ext(text, options())
        .into_offset_iter()
        .filter_map(|(event, range)| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some(Link { range, target: dest_url.into_string() })
            }
            _ => None,
        })
        .collect()
}

/// The names by which a link can lead to a heading of this Markdown text.
#[must_use]
pub fn headings(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, options()) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let name = name_of(&heading.take().unwrap_or_default());
                // As mdBook does: a second heading of the same words is numbered.
                let free = (1..).map(|number| format!("{name}-{number}"));
                let name = std::iter::once(name.clone()).chain(free).find(|name| !names.contains(name));
                names.extend(name);
            }
            _ => {}
        }
    }
    names
}

/// The page that a link in `SUMMARY.md` or elsewhere leads to, from the root of the repository.
#[must_use]
pub fn pages_linked(page: &Page) -> BTreeSet<std::path::PathBuf> {
    links(&page.text)
        .iter()
        .filter_map(|link| page.resolve(link.path_and_heading()?.0))
        .filter(|path| path.extension() == Some(Path::new("md").as_os_str()))
        .collect()
}

fn name_of(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            '_' | '-' => Some(letter),
            _ if letter.is_alphanumeric() => Some(letter),
            _ if letter.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

/// What mdBook understands beyond plain Markdown.
fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_code_are_text_and_others_are_found_with_their_place() {
        let text = "`[a](b)`\n\n    [a](b)\n\n[c](d.md#e) ![f](g.svg) <https://h.example>";
        let found = links(text);
        let targets: Vec<_> = found.iter().map(|link| link.target.as_str()).collect();
        assert_eq!(targets, ["d.md#e", "g.svg", "https://h.example"]);
        assert_eq!(&text[found[0].range.clone()], "[c](d.md#e)");
        assert_eq!(found[0].path_and_heading(), Some(("d.md", Some("e"))));
        assert_eq!(found[2].path_and_heading(), None);
    }

    #[test]
    fn a_heading_is_named_by_its_words_and_numbered_if_they_return() {
        let names = headings("# The `tail` rule, again!\n## A\n## A\n```\n# not one\n```\n");
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["a", "a-1", "the-tail-rule-again"]);
    }
}
