//! How the stages avoid each failure: the tests that their own tables name. Each table is held to by a test of its stage,
//! which looks for every name in it.

/// The stages that have such a table, and the table.
const TABLES: [(&str, &str); 3] = [
    ("replay-log", include_str!("../../../stages/5-replay-log/tests/failure_modes.rs")),
    ("write-behind", include_str!("../../../stages/6-write-behind/tests/failure_modes/table.rs")),
    ("hash-log", include_str!("../../../stages/7-hash-log/tests/failure_modes/table.rs")),
];

/// A stage, and those of its tests that show that it does not fail so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Avoided {
    /// The stage's name.
    pub stage: &'static str,
    /// The names of tests, of the stage itself, of the contract or of the disk below.
    pub tests: Vec<&'static str>,
}

/// Which stages avoid the failure with this number, by their own tables.
#[must_use]
pub fn avoided(number: u32) -> Vec<Avoided> {
    let rows = |table: &'static str| {
        table.lines().filter_map(|line| line.strip_prefix("//! | ")).find_map(|row| {
            let (of_row, rest) = row.split_once(" | ")?;
            (of_row.parse() == Ok(number)).then_some(rest)
        })
    };
    let of = |&(stage, table): &(&'static str, &'static str)| {
        let tests = rows(table)?.split('`').skip(1).step_by(2).collect();
        Some(Avoided { stage, tests })
    };
    TABLES.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_of_a_failure_come_from_the_tables_of_the_stages() {
        let stages: Vec<&str> = avoided(12).iter().map(|avoided| avoided.stage).collect();
        assert_eq!(stages, ["replay-log", "write-behind", "hash-log"]);
        assert!(avoided(1)[0].tests.contains(&"without_the_tombstone_rule_a_deleted_value_comes_back"));
        assert_eq!(avoided(99), []);
    }
}
