//! [`Results`] for a terminal or a file.

use std::fmt::Write as _;

use logladder_bench::tables::{self, Look};

use crate::results::Results;

/// Everything. The table of targets is the last.
#[must_use]
pub fn all(results: &Results, look: Look) -> String {
    let mut text = format!("{}\n", results.run());
    // Writing to a String cannot fail, here and below.
    if !results.cost.runs.is_empty() {
        let _ = writeln!(text, "\nby the common benchmark\n{}", tables::all(&results.cost, look));
    }
    for sheet in results.sheets() {
        let _ = writeln!(text, "\n{}\n{}", sheet.title, sheet.table(look));
    }
    for failure in &results.failures {
        let _ = writeln!(text, "\nNO FIGURES: {failure}");
    }
    if results.test && !results.figures.is_empty() {
        let _ = writeln!(text, "\nthis was a test: its figures mean nothing");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::medians::tests::sample;

    #[test]
    fn engines_of_different_durability_and_the_limits_have_tables_of_their_own() {
        let text = all(&sample(), Look::default());
        let tables: Vec<&str> = text.split("10 keys of 16 bytes").skip(1).collect();
        let with = |name: &str| tables.iter().position(|table| table.contains(&format!(" {name} "))).unwrap();
        let places = ["memory", "weak", "hash-log", "strong", "raw"].map(with);
        assert_eq!(places, [0, 1, 2, 3, 4], "{text}");
        assert!(tables[1].contains("600 ±17% ✂"), "{text}");
    }

    #[test]
    fn the_ratios_and_the_kills_are_there() {
        let text = all(&sample(), Look::default());
        for shown in ["4.00×", "1.80×", "0.50×", "99.40%", "its figures mean nothing"] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
    }
}
