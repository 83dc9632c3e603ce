//! Figures that were typed by hand: a number with a unit of time, of speed or of comparison, outside the generated
//! blocks. Such a number was measured somewhere, and is wrong as soon as something changes; so a benchmark writes it, or it
//! does not stand.
//!
//! Some numbers are no measurements: a default, a limit, an assumption. They stand in `docs/allowed-figures.toml`, each
//! with the reason why, and one that no page mentions any more is a fault as well.
//!
//! Numbers in words count too: *half a second* and *ten times as fast* are figures.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use serde::Deserialize;

use crate::pages::read;
use crate::{Book, Fault, generated};

/// The figures that may be typed, from the root of the repository.
pub const ALLOWED: &str = "docs/allowed-figures.toml";

/// Units of time and of speed, as they follow a number.
const UNITS: [&str; 34] = [
    "ns",
    "µs",
    "us",
    "ms",
    "s",
    "ops/s",
    "ops/sec",
    "kB/s",
    "KB/s",
    "MB/s",
    "MiB/s",
    "GB/s",
    "GiB/s",
    "/s",
    "×",
    "x",
    "%",
    "nanoseconds",
    "microseconds",
    "milliseconds",
    "millisecond",
    "second",
    "seconds",
    "minute",
    "minutes",
    "hour",
    "hours",
    "day",
    "days",
    "percent",
    "kHz",
    "MHz",
    "fold",
    "Hz",
];

/// What makes a comparison of a number of times: *ten times faster*.
const COMPARISONS: [&str; 12] = [
    "as", "faster", "slower", "more", "less", "fewer", "larger", "smaller", "longer", "shorter", "cheaper",
    "better",
];

/// Numbers in words. *One* and *a* are left out: they are seldom figures.
const NUMBERS: [&str; 30] = [
    "half", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "fifteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred",
    "thousand", "million", "dozen", "third", "quarter", "tenth", "fifth", "billion",
];

/// A figure that may be typed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    /// The page that it stands on.
    page: PathBuf,
    /// The words around it, as they are typed: it is allowed within them alone.
    text: String,
    /// Why it is no measurement.
    reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    figure: Vec<Allowed>,
}

/// Every figure that was typed and is not allowed, and everything allowed that is not there.
///
/// # Errors
///
/// The list of what is allowed could not be read.
pub fn check(book: &Book) -> Result<Vec<Fault>> {
    let allowed = if book.root.join(ALLOWED).exists() {
        let text = read(&book.root, Path::new(ALLOWED))?;
        toml::from_str::<List>(&text).with_context(|| format!("{ALLOWED} is no list of figures"))?.figure
    } else {
        Vec::new()
    };
    let mut faults = Vec::new();
    let mut is_used = vec![false; allowed.len()];
    for page in &book.pages {
        let mine: Vec<usize> =
            (0..allowed.len()).filter(|&number| allowed[number].page == page.path).collect();
        let places = |number: usize| {
            let text = allowed[number].text.as_str();
            page.text.match_indices(text).map(move |(start, _)| start..start + text.len())
        };
        for (offset, figure) in typed(&page.text) {
            let inside =
                |range: std::ops::Range<usize>| range.start <= offset && offset + figure.len() <= range.end;
            match mine.iter().find(|&&number| places(number).any(inside)) {
                Some(&number) => is_used[number] = true,
                None => faults.push(Fault::new(
                    page,
                    offset,
                    format!("`{figure}` is a figure typed by hand: leave it to a generated block, or give the reason in {ALLOWED}"),
                )),
            }
        }
    }
    let list = crate::Page { path: ALLOWED.into(), text: String::new() };
    for (entry, is_used) in allowed.iter().zip(is_used) {
        let Allowed { page, text, reason } = entry;
        if !is_used {
            faults.push(Fault::new(
                &list,
                0,
                format!("`{text}` is no figure on {}: remove it", page.display()),
            ));
        }
        if reason.trim().is_empty() {
            faults.push(Fault::new(&list, 0, format!("`{text}` of {} has no reason", page.display())));
        }
    }
    Ok(faults)
}

/// The figures of a page outside its generated blocks and transcripts, with their places.
fn typed(text: &str) -> Vec<(usize, &str)> {
    let blocks = generated::blocks(text);
    let transcripts = transcripts(text);
    figures(text)
        .into_iter()
        .filter(|(offset, _)| {
            !blocks.iter().any(|block| block.content.contains(offset))
                && !transcripts.iter().any(|range| range.contains(offset))
        })
        .collect()
}

/// The blocks of commands and of what they print: a test replays those.
fn transcripts(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let mut is_transcript = false;
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                is_transcript = &*language == "console";
            }
            Event::End(TagEnd::CodeBlock) => {
                if is_transcript {
                    ranges.push(range);
                }
                is_transcript = false;
            }
            _ => {}
        }
    }
    ranges
}

/// A word with its place.
#[derive(Debug, Clone, Copy)]
struct Word<'t> {
    offset: usize,
    text: &'t str,
}

impl<'t> Word<'t> {
    /// Without the marks around it.
    fn bare(self) -> &'t str {
        self.text.trim_matches(|letter: char| {
            !letter.is_alphanumeric() && !matches!(letter, '%' | '×' | '/' | 'µ' | '-' | '−')
        })
    }

    fn end(self) -> usize {
        self.offset + self.text.trim_end_matches(['.', ',', ';', ':', ')', '*', '"', '`', '|']).len()
    }

    /// Whether a sentence or a cell ends with it.
    fn ends_something(self) -> bool {
        self.text.ends_with(['.', ',', ';', ':', ')', '|', '?', '!'])
    }
}

/// Numbers with a unit behind them.
fn figures(text: &str) -> Vec<(usize, &str)> {
    let words: Vec<Word<'_>> = text
        .split_whitespace()
        .map(|word| Word { offset: word.as_ptr() as usize - text.as_ptr() as usize, text: word })
        .collect();
    let mut figures = Vec::new();
    for (number, word) in words.iter().enumerate() {
        let next = |ahead: usize| words.get(number + ahead).map_or("", |word| word.bare());
        let breaks = |ahead: usize| words[number..].iter().take(ahead).any(|word| word.ends_something());
        let len = if is_number_with_unit(word.bare()) {
            1
        } else if !is_number(word.bare()) || breaks(1) {
            continue;
        } else if UNITS.contains(&next(1)) || next(1).starts_with("seconds") {
            // `3 × 4` is arithmetic.
            if next(1) == "×" && is_number(next(2)) {
                continue;
            }
            2
        } else if next(1) == "times" && COMPARISONS.contains(&next(2)) && !breaks(2) {
            3
        } else if let Some(len) = fraction_of_a_unit([next(1), next(2), next(3)]) {
            len
        } else if !breaks(3)
            && let Some(len) = rate([next(1), next(2), next(3), next(4)])
        {
            len
        } else {
            continue;
        };
        let last = words[number + len - 1];
        let start =
            word.offset + word.text.len() - word.text.trim_start_matches(['(', '*', '"', '`', '|']).len();
        figures.push((start, &text[start..last.end().max(start)]));
    }
    figures
}

/// `half a second`, `a third of a second`: how many words.
fn fraction_of_a_unit(next: [&str; 3]) -> Option<usize> {
    let is_unit = |word: &str| UNITS.contains(&word) && word.len() > 2;
    match next {
        ["a" | "an", unit, _] if is_unit(unit) => Some(3),
        ["of", "a" | "an", unit] if is_unit(unit) => Some(4),
        _ => None,
    }
}

/// `50,000 sets a second`: how many words.
fn rate(next: [&str; 4]) -> Option<usize> {
    let is_time = |word: &str| matches!(word, "second" | "minute" | "hour");
    let is_each = |word: &str| matches!(word, "a" | "per" | "each");
    match next {
        [each, time, ..] if is_each(each) && is_time(time) => Some(3),
        // Not *five are of a second kind*.
        [what, each, time, _] if what != "of" && is_each(each) && is_time(time) => Some(4),
        [_, what, each, time] if what != "of" && is_each(each) && is_time(time) => Some(5),
        _ => None,
    }
}

fn is_number(word: &str) -> bool {
    let digits = word.trim_start_matches(['~', '±', '<', '>', '≥', '≤']);
    let is_digits = digits.starts_with(|letter: char| letter.is_ascii_digit())
        && digits.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '.' | ',' | '–' | '-'));
    is_digits
        || NUMBERS.contains(&word.to_lowercase().trim_end_matches('s'))
        || NUMBERS.contains(&&*word.to_lowercase())
}

/// `3.5µs`, `0.82×`, `90%`, `tenfold`.
fn is_number_with_unit(word: &str) -> bool {
    let word = word.trim_start_matches(['~', '±', '<', '>', '≥', '≤']);
    UNITS.iter().filter_map(|unit| word.strip_suffix(unit)).any(|number| {
        let is_digits = number.starts_with(|letter: char| letter.is_ascii_digit())
            && number.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '.' | ',' | '–'))
            // A hexadecimal number is none, and neither is a place such as `0x`.
            && number != "0";
        is_digits || (word.ends_with("fold") && NUMBERS.contains(&number))
    })
}

#[cfg(test)]
mod tests {
    use logladder::SyncPolicy;
    use logladder::disk::{RealDisk, replace};

    use super::*;
    use crate::Page;

    fn found(text: &str) -> Vec<&str> {
        figures(text).into_iter().map(|(_, figure)| figure).collect()
    }

    #[test]
    fn a_number_with_a_unit_of_time_speed_or_comparison_is_a_figure() {
        let text = "It takes 1,200 ns, or 3.5µs; 40 MB/s (0.82×), 90% or 12 %, 5 s, 300,000 ops/s, and 7/s.";
        assert_eq!(
            found(text),
            ["1,200 ns", "3.5µs", "40 MB/s", "0.82×", "90%", "12 %", "5 s", "300,000 ops/s", "7/s"]
        );
        assert_eq!(found("about ten times as fast, 3 times slower"), ["ten times as", "3 times slower"]);
        assert_eq!(
            found("half a second, a third of a second, twenty minutes"),
            ["half a second", "third of a second", "twenty minutes"]
        );
        assert_eq!(
            found("at 50,000 sets a second and 3 each second"),
            ["50,000 sets a second", "3 each second"]
        );
        assert_eq!(found("tenfold, 4x and 16 x"), ["tenfold", "4x", "16 x"]);
    }

    #[test]
    fn a_limit_a_count_and_arithmetic_are_none() {
        let text = "keys have 65,535 bytes, 4 nsx, in ms and 5 files; 3 × 4 places; three times. Faster; 0x; stage 7, \
                    second; two. Seconds; x86; 1 s-expression; five are of a second kind";
        assert_eq!(found(text), Vec::<&str>::new());
    }

    #[test]
    fn what_is_allowed_has_its_reason_and_its_place_and_what_is_not_used_is_a_fault() {
        let root = tempfile::tempdir().unwrap();
        let list = "[[figure]]\npage = \"a.md\"\ntext = \"rests for 2 s\"\nreason = \"a default\"\n\
                    [[figure]]\npage = \"a.md\"\ntext = \"9 ms\"\nreason = \"\"\n";
        std::fs::create_dir(root.path().join("docs")).unwrap();
        replace(&*RealDisk::shared(), &root.path().join(ALLOWED), &[list.as_bytes()], SyncPolicy::Never)
            .unwrap();
        let text = "It rests for 2 s.\nIt took 2 s.\n<!-- generated: climb -->\n3 s\n<!-- end -->\n\n\
                    ```console\n$ a\n4 s\n```\n";
        let pages = vec![Page { path: "a.md".into(), text: text.into() }];
        let book = Book { root: root.path().into(), pages };
        let faults: Vec<String> = check(&book).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), 3, "{faults:#?}");
        assert!(faults[0].starts_with("a.md:2: `2 s` is a figure typed by hand"), "{faults:?}");
        assert!(faults[1].contains("`9 ms` is no figure on a.md"), "{faults:?}");
        assert!(faults[2].contains("has no reason"), "{faults:?}");
    }
}
