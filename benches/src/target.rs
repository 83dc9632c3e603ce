//! [`TargetRow`]: a figure, what it is compared with, and whether that is good enough.

use serde::Serialize;

use crate::Sheet;

/// A figure against its target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetRow {
    /// What was measured.
    pub what: &'static str,
    /// How much it was, as text with its unit.
    pub measured: String,
    /// What it is compared with, likewise.
    pub against: String,
    /// The one divided by the other, which the target is about.
    pub figure: f64,
    /// What is asked of it.
    pub target: Target,
}

/// What is asked of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// It is met by this much or more.
    AtLeast(f64),
    /// It is met by this much or less.
    AtMost(f64),
    /// The figure is there to be seen beside the others.
    None,
}

impl TargetRow {
    /// Whether the target is met. None, if there is none.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        match self.target {
            Target::AtLeast(least) => Some(self.figure >= least),
            Target::AtMost(most) => Some(self.figure <= most),
            Target::None => None,
        }
    }

    /// The figure with two digits behind the point, or with as many more as it takes to tell a missed one from its target.
    fn shown(&self) -> String {
        const MOST_DIGITS: usize = 6;
        let is_told = |text: &String| {
            let shown = text.parse().unwrap_or(self.figure);
            Self { figure: shown, ..self.clone() }.is_met() == self.is_met()
        };
        let mut texts = (2..=MOST_DIGITS).map(|digits| format!("{:.digits$}", self.figure));
        texts.clone().find(is_told).or(texts.next_back()).unwrap_or_default()
    }

    fn cells(&self) -> Vec<String> {
        let target = match self.target {
            Target::AtLeast(least) => format!("≥ {least}×"),
            Target::AtMost(most) => format!("≤ {most}×"),
            Target::None => "–".into(),
        };
        let verdict = match self.is_met() {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        };
        let figure = format!("{}×", self.shown());
        vec![self.what.into(), self.measured.clone(), self.against.clone(), figure, target, verdict.into()]
    }

    /// The rows as a table by the name of `targets`.
    pub fn sheet(title: impl Into<String>, rows: &[Self]) -> Sheet {
        let headings = ["what", ">measured", ">against", ">ratio", ">target", ""];
        let mut sheet = Sheet::new("targets", title, headings);
        sheet.rows = rows.iter().map(Self::cells).collect();
        sheet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_missed_or_not_there_and_the_figure_shows_which() {
        let row = |figure, target| TargetRow {
            what: "sets",
            measured: "2/s".into(),
            against: "1/s".into(),
            figure,
            target,
        };
        let rows = [
            row(0.9, Target::AtLeast(0.9)),
            row(0.8, Target::AtLeast(0.9)),
            row(3.0, Target::AtMost(3.0)),
            row(3.1, Target::AtMost(3.0)),
            row(1.0, Target::None),
            row(f64::NAN, Target::AtLeast(0.0)),
            row(0.7974, Target::AtLeast(0.8)),
            row(1.100_01, Target::AtMost(1.1)),
        ];
        let sheet = TargetRow::sheet("Speeds", &rows);
        let verdicts: Vec<&str> = sheet.rows.iter().map(|row| row[5].as_str()).collect();
        assert_eq!(verdicts, ["met", "missed", "met", "missed", "", "missed", "missed", "missed"]);
        let figures: Vec<&str> = sheet.rows.iter().map(|row| row[3].as_str()).collect();
        assert_eq!(figures, ["0.90×", "0.80×", "3.00×", "3.10×", "1.00×", "NaN×", "0.797×", "1.10001×"]);
        assert_eq!(sheet.rows[0], ["sets", "2/s", "1/s", "0.90×", "≥ 0.9×", "met"]);
    }
}
