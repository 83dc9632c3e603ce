//! `completions` and `man`: what a shell and a manual want to know of the command line.

use std::io::Write;

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::outcome::Answer;

/// What `logladder completions` takes.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<Answer> {
        // The generator panics if it cannot write, which it always can to memory.
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "logladder", &mut text);
        out.write_all(&text)?;
        Ok(Answer::Yes)
    }
}

/// What `logladder man` takes.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The page of this command rather than the first one
    command: Option<String>,
}

impl Man {
    pub(crate) fn run(&self, mut out: &mut dyn Write) -> Result<Answer> {
        let mut all = Arguments::command();
        all.build();
        let page = match &self.command {
            None => all,
            Some(name) => {
                let found = all.find_subcommand(name).cloned();
                let what = || format!("there is no command `{name}`: `logladder help` lists them");
                found.ok_or_else(|| crate::outcome::Refusal::Usage(what()))?
            }
        };
        clap_mangen::Man::new(page).render(&mut out)?;
        Ok(Answer::Yes)
    }
}
