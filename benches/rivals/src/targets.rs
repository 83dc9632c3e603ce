//! The table of targets: what is asked of `hash-log`, beside the best rival, from one run.
//!
//! A target that is missed keeps its row and its figure. A row without a target is there to be seen beside
//! the others.

use std::time::Duration;

use logladder_bench::Sheet;
use logladder_bench::figures::{bytes, duration};
use logladder_bench::tables::survives;

use crate::entrant::Side;
use crate::latency::{Beside, ENGINE};
use crate::measure::Measure as M;
use crate::medians::{Large, Median, Row, SpaceMedian};
use crate::results::{Of, Results};
use crate::schedule::{KIBIBYTE, LARGE, SMALL};
use crate::sheets::{NONE, a_key, percent, rate};

/// The limit of the durable sets: write(2) and fdatasync into reserved space, shared by threads that wait.
pub(crate) const RAW: &str = "raw-write";
/// The rival that reads everything in one long transaction.
const LONG_READ: &str = "heed-long-read";

/// What is asked of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// Nothing: the row is there to be seen.
    None,
}

impl Target {
    pub(crate) fn is_met_by(self, number: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(number >= least),
            Self::AtMost(most) => Some(number <= most),
            Self::None => None,
        }
    }

    pub(crate) fn times(self) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {least}×"),
            Self::AtMost(most) => format!("≤ {most}×"),
            Self::None => NONE.to_owned(),
        }
    }
}

/// A row under way: what is compared, and what is said of it.
pub(crate) struct Line {
    pub(crate) workload: String,
    pub(crate) ours: String,
    pub(crate) beside: String,
    pub(crate) theirs: String,
    pub(crate) survives: String,
    pub(crate) ratio: Option<f64>,
    pub(crate) target: String,
    pub(crate) met: Option<bool>,
}

impl Line {
    pub(crate) fn new(workload: impl Into<String>, target: impl Into<String>) -> Self {
        let none = || NONE.to_owned();
        Self {
            workload: workload.into(),
            ours: "not measured".to_owned(),
            beside: none(),
            theirs: none(),
            survives: none(),
            ratio: None,
            target: target.into(),
            met: None,
        }
    }

    pub(crate) fn is_measured(&self) -> bool {
        self.ours != "not measured"
    }

    pub(crate) fn beside(mut self, of: &Of, theirs: String) -> Self {
        (self.beside, self.theirs) = (of.engine.to_owned(), theirs);
        survives(of.durability).clone_into(&mut self.survives);
        self
    }

    /// The ratio decides.
    pub(crate) fn judged(mut self, ours: f64, theirs: f64, target: Target) -> Self {
        let ratio = ours / theirs.max(1e-9);
        (self.ratio, self.met) = (Some(ratio), target.is_met_by(ratio));
        self
    }

    pub(crate) fn cells(self) -> Vec<String> {
        let verdict = match self.met {
            Some(true) => "met",
            Some(false) => "missed",
            None if self.target == NONE => "",
            None => "not measured",
        };
        vec![
            self.workload,
            self.ours,
            self.beside,
            self.theirs,
            self.survives,
            self.ratio.map_or(NONE.to_owned(), times),
            self.target,
            verdict.to_owned(),
        ]
    }
}

/// A ratio; of one past a hundred no more than what is seen at a look.
fn times(ratio: f64) -> String {
    if ratio < 100.0 { format!("{ratio:.2}×") } else { format!("{ratio:.0}×") }
}

/// The table. Of a run that was not asked for all of it, only what was measured.
pub(crate) fn sheet(results: &Results) -> Sheet {
    let headings = [
        "workload",
        ">hash-log",
        "beside",
        ">its figure",
        "a write of which survives",
        ">ratio",
        ">target",
        "",
    ];
    let mut sheet = Sheet::new("targets", "targets", headings);
    let lines = rates(results).into_iter().chain(tails(results)).chain(large(results)).chain(disk(results));
    for line in lines.chain([kept(results)]) {
        if line.is_measured() || results.targets {
            if line.met == Some(true) {
                sheet.marked.push((sheet.rows.len(), 7));
            }
            sheet.rows.push(line.cells());
        }
    }
    sheet
}

/// Rates of one size of values, relaxed or synced.
struct Rates(Vec<Row>);

impl Rates {
    fn ours(&self, measure: M) -> Option<(Of, Median)> {
        self.find(measure, |of| of.side == Side::Ours && of.engine == ENGINE)
    }

    /// The fastest of those.
    fn find(&self, measure: M, among: impl Fn(&Of) -> bool) -> Option<(Of, Median)> {
        let rows = self.0.iter().filter(|row| among(&row.of));
        let rates = rows.filter_map(|row| Some((row.of, *row.medians.get(&measure)?)));
        rates.max_by(|a, b| a.1.per_second.total_cmp(&b.1.per_second))
    }

    fn line(
        &self,
        workload: &str,
        measure: M,
        target: Target,
        theirs: impl FnOnce(&Of) -> Option<(Of, Median)>,
    ) -> Line {
        let line = Line::new(workload, target.times());
        let Some((of, ours)) = self.ours(measure) else { return line };
        let line = Line { ours: rate(&ours, "/s"), ..line };
        let Some((whose, theirs)) = theirs(&of) else { return line };
        line.beside(&whose, rate(&theirs, "/s")).judged(ours.per_second, theirs.per_second, target)
    }

    /// To the best rival of the same or a weaker durability; of synced sets, to the best that really syncs.
    fn rival(&self, workload: &str, measure: M, target: Target) -> Line {
        self.line(workload, measure, target, |ours| {
            self.find(measure, |of| {
                let ranked = if measure.is_durable() {
                    of.durability >= ours.durability
                } else {
                    of.durability <= ours.durability
                };
                of.side == Side::Rival && ranked
            })
        })
    }

    fn named(&self, workload: &str, measure: M, name: &str, target: Target) -> Line {
        self.line(workload, measure, target, |_| self.find(measure, |of| of.engine == name))
    }
}

fn rates(results: &Results) -> Vec<Line> {
    use Target::{AtLeast, None as Seen};
    let of = |value_len, synced| Rates(results.rows((value_len, synced)));
    let (small, durable) = (of(SMALL, false), of(SMALL, true));
    let (kibibyte, large) = (of(KIBIBYTE, false), of(LARGE, false));
    let many =
        small.line("get, 64 keys a call, to single gets", M::GetMany, AtLeast(2.0), |_| small.ours(M::Get));
    vec![
        small.rival("fill", M::Fill, AtLeast(3.0)),
        small.rival("overwrite", M::Overwrite, AtLeast(3.0)),
        small.rival("get, 1 thread", M::Get, AtLeast(4.0)),
        small.named("get, 1 thread, to one long read", M::Get, LONG_READ, Seen),
        small.rival("get, 2 threads", M::GetTwoThreads, AtLeast(4.0)),
        small.rival("get of absent keys", M::GetAbsent, AtLeast(2.0)),
        many,
        small.rival("one writer and one reader: sets", M::WriteBesideRead, AtLeast(2.5)),
        small.rival("one writer and one reader: gets", M::ReadBesideWrite, AtLeast(2.5)),
        durable.named("durable set, to fdatasync alone", M::DurableSet, RAW, AtLeast(0.9)),
        durable.rival("durable set", M::DurableSet, AtLeast(1.0)),
        durable.rival("durable set, 8 threads", M::DurableSetEightThreads, AtLeast(1.1)),
        durable.named("durable set, 8 threads, to group commit alone", M::DurableSetEightThreads, RAW, Seen),
        kibibyte.rival("1 KiB values: fill", M::Fill, AtLeast(2.0)),
        kibibyte.rival("1 KiB values: get", M::Get, AtLeast(1.8)),
        large.rival("64 KB values: fill", M::Fill, AtLeast(1.0)),
        large.rival("64 KB values: get, copied", M::Get, AtLeast(1.0)),
        large.rival("64 KB values: get in place, all read", M::GetInPlace, AtLeast(1.0)),
        large.rival("64 KB values: get in place, unread", M::GetUnread, Seen),
    ]
}

#[allow(clippy::cast_precision_loss)] // No get takes 2^53 ns.
fn tails(results: &Results) -> [Line; 2] {
    let tails = results.tail_medians();
    let line = |workload: &str, beside: Beside, target: Target| {
        let line = Line::new(workload, target.times());
        let (Some(ours), Some(theirs)) = (tails.get(&Beside::Compacting), tails.get(&beside)) else {
            return line;
        };
        let shown = |nanoseconds| duration(Duration::from_nanos(nanoseconds));
        let line = Line {
            ours: shown(ours.p999),
            beside: beside.name().to_owned(),
            theirs: shown(theirs.p999),
            ..line
        };
        // Without compaction there is nothing to judge.
        if ours.compacted == 0 { line } else { line.judged(ours.p999 as f64, theirs.p999 as f64, target) }
    };
    [
        line("get p99.9 beside a writer and compaction, to idle", Beside::Idle, Target::AtMost(2.0)),
        line("the same, to a writer without compaction", Beside::Writing, Target::None),
    ]
}

fn large(results: &Results) -> [Line; 3] {
    const SCALE: f64 = 1e7;
    let medians = results.large_medians();
    let ours = medians.iter().find(|large| large.of.engine == ENGINE);
    // A rival that lost something in the crash has less to open.
    let rivals =
        || medians.iter().filter(|large| large.of.side == Side::Rival && large.kept == large.looked_for);
    let open = |workload: &str, seconds: fn(&Large) -> f64, most: f64| {
        #[allow(clippy::cast_precision_loss)] // Two digits are shown.
        let scaled = |large: &Large| seconds(large) / large.keys.max(1) as f64 * SCALE;
        let shown = |large: &Large| duration(Duration::try_from_secs_f64(scaled(large)).unwrap_or_default());
        let line = Line::new(workload, format!("≤ {most} s"));
        let Some(ours) = ours else { return line };
        let met = Some(ours.kept == ours.looked_for && scaled(ours) <= most);
        let line = Line { ours: shown(ours), met, ..line };
        match rivals().min_by(|a, b| scaled(a).total_cmp(&scaled(b))) {
            Some(best) => {
                let ratio = Some(scaled(ours) / scaled(best).max(1e-9));
                Line { ratio, ..line.beside(&best.of, shown(best)) }
            }
            None => line,
        }
    };
    [
        open("open, clean, for each 10 M keys", |large| large.open_after_a_clean_close, 0.5),
        open("open, after a crash, for each 10 M keys", |large| large.open_after_a_crash, 2.0),
        own_memory(ours, rivals()),
    ]
}

/// The pages that are the engine's own, or where the system does not tell, its heap.
#[allow(clippy::cast_precision_loss)] // Two digits are shown.
fn own_memory<'l>(ours: Option<&Large>, rivals: impl Iterator<Item = &'l Large>) -> Line {
    const A_KEY: u64 = 16;
    const BESIDE: u64 = 64 << 20;
    let held = |large: &Large| large.anonymous.or(large.heap);
    let shown = |large: &Large, held: u64| format!("{} ({} a key)", bytes(held), a_key(held, large.keys));
    let line = Line::new("memory of its own", format!("≤ {A_KEY} B a key + 64 MiB"));
    let Some((ours, own)) = ours.and_then(|ours| Some((ours, held(ours)?))) else { return line };
    let most = ours.keys.saturating_mul(A_KEY).saturating_add(BESIDE);
    let line = Line { ours: shown(ours, own), met: Some(own <= most), ..line };
    let a_key = |large: &Large, held: u64| held as f64 / large.keys.max(1) as f64;
    let rivals = rivals.filter_map(|rival| Some((rival, held(rival)?)));
    match rivals.min_by(|a, b| a_key(a.0, a.1).total_cmp(&a_key(b.0, b.1))) {
        Some((best, theirs)) => {
            let ratio = Some(a_key(ours, own) / a_key(best, theirs).max(1e-9));
            Line { ratio, ..line.beside(&best.of, shown(best, theirs)) }
        }
        None => line,
    }
}

fn disk(results: &Results) -> [Line; 2] {
    let medians = results.space_medians();
    let line = |workload: &str, ratio: fn(&SpaceMedian) -> Option<f64>, most: f64| {
        let line = Line::new(workload, format!("≤ {most}"));
        let ours = medians.iter().find(|space| space.of.engine == ENGINE).and_then(ratio);
        let Some(ours) = ours else { return line };
        let line = Line { ours: format!("{ours:.2}"), met: Some(ours <= most), ..line };
        let rivals = medians.iter().filter(|space| space.of.side == Side::Rival);
        let rivals = rivals.filter_map(|space| Some((space.of, ratio(space)?)));
        match rivals.min_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((of, theirs)) => {
                Line { ratio: Some(ours / theirs.max(1e-9)), ..line.beside(&of, format!("{theirs:.2}")) }
            }
            None => line,
        }
    };
    [
        line("disk ÷ live bytes after the fill", |space| Some(space.after_fill), 1.15),
        line("disk ÷ live bytes after overwriting it all", |space| space.after_overwrite, 1.3),
    ]
}

fn kept(results: &Results) -> Line {
    let line = Line::new("kept when the process is killed", "100%");
    let ours: Vec<_> = results.kills.iter().filter(|kill| kill.of.engine == ENGINE).collect();
    let sum = |count: fn(&crate::results::Kept) -> u64| ours.iter().map(|kill| count(kill)).sum::<u64>();
    let (acknowledged, kept, wrong) =
        (sum(|kill| kill.acknowledged), sum(|kill| kill.kept), sum(|kill| kill.wrong));
    if acknowledged == 0 {
        return line;
    }
    Line { ours: percent(kept, acknowledged), met: Some(kept == acknowledged && wrong == 0), ..line }
}

#[cfg(test)]
mod tests {
    use logladder_engine::Durability;

    use super::*;
    use crate::medians::tests::sample;
    use crate::results::{Kept, Observed};

    fn row(results: &Results, workload: &str) -> Vec<String> {
        sheet(results).rows.into_iter().find(|row| row[0] == workload).unwrap_or_default()
    }

    #[test]
    fn ours_stand_to_the_best_of_the_same_or_a_weaker_durability_and_a_missed_target_keeps_its_row() {
        let row = row(&sample(), "fill");
        assert_eq!(row[1..4], ["1,800/s ±36%", "weak", "600/s ±17% ✂"]);
        assert_eq!(row[5..], ["3.00×", "≥ 3×", "met"]);

        let mut slower = sample();
        slower.figures.retain(|figure| figure.of.engine != "hash-log" || figure.round == 2);
        let row = self::row(&slower, "fill");
        assert_eq!(row[5..], ["2.83×", "≥ 3×", "missed"]);
    }

    #[test]
    fn what_was_not_measured_has_a_row_only_if_it_was_to_be() {
        let mut results = sample();
        assert!(row(&results, "durable set").is_empty());
        results.targets = true;
        assert_eq!(row(&results, "durable set")[7], "not measured");
        assert_eq!(sheet(&results).rows.len(), 27);
    }

    #[test]
    fn a_tail_counts_only_if_something_was_compacted() {
        let mut results = sample();
        let of = results.figures[0].of;
        let tail = |beside, p999, compacted| Observed {
            of,
            round: 1,
            tail: crate::latency::Tail {
                beside,
                p50: 1,
                p99: 1,
                p999,
                longest: 1,
                gets: 1,
                sets: 0,
                compacted,
            },
        };
        results.tails = vec![tail(Beside::Idle, 1000, 0), tail(Beside::Compacting, 1500, 0)];
        let workload = "get p99.9 beside a writer and compaction, to idle";
        assert_eq!(row(&results, workload)[7], "not measured");
        results.tails[1].tail.compacted = 1;
        assert_eq!(row(&results, workload)[5..], ["1.50×", "≤ 2×", "met"]);
    }

    #[test]
    fn one_lost_set_is_a_missed_target() {
        let mut results = sample();
        let of = Of { engine: ENGINE, durability: Durability::ProcessCrash, ..results.figures[0].of };
        results.kills.push(Kept { of, acknowledged: 1000, kept: 999, wrong: 0 });
        assert_eq!(row(&results, "kept when the process is killed")[7], "missed");
    }
}
