//! The book's page on the command, replayed: each line that begins with `$ ` is run by a shell, in one folder for the
//! whole page, and what it prints must be what the page says. `SNAPSHOTS=overwrite` writes the page anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::path::Path;
use std::process::{Command, Stdio};

use snapbox::{Data, assert_data_eq};

const PAGE: &str = "../../../docs/src/command.md";
const BEGIN: &str = "```console\n";
const END: &str = "```\n";

/// What a shell prints for `line`, both streams in the order in which they came.
fn printed(line: &str, folder: &Path) -> String {
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
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The page with what each of its commands prints now.
fn replayed(page: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
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
            text.push_str(&printed(&command, folder.path()));
        }
        text.push_str(END);
        text.push_str(rest);
    }
    text
}

#[test]
fn every_transcript_of_the_page_is_what_the_command_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(page.contains(BEGIN));
    assert_data_eq!(replayed(&page), Data::read_from(&path, None).raw());
}
