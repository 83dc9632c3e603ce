//! [`Machines`]: three nodes of etcd and three servers, as processes of this machine.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::load::Client;

pub(crate) const MACHINES: usize = 3;

/// How long one may take to start.
const START: Duration = Duration::from_secs(20);

/// How often a leader tells the others that it is there, and after how long without that they elect another, at the
/// least; each waits up to twice as long, so that they do not all begin at once. In milliseconds. etcd's own are 100 and
/// 1000, for machines far from each other. These are for a machine room, where a message takes less than a
/// millisecond: the leader may miss five of its messages, or not get a processor for a third of a second.
const HEARTBEAT: u32 = 50;
const ELECTION: u32 = 300;

/// Runs a program, says its number, and ends it by the signal that is said, or when nobody is there to say one any more.
const KEEPER: &str = r#"
log=$1; shift
"$@" >>"$log" 2>&1 </dev/null &
program=$!
echo $program
read -r signal
kill -"${signal:-TERM}" $program 2>/dev/null
wait $program
"#;

/// A program, and who ends it.
#[derive(Debug)]
struct Process {
    keeper: Child,
}

impl Process {
    fn start(program: &Path, arguments: &[String], log: &Path) -> Result<Self> {
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(log).arg(program).args(arguments);
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C is for us, and the end of the others is up to us.
        keeper.process_group(0);
        let mut keeper = keeper.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        // It runs once its number is said.
        if let Some(said) = keeper.stdout.take() {
            BufReader::new(said).read_line(&mut String::new())?;
        }
        Ok(Self { keeper })
    }

    /// Ends it by this signal, and waits for its end.
    fn end(&mut self, signal: &str) {
        if let Some(mut input) = self.keeper.stdin.take() {
            let _ = writeln!(input, "{signal}");
        }
        let _ = self.keeper.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end("KILL");
    }
}

/// A node of etcd and the server beside it.
#[derive(Debug)]
pub(crate) struct Machine {
    url: String,
    endpoint: String,
    folder: PathBuf,
    node: Vec<String>,
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
    pub(crate) fn start(&mut self) -> Result<()> {
        self.start_node()?;
        self.start_server()
    }

    fn start_node(&mut self) -> Result<()> {
        self.running.push(Process::start(Path::new("etcd"), &self.node, &self.folder.join("etcd.log"))?);
        Ok(())
    }

    fn start_server(&mut self) -> Result<()> {
        self.running.insert(0, Process::start(&command()?, &self.server, &self.folder.join("server.log"))?);
        Ok(())
    }

    /// `kill -9` of both.
    pub(crate) fn kill(&mut self) {
        self.running.drain(..).for_each(|mut process| process.end("KILL"));
    }

    /// As a user ends them, the server first.
    fn end(&mut self) {
        self.running.drain(..).for_each(|mut process| process.end("TERM"));
    }

    /// Waits until its server is there and its node answers it.
    pub(crate) fn wait(&self, client: &Client) -> Result<()> {
        let begun = Instant::now();
        while !client.is_answered_by(self) {
            if begun.elapsed() > START {
                bail!("{} does not start; its logs are in {}", self.url, self.folder.display());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// The command that is built beside this program.
fn command() -> Result<PathBuf> {
    let here = std::env::current_exe().context("where is this program?")?;
    Ok(here.with_file_name("logladder"))
}

/// All of them, in a temporary folder.
#[derive(Debug)]
pub(crate) struct Machines {
    // Before the folder, so that nothing runs there when it is removed.
    all: Vec<Machine>,
    folder: tempfile::TempDir,
}

impl Machines {
    pub(crate) fn start(first_port: u16) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let ports = free_ports(MACHINES * 3)?;
        let (clients, peers) = (&ports[..MACHINES], &ports[MACHINES..MACHINES * 2]);
        let local = |port: u16| format!("http://127.0.0.1:{port}");
        let members: Vec<String> =
            peers.iter().enumerate().map(|(number, port)| format!("etcd{number}={}", local(*port))).collect();
        let mut all = Vec::new();
        for number in 0..MACHINES {
            let own = folder.path().join(format!("machine-{}", number + 1));
            std::fs::create_dir(&own).context("no folder for a machine")?;
            let (client, peer) = (local(clients[number]), local(peers[number]));
            let node = [
                format!("--name=etcd{number}"),
                format!("--data-dir={}", own.join("etcd").display()),
                format!("--listen-client-urls={client}"),
                format!("--advertise-client-urls={client}"),
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
                format!("--initial-cluster={}", members.join(",")),
                format!("--initial-cluster-token=logladder-{}", std::process::id()),
                format!("--heartbeat-interval={HEARTBEAT}"),
                format!("--election-timeout={ELECTION}"),
                "--logger=zap".to_owned(),
                "--log-level=warn".to_owned(),
            ];
            // Each server asks the node beside it first.
            let endpoints: Vec<String> =
                (0..MACHINES).map(|other| local(clients[(number + other) % MACHINES])).collect();
            let port = match first_port {
                0 => ports[MACHINES * 2 + number],
                first => first.saturating_add(u16::try_from(number).unwrap_or(0)),
            };
            let server: Vec<String> = [
                "--stage=etcd",
                &format!("--endpoints={}", endpoints.join(",")),
                "--timeout=2s",
                "--patience=300ms",
                "serve",
                &format!("--addr=127.0.0.1:{port}"),
                "--log=info,logladder::access=off",
            ]
            .map(str::to_owned)
            .to_vec();
            let (url, endpoint) = (local(port), client);
            all.push(Machine {
                url,
                endpoint,
                folder: own,
                node: node.to_vec(),
                server,
                running: Vec::new(),
            });
        }
        let mut machines = Self { all, folder };
        // A server does not start without a majority of the nodes.
        machines.all.iter_mut().try_for_each(Machine::start_node)?;
        machines.all.iter_mut().try_for_each(Machine::start_server)?;
        let client = Client::new();
        machines.all.iter().try_for_each(|machine| machine.wait(&client))?;
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

    /// Starts these again, of which none runs.
    pub(crate) fn restart(&mut self, numbers: &[usize]) -> Result<()> {
        numbers.iter().try_for_each(|number| self.get(*number).start_node())?;
        numbers.iter().try_for_each(|number| self.get(*number).start_server())
    }

    pub(crate) fn end(&mut self) {
        self.all.iter_mut().for_each(Machine::end);
    }
}

/// Ports of this machine that nobody listens at.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    // All are held until each is known, so that they differ.
    let held: std::io::Result<Vec<TcpListener>> =
        (0..count).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect();
    let ports: std::io::Result<Vec<u16>> = held?.iter().map(|held| Ok(held.local_addr()?.port())).collect();
    Ok(ports?)
}
