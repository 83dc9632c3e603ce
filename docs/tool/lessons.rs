//! The form of a lesson. All have the same parts under the same headings, in the same order, so that who knows one knows
//! where to look in the next.
//!
//! | part | what must be in it |
//! |---|---|
//! | The pain below | a figure of the stage below, generated |
//! | Predict before you run | three questions, the answers folded |
//! | The idea | a picture, of the lesson's own name |
//! | The code | pieces of the crate, by anchors |
//! | The bytes on disk | a dump, generated |
//! | What survives which crash | a table, generated |
//! | The figures | a table and a chart, both generated |
//! | What it does not do | |
//! | Exercises | three or more, each with three hints and an answer, folded |
//! | Sources | |
//!
//! Stages 1 and 9 stand at the ends of the ladder, and lack what cannot be there: the first has no stage below and no
//! bytes, the last no files of its own.

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

use crate::{Book, Fault, Page, generated, pictures};

/// The headings of a lesson, in order.
pub const PARTS: [&str; 10] = [
    "The pain below",
    "Predict before you run",
    "The idea",
    "The code",
    "The bytes on disk",
    "What survives which crash",
    "The figures",
    "What it does not do",
    "Exercises",
    "Sources",
];

/// What a part must hold: one of these kinds of generated blocks, for each time that it is named.
const BLOCKS: [(&str, &[&str]); 6] = [
    ("The pain below", &["beside", "picked", "two-primaries"]),
    ("The code", &["example"]),
    ("The bytes on disk", &["bytes", "lesson-bytes"]),
    ("What survives which crash", &["crashes", "text"]),
    ("The figures", &["beside", "picked", "results"]),
    ("The figures", &["chart"]),
];

/// Parts of lessons that cannot hold their block, and why.
const WITHOUT: [(&str, &str); 3] = [
    ("1-memory.md", "The pain below"),    // There is no stage below.
    ("1-memory.md", "The bytes on disk"), // It has no file.
    ("9-etcd.md", "The bytes on disk"),   // Its bytes are in etcd's files.
];

/// Words of a lesson's own text: what is generated, and code, do not count.
const WORDS: std::ops::RangeInclusive<usize> = 1500..=3000;

/// Questions to predict, and exercises, that a lesson has at least.
const QUESTIONS: usize = 3;

/// The folds below an exercise.
const FOLDS: [&str; 4] = ["Hint 1", "Hint 2", "Hint 3", "Answer"];

/// Every lesson that is not of this form.
#[must_use]
pub fn check(book: &Book) -> Vec<Fault> {
    let is_lesson = |page: &&Page| {
        page.path.parent().is_some_and(|folder| folder.ends_with("docs/src/stages"))
            && page.path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit())
    };
    book.pages.iter().filter(is_lesson).flat_map(check_page).collect()
}

/// A part of a page: from its heading of the second level to the next one.
struct Part<'p> {
    heading: String,
    offset: usize,
    text: &'p str,
}

fn check_page(page: &Page) -> Vec<Fault> {
    let mut faults = Vec::new();
    let words = words(&page.text);
    if !WORDS.contains(&words) {
        let (least, most) = (WORDS.start(), WORDS.end());
        faults.push(Fault::new(
            page,
            0,
            format!("a lesson has {least} to {most} words; this one has {words}"),
        ));
    }
    let parts = parts(&page.text);
    let headings: Vec<&str> = parts.iter().map(|part| part.heading.as_str()).collect();
    if headings != PARTS {
        let place = headings.iter().zip(PARTS).position(|(found, wanted)| *found != wanted);
        let place = place.unwrap_or(headings.len().min(PARTS.len()));
        let offset = parts.get(place).map_or(0, |part| part.offset);
        let what = match (headings.get(place), PARTS.get(place)) {
            (Some(found), Some(wanted)) => format!("here the part `{wanted}` should stand, not `{found}`"),
            (None, Some(wanted)) => format!("the part `{wanted}` is missing"),
            (found, None) => format!("`{}` is no part of a lesson", found.unwrap_or(&"")),
        };
        faults.push(Fault::new(page, offset, what));
    }
    for part in &parts {
        faults.extend(faults_of(page, part).into_iter().map(|what| Fault::new(page, part.offset, what)));
    }
    faults
}

fn faults_of(page: &Page, part: &Part<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let is_spared =
        WITHOUT.iter().any(|(name, heading)| page.path.ends_with(name) && *heading == part.heading);
    let blocks = generated::blocks(part.text);
    for (_, kinds) in BLOCKS.iter().filter(|(heading, _)| *heading == part.heading && !is_spared) {
        let is_there = blocks.iter().any(|block| kinds.contains(&block.what.split(' ').next().unwrap_or("")));
        if !is_there {
            faults.push(format!(
                "`{}` has no generated block of the kind {}",
                part.heading,
                kinds.join(" or ")
            ));
        }
    }
    let folds = folds(part.text);
    match part.heading.as_str() {
        "The idea" => {
            let shown = pictures::shown(&page.path.file_stem().unwrap_or_default().to_string_lossy());
            if !part.text.contains(&shown) {
                faults.push(format!("`The idea` has no picture; it stands there as\n{shown}</figure>"));
            }
        }
        "Predict before you run" if folds.len() != QUESTIONS => {
            faults.push(format!(
                "there are {QUESTIONS} questions, each with a folded answer; here are {}",
                folds.len()
            ));
        }
        "Exercises" => {
            let exercises: Vec<&str> = part.text.split("\n### ").skip(1).collect();
            if exercises.len() < QUESTIONS {
                faults
                    .push(format!("there are {QUESTIONS} exercises at least; here are {}", exercises.len()));
            }
            for exercise in exercises {
                if self::folds(exercise) != FOLDS {
                    let title = exercise.lines().next().unwrap_or("");
                    faults.push(format!("the exercise `{title}` has not the folds {}", FOLDS.join(", ")));
                }
            }
        }
        _ => {}
    }
    faults
}

/// The parts of a page, in order.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut headings: Vec<(usize, String)> = Vec::new();
    let mut heading: Option<String> = None;
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => {
                heading = Some(String::new());
                headings.push((range.start, String::new()));
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(HeadingLevel::H2)) => {
                if let (Some((_, name)), Some(heading)) = (headings.last_mut(), heading.take()) {
                    *name = heading;
                }
            }
            _ => {}
        }
    }
    let ends: Vec<usize> = headings.iter().skip(1).map(|(offset, _)| *offset).chain([text.len()]).collect();
    headings
        .into_iter()
        .zip(ends)
        .map(|((offset, heading), end)| Part { heading, offset, text: &text[offset..end] })
        .collect()
}

/// What stands above each fold.
fn folds(text: &str) -> Vec<&str> {
    let summaries = text.match_indices("<summary>").filter_map(|(offset, tag)| {
        let (summary, _) = text[offset + tag.len()..].split_once("</summary>")?;
        Some(summary)
    });
    summaries.collect()
}

/// How many words are neither generated nor code.
fn words(text: &str) -> usize {
    let mut own = String::new();
    let mut copied = 0;
    for block in generated::blocks(text) {
        own.push_str(&text[copied..block.content.start]);
        copied = block.content.end;
    }
    own.push_str(&text[copied..]);
    let mut is_code = false;
    let mut words = 0;
    for line in own.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if !is_code && !line.starts_with("<!--") {
            words += line.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// A lesson in which nothing is wrong.
    fn lesson() -> String {
        let mut text = String::from("# 4. a stage\n\n");
        for part in PARTS {
            write!(text, "## {part}\n\n").unwrap();
            for (_, kinds) in BLOCKS.iter().filter(|(heading, _)| *heading == part) {
                write!(text, "<!-- generated: {} x -->\n\na\n\n<!-- end -->\n\n", kinds[0]).unwrap();
            }
            if part == "The idea" {
                write!(text, "{}</figure>\n\n", pictures::shown("4-scan-log")).unwrap();
            }
            if part == "Predict before you run" {
                text.push_str(
                    &"<details><summary>Answer</summary>\n\nYes.\n\n</details>\n\n".repeat(QUESTIONS),
                );
            }
            if part == "Exercises" {
                for number in 1..=QUESTIONS {
                    write!(text, "### {number}. Do it\n\n").unwrap();
                    for fold in FOLDS {
                        write!(text, "<details><summary>{fold}</summary>\n\nSo.\n\n</details>\n\n").unwrap();
                    }
                }
            }
        }
        text + &"word ".repeat(1500)
    }

    fn faults(text: String) -> Vec<String> {
        let pages = vec![Page { path: "docs/src/stages/4-scan-log.md".into(), text }];
        check(&Book { root: "/".into(), pages }).iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn assert_one(text: String, what: &str) {
        let found = faults(text);
        assert!(found.len() == 1 && found[0].contains(what), "{found:?}");
    }

    #[test]
    fn a_lesson_of_the_form_has_no_fault() {
        assert_eq!(faults(lesson()), Vec::<String>::new());
    }

    #[test]
    fn each_way_to_leave_the_form_is_a_fault() {
        assert_one(lesson().replace("## The idea", "## An idea"), "`The idea` should stand, not `An idea`");
        assert_one(lesson().replace("## Sources", ""), "the part `Sources` is missing");
        assert_one(lesson() + "\n\n## More\n", "`More` is no part of a lesson");
        assert_one(lesson().replace("generated: crashes x", "generated: stages"), "kind crashes or text");
        assert_one(
            lesson().replace("generated: chart x", "generated: stages"),
            "has no generated block of the kind chart",
        );
        assert_one(
            lesson().replace(
                "generated: beside x -->\n\na\n\n<!-- end -->\n\n<!-- generated: chart",
                "generated: chart",
            ),
            "kind beside or picked or results",
        );
        assert_one(
            lesson().replace("../pictures/4-scan-log.svg", "../pictures/5-replay-log.svg"),
            "has no picture",
        );
        assert_one(lesson().replacen("<summary>Hint 2</summary>", "", 1), "has not the folds");
        assert_one(lesson().replacen("<summary>Answer</summary>", "", 1), "here are 2");
        let two = faults(lesson().replacen("### 3.", "", 1));
        assert!(two.iter().any(|fault| fault.contains("3 exercises at least; here are 2")), "{two:?}");
        assert_one(lesson() + &" word".repeat(1500), "a lesson has 1500 to 3000 words");
        assert_one(lesson().replace(&"word ".repeat(1500), ""), "a lesson has 1500 to 3000 words");
    }

    #[test]
    fn what_is_generated_and_code_are_no_words() {
        let text = "one two\n<!-- generated: x -->\nthree\n<!-- end -->\n```text\nfour\n```\n– five\n";
        assert_eq!(words(text), 3);
    }
}
