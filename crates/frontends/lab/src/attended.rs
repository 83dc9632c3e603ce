//! [`attended`]: runs a program that ends with this one, whichever way this one ends.

use std::io;
use std::process::{Command, ExitStatus};

/// Runs the program, and ends it with everything that it started once nobody holds the other end of the keeper's input any
/// more. How the program ended is how the keeper ends.
#[cfg(unix)]
const KEEPER: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ read -r _ <&3; trap '' TERM; kill -TERM 0; } &
watcher=$!
wait $program
status=$?
kill $watcher 2>/dev/null
[ $status -gt 128 ] && kill -$((status - 128)) $$
exit $status
"#;

/// What a shell says of a program that is not there.
#[cfg(unix)]
const NOT_FOUND: i32 = 127;

/// Runs the command, whose input is empty, and waits for its end. If this process is ended meanwhile, be it by Ctrl-C or by a
/// signal to it alone, the command is ended as well, and what that has started: a cargo that nobody waits for would go on
/// building, and keep the others from it.
///
/// # Errors
///
/// It could not be started.
#[cfg(unix)]
pub fn attended(command: &Command) -> io::Result<ExitStatus> {
    use std::os::unix::process::CommandExt as _;
    use std::process::Stdio;

    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "keeper"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => keeper.env(name, value),
            None => keeper.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        keeper.current_dir(folder);
    }
    // A group of their own, so that all of it can be ended and nothing else.
    let mut keeper = keeper.stdin(Stdio::piped()).process_group(0).spawn()?;
    // Whoever waits for a child closes its input first; this one is to stay open.
    let line = keeper.stdin.take();
    let status = keeper.wait();
    drop(line);
    match status {
        Ok(status) if status.code() == Some(NOT_FOUND) => Err(io::ErrorKind::NotFound.into()),
        status => status,
    }
}

/// Runs the command and waits for its end.
///
/// # Errors
///
/// It could not be started.
#[cfg(not(unix))]
pub fn attended(command: &Command) -> io::Result<ExitStatus> {
    let mut same = Command::new(command.get_program());
    same.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => same.env(name, value),
            None => same.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        same.current_dir(folder);
    }
    same.status()
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::process::Stdio;

    use super::*;

    /// Says that a process is the one to be ended.
    const TO_BE_ENDED: &str = "LOGLADDER_TEST_ATTENDED";

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_ends_as_it_did_with_its_own_environment_and_folder() {
        assert!(attended(&shell("exit 0")).unwrap().success());
        assert_eq!(attended(&shell("exit 101")).unwrap().code(), Some(101));
        let killed = attended(&shell("kill -KILL $$")).unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&killed), Some(9));
        let mut command = shell("[ \"$GIVEN\" = yes ] && [ \"$PWD\" = / ]");
        assert!(attended(command.env("GIVEN", "yes").current_dir("/")).unwrap().success());
        assert!(attended(&Command::new("/there/is/no/such/program")).is_err());
    }

    #[test]
    fn a_program_and_what_it_started_end_with_the_one_that_waits_for_them() {
        let script = "echo begun; (sleep 50; echo survived) & sleep 60; echo survived";
        if std::env::var_os(TO_BE_ENDED).is_some() {
            let _ = attended(&shell(script));
            return;
        }
        let name = "a_program_and_what_it_started_end_with_the_one_that_waits_for_them";
        let mut waiting = Command::new(std::env::current_exe().unwrap());
        waiting.args([name, "--nocapture"]).env(TO_BE_ENDED, "1").stdout(Stdio::piped());
        let mut waiting = waiting.spawn().unwrap();
        let mut said = BufReader::new(waiting.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("begun") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "it ended before it was to");
        }
        waiting.kill().unwrap();
        waiting.wait().unwrap();
        // All of them have the other end of this. It is closed when the last one is gone.
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert!(!rest.contains("survived"), "{rest}");
    }
}
