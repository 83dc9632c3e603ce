//! [`Machines`]: three nodes of etcd and three servers, as processes of this machine.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::load::Client;
use super::process::{Process, Signal};
use super::stop::Stop;

pub(crate) const MACHINES: usize = 3;

/// How long one may take to start.
const START: Duration = Duration::from_secs(20);

/// How long the others wait before they take a silent machine for dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// For machines in one room, where a message takes less than a millisecond. The leader says every 50 ms that it is
    /// there; who hears nothing for 300 to 600 ms asks to be elected. So the leader may miss five of its messages, or get
    /// no processor for a third of a second. The servers wait for one member 300 ms, and for all of them 2 s.
    Room,
    /// Those of etcd and of stage 9, for machines anywhere: 100 ms; 1 to 2 s; 1 s and 5 s.
    Defaults,
}

impl Waits {
    fn of_nodes(self) -> &'static [&'static str] {
        match self {
            Self::Room => &["--heartbeat-interval=50", "--election-timeout=300"],
            Self::Defaults => &[],
        }
    }

    fn of_servers(self) -> &'static [&'static str] {
        match self {
            Self::Room => &["--timeout=2s", "--patience=300ms"],
            Self::Defaults => &[],
        }
    }
}

/// A node of etcd and the server beside it.
#[derive(Debug)]
pub(crate) struct Machine {
    url: String,
    endpoint: String,
    folder: PathBuf,
    node: Vec<String>,
    program: PathBuf,
    server: Vec<String>,
    /// The server, then the node: in the order in which they are ended.
    running: Vec<Process>,
}

impl Machine {
    /// Where its server is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where its node is.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Starts both.
    pub(crate) fn start(&mut self, client: &Client, stop: &Stop) -> Result<()> {
        self.start_node()?;
        self.wait_for_node(client, stop)?;
        self.start_server()
    }

    fn start_node(&mut self) -> Result<()> {
        self.running.push(Process::start(Path::new("etcd"), &self.node, &self.folder.join("etcd.log"))?);
        Ok(())
    }

    fn start_server(&mut self) -> Result<()> {
        let server = Process::start(&self.program, &self.server, &self.folder.join("server.log"))?;
        self.running.insert(0, server);
        Ok(())
    }

    /// `kill -9` of both at once.
    pub(crate) fn kill(&mut self) {
        self.running.iter_mut().for_each(|process| process.signal(Signal::Kill));
        self.running.clear();
    }

    /// Waits until its node knows of a leader: before that, a server does not start.
    fn wait_for_node(&self, client: &Client, stop: &Stop) -> Result<()> {
        self.wait_until(|| client.is_well(&self.endpoint), stop)
    }

    /// Waits until its server is there, and gets answers from its node.
    pub(crate) fn wait(&self, client: &Client, stop: &Stop) -> Result<()> {
        self.wait_until(|| client.is_answered_by(self), stop)
    }

    fn wait_until(&self, is_there: impl Fn() -> bool, stop: &Stop) -> Result<()> {
        let begun = Instant::now();
        while !is_there() {
            if begun.elapsed() > START {
                bail!("{} does not start\n{}", self.url, self.last_words());
            }
            stop.pause(Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// The ends of what both have logged. The folder is gone by the time that this is read.
    fn last_words(&self) -> String {
        const LINES: usize = 5;
        let last = ["etcd.log", "server.log"].map(|name| {
            let log = std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            format!("{name}:\n{}", lines[lines.len().saturating_sub(LINES)..].join("\n"))
        });
        last.join("\n")
    }
}

/// All of them, in a temporary folder.
#[derive(Debug)]
pub(crate) struct Machines {
    // Before the folder, so that nothing runs there when it is removed.
    all: Vec<Machine>,
    folder: tempfile::TempDir,
}

impl Machines {
    /// Starts them. `program` is the command with stage 9 in it; the servers get these ports.
    pub(crate) fn start(program: &Path, held: HeldPorts, waits: Waits, stop: &Stop) -> Result<Self> {
        let servers = held.ports();
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let ports = free_ports(MACHINES * 2, &servers)?;
        let (clients, peers) = ports.split_at(MACHINES);
        let local = |port: u16| format!("http://127.0.0.1:{port}");
        let members: Vec<String> =
            peers.iter().enumerate().map(|(number, port)| format!("etcd{number}={}", local(*port))).collect();
        let mut all = Vec::with_capacity(MACHINES);
        for number in 0..MACHINES {
            let own = folder.path().join(format!("machine-{}", number + 1));
            std::fs::create_dir(&own).context("no folder for a machine")?;
            let (client, peer) = (local(clients[number]), local(peers[number]));
            let mut node = vec![
                format!("--name=etcd{number}"),
                format!("--data-dir={}", own.join("etcd").display()),
                format!("--listen-client-urls={client}"),
                format!("--advertise-client-urls={client}"),
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
                format!("--initial-cluster={}", members.join(",")),
                format!("--initial-cluster-token=logladder-{}", std::process::id()),
                "--logger=zap".to_owned(),
                "--log-level=warn".to_owned(),
            ];
            node.extend(waits.of_nodes().iter().map(|&argument| argument.to_owned()));
            // Each server asks the node beside it first.
            let endpoints: Vec<String> =
                (0..MACHINES).map(|other| local(clients[(number + other) % MACHINES])).collect();
            let mut server = vec!["--stage=etcd".to_owned(), format!("--endpoints={}", endpoints.join(","))];
            server.extend(waits.of_servers().iter().map(|&argument| argument.to_owned()));
            server.extend([
                "serve".to_owned(),
                format!("--addr=127.0.0.1:{}", servers[number]),
                "--log=info,logladder::access=off".to_owned(),
            ]);
            all.push(Machine {
                url: local(servers[number]),
                endpoint: client,
                folder: own,
                node,
                program: program.to_owned(),
                server,
                running: Vec::new(),
            });
        }
        let mut machines = Self { all, folder };
        let (everyone, client) = ((0..MACHINES).collect::<Vec<usize>>(), Client::new());
        machines.start_nodes(&everyone, &client, stop)?;
        // Now the servers take them.
        drop(held);
        machines.start_servers(&everyone, &client, stop)?;
        Ok(machines)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn all(&self) -> &[Machine] {
        &self.all
    }

    pub(crate) fn get(&mut self, number: usize) -> &mut Machine {
        &mut self.all[number % MACHINES]
    }

    /// Starts these, of which none runs: all nodes first, which may be a majority only together.
    pub(crate) fn restart(&mut self, numbers: &[usize], client: &Client, stop: &Stop) -> Result<()> {
        self.start_nodes(numbers, client, stop)?;
        self.start_servers(numbers, client, stop)
    }

    fn start_nodes(&mut self, numbers: &[usize], client: &Client, stop: &Stop) -> Result<()> {
        for number in numbers {
            self.get(*number).start_node()?;
        }
        for number in numbers {
            self.get(*number).wait_for_node(client, stop)?;
        }
        Ok(())
    }

    fn start_servers(&mut self, numbers: &[usize], client: &Client, stop: &Stop) -> Result<()> {
        for number in numbers {
            self.get(*number).start_server()?;
        }
        for number in numbers {
            self.get(*number).wait(client, stop)?;
        }
        Ok(())
    }

    /// Ends them as a user does: all servers at once, then all nodes.
    pub(crate) fn end(mut self) {
        while self.all.iter().any(|machine| !machine.running.is_empty()) {
            let firsts = self.all.iter_mut().filter(|machine| !machine.running.is_empty());
            let mut ended: Vec<Process> = firsts.map(|machine| machine.running.remove(0)).collect();
            for process in &mut ended {
                process.signal(Signal::Term);
            }
        }
    }
}

/// The ports of the servers, which nobody else can have as long as this is there. Between a look at them and the start of the
/// servers, the command is built and the nodes elect a leader: time enough for a second one like this to look at them too.
#[derive(Debug)]
pub(crate) struct HeldPorts([(u16, TcpListener); MACHINES]);

impl HeldPorts {
    /// Three from this one on, or any if it is 0.
    ///
    /// # Errors
    ///
    /// If another program listens at one of them, or another one like this holds it.
    pub(crate) fn take(first: u16) -> Result<Self> {
        if first > u16::MAX - 2 {
            bail!("there is no port behind 65535");
        }
        let take = |number: u16| {
            let port = if first == 0 { 0 } else { first + number };
            let held = TcpListener::bind(("127.0.0.1", port));
            let held = held.and_then(|held| Ok((held.local_addr()?.port(), held)));
            held.map_err(|error| {
                anyhow!(
                    "port {port} cannot be had ({error}); nothing was started. `--port` takes others, and `--port 0` free ones"
                )
            })
        };
        Ok(Self([take(0)?, take(1)?, take(2)?]))
    }

    fn ports(&self) -> [u16; MACHINES] {
        self.0.each_ref().map(|(port, _)| *port)
    }
}

/// So many ports of this machine that nobody listens at, none of them `but` these.
fn free_ports(count: usize, but: &[u16]) -> Result<Vec<u16>> {
    // All are held until each is known, so that they differ.
    let held: std::io::Result<Vec<TcpListener>> =
        (0..count + but.len()).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect();
    let ports: std::io::Result<Vec<u16>> = held?.iter().map(|held| Ok(held.local_addr()?.port())).collect();
    Ok(ports?.into_iter().filter(|port| !but.contains(port)).take(count).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_another_program_has_is_named_and_free_ones_differ() {
        let held = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let refused = HeldPorts::take(port).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("port {port} ")) && refused.contains("nothing was started"),
            "{refused}"
        );
        let [one, two, three] = HeldPorts::take(0).unwrap().ports();
        assert!(one != two && two != three && three != one && ![one, two, three].contains(&port));
        assert!(HeldPorts::take(65_534).is_err(), "there are no two behind it");
    }

    #[test]
    fn the_second_of_two_on_the_same_ports_is_told_before_it_builds_and_starts_anything() {
        let first = HeldPorts::take(0).unwrap();
        for port in first.ports() {
            let refused = HeldPorts::take(port).unwrap_err().to_string();
            assert!(refused.contains("nothing was started"), "{refused}");
        }
    }
}
