//! Every starter compiles, fails at its first step, and says so; every step that is written leads to the next; and what is
//! broken is shown by the fewest calls.
//!
//! All of them are modules of one crate, so that there is one build. That of stage 4 is made as `cargo xtask new` makes it as
//! well. The crates lie in the folder for temporary files that cargo has in `target`, always in the same place, so that what is
//! built for them does not pile up.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use logladder_lab::starters::STARTERS;
use logladder_lab::{HINTS, Starter, new_crate, package_name, unfinished};
use serde_json::Value;

/// One build at a time: they share a folder.
static BUILDS: Mutex<()> = Mutex::new(());

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap().to_path_buf()
}

/// A crate that was made of a starter, and built.
struct Made {
    name: &'static str,
    program: PathBuf,
}

impl Made {
    /// Makes it as `cargo xtask new` does, adds `modules`, and builds it as tests are built, without a network.
    fn of(name: &'static str, starter: &'static Starter, modules: &BTreeMap<String, Module>) -> Self {
        let lab = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let _ = fs::remove_dir_all(lab.join(name));
        let folder = new_crate(&root(), &lab, name, starter).unwrap();
        if !modules.is_empty() {
            let source = folder.join("src");
            for (module, Module { text, .. }) in modules {
                put(&source.join(format!("{module}.rs")), text);
            }
            put(&source.join("main.rs"), &main_of(modules));
        }
        let _one_at_a_time = BUILDS.lock().unwrap_or_else(PoisonError::into_inner);
        let built = Command::new(env!("CARGO"))
            .args(["build", "--offline", "--quiet", "--manifest-path"])
            .arg(folder.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(target)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{name} does not compile:\n{said}");
        assert!(!said.contains("warning"), "{name} compiles with a warning:\n{said}");
        let program = target.join("debug").join(package_name(name));
        Self { name, program: program.with_extension(std::env::consts::EXE_EXTENSION) }
    }

    fn run(&self, module: &str, done: usize, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("LOGLADDER_SEED", "1");
        command.env("MODULE", module).env("DONE", done.to_string()).output().unwrap()
    }

    /// What it finds, as JSON, and the code that it ends with.
    fn found(&self, module: &str, done: usize) -> (Value, Option<i32>) {
        let output = self.run(module, done, &["--json"]);
        let json = serde_json::from_slice(&output.stdout);
        let json = json.unwrap_or_else(|error| panic!("{} {module}: {error}: {output:?}", self.name));
        (json, output.status.code())
    }
}

/// An engine among others in one crate.
struct Module {
    stage: u8,
    text: String,
}

fn put(path: &Path, text: &str) {
    let file = fs::File::options().write(true).create(true).truncate(true).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

/// A program that runs the engine that the variable MODULE names.
fn main_of(modules: &BTreeMap<String, Module>) -> String {
    let list = modules.keys().map(|module| format!("mod {module};\n"));
    let arms = modules.iter().map(|(module, Module { stage, .. })| {
        format!("{module:?} => run::<{module}::Store>({module:?}, \"{stage}\", {module}::describe, \"\"),\n")
    });
    format!(
        "#![allow(dead_code)]\nuse logladder_lab::run;\n{}\n\
         pub(crate) fn done() -> usize {{ std::env::var(\"DONE\").unwrap().parse().unwrap() }}\n\
         fn main() -> std::process::ExitCode {{\n\
         match std::env::var(\"MODULE\").unwrap().as_str() {{\n{}\
         other => panic!(\"{{other}}\"),\n}}\n}}\n",
        list.collect::<String>(),
        arms.collect::<String>()
    )
}

/// Each starter, unfinished and with its steps switched on one by one, and some solutions with a bug of several kinds.
fn modules() -> BTreeMap<String, Module> {
    let mut modules = BTreeMap::new();
    let mut add = |name: String, stage: u8, text: String| drop(modules.insert(name, Module { stage, text }));
    for starter in STARTERS {
        let stage = starter.stage;
        add(format!("unfinished_{stage}"), stage, unfinished(starter, "mine", 0));
        add(format!("switched_{stage}"), stage, starter.switched("mine", "crate::done()"));
    }
    for (stage, name, right, broken) in [
        (4, "empty_is_none", "(!deleted).then_some(value)", "(!value.is_empty()).then_some(value)"),
        (4, "unsynced", "if self.sync != SyncPolicy::Never {", "if self.sync == SyncPolicy::Never {"),
        (
            4,
            "panics",
            "from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));\n    let (",
            "from_le_bytes(bytes[at..at + 4].try_into().ok()?));\n    let (",
        ),
        (
            4,
            "never_cut",
            "(end + 1..bytes.len()).any(|later| decode(&bytes[later..]).is_some())",
            "end < bytes.len()",
        ),
        (8, "one_way", "let is_forward = self.direction == Direction::Forward;", "let is_forward = true;"),
        (
            8,
            "forgetful",
            "entry.value.is_none() && is_bottom",
            "entry.value.is_none() && (is_bottom || true)",
        ),
        (4, "believes_lengths", "let record = bytes.get(..len)?;", "let record = &bytes[..len];"),
        (
            4,
            "cuts_too_much",
            "(end + 1..bytes.len()).any(|later| decode(&bytes[later..]).is_some())",
            "end > bytes.len()",
        ),
        (
            4,
            "shows_what_was",
            "        for key in keys {\n            let Some(value) = self.get(&key)? else { continue };\n",
            "        let mut pairs = Vec::new();\n\
             for key in keys {\n\
             pairs.extend(self.get(&key)?.map(|value| (key, value)));\n\
             }\n\
             for (key, value) in pairs {\n",
        ),
    ] {
        let whole = Starter::of(&stage.to_string()).unwrap().solution("mine");
        let text = whole.replace(right, broken);
        assert_ne!(text, whole, "{name}");
        add(name.to_owned(), stage, text);
    }
    modules
}

#[test]
fn every_starter_fails_at_its_first_step_and_each_step_that_is_written_leads_to_the_next() {
    let made = Made::of("all", Starter::of("4").unwrap(), &modules());
    for starter in STARTERS {
        let steps = starter.steps();
        let (found, code) = made.found(&format!("unfinished_{}", starter.stage), 0);
        assert_eq!((&found["outcome"], code), (&Value::from("not-written"), Some(1)), "{found}");
        assert_eq!(found["step"], steps[0].name.as_str(), "{}", starter.name);
        assert!(found["total"].as_u64() >= Some(70));
        let module = format!("switched_{}", starter.stage);
        let mut kept_before = 0;
        for done in 0..=steps.len() {
            let (found, code) = made.found(&module, done);
            let kept = found["kept"].as_u64().unwrap();
            assert!(kept >= kept_before, "{} with {done} steps: {found}", starter.name);
            kept_before = kept;
            if let Some(next) = steps.get(done) {
                assert_eq!(found["outcome"], "not-written", "{} with {done} steps: {found}", starter.name);
                assert_eq!(found["step"], next.name.as_str(), "{} with {done} steps", starter.name);
            } else {
                assert_eq!((&found["outcome"], code), (&Value::from("kept"), Some(0)), "{found}");
                assert_eq!(found["kept"], found["total"]);
            }
        }
    }
    what_is_broken_is_shown_by_the_fewest_calls_with_the_bytes_they_leave(&made);
    what_crashes_leave_of_a_learners_engine_is_what_it_promises(&made);
}

fn what_is_broken_is_shown_by_the_fewest_calls_with_the_bytes_they_leave(made: &Made) {
    // A value that is empty is taken for none.
    let (found, code) = made.found("empty_is_none", 0);
    assert_eq!((&found["outcome"], code), (&Value::from("broken"), Some(1)), "{found}");
    let broken = &found["broken"];
    let calls: Vec<&str> = broken["calls"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(calls.len(), 3, "{broken}");
    assert_eq!((calls[0], &calls[1][..4], &calls[2][..3]), ("open", "set ", "get"));
    assert_eq!((&broken["found"], &broken["expected"]), (&"no value".into(), &"\"\"".into()));
    let log = broken["files"].as_array().unwrap().iter().find(|file| file["name"] == "log").unwrap();
    assert!(log["len"].as_u64() >= Some(12));

    // What is not synced is lost with the power.
    let text = String::from_utf8(made.run("unsynced", 0, &[]).stdout).unwrap();
    assert!(text.contains("was not synced") && text.contains("checksum"), "{text}");
    assert!(text.contains("A promise is broken: expected the value"), "{text}");
    assert!(text.contains("The shortest way to see it\n  open\n  set \"name\" = \"anna\"\n\n"), "{text}");

    // A panic is told with its place.
    let (found, _) = made.found("panics", 0);
    let found = found["broken"]["found"].as_str().unwrap();
    assert!(found.starts_with("a panic in src/panics.rs:"), "{found}");

    // Of a script with a crash, what the bug does not need is left out; one set is enough to be torn.
    let (found, _) = made.found("never_cut", 0);
    assert_eq!(found["broken"]["check"], "crash", "{found}");
    let calls = calls_of(&found);
    assert!(calls.len() <= 3, "{calls:?}");

    // A scan is told with its range and its direction. What is in a table has to be written first, so there is no short list.
    let (found, _) = made.found("one_way", 0);
    let calls = calls_of(&found);
    let scan = calls.last().copied().unwrap_or_default();
    assert!(scan.starts_with("scan") && scan.ends_with(", backward"), "{found}");

    // A tombstone that is forgotten above an older table brings a value back.
    let (found, code) = made.found("forgetful", 0);
    assert_eq!((&found["outcome"], code), (&Value::from("broken"), Some(1)), "{found}");

    // Nor does who flips bits need twenty keys: one before the last is enough.
    let (found, _) = made.found("cuts_too_much", 0);
    assert_eq!(found["broken"]["check"], "flips", "{found}");
    let calls = calls_of(&found);
    assert!(calls.len() <= 4 && calls.last().is_some_and(|call| call.ends_with("close, open")), "{calls:?}");

    // What a damaged record does to a reader is known as soon as one reads.
    let (found, _) = made.found("believes_lengths", 0);
    assert_eq!((&found["broken"]["check"], &found["step"]), (&"rot".into(), &"decode".into()), "{found}");
    assert!(found["broken"]["found"].as_str().unwrap().starts_with("a panic in src/believes_lengths.rs:"));
    assert!(found["broken"]["moment"].as_str().unwrap().starts_with("bit "), "{found}");

    // What a visitor does is a part of what is made shorter.
    let (found, _) = made.found("shows_what_was", 0);
    let calls = calls_of(&found);
    assert_eq!(calls.len(), 5, "{calls:?}");
    assert!(calls[3] == "for_each" && calls[4].starts_with("  at key 1: "), "{calls:?}");
}

fn calls_of(found: &Value) -> Vec<&str> {
    found["broken"]["calls"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

/// The table of crashes, which a learner's program makes of its own engine: a process of that program is killed for it.
fn what_crashes_leave_of_a_learners_engine_is_what_it_promises(made: &Made) {
    let crashes = |module: &str, done| {
        let output = made.run(module, done, &["--crash"]);
        let json: Option<Value> = serde_json::from_slice(&output.stdout).ok();
        (json, output.status.success())
    };
    let verdicts = |json: &Value| -> Vec<String> {
        let tables = json["tables"].as_array().unwrap().iter();
        let rows = tables.flat_map(|table| table["rows"].as_array().unwrap());
        rows.map(|row| row["verdict"]["is"].as_str().unwrap().to_owned()).collect()
    };
    let (whole, _) = crashes("switched_4", usize::MAX);
    let whole = whole.unwrap();
    assert!(whole["contract"]["Ok"].is_string(), "{whole}");
    let said = verdicts(&whole);
    assert!(!said.contains(&"broken".to_owned()) && said.contains(&"expected".to_owned()), "{whole}");
    let killed = whole["tables"][0]["rows"].as_array().unwrap().last().unwrap();
    assert!(killed["crash"].as_str().unwrap().contains("real process") && killed["survived"] == 1, "{whole}");

    let (unsynced, _) = crashes("unsynced", 0);
    let unsynced = unsynced.unwrap();
    assert!(unsynced["contract"]["Err"].is_string(), "{unsynced}");
    assert!(verdicts(&unsynced).contains(&"broken".to_owned()), "{unsynced}");

    // One that is not finished has no table, and says why.
    assert_eq!(crashes("unfinished_4", 0), (None, false));
    let said = String::from_utf8(made.run("unfinished_4", 0, &["--crash"]).stderr).unwrap();
    assert!(said.contains("`open` is not written yet") && !said.contains("panicked"), "{said}");
}

#[test]
fn the_starter_of_a_learner_compiles_and_fails_with_the_message_meant_for_it() {
    let starter = Starter::of("4").unwrap();
    let made = Made::of("starter-4", starter, &BTreeMap::new());
    let first = &starter.steps()[0];
    let (found, _) = made.found("", 0);
    // The next action leads to the very line.
    let next = found["next"].as_str().unwrap();
    let place = next.split_whitespace().find(|word| word.contains("lib.rs:")).unwrap();
    let (file, line) = place.trim_end_matches(',').rsplit_once(':').unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = fs::read_to_string(file).unwrap();
    let told = source.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap();
    assert_eq!(told.trim(), format!("todo!(\"{}\")", first.name));

    let text = made.run("", 0, &["--hint", "--hint", "--hint"]);
    assert_eq!(text.status.code(), Some(1));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("Not written yet:"), "{text}");
    for number in 1..=HINTS {
        assert!(text.contains(&format!("Hint {number} of {HINTS}")), "{text}");
    }
    assert!(!text.contains('\x1b'), "no colour in a pipe: {text}");
    assert_eq!(made.run("", 0, &["--nonsense"]).status.code(), Some(2));
}
