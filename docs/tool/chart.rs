//! The chart of a lesson: what stands in its table of figures, as bars on a logarithmic scale.
//!
//! It stands in the page as SVG, so that it has the colours of the reader's theme and is as wide as a phone. Its look is that
//! of the pictures, in `docs/theme/pictures.css`: sets are blue, gets are orange, and what something is compared with is pale.

use std::fmt::Write as _;

use logladder_bench::scale::{Scale, label};

/// A chart before it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    /// What is drawn, in a sentence without its full stop.
    pub(crate) title: String,
    pub(crate) groups: Vec<Group>,
}

/// Bars below one name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// Stands at the other end of the line of the name.
    pub(crate) remark: String,
    /// Whether the lesson is about this one.
    pub(crate) is_this: bool,
    pub(crate) bars: Vec<Bar>,
}

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) colour: Colour,
    /// As it is drawn; none, if there is no such figure.
    pub(crate) figure: Option<f64>,
    /// As it is written.
    pub(crate) words: String,
}

/// Whose figure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Of what a set does.
    Set,
    /// Of what a get does.
    Get,
    /// Of what a set is compared with.
    OtherSet,
    /// Of what a get is compared with.
    OtherGet,
}

impl Colour {
    /// The colour of an operation that is called so.
    pub(crate) fn of(operation: &str, is_other: bool) -> Self {
        match (operation.contains("get"), is_other) {
            (false, false) => Self::Set,
            (true, false) => Self::Get,
            (false, true) => Self::OtherSet,
            (true, true) => Self::OtherGet,
        }
    }

    fn classes(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Get => "get",
            Self::OtherSet => "set other",
            Self::OtherGet => "get other",
        }
    }
}

/// As wide as the pictures are.
const WIDTH: f64 = 480.0;
/// How wide a letter of their text is, at most.
const LETTER: f64 = 9.8;
const GAP: f64 = 8.0;
/// Where the groups begin; the marks of the scale stand above.
const TOP: f64 = 30.0;
/// From the name of a group to its bars.
const NAME: f64 = 26.0;
const BAR: f64 = 20.0;
const BETWEEN_BARS: f64 = 4.0;
const BETWEEN_GROUPS: f64 = 14.0;
/// Between two marks of the scale, at least.
const MARK: f64 = 46.0;

impl Chart {
    /// As Markdown takes it: a figure without an empty line.
    pub(crate) fn figure(&self) -> String {
        let bars = || self.groups.iter().flat_map(|group| &group.bars);
        let left = widest(bars().map(|bar| bar.label.as_str())) + GAP;
        let length = WIDTH - left - widest(bars().map(|bar| bar.words.as_str())) - 2.0 * GAP;
        let scale = Scale::of(bars().filter_map(|bar| bar.figure));
        let (mut body, mut y) = (String::new(), TOP);
        for group in &self.groups {
            let class = if group.is_this { "this" } else { "name" };
            text(&mut body, (0.0, y + 18.0), class, &group.name);
            text(&mut body, (WIDTH, y + 18.0), "quiet end", &group.remark);
            y += NAME;
            for bar in &group.bars {
                text(&mut body, (left - GAP, y + 16.0), "end", &bar.label);
                let end = bar.figure.map_or(0.0, |figure| (scale.part(figure) * length).max(1.0));
                if bar.figure.is_some() {
                    // Writing to a string cannot fail, here and below.
                    let _ = writeln!(
                        body,
                        r#"<rect class="{}" x="{left:.1}" y="{y:.1}" width="{end:.1}" height="{BAR}" rx="2"/>"#,
                        bar.colour.classes()
                    );
                }
                text(&mut body, (left + end + GAP, y + 16.0), "name", &bar.words);
                y += BAR + BETWEEN_BARS;
            }
            y += BETWEEN_GROUPS;
        }
        let height = y - BETWEEN_GROUPS;
        let mut svg = format!(
            "<figure class=\"chart\">\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             role=\"img\">\n<title>{}</title>\n<desc>{}.</desc>\n",
            escaped(&self.title),
            escaped(&self.in_words()),
        );
        let powers = f64::from(scale.highest() - scale.lowest());
        let is_narrow = length / powers < MARK;
        for (number, (power, part)) in scale.marks().enumerate() {
            let x = left + part * length;
            let _ = writeln!(svg, r#"<path class="grid" d="M{x:.1} {:.1}V{height:.1}"/>"#, TOP - 6.0);
            if !is_narrow || number.is_multiple_of(2) {
                text(&mut svg, (x, TOP - 12.0), "quiet mid", &label(power));
            }
        }
        svg.push_str(&body);
        let _ = writeln!(
            svg,
            "</svg>\n<figcaption>{}, on a logarithmic scale.</figcaption>\n</figure>",
            escaped(&self.title)
        );
        svg
    }

    /// For those to whom it is read.
    fn in_words(&self) -> String {
        let group = |group: &Group| {
            let bars: Vec<String> =
                group.bars.iter().map(|bar| format!("{} {}", bar.label, bar.words)).collect();
            format!("{}: {}", group.name, bars.join(", "))
        };
        self.groups.iter().map(group).collect::<Vec<_>>().join("; ")
    }
}

#[allow(clippy::cast_precision_loss)] // A word has few letters.
fn widest<'t>(texts: impl Iterator<Item = &'t str>) -> f64 {
    texts.map(|text| text.chars().count()).max().unwrap_or(0) as f64 * LETTER
}

fn text(svg: &mut String, (x, y): (f64, f64), class: &str, words: &str) {
    if !words.is_empty() {
        let _ = writeln!(svg, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#, escaped(words));
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, figure: Option<f64>, words: &str) -> Bar {
        Bar { label: label.into(), colour: Colour::of(label, false), figure, words: words.into() }
    }

    fn chart() -> Chart {
        let group = |name: &str, is_this, set: f64, get| Group {
            name: name.into(),
            remark: "survives nothing".into(),
            is_this,
            bars: vec![bar("set", Some(set), "many"), bar("get", get, "<–>")],
        };
        Chart {
            title: "Sets & gets".into(),
            groups: vec![group("memory", false, 1e6, Some(1e6)), group("json-file", true, 1e3, None)],
        }
    }

    /// How long each bar is.
    fn lengths(svg: &str) -> Vec<f64> {
        let rects = svg.split("<rect ").skip(1);
        let width = |rect: &str| rect.split("width=\"").nth(1)?.split('"').next()?.parse().ok();
        rects.filter_map(width).collect()
    }

    #[test]
    fn a_larger_figure_has_a_longer_bar_and_what_was_not_measured_has_none() {
        let svg = chart().figure();
        let lengths = lengths(&svg);
        assert_eq!(lengths.len(), 3, "{svg}");
        assert!(lengths[0] > lengths[2] && (lengths[0] - lengths[1]).abs() < 1e-9, "{lengths:?}");
        assert!(lengths.iter().all(|length| (1.0..=WIDTH).contains(length)), "{lengths:?}");
        assert!(svg.contains(r#"<text class="this" x="0.0" y="136.0">json-file</text>"#), "{svg}");
    }

    #[test]
    fn it_is_one_block_of_markdown_and_says_its_figures_to_those_who_do_not_see_it() {
        let svg = chart().figure();
        assert!(!svg.trim_end().lines().any(|line| line.trim().is_empty()), "{svg}");
        assert!(svg.contains("<title>Sets &amp; gets</title>"), "{svg}");
        assert!(svg.contains("<desc>memory: set many, get &lt;–&gt;; json-file: "), "{svg}");
        assert!(svg.starts_with("<figure class=\"chart\">\n<svg ") && svg.ends_with("</figure>\n"), "{svg}");
    }

    #[test]
    fn what_is_compared_with_is_pale_and_gets_are_told_from_sets() {
        assert_eq!(Colour::of("gets, 32 at once", true).classes(), "get other");
        assert_eq!(Colour::of("puts, one at a time", false).classes(), "set");
    }
}
