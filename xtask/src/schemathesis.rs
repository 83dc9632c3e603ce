//! `cargo xtask schemathesis`: servers are sent what a program makes up from their OpenAPI document, and no answer may be
//! one that the document does not name.
//!
//! [Schemathesis](https://schemathesis.readthedocs.io) is written in Python. It is installed into a folder beside the other
//! reports, in the one version that `schemathesis.toml` was written for. Three stages are asked: one without files, and two
//! with every capability that the routes know, versions included.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use logladder_bench::reports_folder;

use crate::checks::{cargo, step};

/// Another version makes other requests up, and names its settings otherwise.
const VERSION: &str = "4.32.5";

/// The stages, with what their servers are started with.
const SERVED: [(&str, &[&str]); 3] =
    [("memory", &[]), ("replay-log", &["--versions", "100"]), ("hash-log", &["--versions", "100"])];

/// What `cargo xtask schemathesis` takes.
#[derive(Debug, Args)]
pub(crate) struct Schemathesis {
    /// How many requests are made up for each route, in each way of making them up; 30 take about a minute a stage
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    examples: u32,
    /// What the requests are drawn from: the same number gives the same ones
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Schemathesis {
    /// Asks each stage, and ends at the first that answers wrongly.
    pub(crate) fn run(&self) -> Result<()> {
        let folder = reports_folder().join("schemathesis");
        let program = installed(&folder.join("venv"))?;
        cargo(&["build", "--package", "logladder-cli"], &[])?;
        for (stage, arguments) in SERVED {
            step(stage, || self.ask(&program, &folder.join(stage), stage, arguments))?;
        }
        Ok(())
    }

    fn ask(&self, program: &Path, folder: &Path, stage: &str, arguments: &[&str]) -> Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let log = folder.join("log");
        let mut server = Server::start(stage, arguments, folder, &log)?;
        let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemathesis.toml");
        let asked = Command::new(program)
            .arg("--config-file")
            .arg(settings)
            .args(["run", &format!("{}/openapi.json", server.url), "--request-timeout", "30"])
            .args(["--max-examples", &self.examples.to_string(), "--seed", &self.seed.to_string()])
            // How fast the machine draws is no fault of the server.
            .args(["--suppress-health-check", "all", "--warnings", "off"])
            .current_dir(folder)
            .status()
            .context("cannot start schemathesis")?;
        let died = server.process.try_wait()?;
        ensure!(died.is_none(), "the server has died: {died:?}; its log is {}", log.display());
        ensure!(asked.success(), "there are answers that the document does not name");
        let said = fs::read_to_string(&log)?;
        ensure!(said.is_empty(), "the server complained:\n{said}");
        Ok(())
    }
}

/// A server of its own, ended with the test.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    #[allow(clippy::disallowed_methods, reason = "a log of a test is no part of a store")]
    fn start(stage: &str, arguments: &[&str], folder: &Path, log: &Path) -> Result<Self> {
        let mut process = Command::new(command()?)
            .args(["--stage", stage, "--sync", "never", "--dir"])
            .arg(folder.join("store"))
            .args(arguments)
            .args(["serve", "--addr", "127.0.0.1:0", "--log", "warn", "--backups"])
            .arg(folder.join("backups"))
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()
            .context("cannot start the server")?;
        let mut url = String::new();
        if let Some(out) = process.stdout.take() {
            BufReader::new(out).read_line(&mut url)?;
        }
        let url = url.trim_end().to_owned();
        let server = Self { process, url };
        ensure!(server.url.starts_with("http://"), "the server does not start: see {}", log.display());
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it is gone already, that was said before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The command that `cargo build` made.
fn command() -> Result<PathBuf> {
    let target = reports_folder();
    let target = target.parent().context("the reports lie in a folder")?;
    Ok(target.join("debug").join(format!("logladder{}", std::env::consts::EXE_SUFFIX)))
}

/// The program `st`, installed into `venv` where it is not there yet.
fn installed(venv: &Path) -> Result<PathBuf> {
    let bin = venv.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let program = bin.join("st");
    let is_there = |program: &Path| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION))
    };
    if is_there(&program) {
        return Ok(program);
    }
    let how = "needs Python 3.10 or newer with its modules venv and pip (Debian: `apt-get install python3-venv`), and \
               PyPI within reach";
    let made = Command::new("python3").args(["-m", "venv"]).arg(venv).status();
    let python = bin.join("python");
    let got = || {
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("schemathesis=={VERSION}"))
            .status()
    };
    let is_made = made.is_ok_and(|status| status.success()) && got().is_ok_and(|status| status.success());
    if !is_made || !is_there(&program) {
        bail!("schemathesis {VERSION} could not be installed: it {how}");
    }
    Ok(program)
}
