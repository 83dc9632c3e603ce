//! The names of the files.

/// The file that says which others make up the store.
pub(crate) const MANIFEST: &str = "MANIFEST";

/// What a file of the store is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Manifest,
    /// Lines that are appended to.
    Aof(u64),
    /// The sums of those.
    Sums(u64),
    /// A snapshot.
    Snapshot(u64),
    /// What a rewrite made of the lines before it, as lines.
    Rewritten(u64),
}

impl FileKind {
    pub(crate) fn of(name: &str) -> Option<Self> {
        if name == MANIFEST {
            return Some(Self::Manifest);
        }
        let (stem, extension) = name.rsplit_once('.')?;
        let (what, digits) = stem.rsplit_once('-')?;
        let number = digits.parse().ok()?;
        let kind = match (what, extension) {
            ("appendonly", "aof") => Self::Aof(number),
            ("appendonly", "sums") => Self::Sums(number),
            ("base", "snapshot") => Self::Snapshot(number),
            ("base", "aof") => Self::Rewritten(number),
            _ => return None,
        };
        // A number has one spelling.
        (kind.name() == name).then_some(kind)
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Manifest => MANIFEST.into(),
            Self::Aof(number) => format!("appendonly-{number:010}.aof"),
            Self::Sums(number) => format!("appendonly-{number:010}.sums"),
            Self::Snapshot(number) => format!("base-{number:010}.snapshot"),
            Self::Rewritten(number) => format!("base-{number:010}.aof"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_one_name() {
        let most = u64::MAX;
        let kinds = [FileKind::Manifest, FileKind::Aof(1), FileKind::Sums(2), FileKind::Snapshot(most)];
        for kind in kinds.into_iter().chain([FileKind::Rewritten(10_000_000_000)]) {
            assert_eq!(FileKind::of(&kind.name()), Some(kind));
        }
        for other in ["", "manifest", "appendonly-1.aof", "appendonly-0000000001", "base-+000000001.aof"] {
            assert_eq!(FileKind::of(other), None, "{other}");
        }
    }
}
