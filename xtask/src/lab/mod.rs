//! `cargo xtask new mine` and `cargo xtask check mine`: an engine of one's own, from its first line to its place on the
//! chart.

mod watch;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail};
use clap::{ArgAction, Args};
use logladder::STAGES;
use logladder_lab::starters::{DEFAULT, STARTERS};
use logladder_lab::{HINTS, NOW, Purpose, Starter, attended, build, check_name, new_crate};

use crate::climb::shown;
use crate::style::{BAD, GOOD, HEADING, QUIET};

/// The environment variable with which a failure of the random programs can be repeated.
const SEED: &str = "LOGLADDER_SEED";

/// What `cargo xtask new` takes.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Its name: lower-case letters, digits and hyphens
    name: String,
    /// The stage that it is to be like, by number or by name
    #[arg(long, value_name = "STAGE", default_value_t = DEFAULT.to_string())]
    from: String,
}

/// What `cargo xtask check` takes.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The engine, by its name
    name: String,
    /// Check again whenever one of its files changes, until interrupted
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// Show a hint for the step that is next; a second and a third time, deeper ones
    #[arg(long, action = ArgAction::Count)]
    hint: u8,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// The root of the workspace.
fn root() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = root.filter(|root| root.join("Cargo.lock").is_file());
    Ok(root.context("this program was built in a workspace that is no longer there")?.to_path_buf())
}

/// The folder of an engine that was made before.
fn folder_of(name: &str) -> Result<PathBuf> {
    check_name(name, &[])?;
    let lab = root()?.join("lab");
    let folder = lab.join(name);
    if folder.join("Cargo.toml").is_file() {
        return Ok(folder);
    }
    let mut others: Vec<String> = std::fs::read_dir(&lab)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    others.sort();
    if others.is_empty() {
        bail!("there is no engine `{name}` in lab; make it: cargo xtask new {name}");
    }
    bail!(
        "there is no engine `{name}` in lab; there is {}; or make it: cargo xtask new {name}",
        others.join(", ")
    )
}

/// An engine of a learner's, built.
#[derive(Debug)]
pub(crate) struct Learner {
    /// What it is called.
    pub(crate) name: String,
    /// The program that checks it, and measures it if it was built for that.
    pub(crate) program: PathBuf,
}

impl Learner {
    /// Builds it so that it can be measured.
    pub(crate) fn to_measure(name: &str) -> Result<Self> {
        Self::built(name, Purpose::Measure)
    }

    /// Builds it so that it can be checked.
    pub(crate) fn to_check(name: &str) -> Result<Self> {
        Self::built(name, Purpose::Check)
    }

    fn built(name: &str, purpose: Purpose) -> Result<Self> {
        let folder = folder_of(name)?;
        let program = build(&root()?, &folder, name, purpose).context("cannot start cargo")?;
        let program =
            program.with_context(|| format!("{name} does not compile; next: cargo xtask check {name}"))?;
        Ok(Self { name: name.to_owned(), program })
    }
}

impl New {
    /// Makes the crate.
    pub(crate) fn run(&self) -> Result<()> {
        let taken: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        check_name(&self.name, &taken)?;
        let starter = Starter::of(&self.from).with_context(|| {
            let all: Vec<String> =
                STARTERS.iter().map(|starter| format!("{} {}", starter.stage, starter.name)).collect();
            format!("there is no starter for stage `{}`; there are {}", self.from, all.join(", "))
        })?;
        let root = root()?;
        let folder = new_crate(&root, &root.join("lab"), &self.name, starter)?;
        let place = shown(&folder);
        anstream::println!(
            "{GOOD}Made {place}{GOOD:#}: {} {QUIET}(as stage {}, {}){QUIET:#}\n",
            starter.summary,
            starter.stage,
            starter.name
        );
        for (file, what) in [
            ("src/lib.rs", "the engine: yours to write, step by step"),
            ("src/main.rs", "what checks and measures it"),
            ("tests/contract.rs", "the whole contract, as `cargo test` has it"),
        ] {
            let file = format!("{place}/{file}");
            println!("  {file:<32} {what}");
        }
        println!("\nIts steps:");
        for step in starter.steps() {
            let (number, name, what) = (step.number, &step.name, step.summary());
            anstream::println!("  {number:>2} {HEADING}{name:<10}{HEADING:#} {QUIET}{what}{QUIET:#}");
        }
        println!("\nNext: cargo xtask check {}", self.name);
        Ok(())
    }
}

impl Check {
    /// Checks the engine, and says how to leave: with 0 if it keeps everything, with 2 if there is none of that name, else
    /// with 1.
    pub(crate) fn run(&self) -> Result<u8> {
        let folder = match folder_of(&self.name) {
            Ok(folder) => folder,
            Err(error) => {
                anstream::eprintln!("{BAD}error:{BAD:#} {error:#}");
                return Ok(2);
            }
        };
        if !self.watch {
            return self.once(&folder);
        }
        loop {
            let seen = watch::Snapshot::of(&folder);
            watch::clear();
            // What is wrong with it was said, and is to change.
            if let Err(error) = self.once(&folder) {
                anstream::eprintln!("{BAD}error:{BAD:#} {error:#}");
            }
            anstream::println!(
                "\n{QUIET}Waiting for a change in {}; Ctrl-C ends this.{QUIET:#}",
                shown(&folder)
            );
            watch::wait_for_another(&folder, &seen);
        }
    }

    fn once(&self, folder: &Path) -> Result<u8> {
        let built = build(&root()?, folder, &self.name, Purpose::Check).context("cannot start cargo")?;
        let Some(program) = built else {
            if self.json {
                println!("{{ \"engine\": \"{}\", \"outcome\": \"does-not-compile\" }}", self.name);
            } else {
                let again = format!("cargo xtask check {}", self.name);
                anstream::println!("\n{BAD}It does not compile.{BAD:#} What the compiler says stands above.");
                anstream::println!(
                    "\n{HEADING}Next:{HEADING:#} mend its first error in {}/src, then {again}",
                    shown(folder)
                );
            }
            return Ok(1);
        };
        let now = tempfile::NamedTempFile::new().context("cannot make a temporary file")?;
        let mut command = Command::new(&program);
        command.env(NOW, now.path());
        if std::env::var_os(SEED).is_none() {
            // The same random programs each time, so that what failed fails again.
            command.env(SEED, "1");
        }
        command.args(std::iter::repeat_n("--hint", HINTS.min(usize::from(self.hint))));
        if self.json {
            command.arg("--json");
        }
        // One that never ends would outlive this otherwise.
        let status = attended(&command).with_context(|| format!("cannot start {}", program.display()))?;
        match status.code() {
            Some(code @ (0 | 1)) => Ok(u8::from(code == 1)),
            _ => bail!(
                "{}",
                self.how_it_died(status, &std::fs::read_to_string(now.path()).unwrap_or_default())
            ),
        }
    }

    fn how_it_died(&self, status: ExitStatus, now: &str) -> String {
        let now = if now.is_empty() { "it began".to_owned() } else { format!("it was checked: {now}") };
        format!(
            "{} ended the whole process ({status}) while {now}. No engine may do that: not by exit or abort, not by \
             recursion without an end, not by more memory than there is",
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_starter_is_of_a_stage_by_its_number_and_its_name() {
        for starter in STARTERS {
            let stage = STAGES.iter().find(|stage| stage.number == starter.stage);
            assert_eq!(stage.map(|stage| stage.name), Some(starter.name));
        }
    }

    #[test]
    fn an_engine_that_was_not_made_is_named_with_the_command_that_makes_it() {
        let said = folder_of("nobody-made-this").unwrap_err().to_string();
        assert!(said.contains("cargo xtask new nobody-made-this"), "{said}");
        assert!(folder_of("../xtask").is_err());
    }
}
