//! The number in a cell of a table, so that columns of texts can be sorted and drawn.

/// The units that tables use, and what one of them is in the base unit of its kind: seconds, bytes.
const UNITS: [(&str, f64); 16] = [
    ("ns", 1e-9),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("min", 60.0),
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("%", 1.0),
    ("×", 1.0),
    ("/s", 1.0),
];

/// The number that a text begins with, in the base unit of its kind: `1,094/s` is 1094, `0.30 ms` is 0.0003, `≥ 0.9×` is
/// 0.9. None, if it begins otherwise.
pub(super) fn number_in(text: &str) -> Option<f64> {
    let text = text.trim_start_matches(['≥', '≤', '+', '×', ' ']);
    let (sign, text) = text.strip_prefix('−').map_or((1.0, text), |rest| (-1.0, rest));
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ',' && c != '.').unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let number: f64 = digits.replace(',', "").parse().ok()?;
    let unit = rest.split_whitespace().next().unwrap_or("");
    let unit = unit.split('±').next().unwrap_or("");
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map_or(1.0, |(_, factor)| *factor);
    Some(sign * number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_read_in_the_base_unit_of_its_kind() {
        let cells = [
            ("1,094/s", 1094.0),
            ("65,019 ±2% ✂", 65019.0),
            ("62.86", 62.86),
            ("3090 µs", 0.00309),
            ("0.5 ms", 0.0005),
            ("11.5 MiB", 12_058_624.0),
            ("≥ 0.9×", 0.9),
            ("−1.5 kB", -1500.0),
            ("99.48%", 99.48),
            ("4 scan-log", 4.0),
        ];
        for (text, number) in cells {
            let found = number_in(text).unwrap();
            assert!((found - number).abs() < 1e-9 * number.abs().max(1e-3), "{text}: {found}");
        }
        for text in ["–", "", "heed", "forgets", "cut off"] {
            assert_eq!(number_in(text), None, "{text}");
        }
    }
}
