//! A page of the book with transcripts: blocks of ```` ```console ````, in which each line that begins with `$ ` is a
//! command, and the lines behind it are what it prints.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Fails if a tool that a page is replayed with is not there.
pub(crate) fn require(tool: &str, package: &str) {
    assert!(
        Command::new(tool).arg("--version").output().is_ok(),
        "{tool} is missing; `cargo xtask test` installs it where it may; by hand, as root: \
         `apt-get update && apt-get install {package}`"
    );
}

const BEGIN: &str = "```console\n";
const END: &str = "```\n";

/// Where a page of the book is.
pub(crate) fn path_of(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/src").join(page)
}

/// The page with what each of its commands prints now, as `run` says.
pub(crate) fn replayed(page: &str, mut run: impl FnMut(&str) -> String) -> String {
    assert!(page.contains(BEGIN), "a page without a transcript");
    let mut blocks = page.split(BEGIN);
    let mut text = blocks.next().unwrap_or_default().to_owned();
    for block in blocks {
        let (transcript, rest) = block.split_once(END).unwrap();
        text.push_str(BEGIN);
        let mut lines = transcript.lines().peekable();
        while let Some(line) = lines.next() {
            // What was printed then is left out, and what is printed now takes its place.
            let Some(first) = line.strip_prefix("$ ") else { continue };
            let mut command = first.to_owned();
            text.extend(["$ ", first, "\n"]);
            while command.ends_with('\\')
                && let Some(more) = lines.next()
            {
                command.extend(["\n", more]);
                text.extend([more, "\n"]);
            }
            text.push_str(&run(&command));
        }
        text.push_str(END);
        text.push_str(rest);
    }
    text
}

/// What a shell prints for `line`, both streams in the order in which they came.
pub(crate) fn shell(line: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_logladder"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = program.parent().unwrap().to_path_buf();
    let path = std::env::join_paths(std::iter::once(first).chain(std::env::split_paths(&path))).unwrap();
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("{{ {line}\n}} 2>&1"))
        .current_dir(folder)
        .env("PATH", path)
        .env("HOME", folder)
        .env_remove("LOGLADDER_DIR")
        .env_remove("LOGLADDER_STAGE")
        .env_remove("LOGLADDER_VERSIONS")
        .env_remove("LOGLADDER_TOKEN")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}
