//! What the server says of itself: `INFO`, `CONFIG GET`, `COMMAND`, `TIME`.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use logladder_engine::Durability;

use super::commands::{COMMANDS, Command, Work, find};
use super::glob;
use super::refusal::Refused;
use super::request::Request;
use super::turn::Turn;

/// The version of Redis whose commands these are. Programs ask for it to know what they may use.
const REDIS_VERSION: &str = "7.0.0";

#[allow(clippy::unnecessary_wraps, reason = "every command has the same shape")]
pub(crate) fn time(turn: &mut Turn<'_>, _request: &Request<'_>) -> Result<(), Refused> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    turn.answers.array(2);
    turn.answers.text(&now.as_secs().to_string());
    turn.answers.text(&now.subsec_micros().to_string());
    Ok(())
}

pub(crate) fn info(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    const SECTIONS: [&str; 7] =
        ["server", "clients", "memory", "persistence", "stats", "replication", "keyspace"];
    let wants = |section: &str| {
        let mut asked = (1..request.len()).map(|place| {
            let is_all = ["all", "default", "everything"].iter().any(|all| request.is(place, all));
            is_all || request.is(place, section)
        });
        request.len() == 1 || asked.any(|is_asked| is_asked)
    };
    let mut text = String::new();
    for section in SECTIONS.into_iter().filter(|section| wants(section)) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        let title: String = section[..1].to_uppercase() + &section[1..];
        // Writing to a string cannot fail.
        let _ = write!(text, "# {title}\r\n");
        for (name, value) in facts(turn, section)? {
            let _ = write!(text, "{name}:{value}\r\n");
        }
    }
    turn.answers.text(&text);
    Ok(())
}

fn facts(turn: &Turn<'_>, section: &str) -> Result<Vec<(&'static str, String)>, Refused> {
    let (port, engine) = (turn.port, turn.engine());
    Ok(match section {
        "server" => vec![
            ("redis_version", REDIS_VERSION.to_owned()),
            ("redis_mode", "standalone".to_owned()),
            ("logladder_version", env!("CARGO_PKG_VERSION").to_owned()),
            ("logladder_stage", engine.name().to_owned()),
            ("os", std::env::consts::OS.to_owned()),
            ("arch_bits", usize::BITS.to_string()),
            ("process_id", std::process::id().to_string()),
            ("tcp_port", port.address.port().to_string()),
            ("uptime_in_seconds", port.started.elapsed().as_secs().to_string()),
            ("uptime_in_days", (port.started.elapsed().as_secs() / (24 * 60 * 60)).to_string()),
        ],
        "clients" => vec![
            ("connected_clients", port.metrics.connected().to_string()),
            ("maxclients", port.app.options.max_connections.to_string()),
            ("blocked_clients", "0".to_owned()),
        ],
        "memory" => memory(),
        "persistence" => vec![
            ("loading", "0".to_owned()),
            ("aof_enabled", u8::from(engine.durability() > Durability::Never).to_string()),
            ("acknowledged_writes_survive", engine.durability().to_string()),
        ],
        "stats" => vec![
            ("total_connections_received", port.connections_so_far().to_string()),
            ("total_commands_processed", port.metrics.commands_so_far().to_string()),
        ],
        "replication" => vec![("role", "master".to_owned()), ("connected_slaves", "0".to_owned())],
        _ => match engine.stats()?.live_keys {
            0 => Vec::new(),
            keys => vec![("db0", format!("keys={keys},expires=0,avg_ttl=0"))],
        },
    })
}

/// What of the process is in memory, as the system counts it. `used_memory` leaves out mapped files, which the kernel takes back
/// when it needs the room; nobody here counts what is allocated, as the allocator of Redis does. Nothing, where the system does not say.
fn memory() -> Vec<(&'static str, String)> {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return Vec::new() };
    let bytes = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    };
    let facts = [("used_memory", "RssAnon"), ("used_memory_rss", "VmRSS")];
    let mut facts: Vec<_> =
        facts.into_iter().filter_map(|(name, line)| Some((name, bytes(line)?.to_string()))).collect();
    facts.push(("maxmemory", "0".to_owned()));
    facts.push(("maxmemory_policy", "noeviction".to_owned()));
    facts
}

/// The settings that a client of Redis may want to know of, as they would be called there.
fn settings(turn: &Turn<'_>) -> Vec<(&'static str, String)> {
    let (options, durability) = (&turn.port.app.options, turn.engine().durability());
    let yes_or_no = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let sync = if durability == Durability::PowerLoss { "always" } else { "no" };
    vec![
        ("appendfsync", sync.to_owned()),
        ("appendonly", yes_or_no(durability > Durability::Never)),
        ("bind", turn.port.address.ip().to_string()),
        ("databases", "1".to_owned()),
        ("maxclients", options.max_connections.to_string()),
        ("maxmemory", "0".to_owned()),
        ("port", turn.port.address.port().to_string()),
        ("proto-max-bulk-len", options.max_body_bytes.to_string()),
        ("save", String::new()),
        ("timeout", options.idle_timeout.as_secs().to_string()),
    ]
}

pub(crate) fn config(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    if !request.is(1, "GET") {
        let word = String::from_utf8_lossy(request.part(1)).into_owned();
        let why = format!("ERR unknown subcommand '{word}': a server is configured when it is started");
        return Err(Refused::command(why));
    }
    if request.len() < 3 {
        return Err(Refused::arguments("config|get"));
    }
    let mut settings = settings(turn);
    settings.retain(|(name, _)| {
        request.parts_from(2).any(|pattern| glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes()))
    });
    turn.answers.map(settings.len());
    for (name, value) in settings {
        turn.answers.text(name);
        turn.answers.text(&value);
    }
    Ok(())
}

pub(crate) fn command(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    if request.len() == 1 {
        describe_all(turn);
        return Ok(());
    }
    let word = request.part(1).to_ascii_lowercase();
    let named = || request.parts_from(2).map(|name| find(name).map(|(_, command)| command));
    match (word.as_slice(), request.len()) {
        (b"count", 2) => turn.answers.count(COMMANDS.len()),
        (b"list", 2) => {
            turn.answers.array(COMMANDS.len());
            for command in COMMANDS {
                turn.answers.text(command.name);
            }
        }
        (b"info", 2) => describe_all(turn),
        (b"info", _) => {
            turn.answers.array(request.len() - 2);
            for command in named() {
                match command {
                    Some(command) => describe(turn, command),
                    None => turn.answers.null(),
                }
            }
        }
        (b"docs", 2) => document(turn, COMMANDS.iter().collect()),
        (b"docs", _) => document(turn, named().flatten().collect()),
        (b"count" | b"list", _) => {
            return Err(Refused::arguments(format_args!("command|{}", String::from_utf8_lossy(&word))));
        }
        _ => {
            let word = String::from_utf8_lossy(request.part(1)).into_owned();
            return Err(Refused::command(format!("ERR unknown subcommand '{word}'. Try COMMAND HELP.")));
        }
    }
    Ok(())
}

fn describe_all(turn: &mut Turn<'_>) {
    turn.answers.array(COMMANDS.len());
    for command in COMMANDS {
        describe(turn, command);
    }
}

/// A command as `COMMAND INFO` has it since Redis 7. Its classes of permissions, its tips, more on its keys and its subcommands
/// are empty lists: there is one user, and one server to ask.
fn describe(turn: &mut Turn<'_>, command: &Command) {
    const EMPTY: usize = 4;
    let answers = &mut *turn.answers;
    answers.array(6 + EMPTY);
    answers.text(command.name);
    answers.integer(i64::from(command.arity));
    answers.array(command.flags().len());
    command.flags().iter().for_each(|flag| answers.word(flag));
    let (first, last, step) = command.keys;
    for number in [first, last, step] {
        answers.integer(i64::from(number));
    }
    (0..EMPTY).for_each(|_| answers.array(0));
}

/// Commands as `COMMAND DOCS` has them.
fn document(turn: &mut Turn<'_>, commands: Vec<&Command>) {
    let answers = &mut *turn.answers;
    answers.map(commands.len());
    for command in commands {
        let complexity = if command.work == Work::Walk { "O(keys of the store)" } else { "O(keys named)" };
        let facts = [
            ("summary", command.summary),
            ("since", command.since),
            ("group", command.group),
            ("complexity", complexity),
        ];
        answers.text(command.name);
        answers.map(facts.len());
        for (name, value) in facts {
            answers.text(name);
            answers.text(value);
        }
    }
}
