//! What an operation changed of a store's files: the fields it put there, and those it took away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use logladder::Stage;
use logladder::disk::crash::Tree;
use serde::Serialize;

use super::bytes::{Named, fields_of};
use super::lesson::STORE;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// It is new.
    Made,
    /// It was there, and has other bytes now.
    Changed,
    /// It is gone.
    Removed,
}

/// What an operation changed of a file.
#[derive(Debug, Serialize)]
pub(super) struct Change {
    pub(super) file: String,
    pub(super) kind: Kind,
    pub(super) length_before: usize,
    pub(super) length_after: usize,
    /// So many bytes at its beginning are as they were.
    pub(super) same_at_start: usize,
    /// So many at its end are.
    pub(super) same_at_end: usize,
    /// Fields with a byte that is no longer there.
    pub(super) taken: Vec<Named>,
    /// Fields with a byte that was not there.
    pub(super) put: Vec<Named>,
}

impl Change {
    /// In a few words.
    pub(super) fn summary(&self) -> String {
        let (before, after) = (self.length_before, self.length_after);
        match self.kind {
            Kind::Made => format!("new, {after} bytes"),
            Kind::Removed => format!("removed, it had {before} bytes"),
            Kind::Changed if self.same_at_start == before => {
                format!("{before} bytes as they were, {} more behind them", after - before)
            }
            Kind::Changed if self.same_at_start == after => {
                format!("cut from {before} bytes to {after}")
            }
            Kind::Changed => {
                let gone = before - self.same_at_start - self.same_at_end;
                let new = after - self.same_at_start - self.same_at_end;
                format!("{gone} bytes at {} are {new} others now; {after} in all", self.same_at_start)
            }
        }
    }
}

/// Every file that is not what it was, by name.
pub(super) fn between(stage: &Stage, before: &Tree, after: &Tree) -> Vec<Change> {
    let (before, after) = (by_name(before), by_name(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |name: &String| {
        let (old, new) = (before.get(name), after.get(name));
        let kind = match (old, new) {
            (old, new) if old == new => return None,
            (None, _) => Kind::Made,
            (_, None) => Kind::Removed,
            _ => Kind::Changed,
        };
        let (old, new) = (old.copied().unwrap_or_default(), new.copied().unwrap_or_default());
        let same_at_start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        // What counts as the same beginning does not count as the same end once more.
        let rest = old.len().min(new.len()) - same_at_start;
        let same_at_end =
            old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(old, new)| old == new).count();
        let within = |bytes: &[u8]| -> Vec<Named> {
            let changed = same_at_start..bytes.len() - same_at_end;
            let fields = fields_of(stage, name, bytes).into_iter();
            let is_changed = |field: &Named| field.offset < changed.end && field.end() > changed.start;
            fields.filter(is_changed).map(|field| field.clipped(&changed)).collect()
        };
        Some(Change {
            file: name.clone(),
            kind,
            length_before: old.len(),
            length_after: new.len(),
            same_at_start,
            same_at_end,
            // Of a file that is gone, it is enough to say so.
            taken: if kind == Kind::Changed { within(old) } else { Vec::new() },
            put: within(new),
        })
    };
    names.into_iter().filter_map(change).collect()
}

fn by_name(tree: &Tree) -> BTreeMap<String, &[u8]> {
    let name = |path: &Path| path.strip_prefix(STORE).unwrap_or(path).to_string_lossy().into_owned();
    tree.files().map(|(path, bytes)| (name(path), bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &[u8])]) -> Tree {
        let mut tree = Tree::default();
        for (name, bytes) in files {
            tree.put(&Path::new(STORE).join(name), bytes.to_vec());
        }
        tree
    }

    fn only(before: &[(&str, &[u8])], after: &[(&str, &[u8])]) -> Change {
        let stage = logladder::stage("scan-log").unwrap();
        let mut changes = between(stage, &tree(before), &tree(after));
        assert_eq!(changes.len(), 1);
        changes.remove(0)
    }

    #[test]
    fn an_append_takes_nothing_and_a_replaced_middle_is_found_between_what_is_the_same() {
        let append = only(&[("x", b"abc"), ("y", b"same")], &[("x", b"abcde"), ("y", b"same")]);
        assert_eq!((append.same_at_start, append.same_at_end, append.taken.len()), (3, 0, 0));
        assert_eq!(append.summary(), "3 bytes as they were, 2 more behind them");

        let middle = only(&[("x", b"aaXXbb")], &[("x", b"aaYbb")]);
        assert_eq!((middle.same_at_start, middle.same_at_end), (2, 2));
        assert_eq!(middle.summary(), "2 bytes at 2 are 1 others now; 5 in all");
        // A repeated byte belongs to one of the two ends, not to both.
        let repeated = only(&[("x", b"aaa")], &[("x", b"aa")]);
        assert_eq!((repeated.same_at_start, repeated.same_at_end), (2, 0));
    }

    #[test]
    fn a_file_is_made_changed_or_removed() {
        assert_eq!(only(&[], &[("x", b"1")]).kind, Kind::Made);
        assert_eq!(only(&[("x", b"1")], &[]).kind, Kind::Removed);
        assert_eq!(only(&[("x", b"1")], &[("x", b"2")]).kind, Kind::Changed);
    }
}
