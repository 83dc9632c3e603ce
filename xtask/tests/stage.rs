//! `cargo xtask stage`, as it is called: in a pipe, without a terminal and without colour.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn stage(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_xtask");
    // An input that never ends is no terminal either: nothing may wait for it.
    Command::new(program).arg("stage").args(arguments).stdin(Stdio::piped()).output().unwrap()
}

fn text(arguments: &[&str]) -> String {
    let output = stage(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "there are colours in a pipe");
    text
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&text(arguments)).unwrap()
}

#[test]
fn in_a_pipe_the_questions_come_before_the_answers_and_nobody_is_waited_for() {
    let text = text(&["4", "--predict"]);
    let (questions, answers) = text.split_once("The answers").unwrap();
    assert_eq!(questions.matches("  a) ").count(), 5);
    assert!(
        !questions.contains("a run shows it") && answers.matches("a run shows it").count() == 5,
        "{text}"
    );
}

#[test]
fn the_bytes_of_an_append_are_put_behind_what_is_there() {
    let text = text(&["scan-log", "--bytes"]);
    assert!(text.contains("  + ") && text.contains("bytes as they were"), "{text}");
    let lesson = json(&["scan-log", "--bytes", "--json"]);
    assert_eq!(lesson["steps"][2]["changes"][0]["kind"], "changed");
}

#[test]
fn a_killed_process_loses_nothing_that_a_log_acknowledged_and_everything_in_memory_as_expected() {
    let of = |stage| {
        let crashes = json(&[stage, "--crash", "--json"]);
        let rows = crashes["tables"][0]["rows"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["crash"].as_str().unwrap().contains("real process")).unwrap()
    };
    let log = of("scan-log");
    assert_eq!((&log["verdict"]["is"], &log["lost"]), (&Value::from("kept"), &Value::from(0)));
    let memory = of("memory");
    assert_eq!((&memory["verdict"]["is"], &memory["lost"]), (&Value::from("expected"), &Value::from(1)));
    assert_eq!(memory["most_lost"][0], memory["most_lost"][1]);
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_read_enough_ends_the_command_without_a_complaint() {
    let program = env!("CARGO_BIN_EXE_xtask");
    let mut command = Command::new(program);
    command.args(["stage", "7", "--bytes"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn two_stages_are_compared_and_what_the_upper_one_can_do_is_named() {
    let text = text(&["7", "--diff", "4", "--quick"]);
    assert!(text.contains("From stage 4 to stage 7") && text.contains("+ compact"), "{text}");
    let difference = json(&["7", "--diff", "4", "--quick", "--json"]);
    assert_eq!(difference["stages"][1]["name"], "hash-log");
}

#[test]
fn what_sorted_tables_gain_and_give_up_beside_an_index_is_named() {
    let text = text(&["8", "--diff", "7", "--quick"]);
    assert!(text.contains("From stage 7 to stage 8") && text.contains("+ scan keys in order"), "{text}");
    assert!(text.contains("− values that end"), "{text}");
}

#[test]
fn a_compaction_makes_a_table_of_the_memtable_and_removes_its_log() {
    let lesson = json(&["sorted-log", "--bytes", "--json"]);
    let steps = lesson["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["operation"].as_str().unwrap().starts_with("compact")).unwrap();
    let kind_of = |extension: &str| {
        let changes = step["changes"].as_array().unwrap();
        let file = |change: &&Value| change["file"].as_str().unwrap().ends_with(extension);
        changes.iter().find(file).map(|change| change["kind"].clone())
    };
    assert_eq!([kind_of(".table"), kind_of(".log")], [Some("made".into()), Some("removed".into())], "{step}");
}

#[test]
fn a_later_stage_is_compared_in_the_order_of_the_ladder_and_a_stage_with_itself_not_at_all() {
    let text = text(&["4", "--diff", "7", "--quick"]);
    assert!(text.contains("From stage 4 to stage 7") && text.contains("+ compact"), "{text}");
    for (other, why) in [("scan-log", "with itself"), ("10", "there is no stage `10`"), ("9", "cluster")] {
        let output = stage(&["4", "--diff", other, "--quick"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{other}");
        assert!(error.contains(why), "{error}");
        // Nothing is begun that is not gone through with.
        assert!(output.stdout.is_empty(), "{other}");
    }
}

#[test]
fn stage_9_is_refused_with_the_way_to_a_cluster() {
    for name in ["9", "etcd"] {
        let output = stage(&[name]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert!(error.contains("cargo xtask cluster"), "{error}");
    }
}

#[test]
fn an_unknown_stage_is_an_error_with_the_list_and_two_things_at_once_are_refused() {
    let output = stage(&["10", "--bytes"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("there is no stage `10`") && error.contains("4 scan-log"), "{error}");
    assert_eq!(stage(&["4", "--bytes", "--crash"]).status.code(), Some(2));
}

#[test]
fn an_engine_of_ones_own_is_asked_for_with_crashes_alone_and_has_to_have_been_made() {
    assert_eq!(stage(&["4", "--with", "mine"]).status.code(), Some(2));
    assert_eq!(stage(&["4", "--bytes", "--with", "mine"]).status.code(), Some(2));
    let output = stage(&["4", "--crash", "--with", "nobody-made-this"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("cargo xtask new nobody-made-this"), "{error}");
    assert!(output.stdout.is_empty(), "nothing is begun that is not gone through with");
}

#[test]
fn json_without_a_question_is_refused_with_the_questions_and_a_command_that_works() {
    for arguments in [&["4", "--json"][..], &["4", "--quick", "--json"]] {
        let output = stage(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2));
        assert!(error.contains("--bytes, --crash, --bench or --diff"), "{error}");
        assert!(
            error.contains("cargo xtask stage 4 --bytes --json") && !error.contains("--predict"),
            "{error}"
        );
        assert!(output.stdout.is_empty());
    }
}
