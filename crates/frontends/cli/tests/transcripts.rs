//! The book's page on the command, replayed: each line that begins with `$ ` is run by a shell, in one folder for the
//! whole page, and what it prints must be what the page says. `SNAPSHOTS=overwrite` writes the page anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod page;

use snapbox::{Data, assert_data_eq};

#[test]
fn every_transcript_of_the_page_is_what_the_command_prints() {
    let folder = tempfile::tempdir().unwrap();
    let path = page::path_of("command.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let now = page::replayed(&page, |line| page::shell(line, folder.path()));
    assert_data_eq!(now, Data::read_from(&path, None).raw());
}

#[test]
fn a_transcript_that_says_something_else_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let page = "# A page\n\n```console\n$ echo one\ntwo\n```\n";
    let now = page::replayed(page, |line| page::shell(line, folder.path()));
    assert!(now.contains("$ echo one\none\n"), "{now}");
    let compared = std::panic::catch_unwind(|| assert_data_eq!(now, Data::text(page).raw()));
    assert!(compared.is_err(), "what the page says is not what is printed");
}
