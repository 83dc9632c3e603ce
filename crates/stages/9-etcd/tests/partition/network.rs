//! [`Network`]: machines with a switch between them, made of network namespaces of this machine, and a cable that can be
//! pulled out.
//!
//! ```text
//!   llPIDn0  10.77.0.1 ──┐
//!   llPIDn1  10.77.0.2 ──┼── llPIDs, a bridge        nothing of it is seen from outside
//!   llPIDn2  10.77.0.3 ──┘
//! ```

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Waits until nobody is there any more, and removes the namespaces that it was told.
const KEEPER: &str = r#"
read -r word
for namespace in "$@"; do ip netns del "$namespace" 2>/dev/null; done
"#;

/// Namespaces, which are removed whichever way the test ends.
#[derive(Debug)]
pub(crate) struct Network {
    keeper: Child,
    switch: String,
    machines: Vec<String>,
}

impl Network {
    /// So many machines.
    ///
    /// # Errors
    ///
    /// Why this machine does not allow it, in words.
    pub(crate) fn new(size: usize) -> Result<Self, String> {
        let id = std::process::id();
        let switch = format!("ll{id}s");
        let machines: Vec<String> = (0..size).map(|number| format!("ll{id}n{number}")).collect();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper", &switch]).args(&machines).stdin(Stdio::piped());
        // What ends the test by a signal to all of its processes leaves it alone: it has to tidy up.
        keeper.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
        let keeper = keeper.spawn().map_err(|error| format!("no shell: {error}"))?;
        let network = Self { keeper, switch, machines };
        network.connect_all()?;
        Ok(network)
    }

    fn connect_all(&self) -> Result<(), String> {
        let switch = self.switch.as_str();
        ip(&["netns", "add", switch])?;
        ip(&["-n", switch, "link", "add", "bridge", "type", "bridge"])?;
        ip(&["-n", switch, "link", "set", "bridge", "up"])?;
        for (number, machine) in self.machines.iter().enumerate() {
            let (cable, address) = (cable(number), format!("{}/24", Self::host(number)));
            ip(&["netns", "add", machine])?;
            let ends = ["type", "veth", "peer", "name", "eth0", "netns", machine.as_str()];
            ip(&[&["-n", switch, "link", "add", &cable], &ends[..]].concat())?;
            ip(&["-n", machine, "addr", "add", &address, "dev", "eth0"])?;
            ip(&["-n", machine, "link", "set", "lo", "up"])?;
            ip(&["-n", machine, "link", "set", "eth0", "up"])?;
            ip(&["-n", switch, "link", "set", &cable, "up"])?;
            self.plug_in(number)?;
        }
        Ok(())
    }

    /// The address of a machine.
    pub(crate) fn host(number: usize) -> String {
        format!("10.77.0.{}", number + 1)
    }

    /// What runs a command there: words before it.
    pub(crate) fn launcher(&self, number: usize) -> Vec<String> {
        ["ip", "netns", "exec", &self.machines[number]].map(str::to_owned).to_vec()
    }

    /// Pulls its cable out of the switch. It is not told: what it sends gets lost.
    pub(crate) fn cut_off(&self, number: usize) {
        ip(&["-n", &self.switch, "link", "set", &cable(number), "nomaster"]).unwrap();
    }

    pub(crate) fn plug_in(&self, number: usize) -> Result<(), String> {
        ip(&["-n", &self.switch, "link", "set", &cable(number), "master", "bridge"])
    }

    /// Does something on that machine. Threads that are started there stay there.
    pub(crate) fn on<T: Send>(&self, number: usize, work: impl FnOnce() -> T + Send) -> T {
        let place = format!("/run/netns/{}", self.machines[number]);
        thread::scope(|scope| {
            let moved = scope.spawn(move || {
                let namespace = std::fs::File::open(place).unwrap();
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            moved.join().unwrap()
        })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(mut input) = self.keeper.stdin.take() {
            let _ = input.write_all(b"\n");
        }
        let _ = self.keeper.wait();
    }
}

/// The end of a machine's cable that is in the switch.
fn cable(number: usize) -> String {
    format!("port{number}")
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("`ip {}` says: {why}", arguments.join(" ")))
}
