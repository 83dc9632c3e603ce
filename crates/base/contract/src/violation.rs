//! [`Violation`]: a broken promise, with everything that is needed to see it happen again.

use std::error;
use std::fmt::{self, Write as _};
use std::path::PathBuf;

use logladder_disk::crash::Tree;

/// At most so many bytes of a file are shown.
const SHOWN: usize = 512;

/// A promise that an engine broke: what was done to it, what should have been found, and what was.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The script that was run, step by step.
    pub script: String,
    /// The moment: which crash, which flipped bit, which failed operation.
    pub moment: String,
    /// What the contract says.
    pub expected: String,
    /// What was found instead.
    pub found: String,
    /// The files that the engine was given.
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

impl Violation {
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            script: String::new(),
            moment: String::new(),
            expected: expected.into(),
            found: found.into(),
            files: Vec::new(),
        }
    }

    /// Adds the files, if they have not been added closer to the place.
    pub(crate) fn with_files(mut self, tree: &Tree) -> Self {
        if self.files.is_empty() {
            self.files = tree.files().map(|(path, bytes)| (path.to_path_buf(), bytes.to_vec())).collect();
        }
        self
    }

    /// Adds the moment, before what is known of it already.
    pub(crate) fn at(mut self, moment: &str) -> Self {
        self.moment =
            if self.moment.is_empty() { moment.to_owned() } else { format!("{moment}; {}", self.moment) };
        self
    }

    pub(crate) fn in_script(mut self, script: &impl fmt::Display) -> Self {
        self.script = script.to_string();
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, text) in [
            ("script", &self.script),
            ("moment", &self.moment),
            ("expected", &self.expected),
            ("found", &self.found),
        ] {
            if !text.is_empty() {
                writeln!(f, "{name:>9}: {}", text.trim_end().replace('\n', "\n           "))?;
            }
        }
        for (path, bytes) in &self.files {
            writeln!(f, "     file: {} ({} bytes)", path.display(), bytes.len())?;
            f.write_str(&hex(&bytes[..bytes.len().min(SHOWN)]))?;
        }
        Ok(())
    }
}

impl error::Error for Violation {}

/// Sixteen bytes a line: the offset, the bytes, and the characters that they are.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, bytes) in bytes.chunks(16).enumerate() {
        let pairs: String = bytes.iter().fold(String::new(), |mut pairs, byte| {
            // Writing to a String cannot fail.
            let _ = write!(pairs, "{byte:02x} ");
            pairs
        });
        let printable = |&byte: &u8| if (b' '..=b'~').contains(&byte) { char::from(byte) } else { '.' };
        let characters: String = bytes.iter().map(printable).collect();
        let _ = writeln!(text, "           {:08x}  {pairs:<48} {characters}", line * 16);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_violation_tells_the_script_the_moment_and_the_bytes() {
        let mut tree = Tree::default();
        tree.put(Path::new("/store/log"), b"key\0".to_vec());
        let violation = Violation::new("`1`", "`2`").with_files(&tree).at("the end").in_script(&"set a 1");
        let text = violation.to_string();
        for part in
            ["script: set a 1", "moment: the end", "expected: `1`", "found: `2`", "6b 65 79 00", "key."]
        {
            assert!(text.contains(part), "{text}");
        }
    }
}
