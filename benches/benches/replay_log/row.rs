//! A line of the table: a figure, what it is compared with, and whether that is good enough.

use serde::Serialize;

/// A figure against its target.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    /// What was measured, and of what it is a part, each as text with its unit.
    pub(crate) measured: String,
    pub(crate) against: String,
    /// The figure that the target is about.
    pub(crate) figure: f64,
    pub(crate) target: Target,
}

/// What is asked of a figure.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// It is there to be seen beside the others.
    None,
}

impl Row {
    fn is_met(&self) -> bool {
        match self.target {
            Target::AtLeast(least) => self.figure >= least,
            Target::AtMost(most) => self.figure <= most,
            Target::None => true,
        }
    }

    fn target(&self) -> String {
        match self.target {
            Target::AtLeast(least) => format!("≥ {least}×"),
            Target::AtMost(most) => format!("≤ {most}×"),
            Target::None => "–".into(),
        }
    }

    /// The row as it is shown.
    pub(crate) fn cells(&self) -> Vec<String> {
        let verdict = match self.target {
            Target::None => "",
            _ if self.is_met() => "met",
            _ => "missed",
        };
        let figure = format!("{:.2}×", self.figure);
        vec![
            self.what.into(),
            self.measured.clone(),
            self.against.clone(),
            figure,
            self.target(),
            verdict.into(),
        ]
    }
}
