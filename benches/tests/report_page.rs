//! The page of all figures: well-formed, alone, true to the kept files, and sortable in a real browser.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it left out"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use logladder_bench::Report;
use logladder_bench::page::{Sources, page};
use serde_json::Value;

fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/results")
}

fn made() -> String {
    page(&Sources::read(&results()).unwrap())
}

/// A tag of the page, and the text up to the next one.
#[derive(Debug)]
struct Tag {
    /// `td`, or `/td` where it ends.
    name: String,
    attributes: String,
    text: String,
}

impl Tag {
    fn attribute(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.attributes.split_once(&format!(" {name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }
}

/// The tags of a page, in order. What stands in `style` and `script` is not looked into.
fn tags(html: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some((_, behind)) = rest.split_once('<') {
        let (tag, behind) = behind.split_once('>').unwrap();
        let (name, _) = tag.split_once(' ').unwrap_or((tag, ""));
        let text_end = match name {
            "style" | "script" => behind.find(&format!("</{name}>")).unwrap(),
            _ => behind.find('<').unwrap_or(behind.len()),
        };
        tags.push(Tag {
            name: name.to_owned(),
            attributes: tag[name.len()..].to_owned(),
            text: unescaped(&behind[..text_end]),
        });
        rest = &behind[text_end..];
    }
    tags
}

fn unescaped(text: &str) -> String {
    let signs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    signs.iter().fold(text.to_owned(), |text, (escaped, sign)| text.replace(escaped, sign))
}

#[test]
fn every_element_that_begins_ends_and_in_its_turn() {
    let mut open: Vec<String> = Vec::new();
    for tag in tags(&made()) {
        match tag.name.strip_prefix('/') {
            _ if tag.name == "!DOCTYPE" || tag.name == "meta" => {}
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name), "{tag:?}"),
            None => open.push(tag.name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn no_two_elements_share_an_id_and_every_link_leads_to_one() {
    let tags = tags(&made());
    let mut ids = BTreeSet::new();
    for id in tags.iter().filter_map(|tag| tag.attribute("id")) {
        assert!(ids.insert(id), "{id}");
    }
    for link in tags.iter().filter_map(|tag| tag.attribute("href")) {
        assert!(ids.contains(link.strip_prefix('#').unwrap()), "{link}");
    }
}

#[test]
fn the_page_asks_for_nothing_but_itself() {
    let html = made();
    for word in ["http:", "https:", "url(", "@import", "fetch(", "XMLHttpRequest", "import("] {
        assert!(!html.contains(word), "{word}");
    }
    let tags = tags(&html);
    assert!(tags.iter().all(|tag| tag.attribute("src").is_none() && tag.name != "link"));
}

/// Every text in the tables of the kept files.
fn kept_cells() -> BTreeSet<String> {
    let mut cells = BTreeSet::new();
    for entry in std::fs::read_dir(results()).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        let saved: Value = serde_json::from_slice(&text).unwrap();
        for table in saved["tables"].as_array().unwrap() {
            let rows = table["rows"].as_array().unwrap();
            let texts = rows.iter().flat_map(|row| row.as_array().unwrap());
            cells.extend(texts.map(|text| text.as_str().unwrap().to_owned()));
        }
    }
    cells
}

#[test]
fn every_figure_on_the_page_is_a_cell_of_a_kept_file() {
    let kept = kept_cells();
    let tags = tags(&made());
    let mut looked_at = 0;
    for (place, tag) in tags.iter().enumerate() {
        let is_cell = tag.name == "td" || (tag.name == "th" && tag.attribute("scope") == Some("row"));
        // A figure in a chart stands in a `span` right behind its bar.
        let is_bar = tag.name == "span" && place > 0 && tags[place - 1].attribute("style").is_some();
        if is_cell {
            assert!(kept.contains(&tag.text), "{tag:?}");
        } else if is_bar && tags[place - 1].attribute("class") != Some("axis") {
            for figure in tag.text.split(" · ") {
                assert!(kept.contains(figure), "{tag:?}");
            }
        }
        looked_at += usize::from(is_cell || is_bar);
    }
    assert!(looked_at > 500, "{looked_at}");
}

#[test]
fn a_climb_with_an_engine_of_ones_own_takes_the_place_of_the_kept_one_and_changes_nothing_else() {
    let mut climb = Report::load(&results().join("climb.json")).unwrap();
    let with =
        |climb: &Report| page(&Sources::read(&results()).unwrap().with_climb("here.json", climb).unwrap());
    let of_the_kept_one = with(&climb);
    assert!(of_the_kept_one.contains(", but for those of the ladder, which are of here.json."));
    assert_eq!(
        of_the_kept_one.replace(", but for those of the ladder, which are of here.json", ""),
        made(),
        "the same figures are the same page"
    );

    let stage = climb.runs.iter().position(|run| run.engine == "scan-log").unwrap();
    let mut mine = climb.runs[stage].clone();
    (mine.engine, mine.number) = ("mine".into(), None);
    climb.runs.push(mine);
    let rows_of = |html: &str, name: &str| {
        let (_, ladder) = html.split_once("<section id=\"climb\">").unwrap();
        let tags = tags(ladder.split_once("</section>").unwrap().0);
        let is_row =
            |tag: &&Tag| tag.name == "th" && tag.attribute("scope") == Some("row") && tag.text == name;
        tags.iter().filter(is_row).count()
    };
    let html = with(&climb);
    // It has the rows that the stage has, which keeps its own.
    assert_eq!(rows_of(&html, "4 scan-log"), rows_of(&made(), "4 scan-log"));
    assert_eq!((rows_of(&html, "mine"), rows_of(&made(), "mine")), (rows_of(&html, "4 scan-log"), 0));
}

#[test]
fn no_table_has_a_column_that_says_what_a_write_survives() {
    // Where one did, sorting by another column would rank engines of different durability.
    for tag in tags(&made()).iter().filter(|tag| tag.name == "button") {
        assert!(!tag.text.contains("survives"), "{tag:?}");
    }
}

/// The numbers in a column of a table, from its top.
fn column(html: &str, table: &str, column: usize) -> Vec<f64> {
    let tags = tags(html);
    let start = tags.iter().position(|tag| tag.attribute("id") == Some(table)).unwrap();
    let of_table: Vec<&Tag> = tags[start..].iter().take_while(|tag| tag.name != "/table").collect();
    let rows = of_table.split(|tag| tag.name == "tr").skip(2);
    let cell = |row: &[&Tag]| {
        let cell = row.iter().filter(|tag| tag.name == "td" || tag.name == "th").nth(column)?;
        cell.attribute("data-value")?.parse().ok()
    };
    rows.filter_map(cell).collect()
}

#[test]
fn a_browser_sorts_a_table_as_the_address_asks() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let html = made();
    logladder_disk::replace(
        &logladder_disk::RealDisk,
        &file,
        &[html.as_bytes()],
        logladder_engine::SyncPolicy::Never,
    )
    .unwrap();
    let sorted = |how: &str| {
        let program = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|program| {
            Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
        })?;
        let output = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", folder.path().join("browser").display()))
            .arg("--dump-dom")
            .arg(format!("file://{}#rivals-2.1.{how}", file.display()))
            .output()
            .unwrap();
        Some(String::from_utf8(output.stdout).unwrap())
    };
    let Some(descending) = sorted("descending") else {
        eprintln!(
            "not tested: sorting, because it needs a browser; to have one, as root: `apt-get install chromium`"
        );
        return;
    };
    let before = column(&html, "rivals-2", 1);
    let mut expected = before.clone();
    expected.sort_by(|a, b| b.total_cmp(a));
    assert!(before.len() > 3 && before != expected, "{before:?}");
    assert_eq!(column(&descending, "rivals-2", 1), expected);
    assert!(descending.contains("aria-sort=\"descending\""));
    expected.reverse();
    assert_eq!(column(&sorted("ascending").unwrap(), "rivals-2", 1), expected);
}
