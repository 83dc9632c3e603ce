//! [`Process`]: a program that ends with this one, whichever way this one ends.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Runs the program, says its number, and waits for the name of a signal, which it passes on. What does not end within ten
/// seconds is killed, and so it is when nobody is there to name a signal any more.
const KEEPER: &str = r#"
log=$1; shift
"$@" >>"$log" 2>&1 </dev/null &
program=$!
echo $program
read -r signal
signal=${signal:-KILL}
kill -$signal $program 2>/dev/null
tenths=0
[ $signal = KILL ] && tenths=100
while [ $tenths -lt 100 ] && kill -0 $program 2>/dev/null; do
    sleep 0.1
    tenths=$((tenths + 1))
done
kill -KILL $program 2>/dev/null
wait $program
"#;

/// How a program is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// As by `kill -9`: it has no time to say goodbye.
    Kill,
    /// As a user ends it.
    Term,
}

/// A program, and who ends it.
#[derive(Debug)]
pub(crate) struct Process {
    keeper: Child,
}

impl Process {
    /// Starts it. What it prints goes to the end of `log`.
    pub(crate) fn start(program: &Path, arguments: &[String], log: &Path) -> Result<Self> {
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(log).arg(program).args(arguments);
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // What the environment says is about the user's own stores and clusters: a token, endpoints, a name of a node.
        for (name, _) in std::env::vars_os() {
            let is_theirs = |name: &str| name.starts_with("ETCD_") || name.starts_with("LOGLADDER_");
            if name.to_str().is_some_and(is_theirs) {
                keeper.env_remove(name);
            }
        }
        // Ctrl-C is for us, and the end of the others is up to us.
        keeper.process_group(0);
        let mut keeper = keeper.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        // It runs once its number is said.
        if let Some(said) = keeper.stdout.take() {
            BufReader::new(said).read_line(&mut String::new())?;
        }
        Ok(Self { keeper })
    }

    /// Sends the signal, and does not wait for what it does.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if let Some(mut input) = self.keeper.stdin.take() {
            // Where the keeper is gone, so is the program.
            let _ = writeln!(input, "{}", if signal == Signal::Kill { "KILL" } else { "TERM" });
        }
    }
}

impl Drop for Process {
    /// Waits for its end, and kills it unless a signal was sent before.
    fn drop(&mut self) {
        self.signal(Signal::Kill);
        let _ = self.keeper.wait();
    }
}
