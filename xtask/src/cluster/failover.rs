//! `--failover`: the machine of the leader is killed under a steady load, again and again; then two of three. A timeline
//! says what was seen, and in the end every write that was acknowledged is looked for at every server.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::load::{Client, Load, Told, Written, key};
use super::machines::{MACHINES, Machines};
use crate::style::{BAD, GOOD, HEADING, QUIET};

/// How long the load runs before something happens, and after.
const CALM: Duration = Duration::from_millis(700);

/// How long writes may take to go on.
const PATIENCE: Duration = Duration::from_secs(20);

/// What prints the timeline.
struct Timeline {
    begun: Instant,
}

impl Timeline {
    fn says(&self, what: &str) {
        let now = self.begun.elapsed();
        anstream::println!("  {QUIET}{:>7.3} s{QUIET:#}  {what}", now.as_secs_f64());
    }
}

/// Does it, and says what became of the writes. An error if one is lost, or if one was done where none could be.
pub(super) fn check(machines: &mut Machines, kills: u32) -> Result<()> {
    let client = Client::new();
    let urls: Vec<String> = machines.all().iter().map(|machine| machine.url().to_owned()).collect();
    println!("\nnumbered writes, one after the other, while the leader's machine is killed {kills} times:\n");
    let timeline = Timeline { begun: Instant::now() };
    let load = Load::start(client.clone(), urls.clone());
    thread::sleep(CALM);
    let mut pauses = Vec::new();
    for _ in 0..kills {
        pauses.push(kill_the_leader(machines, &client, &load, &timeline)?);
        thread::sleep(CALM);
    }
    let told = load.end();
    timeline.says(&format!(
        "the load ends: {} writes acknowledged, {} of which nobody knows",
        told.done.len(),
        told.unknown.len()
    ));
    for (number, why) in &told.unknown {
        timeline.says(&format!("{QUIET}unknown: {} ({why}){QUIET:#}", key(*number)));
    }
    with_two_down(machines, &client, &timeline)?;
    let lost = look_for_all(&told, &client, &urls, &timeline)?;

    pauses.sort_unstable();
    let median = pauses.get(pauses.len() / 2).copied().unwrap_or_default();
    let in_ms: Vec<String> = pauses.iter().map(|pause| pause.as_millis().to_string()).collect();
    println!();
    anstream::println!(
        "{HEADING}writes went on{HEADING:#} after {} ms (median of {kills}: {} ms)",
        median.as_millis(),
        in_ms.join(", ")
    );
    if lost > 0 {
        bail!("{lost} acknowledged writes are lost");
    }
    anstream::println!(
        "{GOOD}none of {} acknowledged writes is lost{GOOD:#}, at any of the servers",
        told.done.len()
    );
    Ok(())
}

/// Kills the machine whose node leads, waits until writes go on, and starts it again. Gives the time without a write.
fn kill_the_leader(
    machines: &mut Machines,
    client: &Client,
    load: &Load,
    timeline: &Timeline,
) -> Result<Duration> {
    let leader = leader(machines, client)?;
    let url = machines.all()[leader].url().to_owned();
    // The moment before, so that the time of the kill itself counts.
    let killed = Instant::now();
    machines.get(leader).kill();
    timeline.says(&format!("{BAD}killed{BAD:#} machine {}: the leader, and its server {url}", leader + 1));
    let Some(done) = load.next_done(killed, PATIENCE) else { bail!("no write went on within {PATIENCE:?}") };
    // What was on its way back when the leader died is no sign of the next one.
    let mut last = done;
    let mut pause = done - killed;
    let settled = Instant::now() + Duration::from_secs(2);
    while Instant::now() < settled {
        if let Some(next) = load.next_done(last, Duration::from_secs(10)) {
            pause = pause.max(next - last);
            last = next;
        }
    }
    let now = self::leader(machines, client)?;
    timeline.says(&format!("writes went on after {} ms; machine {} leads", pause.as_millis(), now + 1));
    let again = Instant::now();
    machines.get(leader).start()?;
    machines.all()[leader].wait(client)?;
    timeline.says(&format!(
        "machine {} is back after {} ms, and follows",
        leader + 1,
        again.elapsed().as_millis()
    ));
    Ok(pause)
}

/// The number of the machine whose node leads, as the servers that are there say.
fn leader(machines: &Machines, client: &Client) -> Result<usize> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        for asked in machines.all() {
            let Ok(cluster) = client.cluster(asked.url()) else { continue };
            let members = cluster["members"].as_array().cloned().unwrap_or_default();
            let newest = members.iter().max_by_key(|member| {
                (member["said"]["is_leader"] == true, member["said"]["term"].as_u64().unwrap_or(0))
            });
            let leads = newest.filter(|member| member["said"]["is_leader"] == true);
            let endpoint = leads.and_then(|member| member["endpoint"].as_str());
            let place = machines.all().iter().position(|machine| Some(machine.endpoint()) == endpoint);
            if let Some(place) = place {
                return Ok(place);
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!("no member became the leader within {PATIENCE:?}")
}

/// Kills two of three: the one that is left must do nothing, and say so.
fn with_two_down(machines: &mut Machines, client: &Client, timeline: &Timeline) -> Result<()> {
    let left = leader(machines, client)?;
    let others = [(left + 1) % MACHINES, (left + 2) % MACHINES];
    let url = machines.all()[left].url().to_owned();
    if client.put(&url, "alone", "before") != Written::Done {
        bail!("{url} takes no write while all are there");
    }
    for number in others {
        machines.get(number).kill();
    }
    timeline.says(&format!(
        "{BAD}killed{BAD:#} two of three; machine {} is left, which was the leader",
        left + 1
    ));
    for attempt in 1..=3 {
        match client.put(&url, "alone", "with two down") {
            Written::Done => bail!("a write was acknowledged by one of three"),
            Written::Refused(why) => timeline.says(&format!("write {attempt} is refused: {why}")),
            Written::Unknown(why) => timeline.says(&format!("write {attempt} has no answer: {why}")),
        }
    }
    match client.get(&url, "alone") {
        Ok(_) => bail!("a read was answered by one of three, which cannot know whether it is the newest"),
        Err(error) => timeline.says(&format!("a read is refused: {error}")),
    }
    // Their nodes first: a server does not start without a majority.
    machines.restart(&others)?;
    for machine in machines.all() {
        machine.wait(client)?;
    }
    if client.put(&url, "alone", "after") != Written::Done {
        bail!("{url} takes no write although all are back");
    }
    timeline.says("both are back, and writes go on");
    Ok(())
}

/// Looks for every acknowledged write at every server. Gives how many are missing somewhere.
fn look_for_all(told: &Told, client: &Client, urls: &[String], timeline: &Timeline) -> Result<usize> {
    let mut lost = 0;
    for url in urls {
        for (number, _) in &told.done {
            let found = client.get(url, &key(*number)).with_context(|| format!("at {url}"))?;
            lost += usize::from(found != Some(number.to_string()));
        }
        timeline.says(&format!("{} writes were looked for at {url}", told.done.len()));
    }
    let url = &urls[0];
    let mut done = 0;
    for (number, _) in &told.unknown {
        done += usize::from(client.get(url, &key(*number))?.is_some());
    }
    timeline.says(&format!("of the {} of which nobody knew, {done} had been done", told.unknown.len()));
    Ok(lost)
}
