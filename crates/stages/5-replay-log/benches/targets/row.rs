//! A line of the table: a figure, what it is compared with, and whether that is good enough.

use std::fmt;

/// A figure against its target.
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
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Row {
    fn is_met(&self) -> bool {
        match self.target {
            Target::AtLeast(least) => self.figure >= least,
            Target::AtMost(most) => self.figure <= most,
        }
    }

    fn target(&self) -> String {
        match self.target {
            Target::AtLeast(least) => format!("at least {least}"),
            Target::AtMost(most) => format!("at most {most}"),
        }
    }

    /// The same as an object.
    pub(crate) fn json(&self) -> String {
        format!(
            r#"{{"what":"{}","measured":"{}","against":"{}","figure":{:.3},"target":"{}","met":{}}}"#,
            self.what,
            self.measured,
            self.against,
            self.figure,
            self.target(),
            self.is_met()
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_met() { "met" } else { "missed" };
        write!(
            f,
            "{:<44} {:>22}  against {:<22} {:>7.2}  {:<14} {verdict}",
            self.what,
            self.measured,
            self.against,
            self.figure,
            self.target()
        )
    }
}
