//! The figures of the last climb, stage beside stage.
//!
//! `cargo xtask report` writes them into the README, a table for each durability. From there they are taken, so
//! that a lesson can never show other figures than the README does.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::chart::{Bar, Chart, Colour, Group};
use crate::generated::blocks;
use crate::pages::read;

/// The page that holds the tables.
const PAGE: &str = "README.md";

/// What the columns of the README are called in a lesson, where each is a row.
const NAMES: [(&str, &str); 7] = [
    ("set/s", "sets a second"),
    ("get/s", "gets a second"),
    ("delete/s", "deletes a second"),
    ("get p99", "a get, all but one in a hundred"),
    ("memory", "memory held"),
    ("on disk", "on the disk"),
    ("reopen", "to open it again"),
];

/// The line of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    stage: String,
    survives: String,
    /// By the heading of their column.
    figures: Vec<(String, String)>,
    was_cut_off: bool,
    /// Whether its sets were, so that it has not all keys.
    has_fewer_keys: bool,
}

impl Line {
    /// What it is called in a table or a chart.
    fn name(&self) -> String {
        format!("{}{}", self.stage, if self.was_cut_off { " ✂" } else { "" })
    }

    /// What an acknowledged write of it survives.
    fn remark(&self) -> String {
        let article = if self.survives.starts_with("nothing") { "" } else { "the " };
        format!("survives {article}{}", self.survives)
    }

    fn figure(&self, heading: &str) -> Result<&str> {
        let found = self.figures.iter().find(|(name, _)| name == heading);
        found.map(|(_, figure)| figure.as_str()).with_context(|| format!("{PAGE} has no column `{heading}`"))
    }
}

/// `STAGE STAGE … [: HEADING, HEADING …]`: these stages side by side; of two, the ratio as well.
///
/// # Errors
///
/// The README has no such stage or column.
pub(crate) fn beside(root: &Path, argument: &str) -> Result<String> {
    table(&read(root, Path::new(PAGE))?, argument)
}

/// `STAGE STAGE … [: HEADING, HEADING …]`: the speeds of these stages as bars, sets and gets if no other is named. The stage
/// of which the lesson at `page` speaks stands out.
///
/// # Errors
///
/// The README has no such stage or column, or a column is no speed.
pub(crate) fn chart(root: &Path, argument: &str, page: &Path) -> Result<String> {
    Ok(bars(&read(root, Path::new(PAGE))?, argument, page)?.figure())
}

/// The stages and the columns that a block names.
fn asked<'l, 'a>(all: &'l [Line], argument: &'a str) -> Result<(Vec<&'l Line>, Vec<&'a str>)> {
    let (stages, headings) = argument.split_once(':').unwrap_or((argument, ""));
    let find = |name: &str| {
        all.iter().find(|line| line.stage == name).with_context(|| format!("{PAGE} has no figures of {name}"))
    };
    let lines = stages.split_whitespace().map(find).collect::<Result<Vec<&Line>>>()?;
    if lines.is_empty() {
        bail!("no stage is named");
    }
    Ok((lines, headings.split(',').map(str::trim).filter(|heading| !heading.is_empty()).collect()))
}

fn bars(readme: &str, argument: &str, page: &Path) -> Result<Chart> {
    let all = lines(readme)?;
    let (lines, mut wanted) = asked(&all, argument)?;
    if wanted.is_empty() {
        wanted = vec!["set/s", "get/s"];
    }
    let labels = wanted.iter().map(|heading| operation_of(heading)).collect::<Result<Vec<&str>>>()?;
    let lesson = page.file_stem().unwrap_or_default().to_string_lossy();
    let mut groups = Vec::new();
    for line in &lines {
        let mut bars = Vec::new();
        for (heading, label) in wanted.iter().zip(&labels) {
            let figure = line.figure(heading)?;
            bars.push(Bar {
                label: (*label).to_owned(),
                colour: Colour::of(label, false),
                figure: value(figure).filter(|figure| *figure > 0.0),
                // The margin is in the table.
                words: figure.split_whitespace().next().unwrap_or_default().to_owned(),
            });
        }
        groups.push(Group {
            name: line.name(),
            remark: line.remark(),
            is_this: lesson.split_once('-').is_some_and(|(_, stage)| stage == line.stage),
            bars,
        });
    }
    let stages: Vec<&str> = lines.iter().map(|line| line.stage.as_str()).collect();
    Ok(Chart { title: format!("Operations a second of {}", listed(&stages)), groups })
}

/// Whose speed stands below this heading.
fn operation_of(heading: &str) -> Result<&str> {
    heading.strip_suffix("/s").with_context(|| format!("`{heading}` is no speed"))
}

/// `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn table(readme: &str, argument: &str) -> Result<String> {
    let all = lines(readme)?;
    let (lines, mut wanted) = asked(&all, argument)?;
    let Some(last) = lines.last() else { bail!("no stage is named") };
    if wanted.is_empty() {
        wanted = last.figures.iter().map(|(heading, _)| heading.as_str()).collect();
    }
    let has_ratio = lines.len() == 2;
    let names: Vec<String> = lines.iter().map(|line| line.name()).collect();
    let mut text = format!("| | {} |", names.join(" | "));
    text.push_str(if has_ratio { " ratio |\n" } else { "\n" });
    text.push_str("|---|");
    text.push_str(&"--:|".repeat(lines.len() + usize::from(has_ratio)));
    let survives: Vec<&str> = lines.iter().map(|line| line.survives.as_str()).collect();
    // Writing to a string cannot fail.
    let _ = write!(text, "\n| an acknowledged write survives | {} |", survives.join(" | "));
    text.push_str(if has_ratio { " |\n" } else { "\n" });
    for heading in wanted {
        let figures = lines.iter().map(|line| line.figure(heading)).collect::<Result<Vec<&str>>>()?;
        let name = NAMES.iter().find(|(column, _)| *column == heading).map_or(heading, |(_, name)| name);
        let _ = write!(text, "| {name} | {} |", figures.join(" | "));
        if let [below, this] = figures.as_slice() {
            let _ = write!(text, " {} |", ratio(below, this).unwrap_or_else(|| "–".into()));
        }
        text.push('\n');
    }
    text.push_str(&cut_off(&lines));
    Ok(text)
}

/// What the scissors mean, of each that has them.
fn cut_off(lines: &[&Line]) -> String {
    let of = |has_fewer_keys: bool| {
        let is_one = |line: &&&Line| line.was_cut_off && line.has_fewer_keys == has_fewer_keys;
        listed(&lines.iter().filter(is_one).map(|line| line.stage.as_str()).collect::<Vec<&str>>())
    };
    let mut text = String::new();
    for (stages, what) in [
        (of(true), "sets were cut off when their time was over, so there are fewer keys than in the others"),
        (
            of(false),
            "it has all keys, and what came after the sets was cut off, so figures are of a part of them",
        ),
    ] {
        if !stages.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\n✂ {stages}: {what}.");
        }
    }
    text
}

/// The tables of the block `climb`, line by line.
fn lines(readme: &str) -> Result<Vec<Line>> {
    let block = blocks(readme)
        .into_iter()
        .find(|block| block.what == "climb")
        .with_context(|| format!("{PAGE} has no block `climb`"))?;
    let text = &readme[block.content];
    let (mut lines, mut survives, mut headings) = (Vec::new(), String::new(), Vec::new());
    for line in text.lines() {
        if let Some(what) = line.strip_prefix("An acknowledged write survives ") {
            survives = shortened(what.trim_end_matches(':'));
        }
        let Some(inside) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else { continue };
        let cells: Vec<&str> = inside.split('|').map(str::trim).collect();
        let Some((first, figures)) = cells.split_first() else { continue };
        if *first == "stage" {
            headings = figures.iter().map(|heading| (*heading).to_owned()).collect();
        } else if !first.starts_with('-') {
            let stage = first.split_whitespace().last().unwrap_or_default().to_owned();
            let was_cut_off = text.contains(&format!("- {stage} was cut off"));
            let has_fewer_keys = text.contains(&format!("- {stage} was cut off: set"));
            let figures = headings.iter().cloned().zip(figures.iter().map(|figure| (*figure).to_owned()));
            let (survives, figures) = (survives.clone(), figures.collect());
            lines.push(Line { stage, survives, figures, was_cut_off, has_fewer_keys });
        }
    }
    if lines.is_empty() {
        bail!("{PAGE} holds no figures of a climb");
    }
    Ok(lines)
}

/// What a write survives, short enough for a column.
fn shortened(survives: &str) -> String {
    survives.split(';').next().unwrap_or(survives).trim_start_matches("the ").to_owned()
}

/// `this ÷ below`, with two digits that say something; `None` where one of the two is no figure.
fn ratio(below: &str, this: &str) -> Option<String> {
    let ratio = value(this)? / value(below)?;
    let digits = match ratio {
        _ if !ratio.is_finite() => return None,
        r if r >= 9.95 => 0,
        r if r >= 0.995 => 1,
        r if r >= 0.0995 => 2,
        r if r >= 0.00995 => 3,
        _ => 4,
    };
    let text = format!("{ratio:.digits$}");
    match text.len() {
        // As the other figures are written.
        len @ 4.. if digits == 0 => Some(format!("{},{}×", &text[..len - 3], &text[len - 3..])),
        _ => Some(format!("{text}×")),
    }
}

/// A figure as the reports write it: `1,106,960 ±1.49%`, `2.6 µs`, `143 kB`.
pub(crate) fn value(figure: &str) -> Option<f64> {
    let mut words = figure.split_whitespace();
    let number: f64 = words.next()?.replace(',', "").parse().ok()?;
    let unit = match words.next() {
        None | Some("s" | "B") => 1.0,
        Some(word) if word.starts_with('±') => 1.0,
        Some("ns") => 1e-9,
        Some("µs") => 1e-6,
        Some("ms") => 1e-3,
        Some("kB") => 1e3,
        Some("MB") => 1e6,
        Some("GB") => 1e9,
        Some(_) => return None,
    };
    Some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# A\n<!-- generated: climb -->\n\nAn acknowledged write survives nothing; it is gone:\n\n\
        | stage | set/s | memory |\n|---|--:|--:|\n| 1 memory | 4,000 ±1% | 2 MB |\n\n\
        An acknowledged write survives the death of the process:\n\n\
        | stage | set/s | memory |\n|---|--:|--:|\n| 2 json-file | 100 ±2% | 500 kB |\n\n\
        - json-file was cut off: set\n<!-- end -->\n";

    #[test]
    fn two_stages_stand_side_by_side_with_their_ratio() {
        assert_eq!(
            table(README, "memory json-file: set/s, memory").unwrap(),
            "| | memory | json-file ✂ | ratio |\n|---|--:|--:|--:|\n\
             | an acknowledged write survives | nothing | death of the process | |\n\
             | sets a second | 4,000 ±1% | 100 ±2% | 0.025× |\n\
             | memory held | 2 MB | 500 kB | 0.25× |\n\
             \n✂ json-file: sets were cut off when their time was over, so there are fewer keys than in the others.\n"
        );
    }

    #[test]
    fn who_was_cut_off_after_its_sets_has_all_keys() {
        let readme = README.replace("cut off: set", "cut off: get");
        let text = table(&readme, "memory json-file: set/s").unwrap();
        assert!(text.contains("json-file ✂") && text.contains("✂ json-file: it has all keys"), "{text}");
        assert!(!text.contains("fewer"), "{text}");
    }

    #[test]
    fn a_chart_has_the_figures_of_the_table_and_the_stage_of_the_lesson_stands_out() {
        let page = Path::new("docs/src/stages/2-json-file.md");
        let chart = bars(README, "memory json-file: set/s", page).unwrap();
        assert_eq!(chart.title, "Operations a second of memory and json-file");
        let [memory, json_file] = chart.groups.as_slice() else { panic!("{chart:?}") };
        assert_eq!([memory.is_this, json_file.is_this], [false, true]);
        assert_eq!([&*memory.name, &*json_file.name], ["memory", "json-file ✂"]);
        assert_eq!(json_file.remark, "survives the death of the process");
        assert_eq!(json_file.bars[0].figure, Some(100.0));
        assert_eq!(json_file.bars[0].words, "100");
        let error = |argument| bars(README, argument, page).unwrap_err().to_string();
        assert!(error("memory: memory").contains("`memory` is no speed"));
        assert!(error("memory").contains("no column `get/s`"));
        assert!(error("etcd").contains("no figures of etcd"));
    }

    #[test]
    fn a_stage_or_a_column_that_is_not_there_is_an_error() {
        assert!(table(README, "etcd").unwrap_err().to_string().contains("no figures of etcd"));
        assert!(table(README, "memory: colour").unwrap_err().to_string().contains("no column `colour`"));
        assert!(table("# A\n", "memory").unwrap_err().to_string().contains("no block `climb`"));
    }

    #[test]
    fn figures_are_read_as_they_are_written() {
        assert_eq!(value("1,106,960 ±1.49%"), Some(1_106_960.0));
        assert_eq!(value("2 µs"), Some(2e-6));
        assert_eq!(value("forgets"), None);
        assert_eq!(value("–"), None);
        assert_eq!(ratio("100", "1000 ±3%").as_deref(), Some("10×"));
        assert_eq!(ratio("1", "1095").as_deref(), Some("1,095×"));
    }
}
