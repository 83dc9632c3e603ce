//! One picture of a [`Report`]: sets and gets per second of each engine, as bars on a logarithmic scale.
//!
//! The picture is SVG text without scripts or fonts of its own. Its colours follow the reader's light or dark
//! theme. Engines are grouped by durability, as in the tables.

use std::fmt::Write as _;

use crate::figures;
use crate::page::escape;
use crate::report::{Operation, Report, Run};
use crate::scale::{self, Scale};
use crate::tables::{by_workload, survives};

/// What is drawn, with the class that gives it its colour.
const DRAWN: [(Operation, &str); 2] = [(Operation::Set, "set"), (Operation::Get, "get")];

const WIDTH: f64 = 760.0;
/// Where bars begin; names stand left of it.
const LEFT: f64 = 140.0;
/// Room for the figure behind the longest bar.
const RIGHT: f64 = 110.0;
const TOP: f64 = 56.0;
const BAR: f64 = 15.0;
const ROW: f64 = 2.0 * BAR + 14.0;
const GROUP_HEADING: f64 = 26.0;
const BOTTOM: f64 = 12.0;
/// The height of a line of small text.
const LINE: f64 = 17.0;
/// How many characters of it fit the width.
const LONGEST_LINE: usize = 105;

const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#24292f}\
.title{font-size:16px;font-weight:600}\
.quiet{fill:#6e7781;font-size:11.5px}\
.grid{stroke:#d0d7de;stroke-width:1}\
.set{fill:#2f6fb3}.get{fill:#e0883a}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9198a1}.grid{stroke:#3d444d}\
.set{fill:#5a9be0}.get{fill:#f0a35e}}";

/// The chart of one of the report's workloads, as the text of an SVG file. None if it has no run of it.
#[must_use]
pub fn svg(report: &Report, workload: &str) -> Option<String> {
    let (_, groups) = by_workload(report).into_iter().find(|(name, _)| *name == workload)?;
    let drawn = report.runs.iter().filter(|run| run.workload == workload);
    let speeds = drawn.flat_map(|run| DRAWN.iter().filter_map(|&(operation, _)| speed(run, operation)));
    let scale = Scale::of(speeds);
    let mut body = String::new();
    let mut y = TOP;
    for (durability, runs) in groups {
        let heading = format!("an acknowledged write survives {}", survives(durability));
        text(&mut body, (16.0, y + 15.0), "quiet", "start", &heading);
        y += GROUP_HEADING;
        draw_lines(scale, &mut body, y - 4.0, y + ROW * rows(&runs) - 8.0);
        for run in runs {
            row(&mut body, y, run, scale);
            y += ROW;
        }
    }
    let origin = format!("logarithmic scale; {}; {}", report.machine, report.date);
    for line in wrap(&origin) {
        text(&mut body, (16.0, y + LINE), "quiet", "start", &line);
        y += LINE;
    }
    let height = y + BOTTOM;
    let mut picture = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="title"><title id="title">Sets and gets per second, workload {}</title><style>{STYLE}</style>"#,
        escape(workload)
    );
    text(
        &mut picture,
        (16.0, 26.0),
        "title",
        "start",
        &format!("Operations per second, workload {workload}"),
    );
    legend(&mut picture);
    label_scale(scale, &mut picture);
    picture.push_str(&body);
    picture.push_str("</svg>\n");
    Some(picture)
}

/// How long the bar of a speed is.
fn length(scale: Scale, speed: f64) -> f64 {
    scale.part(speed) * (WIDTH - LEFT - RIGHT)
}

fn draw_lines(scale: Scale, picture: &mut String, top: f64, bottom: f64) {
    for (_, part) in scale.marks() {
        let x = LEFT + part * (WIDTH - LEFT - RIGHT);
        // Writing to a String cannot fail, here and below.
        let _ = write!(picture, r#"<path class="grid" d="M{x:.1} {top:.1}V{bottom:.1}"/>"#);
    }
}

fn label_scale(scale: Scale, picture: &mut String) {
    for (power, part) in scale.marks() {
        let x = LEFT + part * (WIDTH - LEFT - RIGHT);
        text(picture, (x, TOP - 6.0), "quiet", "middle", &scale::label(power));
    }
}

#[allow(clippy::cast_precision_loss)] // A handful of engines.
fn rows(runs: &[&Run]) -> f64 {
    runs.len() as f64
}

fn row(body: &mut String, y: f64, run: &Run, scale: Scale) {
    let number = run.number.map_or(String::new(), |number| format!("{number}  "));
    text(body, (LEFT - 10.0, y + BAR + 5.0), "name", "end", &format!("{number}{}", run.engine));
    let mut top = y;
    for (operation, class) in DRAWN {
        if let Some(speed) = speed(run, operation) {
            let length = length(scale, speed).max(1.0);
            let _ = write!(
                body,
                r#"<rect class="{class}" x="{LEFT}" y="{top:.1}" width="{length:.1}" height="{BAR}" rx="2"/>"#
            );
            let figure = figures::per_second(speed);
            text(body, (LEFT + length + 6.0, top + 12.0), "quiet", "start", &figure);
        }
        top += BAR + 1.0;
    }
}

fn legend(picture: &mut String) {
    let mut x = WIDTH - 150.0;
    for (operation, class) in DRAWN {
        let _ =
            write!(picture, r#"<rect class="{class}" x="{x}" y="15" width="{BAR}" height="{BAR}" rx="2"/>"#);
        text(picture, (x + BAR + 6.0, 27.0), "name", "start", operation.name());
        x += 70.0;
    }
}

fn speed(run: &Run, operation: Operation) -> Option<f64> {
    run.phase(operation).map(|phase| phase.rate.per_second).filter(|speed| *speed > 0.0)
}

fn text(picture: &mut String, (x, y): (f64, f64), class: &str, anchor: &str, words: &str) {
    let words = escape(words);
    let _ = write!(
        picture,
        r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#
    );
}

/// The words in lines that fit the width, broken after semicolons.
fn wrap(words: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in words.split("; ") {
        match lines.last_mut() {
            Some(line) if line.len() + part.len() < LONGEST_LINE => {
                line.push_str("; ");
                line.push_str(part);
            }
            _ => lines.push(part.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample_report;

    #[test]
    fn every_engine_has_its_bars_and_a_faster_one_a_longer_bar() {
        let picture = svg(&sample_report(), "16/100").unwrap();
        for engine in ["memory", "scan-log", "hash-log"] {
            assert!(picture.contains(&format!("  {engine}</text>")), "{engine}");
        }
        // In the legend, and for each engine.
        assert_eq!(picture.matches(r#"<rect class="set""#).count(), 4);
        let scale = Scale { lowest: 3, highest: 7 };
        assert!(length(scale, 1e6) > length(scale, 1e5) && length(scale, 1e3) < 1e-9);
        assert!((length(scale, 1e7) - (WIDTH - LEFT - RIGHT)).abs() < 1e-9);
    }

    #[test]
    fn what_names_hold_cannot_leave_the_text() {
        let mut report = sample_report();
        report.runs[0].engine = "<b>&\"".into();
        let picture = svg(&report, "16/100").unwrap();
        assert!(picture.contains("&lt;b&gt;&amp;&quot;") && !picture.contains("<b>"));
        assert!(svg(&report, "no such workload").is_none());
    }
}
