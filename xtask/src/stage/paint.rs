//! One colour for each kind of field, so that the same field is found again in every file and every record.

use std::collections::HashMap;

use anstyle::{AnsiColor, Style};

/// The colours, in the order in which fields come.
const PALETTE: [AnsiColor; 11] = [
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::Red,
    AnsiColor::BrightCyan,
    AnsiColor::BrightYellow,
    AnsiColor::BrightGreen,
    AnsiColor::BrightMagenta,
    AnsiColor::BrightBlue,
];

/// Gives each name its colour.
#[derive(Debug, Default)]
pub(super) struct Paint {
    names: HashMap<&'static str, usize>,
}

impl Paint {
    /// The colour of the field `name`: always the same one, and another one than its neighbours'. When all colours have
    /// been given away, they come again, underlined.
    pub(super) fn of(&mut self, name: &'static str) -> Style {
        let next = self.names.len();
        let place = *self.names.entry(name).or_insert(next);
        let style = PALETTE[place % PALETTE.len()].on_default();
        if (place / PALETTE.len()).is_multiple_of(2) { style } else { style.underline() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_keeps_its_colour_and_shares_it_with_no_other() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"];
        let mut paint = Paint::default();
        let first: Vec<Style> = names.iter().map(|name| paint.of(name)).collect();
        let again: Vec<Style> = names.iter().map(|name| paint.of(name)).collect();
        assert_eq!(first, again);
        for (place, style) in first.iter().enumerate() {
            assert!(!first[..place].contains(style), "{}", names[place]);
        }
    }
}
