//! [`Scale`]: a logarithmic scale that holds every figure of a chart, and its marks.

/// Powers of ten that hold every figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    pub(crate) lowest: i32,
    pub(crate) highest: i32,
}

impl Scale {
    /// The scale for these figures, of which those that are not above zero do not count.
    #[allow(clippy::cast_possible_truncation)] // A figure has fewer than 300 digits.
    #[must_use]
    pub fn of(figures: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0f64);
        for figure in figures.filter(|figure| *figure > 0.0 && figure.is_finite()) {
            (low, high) = (low.min(figure), high.max(figure));
        }
        if high <= 0.0 {
            (low, high) = (1.0, 1.0);
        }
        // From the power below half the smallest, so that its bar has a length to see.
        let lowest = (low / 2.0).log10().floor() as i32;
        let highest = (high.log10().ceil() as i32).max(lowest + 1);
        Self { lowest, highest }
    }

    /// The power of ten at its beginning.
    #[must_use]
    pub fn lowest(self) -> i32 {
        self.lowest
    }

    /// The power of ten at its end.
    #[must_use]
    pub fn highest(self) -> i32 {
        self.highest
    }

    /// Where a figure lies: 0 at the lowest power, 1 at the highest.
    #[must_use]
    pub fn part(self, figure: f64) -> f64 {
        let part = (figure.log10() - f64::from(self.lowest)) / f64::from(self.highest - self.lowest);
        if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) }
    }

    /// The powers of ten on it, each with where it lies.
    pub fn marks(self) -> impl Iterator<Item = (i32, f64)> {
        (self.lowest..=self.highest).map(move |power| (power, self.part(10f64.powi(power))))
    }
}

/// A power of ten as a number of things: `100`, `10k`, `1M`.
#[must_use]
pub fn label(power: i32) -> String {
    match power {
        9.. => format!("{}G", 10i64.pow(power.unsigned_abs().min(18) - 9)),
        6..9 => format!("{}M", 10i32.pow(power.unsigned_abs() - 6)),
        3..6 => format!("{}k", 10i32.pow(power.unsigned_abs() - 3)),
        _ => format!("{}", 10f64.powi(power)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_holds_its_figures_and_a_larger_one_lies_further_on() {
        let scale = Scale::of([3.0, 4_500_000.0, 0.0].into_iter());
        assert_eq!(scale, Scale { lowest: 0, highest: 7 });
        assert!(scale.part(1e6) > scale.part(1e5) && scale.part(1.0) < 1e-9 && scale.part(0.0) < 1e-9);
        assert!((scale.part(1e7) - 1.0).abs() < 1e-9);
        assert_eq!(scale.marks().count(), 8);
        let empty = Scale::of(std::iter::empty());
        assert!(empty.lowest < empty.highest);
    }

    #[test]
    fn powers_are_labelled_by_thousands() {
        assert_eq!([-1, 0, 4, 6, 9].map(label), ["0.1", "1", "10k", "1M", "1G"]);
    }
}
