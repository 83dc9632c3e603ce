//! Makes the crate of a learner: a workspace of its own, which takes the versions of everything else from this one.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::learner::claims_of_solution;
use crate::plan;
use crate::starter::Starter;

/// The longest name of an engine, as the contract has it.
const LONGEST_NAME: usize = 20;

/// Why a name cannot be an engine's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError(String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameError {}

/// Why a crate was not made.
#[derive(Debug)]
#[non_exhaustive]
pub enum NewError {
    /// The name cannot be an engine's.
    Name(NameError),
    /// Something is there already. It has not been touched.
    Exists(PathBuf),
    /// The system refused.
    Io(PathBuf, io::Error),
}

impl fmt::Display for NewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(why) => write!(f, "{why}"),
            Self::Exists(path) => {
                let path = path.display();
                write!(
                    f,
                    "{path} is there already, and is left as it is: choose another name, or move it away"
                )
            }
            Self::Io(path, error) => write!(f, "cannot write {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for NewError {}

/// Refuses a name that an engine cannot have: it becomes that of a folder, a package and a row of the chart.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_name(name: &str, taken: &[&str]) -> Result<(), NameError> {
    let refuse = |why: String| Err(NameError(why));
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(allowed) {
        return refuse(format!(
            "`{name}` cannot be a name: it takes 1 to {LONGEST_NAME} lower-case letters, digits and hyphens"
        ));
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.ends_with('-') || name.contains("--") {
        return refuse(format!(
            "`{name}` cannot be a name: it begins with a letter, and a hyphen stands between two others"
        ));
    }
    // Devices of Windows, which cannot be folders there.
    let is_device = ["con", "prn", "aux", "nul"].contains(&name)
        || ["com", "lpt"].iter().any(|device| {
            name.strip_prefix(device).is_some_and(|rest| rest.len() == 1 && rest.parse::<u8>().is_ok())
        });
    if is_device {
        return refuse(format!("`{name}` cannot be a name: no folder can be called that on Windows"));
    }
    if taken.contains(&name) {
        return refuse(format!("`{name}` is a stage of the ladder already: choose another name"));
    }
    Ok(())
}

/// The package of the engine `name`.
#[must_use]
pub fn package_name(name: &str) -> String {
    format!("lab-{name}")
}

/// Makes the crate of the engine `name` in the folder `lab`, from the starter, and gives its folder. `root` is the root of
/// this workspace.
///
/// # Errors
///
/// Something has that name already, or the system refused. Then nothing that was there has been changed.
pub fn new_crate(
    root: &Path,
    lab: &Path,
    name: &str,
    starter: &'static Starter,
) -> Result<PathBuf, NewError> {
    write_crate(root, lab, name, starter, &unfinished(starter, name, 0))
}

/// The engine of a starter of which the first `done` steps are written.
#[must_use]
pub fn unfinished(starter: &'static Starter, name: &str, done: usize) -> String {
    let claims = claims_of_solution(starter);
    starter.unfinished(name, done, |step| plan::unlocks(starter, &claims, step))
}

fn write_crate(
    root: &Path,
    lab: &Path,
    name: &str,
    starter: &Starter,
    engine: &str,
) -> Result<PathBuf, NewError> {
    let folder = lab.join(name);
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error| NewError::Io(path, error)
    };
    if fs::symlink_metadata(&folder).is_ok() {
        return Err(NewError::Exists(folder));
    }
    // A path that can be moved with the workspace, where the crate lies in it.
    let to_root = if lab == root.join("lab") { "../..".to_owned() } else { root.display().to_string() };
    let lock = root.join("Cargo.lock");
    let lock = fs::read_to_string(&lock).map_err(failed(&lock))?;
    fs::create_dir_all(folder.join("src")).map_err(failed(&folder))?;
    fs::create_dir_all(folder.join("tests")).map_err(failed(&folder))?;
    for (file, text) in [
        ("Cargo.toml", manifest(name, starter, &to_root)),
        // So that it is built with the very versions that everything else is, and needs no network.
        ("Cargo.lock", lock),
        ("src/lib.rs", engine.to_owned()),
        ("src/main.rs", main(name, starter)),
        ("tests/contract.rs", contract(name, starter)),
    ] {
        let path = folder.join(file);
        let written = File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(failed(&path))?;
    }
    Ok(folder)
}

fn manifest(name: &str, starter: &Starter, root: &str) -> String {
    let package = package_name(name);
    let (stage, kind) = (starter.stage, starter.name);
    format!(
        r#"# Your own engine, begun from stage {stage} ({kind}) by `cargo xtask new {name} --from {stage}`.
[package]
name = "{package}"
version = "0.1.0"
edition = "2024"
publish = false

# A workspace of its own: unfinished, it breaks neither the others' build nor the editor.
[workspace]

[features]
# What `cargo xtask climb --with {name}` adds.
bench = ["dep:logladder-bench"]

[dependencies]
crc32fast = "1"
logladder-bench = {{ path = "{root}/benches", optional = true }}
logladder-disk = {{ path = "{root}/crates/base/disk", features = ["names"] }}
logladder-engine = {{ path = "{root}/crates/base/engine" }}
logladder-json = {{ path = "{root}/crates/base/json" }}
logladder-lab = {{ path = "{root}/crates/frontends/lab" }}
serde_json = {{ version = "1", features = ["raw_value"] }}

[dev-dependencies]
logladder-contract = {{ path = "{root}/crates/base/contract" }}

# As in the workspace, so that what was compiled there need not be compiled again.
[profile.dev]
debug = "line-tables-only"
opt-level = 1

[profile.dev.package."*"]
debug = false

[profile.release]
debug = "line-tables-only"

# A sum that overflows is an error, and not a wrong number.
[profile.release.package.{package}]
overflow-checks = true
"#
    )
}

fn main(name: &str, starter: &Starter) -> String {
    let krate = package_name(name).replace('-', "_");
    format!(
        "//! The program that `cargo xtask check {name}` runs and `cargo xtask climb --with {name}` measures. The engine is in\n\
         //! `lib.rs`; here is nothing to be done.\n\
         \n\
         logladder_lab::program!(\"{name}\", \"{}\", {krate}::Store, {krate}::describe);\n",
        starter.name
    )
}

fn contract(name: &str, starter: &Starter) -> String {
    let krate = package_name(name).replace('-', "_");
    let head = format!(
        "//! The whole contract as tests, as every stage has it: on the real disk too, and with its process killed. For when\n\
         //! `cargo xtask check {name}` has nothing more to say.\n\n\
         use {krate}::Store;\n"
    );
    if !starter.is_repeatable {
        // What a crash leaves of a thread's work no script can repeat.
        return head
            + "use logladder_contract::{Place, Subject, Verdict, run_cases_on};\n\
               use logladder_engine::SyncPolicy;\n\n\
               #[test]\n\
               fn every_case_is_kept_on_both_disks() {\n    \
                   let subject = Subject::of::<Store>(SyncPolicy::Always);\n    \
                   for place in [Place::RecordingDisk, Place::RealDisk] {\n        \
                       for outcome in run_cases_on(&subject, place) {\n            \
                           assert!(!matches!(outcome.verdict, Verdict::Failed(_)), \"{outcome}\");\n        \
                       }\n    \
                   }\n\
               }\n";
    }
    let allowed = starter
        .allows
        .iter()
        .map(|(what, why)| format!("\n        .allows(logladder_contract::Allowed::{what:?}, \"{why}\")"));
    format!(
        "{head}use logladder_contract::Subject;\n\
         use logladder_engine::SyncPolicy;\n\n\
         fn subject() -> Subject {{\n    \
             Subject::of::<Store>(SyncPolicy::Always){}\n\
         }}\n\n\
         logladder_contract::contract!(subject);\n",
        allowed.collect::<String>()
    )
}

/// Puts `text` into a file, whatever was in it.
pub(crate) fn overwrite(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_good_everywhere_are_taken() {
        for good in ["mine", "a", "my-log-2", "abcdefghijklmnopqrst"] {
            assert_eq!(check_name(good, &["scan-log"]), Ok(()), "{good}");
        }
        for bad in [
            "",
            "Mine",
            "4",
            "4ever",
            "-a",
            "a-",
            "a--b",
            "a_b",
            "../a",
            "a/b",
            "a b",
            "é",
            "con",
            "com1",
            "scan-log",
            "abcdefghijklmnopqrstu",
        ] {
            assert!(check_name(bad, &["scan-log"]).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_there_already_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("mine");
        fs::create_dir(&theirs).unwrap();
        let starter = Starter::of("4").unwrap();
        let outcome = write_crate(folder.path(), folder.path(), "mine", starter, "");
        assert!(matches!(outcome, Err(NewError::Exists(path)) if path == theirs));
        assert_eq!(fs::read_dir(&theirs).unwrap().count(), 0);
    }
}
