//! Real servers for the tests: etcd on free ports of this machine, its files in a temporary folder.
//!
//! Each is the child of a shell that waits for the test to end, whichever way: then its pipe closes, and it kills the server
//! by its number and removes the files.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(dead_code, reason = "each test uses some of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

/// Runs the server, says its number, and waits. At the end its folder goes, unless it is told to keep it.
const KEEPER: &str = r#"
dir=$1; shift
"$@" >"$dir/log" 2>&1 </dev/null &
server=$!
echo $server
read -r word
kill -9 $server 2>/dev/null
wait $server 2>/dev/null
[ "$word" = keep ] || rm -rf "$dir"
"#;

/// One member.
#[derive(Debug)]
pub(crate) struct Server {
    keeper: Child,
    id: Pid,
    dir: PathBuf,
    /// The command that runs it.
    command: Vec<String>,
    endpoint: String,
}

/// Where a member is to run.
#[derive(Debug)]
pub(crate) struct Place {
    /// What runs it there: words before its own command.
    pub(crate) launcher: Vec<String>,
    /// Its address there.
    pub(crate) host: String,
    /// The ports for clients and for the other members.
    pub(crate) ports: [u16; 2],
}

impl Server {
    /// A cluster of one.
    pub(crate) fn alone() -> Self {
        Self::cluster(1).remove(0)
    }

    /// The same with more flags, each a name and what it is set to.
    pub(crate) fn alone_with(flags: &[(&str, &str)]) -> Self {
        Self::cluster_that_elects_after(1, 200, flags).remove(0)
    }

    /// A cluster of so many, which does what it is asked.
    pub(crate) fn cluster(size: usize) -> Vec<Self> {
        // So that a test need not wait long for an election.
        Self::cluster_that_elects_after(size, 200, &[])
    }

    /// The same, where a leader must be silent for longer before another one is elected: for tests that ask who leads.
    pub(crate) fn unhurried_cluster(size: usize) -> Vec<Self> {
        Self::cluster_that_elects_after(size, 1000, &[])
    }

    fn cluster_that_elects_after(size: usize, millis: u64, flags: &[(&str, &str)]) -> Vec<Self> {
        let ports = free_ports(size * 2);
        let place = |ports: &[u16]| Place {
            launcher: Vec::new(),
            host: "127.0.0.1".to_owned(),
            ports: [ports[0], ports[1]],
        };
        let places: Vec<Place> = ports.chunks(2).map(place).collect();
        let servers = Self::cluster_in(&places, millis, flags);
        servers.iter().for_each(Self::wait);
        servers
    }

    /// A cluster of one member in each of these places, where a leader must be silent for so long before another one is
    /// elected, with more flags for each. They have only been started.
    pub(crate) fn cluster_in(places: &[Place], millis: u64, flags: &[(&str, &str)]) -> Vec<Self> {
        let url = |place: &Place, port: usize| format!("http://{}:{}", place.host, place.ports[port]);
        let members: Vec<String> =
            places.iter().enumerate().map(|(number, place)| format!("m{number}={}", url(place, 1))).collect();
        let start = |(number, place): (usize, &Place)| {
            let (client, peer) = (url(place, 0), url(place, 1));
            // Where syncs cost nothing, if there is such a place: these tests are not about disks.
            let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap().keep();
            let pairs = [
                ("name", format!("m{number}")),
                ("data-dir", dir.join("data").display().to_string()),
                ("listen-client-urls", client.clone()),
                ("advertise-client-urls", client.clone()),
                ("listen-peer-urls", peer.clone()),
                ("initial-advertise-peer-urls", peer),
                ("initial-cluster", members.join(",")),
                ("initial-cluster-token", format!("{}-{}", std::process::id(), places[0].ports[0])),
                ("heartbeat-interval", (millis / 10).to_string()),
                ("election-timeout", millis.to_string()),
                ("logger", "zap".to_owned()),
                ("log-level", "error".to_owned()),
            ];
            let mut command = place.launcher.clone();
            command.push("etcd".to_owned());
            command.extend(pairs.into_iter().map(|(name, value)| format!("--{name}={value}")));
            command.extend(flags.iter().map(|(name, value)| format!("--{name}={value}")));
            let (keeper, id) = run(&dir, &command);
            Self { keeper, id, dir, command, endpoint: client }
        };
        places.iter().enumerate().map(start).collect()
    }

    /// Waits until it says that it is well: that it knows of a leader, and has asked a majority.
    pub(crate) fn wait(&self) {
        let begun = Instant::now();
        while !self.is_well() {
            if begun.elapsed() > START {
                let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                panic!("etcd does not start:\n{log}");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn is_well(&self) -> bool {
        let ask = || {
            let mut stream = TcpStream::connect(self.endpoint.trim_start_matches("http://"))?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            std::io::Result::Ok(answer)
        };
        ask().is_ok_and(|answer| answer.contains(r#"{"health":"true"}"#))
    }

    /// Where it listens for clients.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.end(b"keep\n");
    }

    /// Starts it again after it was killed.
    pub(crate) fn start_again(&mut self) {
        (self.keeper, self.id) = run(&self.dir, &self.command);
    }

    /// SIGKILL, and nothing is left of what it had.
    pub(crate) fn kill_and_forget(&mut self) {
        self.kill();
        std::fs::remove_dir_all(&self.dir).unwrap();
        std::fs::create_dir(&self.dir).unwrap();
    }

    /// Starts it again as the only member of a cluster with another number, at the same address.
    pub(crate) fn start_again_as_another_cluster(&mut self) {
        for argument in &mut self.command {
            if argument.starts_with("--initial-cluster-token=") {
                argument.push_str("-another");
            }
        }
        self.start_again();
        self.wait();
    }

    /// Lets it do nothing, without anybody being told.
    pub(crate) fn pause(&self) {
        kill_process(self.id, Signal::STOP).unwrap();
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        kill_process(self.id, Signal::CONT).unwrap();
    }

    fn end(&mut self, word: &[u8]) {
        if let Some(mut input) = self.keeper.stdin.take() {
            let _ = input.write_all(word);
        }
        let _ = self.keeper.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end(b"\n");
        // Where it was killed before, nobody else removes it.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn run(dir: &Path, command: &[String]) -> (Child, Pid) {
    let mut keeper = Command::new("sh")
        // What ends the test by a signal to all of its processes leaves it alone: it has to tidy up.
        .process_group(0)
        .args(["-c", KEEPER, "keeper"])
        .arg(dir)
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let id = line.trim().parse().ok().and_then(Pid::from_raw).unwrap();
    (keeper, id)
}

/// Ports that nobody listens at. All are held until each has been found, so that they differ.
fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}
