//! `--failover`: the machine of the leader is killed under a steady load, again and again; then two of three. A timeline
//! says what was seen, and in the end every write that was acknowledged is looked for at every server.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::load::{Client, Load, Told, Written, key};
use super::machines::{MACHINES, Machines};
use super::stop::Stop;
use super::timeline::Timeline;
use crate::style::{BAD, DEED, GOOD, HEADING, QUIET};

/// How long the load runs before something happens, and after.
const CALM: Duration = Duration::from_millis(700);

/// How long writes may take to go on.
const PATIENCE: Duration = Duration::from_secs(20);

/// For so long no pause may be longer, until the longest one counts as the one that the kill has caused: what was on its
/// way back when the leader died is no sign of the next one.
const SETTLED: Duration = Duration::from_millis(1500);

/// How often something is looked at that will come.
const LOOK: Duration = Duration::from_millis(20);

/// A check under way.
struct Check<'c> {
    machines: &'c mut Machines,
    client: Client,
    timeline: &'c mut Timeline,
    stop: &'c Stop,
}

/// How the writes of the load were found in the end.
#[derive(Debug, Default)]
struct Looked {
    /// Acknowledged, and missing or another at some server.
    lost: usize,
    /// Acknowledged, and written more than once.
    twice: usize,
    /// Of those of which nobody knew.
    done: usize,
}

/// Does it, and says what became of the writes. An error if one is lost, or if one was done where none could be.
pub(super) fn check(machines: &mut Machines, kills: u32, timeline: &mut Timeline, stop: &Stop) -> Result<()> {
    let client = Client::new();
    timeline.text(&format!(
        "\nNumbered writes, one after the other, each at the next server. The leader's machine is killed {kills} times:\n"
    ));
    timeline.begin();
    let mut check = Check { machines, client, timeline, stop };
    let load = Load::start(check.client.clone(), check.urls());
    let mut pauses = Vec::new();
    for _ in 0..kills {
        stop.pause(CALM)?;
        pauses.push(check.kill_the_leader(&load)?);
    }
    stop.pause(CALM)?;
    let told = load.end();
    check.say_what_the_load_was_told(&told);
    check.with_two_down()?;
    let looked = check.look_for_all(&told)?;
    check.sum_up(pauses, &told, &looked)
}

impl Check<'_> {
    fn urls(&self) -> Vec<String> {
        self.machines.all().iter().map(|machine| machine.url().to_owned()).collect()
    }

    /// Kills the machine whose node leads, waits until writes go on, and starts it again. Gives the time without a write.
    fn kill_the_leader(&mut self, load: &Load) -> Result<Duration> {
        let leader = self.leader()?;
        let url = self.machines.all()[leader].url().to_owned();
        let done = load.done();
        // The moment before, so that the time of the kill itself counts.
        let killed = Instant::now();
        self.machines.get(leader).kill();
        self.timeline.says_at(
            killed,
            "killed",
            BAD,
            &format!("machine {}: the leader and its server, {url}, after {done} writes", leader + 1),
            json!({"machine": leader + 1, "url": url, "writes": done}),
        );
        let (mut pause, mut end) = load.longest_pause_since(killed);
        while end.elapsed() < SETTLED {
            if pause > PATIENCE {
                bail!("no write went on within {PATIENCE:?}");
            }
            self.stop.pause(LOOK)?;
            (pause, end) = load.longest_pause_since(killed);
        }
        let (now, ms) = (self.leader()? + 1, pause.as_millis());
        self.timeline.says_at(
            end,
            "writes",
            GOOD,
            &format!("go on after {HEADING}{ms} ms{HEADING:#}; machine {now} leads"),
            json!({"pause_ms": ms, "leader": now}),
        );
        let again = Instant::now();
        self.machines.get(leader).start(&self.client, self.stop)?;
        self.machines.all()[leader].wait(&self.client, self.stop)?;
        if let Written::Unknown(why) | Written::Refused(why) = self.client.put(&url, "back", "again") {
            bail!("{url} is back, and takes no write: {why}");
        }
        let ms = again.elapsed().as_millis();
        self.timeline.says(
            "back",
            DEED,
            &format!("machine {}, {ms} ms after it was started: it follows, and takes writes", leader + 1),
            json!({"machine": leader + 1, "took_ms": ms}),
        );
        Ok(pause)
    }

    /// The number of the machine whose node leads, as the servers that are there say.
    fn leader(&self) -> Result<usize> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            for asked in self.machines.all() {
                let Ok(cluster) = self.client.cluster(asked.url()) else { continue };
                let members = cluster["members"].as_array().cloned().unwrap_or_default();
                // One that was the leader may not know yet that it no longer is.
                let leads = members.iter().filter(|member| member["said"]["is_leader"] == true);
                let newest = leads.max_by_key(|member| member["said"]["term"].as_u64().unwrap_or(0));
                let endpoint = newest.and_then(|member| member["endpoint"].as_str());
                let place =
                    |endpoint| self.machines.all().iter().position(|machine| machine.endpoint() == endpoint);
                if let Some(place) = endpoint.and_then(place) {
                    return Ok(place);
                }
            }
            self.stop.pause(LOOK)?;
        }
        bail!("no member became the leader within {PATIENCE:?}")
    }

    fn say_what_the_load_was_told(&self, told: &Told) {
        let (done, unknown) = (told.done.len(), told.unknown.len());
        self.timeline.says(
            "load",
            DEED,
            &format!(
                "ends: {done} writes acknowledged, {unknown} of which nobody knows whether they were done"
            ),
            json!({"acknowledged": done, "unknown": unknown, "refused_and_tried_elsewhere": told.refused}),
        );
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for (number, why) in &told.unknown {
            *reasons.entry(in_short(why)).or_default() += 1;
            self.timeline.result("unknown", json!({"key": key(*number), "why": why}));
        }
        for (why, times) in reasons {
            self.timeline.text(&format!("  {QUIET}{times:>21} × {why}{QUIET:#}"));
        }
    }

    /// Kills two of three: the one that is left must do nothing, and say so.
    fn with_two_down(&mut self) -> Result<()> {
        let left = self.leader()?;
        let others = [(left + 1) % MACHINES, (left + 2) % MACHINES];
        let url = self.machines.all()[left].url().to_owned();
        if let Written::Unknown(why) | Written::Refused(why) = self.client.put(&url, "alone", "before") {
            bail!("{url} takes no write while all are there: {why}");
        }
        for number in others {
            self.machines.get(number).kill();
        }
        let killed = others.map(|number| number + 1);
        self.timeline.says(
            "killed",
            BAD,
            &format!("machines {} and {}: machine {} is left, which led", killed[0], killed[1], left + 1),
            json!({"machines": killed, "left": left + 1}),
        );
        for _ in 0..3 {
            let (event, why) = match self.client.put(&url, "alone", "with two down") {
                Written::Done => bail!("a write was acknowledged by one of three"),
                Written::Refused(why) => ("refused", why),
                Written::Unknown(why) => ("unknown", why),
            };
            self.timeline.says(
                event,
                DEED,
                &format!("a write: {why}"),
                json!({"asked": "write", "why": why}),
            );
            self.stop.pause(Duration::ZERO)?;
        }
        match self.client.get(&url, "alone") {
            Ok(_) => bail!("a read was answered by one of three, which cannot know whether it is the newest"),
            Err(why) => self.timeline.says(
                "refused",
                DEED,
                &format!("a read: {why}"),
                json!({"asked": "read", "why": why.to_string()}),
            ),
        }
        let again = Instant::now();
        self.machines.restart(&others, &self.client, self.stop)?;
        if let Written::Unknown(why) | Written::Refused(why) = self.client.put(&url, "alone", "after") {
            bail!("{url} takes no write although all are back: {why}");
        }
        let ms = again.elapsed().as_millis();
        self.timeline.says(
            "back",
            DEED,
            &format!("machines {} and {}, after {ms} ms: writes go on", killed[0], killed[1]),
            json!({"machines": killed, "took_ms": ms}),
        );
        Ok(())
    }

    /// Looks for every acknowledged write at every server.
    fn look_for_all(&self, told: &Told) -> Result<Looked> {
        let mut looked = Looked::default();
        let urls = self.urls();
        let found: Vec<Result<(usize, usize)>> = thread::scope(|scope| {
            let looking: Vec<_> =
                urls.iter().map(|url| scope.spawn(|| look_at(url, told, &self.client, self.stop))).collect();
            let ended = looking.into_iter().map(thread::ScopedJoinHandle::join);
            ended.map(|ended| ended.unwrap_or_else(|_| bail!("looking for the writes panicked"))).collect()
        });
        for (url, found) in urls.iter().zip(found) {
            let (lost, twice) = found.with_context(|| format!("at {url}"))?;
            let of = told.done.len();
            self.timeline.says(
                "looked",
                DEED,
                &format!("for {of} writes at {url}: {lost} missing, {twice} done twice"),
                json!({"url": url, "writes": of, "lost": lost, "twice": twice}),
            );
            looked.lost = looked.lost.max(lost);
            looked.twice = looked.twice.max(twice);
        }
        for (number, _) in &told.unknown {
            looked.done += usize::from(self.client.get(&urls[0], &key(*number))?.is_some());
        }
        Ok(looked)
    }

    fn sum_up(&self, mut pauses: Vec<Duration>, told: &Told, looked: &Looked) -> Result<()> {
        let Looked { lost, twice, done } = *looked;
        let (acknowledged, unknown) = (told.done.len(), told.unknown.len());
        pauses.sort_unstable();
        let pauses: Vec<u128> = pauses.iter().map(Duration::as_millis).collect();
        let median = pauses.get(pauses.len() / 2).copied().unwrap_or_default();
        let slowest = pauses.last().copied().unwrap_or_default();
        let each: Vec<String> = pauses.iter().map(u128::to_string).collect();
        let kills = pauses.len();
        self.timeline.text(&format!(
            "\n{HEADING}Writes went on{HEADING:#} {HEADING}{median} ms{HEADING:#} after a kill, in the median of {kills}; {slowest} ms at most\n\
             {QUIET}  all of them, in ms: {}{QUIET:#}",
            each.join(" ")
        ));
        self.timeline.text(&format!("  Of {unknown} writes of which nobody knew, {done} had been done."));
        let style = if lost == 0 && twice == 0 { GOOD } else { BAD };
        self.timeline.text(&format!(
            "{style}Of {acknowledged} acknowledged writes, {lost} are lost and {twice} were done twice{style:#}, at any server"
        ));
        self.timeline.result(
            "result",
            json!({"kills": kills, "pauses_ms": pauses, "median_ms": median, "slowest_ms": slowest,
                "acknowledged": acknowledged, "lost": lost, "twice": twice, "unknown": unknown, "unknown_done": done}),
        );
        if lost > 0 || twice > 0 {
            bail!("{lost} acknowledged writes are lost, and {twice} were done twice");
        }
        Ok(())
    }
}

/// The reason alone: what stands in brackets in an answer of a server, without who said it.
fn in_short(why: &str) -> String {
    let inner = why.split_once('(').and_then(|(_, rest)| rest.rsplit_once("): "));
    let Some((inner, _)) = inner else { return why.to_owned() };
    inner.split_once(": ").map_or(inner, |(_, reason)| reason).to_owned()
}

/// How many acknowledged writes are missing at this server, and how many were done twice.
fn look_at(url: &str, told: &Told, client: &Client, stop: &Stop) -> Result<(usize, usize)> {
    let (mut lost, mut twice) = (0, 0);
    for (number, _) in &told.done {
        stop.pause(Duration::ZERO)?;
        match client.get(url, &key(*number))? {
            Some(found) if found.value == number.to_string() => twice += usize::from(found.version > 1),
            _ => lost += 1,
        }
    }
    Ok((lost, twice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_answer_the_reason_is_left_and_of_a_short_one_all() {
        let long = "504 nobody knows (http://127.0.0.1:1: the leader changed): read what is there";
        assert_eq!(in_short(long), "the leader changed");
        let short = "io: Connection reset by peer (os error 104)";
        assert_eq!(in_short(short), short);
    }
}
