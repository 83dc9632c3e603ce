//! Builds the book, and checks what it says.
//!
//! A book about code goes wrong in two ways: its links rot, and the code moves on. This package is the guard
//! against both. [`html::build`] renders `docs/src` with the library behind mdBook, so that nothing has to be
//! installed, and [`serve`] shows it while it is being written; [`check`] reads the pages as text and holds them against the repository:
//!
//! | module | what must hold |
//! |---|---|
//! | [`links`] | every link leads to a page, a heading or a file that is there |
//! | [`includes`] | every `{{#include}}` names a file and an anchor that are there |
//! | [`generated`] | every block that is generated says what the code says now |
//! | [`dependencies`] | the table of dependencies and the root `Cargo.toml` name the same packages |
//! | [`mentions`] | every test named as `test: name` exists, and every transcript is replayed by one |
//! | [`figures`] | no figure of speed, time or comparison is typed by hand |
//! | [`lessons`] | every lesson has the same parts, in the same order |
//! | [`pictures`] | every picture is shown, has no colours of its own, and says in words what it shows |
//! | [`stages`] | every stage has a page, and every page a line in `SUMMARY.md` |

mod bytes;
mod chart;
mod climb;
mod crashes;
mod demo;
pub mod dependencies;
pub mod figures;
pub mod generated;
pub mod html;
pub mod includes;
pub mod lessons;
pub mod links;
pub mod mentions;
mod museum;
mod pages;
mod past_etcd;
pub mod pictures;
mod results;
pub mod serve;
pub mod stages;

use std::fmt;
use std::path::PathBuf;

pub use pages::{Book, Page};

/// Something that the book says and that is not so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The page, from the root of the repository.
    pub page: PathBuf,
    /// The line it is on, from 1.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub what: String,
}

impl Fault {
    /// A fault of `page` at the byte `offset` of its text.
    #[must_use]
    pub fn new(page: &Page, offset: usize, what: impl Into<String>) -> Self {
        Self { page: page.path.clone(), line: page.line_of(offset), what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.page.display(), self.line, self.what)
    }
}

/// Everything in the book that is not so, sorted by page and line.
///
/// # Errors
///
/// A file of the repository could not be read.
pub fn check(book: &Book) -> anyhow::Result<Vec<Fault>> {
    let mut faults = links::check(book);
    faults.extend(includes::check(book));
    faults.extend(generated::check(book)?);
    faults.extend(dependencies::check(book)?);
    faults.extend(mentions::check(book)?);
    faults.extend(figures::check(book)?);
    faults.extend(lessons::check(book));
    faults.extend(pictures::check(book)?);
    faults.extend(stages::check(book));
    faults.sort();
    Ok(faults)
}
