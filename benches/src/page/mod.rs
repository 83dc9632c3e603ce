//! [`page`]: every figure that benchmarks have kept, as one HTML page without any other file and without network.
//!
//! ```text
//!   docs/results/*.json ──► Sources ──► tables, taken apart by durability ──► charts above them, drawn from their cells
//!                                                                         ──► html: balanced and escaped
//! ```
//!
//! Nothing is computed here but lengths: a figure on the page is the text of a cell of a kept table. Engines of different
//! durability are in no list together, so that no sorting ranks them.

mod bars;
mod html;
mod number;
mod sources;
mod table;

use html::Html;
use sources::{Saved, Table};

pub(crate) use html::escape;
pub use sources::Sources;

/// What the page looks like.
const STYLE: &str = include_str!("page.css");
/// What sorts its tables.
const SCRIPT: &str = include_str!("page.js");

/// A part of the page.
struct Part {
    id: &'static str,
    title: &'static str,
    lead: &'static str,
    /// The files whose tables it shows.
    files: &'static [&'static str],
}

/// The parts, in order. A file that none of them names is shown behind them.
const PARTS: [Part; 7] = [
    Part {
        id: "climb",
        title: "The ladder",
        lead: "Real records into every stage, all of them read back and compared, some deleted, the store closed and opened \
               again. One thread; writes are not synced one by one, so that the stages differ by what they do and not by \
               what the disk costs.",
        files: &["climb"],
    },
    Part {
        id: "seeds",
        title: "Beside the stores they follow",
        lead: "Each stage next to the published figures of the store whose design it follows. Other languages and other \
               machines: they say how large ours are, and not which design is better.",
        files: &["seeds"],
    },
    Part {
        id: "latency",
        title: "Ten threads at once",
        lead: "Every operation timed on its own, by the thread that does it, up to the slowest in ten thousand.",
        files: &["latency"],
    },
    Part {
        id: "rivals",
        title: "Other people’s engines",
        lead: "hash-log and five embedded stores behind the same trait, in one session, every value compared.",
        files: &["rivals"],
    },
    Part {
        id: "scans",
        title: "Keys in order",
        lead: "sorted-log beside the embedded stores that keep keys in order: whole scans, short ones, and what each of them \
               writes for it.",
        files: &["scans"],
    },
    Part {
        id: "network",
        title: "Over the network",
        lead: "The server beside the bare library that it stands on, and beside redis-server.",
        files: &["http", "resp", "redis"],
    },
    Part {
        id: "underneath",
        title: "Against what is underneath",
        lead: "A stage held against the bare work below it: system calls, another stage, the client of a cluster.",
        files: &["replay-log", "follow", "adapter"],
    },
];

/// The page.
#[must_use]
pub fn page(sources: &Sources) -> String {
    let mut html = Html::default();
    html.own("<!DOCTYPE html>\n");
    html.element("html", &[("lang", "en")], |html| {
        html.element("head", &[], |html| {
            html.own(
                "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
                 <meta name=\"color-scheme\" content=\"light dark\">",
            );
            html.words("title", &[], "Logladder: what was measured");
            html.element("style", &[], |html| html.own(STYLE));
        });
        html.element("body", &[], |html| {
            write_head(html, sources);
            html.element("main", &[], |html| {
                for part in PARTS.iter().filter(|part| is_there(part, sources)) {
                    write_part(html, part, sources);
                }
                write_others(html, sources);
            });
            html.element("footer", &[], |html| {
                let but = sources.climb_from.as_ref().map_or_else(String::new, |from| {
                    format!(", but for those of the ladder, which are of {from}")
                });
                let from = format!("Every figure is a cell of a file in docs/results{but}.");
                html.words("p", &[], &format!("Made by cargo xtask report. {from}"));
            });
            html.element("script", &[], |html| html.own(SCRIPT));
        });
    });
    html.line();
    html.finish()
}

fn is_there(part: &Part, sources: &Sources) -> bool {
    part.files.iter().any(|file| sources.files.contains_key(*file))
}

fn write_head(html: &mut Html, sources: &Sources) {
    html.element("header", &[], |html| {
        html.words("h1", &[], "Logladder: what was measured");
        if let Some(report) = sources.files.get("climb").and_then(Saved::report) {
            let machine = &report.machine;
            html.element("dl", &[("class", "origin")], |html| {
                let gib = format!("{}, {} cores, {} GiB", machine.cpu, machine.cores, machine.memory_bytes >> 30);
                let facts = [
                    ("machine", gib),
                    ("system", machine.os.clone()),
                    ("compiler", machine.rustc.clone()),
                    ("commit", machine.commit.clone().unwrap_or_else(|| "none".to_owned())),
                    ("last climb", report.date.clone()),
                ];
                for (what, fact) in facts {
                    html.element("div", &[], |html| {
                        html.words("dt", &[], what);
                        html.words("dd", &[], &fact);
                    });
                }
            });
        }
        html.words(
            "p",
            &[],
            "Every value that was read was compared with what was stored: an engine that answers wrongly has no figures. \
             Engines are listed only beside engines whose writes survive the same crash. Only figures of one session compare; \
             each part says which session it is from. ✂ marks what was cut off by its time.",
        );
        html.element("nav", &[("aria-label", "Parts of this page")], |html| {
            for part in PARTS.iter().filter(|part| is_there(part, sources)) {
                html.words("a", &[("href", &format!("#{}", part.id))], part.title);
            }
        });
    });
    html.line();
}

fn write_part(html: &mut Html, part: &Part, sources: &Sources) {
    html.element("section", &[("id", part.id)], |html| {
        html.words("h2", &[], part.title);
        html.words("p", &[("class", "lead")], part.lead);
        for file in part.files {
            if let Some(saved) = sources.files.get(*file) {
                write_file(html, file, saved);
            }
        }
    });
    html.line();
}

/// What stands in a file that no part names.
fn write_others(html: &mut Html, sources: &Sources) {
    let is_named = |file: &str| PARTS.iter().any(|part| part.files.contains(&file));
    for (file, saved) in sources.files.iter().filter(|(file, _)| !is_named(file)) {
        html.element("section", &[("id", file)], |html| {
            html.words("h2", &[], file);
            write_file(html, file, saved);
        });
    }
}

fn write_file(html: &mut Html, file: &str, saved: &Saved) {
    html.words("p", &[("class", "run")], &saved.run);
    let tables = table::apart(saved);
    let charts: Vec<(&Table, bars::Columns)> = tables
        .iter()
        .map(|table| {
            let columns = match table.name.as_str() {
                "climb" => bars::speeds(table).into_iter().take(2).collect(),
                "speeds" => bars::speeds(table),
                "redis" if file == "resp" => bars::speeds(table),
                "percentiles" => bars::percentiles(table),
                _ => Vec::new(),
            };
            (table, columns)
        })
        .collect();
    for (number, (table, columns)) in charts.iter().enumerate() {
        html.element("article", &[], |html| {
            html.words("h3", &[], &table.title);
            if !columns.is_empty() {
                // One scale for all charts of a kind, so that the eye may go from one to the other.
                let alike = charts.iter().filter(|(other, _)| is_like(other, table));
                let scale = bars::scale_of(alike.map(|(table, columns)| (*table, columns)));
                if table.name == "percentiles" {
                    bars::spans(html, table, scale);
                } else {
                    bars::bars(html, table, columns, scale);
                }
            }
            table::write(html, &format!("{file}-{number}"), table);
        });
    }
}

/// Whether two tables are about the same, but for what a write survives.
fn is_like(one: &Table, other: &Table) -> bool {
    let about = |table: &Table| table.title.split(':').next().unwrap_or_default().to_owned();
    one.name == other.name && (one.name != "speeds" || about(one) == about(other))
}
