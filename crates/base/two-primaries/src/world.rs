//! [`run`]: the queue, the time, and processes that are paused, killed and started again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::failover::{Failover, PERIOD};
use crate::history::{Claim, Found, History, Outcome, Write};
use crate::script::{Action, Delays, PATIENCE, Scenario, To};
use crate::server::{Message, Place, Server, Wish};
use crate::trace::{Kind, Row, State, Trace};
use crate::{Millis, Protocol, SERVERS, name_of};

/// Between the answer to a client and the messages to the replicas: two calls of the system are two calls.
const MOMENT: Millis = 2;

/// Lets the scenario happen under the protocol. The same two give the same trace.
#[must_use]
pub fn run(scenario: &Scenario, protocol: Protocol) -> Trace {
    let mut world = World::new(scenario, protocol);
    for (number, step) in scenario.steps.iter().enumerate() {
        world.put(step.at, Event::Step(number));
    }
    world.put(0, Event::Tick);
    // The order of the queue is that of time and, at one time, of when it was put there.
    while let Some(((at, _), event)) = world.queue.pop_first() {
        if at >= scenario.end {
            break;
        }
        world.now = at;
        world.happen(event);
        world.see_claims();
    }
    world.end(scenario)
}

enum Event {
    /// A step of the scenario.
    Step(usize),
    /// The failover process looks at the clock.
    Tick,
    /// A client stops waiting for the answer to this write.
    GiveUp(usize),
    /// A message is there. A process that was started again has another life, and does not get what was for the old one.
    Arrive { from: Place, to: Place, lives: [u64; 2], message: Message },
    /// A server comes to send what it meant to send later.
    Leave { server: usize, life: u64, to: Place, message: Message },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Runs,
    Paused,
    Dead,
}

struct Process {
    server: Server,
    condition: Condition,
    life: u64,
    /// What would have happened to it while it was paused.
    waiting: VecDeque<Event>,
    /// Since when it takes itself for the primary, and runs.
    claims_since: Option<Millis>,
}

struct World<'s> {
    scenario: &'s Scenario,
    protocol: Protocol,
    now: Millis,
    queue: BTreeMap<(Millis, u64), Event>,
    events: u64,
    delays: ChaCha8Rng,
    /// When the last message from one to the other arrives: the next one comes no sooner.
    links: BTreeMap<(Place, Place), Millis>,
    processes: Vec<Process>,
    failover: Failover,
    history: History,
    rows: Vec<Row>,
}

impl<'s> World<'s> {
    fn new(scenario: &'s Scenario, protocol: Protocol) -> Self {
        let replicas: Vec<usize> = (1..SERVERS).collect();
        let server = |number| match number {
            0 => Server::primary(protocol, replicas.clone()),
            _ => Server::replica(protocol, Some(0)),
        };
        let process = |number| Process {
            server: server(number),
            condition: Condition::Runs,
            life: 0,
            waiting: VecDeque::new(),
            claims_since: None,
        };
        let seed = match scenario.delays {
            Delays::Fixed(_) => 0,
            Delays::Drawn(seed) => seed,
        };
        Self {
            scenario,
            protocol,
            now: 0,
            queue: BTreeMap::new(),
            events: 0,
            delays: ChaCha8Rng::seed_from_u64(seed),
            links: BTreeMap::new(),
            processes: (0..SERVERS).map(process).collect(),
            failover: Failover::new(protocol.tells_the_deposed),
            history: History::default(),
            rows: Vec::new(),
        }
    }

    fn put(&mut self, at: Millis, event: Event) {
        self.queue.insert((at, self.events), event);
        self.events += 1;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Step(number) => self.step(number),
            Event::Tick => {
                let wishes = self.failover.tick();
                self.grant(Place::Failover, wishes);
                self.put(self.now + PERIOD, Event::Tick);
            }
            Event::GiveUp(number) => {
                let write = &self.history.writes[number];
                if write.outcome == Outcome::Unknown && !self.is_answered(number) {
                    let text =
                        format!("has no answer to {}, and gives up", words(&write.key, write.value.as_ref()));
                    self.note(Kind::Client, "client", text);
                }
            }
            Event::Arrive { from, to, lives, message } => match to {
                Place::Client(number) => self.answer(number, &message),
                Place::Failover => {
                    if let Place::Server(server) = from {
                        let wishes = self.failover.answer(server);
                        self.grant(Place::Failover, wishes);
                    }
                }
                Place::Server(number) => {
                    if lives != [self.life_of(from), self.life_of(to)] {
                        return;
                    }
                    let process = &mut self.processes[number];
                    match process.condition {
                        Condition::Dead => {}
                        Condition::Paused => {
                            process.waiting.push_back(Event::Arrive { from, to, lives, message });
                        }
                        Condition::Runs => {
                            let wishes = process.server.take(from, message);
                            self.grant(to, wishes);
                        }
                    }
                }
            },
            Event::Leave { server, life, to, message } => {
                let process = &mut self.processes[server];
                match process.condition {
                    Condition::Paused => {
                        process.waiting.push_back(Event::Leave { server, life, to, message });
                    }
                    Condition::Runs if process.life == life => self.send(Place::Server(server), to, message),
                    Condition::Runs | Condition::Dead => {}
                }
            }
        }
    }

    fn step(&mut self, number: usize) {
        match &self.scenario.steps[number].action {
            Action::Write { to, key, value } => self.ask(*to, key, value.as_ref()),
            Action::Pause => {
                self.processes[0].condition = Condition::Paused;
                self.note(Kind::Fault, "world", format!("{} is paused", name_of(0)));
            }
            Action::GoOn => {
                self.processes[0].condition = Condition::Runs;
                self.note(Kind::Fault, "world", format!("{} goes on, where it was", name_of(0)));
                // What waited is older than anything that comes now.
                for event in std::mem::take(&mut self.processes[0].waiting) {
                    self.happen(event);
                }
            }
            Action::Kill => {
                self.kill();
                self.note(Kind::Fault, "world", format!("{} is killed", name_of(0)));
            }
            Action::StartAgain => {
                self.kill();
                let primary = self.failover.named();
                let process = &mut self.processes[0];
                process.condition = Condition::Runs;
                process.server = if primary == 0 {
                    Server::primary(self.protocol, Vec::new())
                } else {
                    Server::replica(self.protocol, None)
                };
                self.failover.forget(0);
                self.note(Kind::Fault, "world", format!("{} is started again", name_of(0)));
                if primary != 0 {
                    let wishes = self.processes[0].server.take(Place::Failover, Message::Follow(primary));
                    self.grant(Place::Server(0), wishes);
                }
            }
        }
    }

    fn kill(&mut self) {
        let process = &mut self.processes[0];
        process.condition = Condition::Dead;
        process.life += 1;
        process.waiting.clear();
    }

    fn ask(&mut self, to: To, key: &str, value: Option<&String>) {
        let server = match to {
            To::First => 0,
            To::Current => self.failover.named(),
        };
        let number = self.history.writes.len();
        self.history.writes.push(Write {
            key: key.to_owned(),
            value: value.cloned(),
            server,
            asked: self.now,
            outcome: Outcome::Unknown,
        });
        self.note(Kind::Client, "client", format!("{}, at {}", words(key, value), name_of(server)));
        let request = Message::Request { key: key.to_owned(), value: value.cloned() };
        self.send(Place::Client(number), Place::Server(server), request);
        self.put(self.now + PATIENCE, Event::GiveUp(number));
    }

    /// An answer that comes after the client has given up comes to nobody.
    fn answer(&mut self, number: usize, message: &Message) {
        let now = self.now;
        let write = &mut self.history.writes[number];
        if now < write.asked + PATIENCE {
            write.outcome = match message {
                Message::Done(version) => Outcome::Acknowledged { at: now, version: *version },
                _ => Outcome::Refused,
            };
        }
    }

    fn is_answered(&self, number: usize) -> bool {
        self.history.writes[number].outcome != Outcome::Unknown
    }

    fn life_of(&self, place: Place) -> u64 {
        match place {
            Place::Server(number) => self.processes[number].life,
            Place::Client(_) | Place::Failover => 0,
        }
    }

    fn grant(&mut self, who: Place, wishes: Vec<Wish>) {
        for wish in wishes {
            match (wish, who) {
                (Wish::Note(text), Place::Server(number)) => {
                    self.note(Kind::Server, &name_of(number), text);
                }
                (Wish::Note(text), _) => self.note(Kind::Failover, "failover", text),
                (Wish::SendLater(to, message), Place::Server(server)) => {
                    let life = self.life_of(who);
                    self.put(self.now + MOMENT, Event::Leave { server, life, to, message });
                }
                (Wish::Send(to, message) | Wish::SendLater(to, message), _) => self.send(who, to, message),
            }
        }
    }

    fn send(&mut self, from: Place, to: Place, message: Message) {
        let delay = match self.scenario.delays {
            Delays::Fixed(delay) => delay,
            Delays::Drawn(_) => self.delays.random_range(1..=20),
        };
        let arrives = self.links.entry((from, to)).or_default();
        *arrives = (*arrives).max(self.now + delay);
        let at = *arrives;
        let lives = [self.life_of(from), self.life_of(to)];
        self.put(at, Event::Arrive { from, to, lives, message });
    }

    fn note(&mut self, kind: Kind, who: &str, text: String) {
        let states = self.processes.iter().map(|process| State {
            role: match (process.condition, process.server.is_primary()) {
                (Condition::Dead, _) => "dead",
                (Condition::Paused, _) => "paused",
                (Condition::Runs, true) => "PRIMARY",
                (Condition::Runs, false) => "replica",
            },
            holds: if process.condition == Condition::Dead { String::new() } else { process.server.holds() },
        });
        self.rows.push(Row { at: self.now, kind, who: who.to_owned(), text, states: states.collect() });
    }

    fn see_claims(&mut self) {
        for number in 0..SERVERS {
            let process = &mut self.processes[number];
            let claims = process.condition == Condition::Runs && process.server.is_primary();
            match (claims, process.claims_since) {
                (true, None) => process.claims_since = Some(self.now),
                (false, Some(from)) => {
                    process.claims_since = None;
                    self.history.claims.push(Claim { server: number, election: 0, from, until: self.now });
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
    }

    fn end(mut self, scenario: &Scenario) -> Trace {
        let keys: BTreeSet<String> = self.history.writes.iter().map(|write| write.key.clone()).collect();
        for (number, process) in self.processes.iter().enumerate() {
            if let Some(from) = process.claims_since {
                self.history.claims.push(Claim { server: number, election: 0, from, until: scenario.end });
            }
            if process.condition == Condition::Runs {
                self.history.found.extend(keys.iter().map(|key| Found {
                    server: number,
                    key: key.clone(),
                    value: process.server.get(key).map(str::to_owned),
                }));
            }
        }
        Trace::new(scenario, self.rows, self.history)
    }
}

fn words(key: &str, value: Option<&String>) -> String {
    match value {
        Some(value) => format!("set {key}={value}"),
        None => format!("delete {key}"),
    }
}
