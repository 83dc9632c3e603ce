//! What is wrong, in one line: what was expected, and what was found in its place.

/// So much of each is shown.
const SHOWN: usize = 120;

/// `expected X, got Y`, of what a check found and what it says that should have been found.
pub(crate) fn headline(found: &str, expected: &str) -> String {
    // The contract's cases and random programs say both in one sentence.
    if let Some((call, rest)) = found.split_once(" gave ")
        && let Some((got, wanted)) = rest.split_once(", and should give ")
    {
        return format!("expected {}, got {} ({})", shown(wanted), shown(got), shown(call));
    }
    // As `assert_eq!` says it.
    if let (Some(got), Some(wanted)) = (line_of(found, "left: "), line_of(found, "right: ")) {
        let what = found.lines().next().and_then(|first| first.split_once(" failed: "));
        let what = what.map_or_else(String::new, |(_, what)| format!(" ({})", shown(what)));
        return format!("expected {}, got {}{what}", shown(wanted), shown(got));
    }
    if expected.is_empty() {
        return shown(found);
    }
    format!("expected {}, got {}", shown(expected), shown(found))
}

/// What stands behind `name` at the beginning of a line.
fn line_of<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.trim_start().strip_prefix(name))
}

/// The first line, if it is not too long.
fn shown(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_expected_comes_first_however_a_check_says_it() {
        for (found, expected, line) in [
            ("no value", "\"anna\"", "expected \"anna\", got no value"),
            (
                "get \"a\" gave no value, and should give \"1\"",
                "the engine does what a map does",
                "expected \"1\", got no value (get \"a\")",
            ),
            (
                "assertion `left == right` failed: live keys and bytes\n  left: (1, 2)\n right: (0, 0)",
                "",
                "expected (0, 0), got (1, 2) (live keys and bytes)",
            ),
            ("assertion `left == right` failed\n  left: 1\n right: 2", "", "expected 2, got 1"),
            ("opening succeeded", "", "opening succeeded"),
        ] {
            assert_eq!(headline(found, expected), line);
        }
        assert!(headline(&"x".repeat(1_000), "y").len() < 200);
    }
}
