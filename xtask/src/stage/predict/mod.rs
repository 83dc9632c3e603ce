//! `--predict`: questions on a stage, asked before anything is shown. What one believes beforehand is what a surprise
//! can teach something about.
//!
//! The questions lie in `questions/`, a file for each stage. Where a run can give the answer, it does: the steps beside
//! a question are done to a store on a disk in memory ([`probe`]), and a test holds the answer against what they show.

mod probe;

use std::fmt::Write as _;
use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context, Result};
use logladder::Stage;
use serde::Deserialize;

use crate::style::{BAD, DEED, GOOD, HEADING, QUIET};

/// The questions on each stage.
const FILES: [(&str, &str); 8] = [
    ("memory", include_str!("questions/1-memory.toml")),
    ("json-file", include_str!("questions/2-json-file.toml")),
    ("file-per-key", include_str!("questions/3-file-per-key.toml")),
    ("scan-log", include_str!("questions/4-scan-log.toml")),
    ("replay-log", include_str!("questions/5-replay-log.toml")),
    ("write-behind", include_str!("questions/6-write-behind.toml")),
    ("hash-log", include_str!("questions/7-hash-log.toml")),
    ("sorted-log", include_str!("questions/8-sorted-log.toml")),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Questions {
    question: Vec<Question>,
}

/// One question.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    ask: String,
    choices: Vec<String>,
    /// The letter of the choice that is right.
    right: char,
    why: String,
    run: Option<probe::Probe>,
}

impl Question {
    /// The number of the choice that is right.
    fn right(&self) -> usize {
        number_of(self.right).unwrap_or(usize::MAX)
    }

    /// The choices, a line each.
    fn choices(&self) -> String {
        let mut text = String::new();
        for (letter, choice) in ('a'..).zip(&self.choices) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "     {letter}) {choice}");
        }
        text
    }

    fn print_answer(&self, stage: &Stage) -> Result<()> {
        let choice = self.choices.get(self.right()).map_or("", String::as_str);
        anstream::println!("  {GOOD}{}) {choice}{GOOD:#}", self.right);
        println!("     {}", self.why);
        match &self.run {
            Some(run) => {
                let shown = run.run(stage)?;
                anstream::println!("     {QUIET}a run shows it:{QUIET:#} {}: {}", run.words(), shown);
            }
            None => anstream::println!("     {QUIET}no run shows it here; the lesson does{QUIET:#}"),
        }
        Ok(())
    }
}

fn number_of(letter: char) -> Option<usize> {
    ('a'..='z').position(|other| other == letter.to_ascii_lowercase())
}

fn questions(stage: &Stage) -> Result<Vec<Question>> {
    let (_, text) = FILES
        .iter()
        .find(|(name, _)| *name == stage.name)
        .with_context(|| format!("there are no questions on {} yet", stage.name))?;
    let questions: Questions = toml::from_str(text).context("the file of questions cannot be read")?;
    Ok(questions.question)
}

/// Asks, and then answers. Where nobody can be asked, because standard input or output is no terminal, it prints all
/// questions and then all answers.
pub(super) fn run(stage: &Stage) -> Result<()> {
    let questions = questions(stage)?;
    anstream::println!("{HEADING}Predict{HEADING:#}, before stage {} shows it", stage.number);
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return ask(stage, &questions, &mut std::io::stdin().lock());
    }
    for (number, question) in questions.iter().enumerate() {
        println!("\n  {}. {}\n{}", number + 1, question.ask, question.choices().trim_end());
    }
    anstream::println!("\n{HEADING}The answers{HEADING:#}");
    for (number, question) in questions.iter().enumerate() {
        anstream::println!("\n  {DEED}{}.{DEED:#}", number + 1);
        question.print_answer(stage)?;
    }
    Ok(())
}

fn ask(stage: &Stage, questions: &[Question], input: &mut impl BufRead) -> Result<()> {
    let mut right = 0;
    for (number, question) in questions.iter().enumerate() {
        println!("\n  {}. {}\n{}", number + 1, question.ask, question.choices().trim_end());
        let said = said(question.choices.len(), input)?;
        let Some(said) = said else {
            // The input is over: so are the questions.
            println!();
            break;
        };
        if said == question.right() {
            right += 1;
            anstream::println!("  {GOOD}right{GOOD:#}");
        } else {
            anstream::println!("  {BAD}not so{BAD:#}");
        }
        question.print_answer(stage)?;
    }
    println!("\n{right} of {} foreseen. What surprised you is what the lesson is about.", questions.len());
    Ok(())
}

/// Which of so many choices somebody chose. None if the input has ended.
fn said(choices: usize, input: &mut impl BufRead) -> Result<Option<usize>> {
    loop {
        print!("     your answer: ");
        std::io::stdout().flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let letter = line.trim().chars().next().and_then(number_of);
        if let Some(choice) = letter.filter(|choice| *choice < choices) {
            return Ok(Some(choice));
        }
        println!(
            "     a letter, please, from a to {}",
            ('a'..='z').nth(choices.saturating_sub(1)).unwrap_or('a')
        );
    }
}

#[cfg(test)]
mod tests {
    use logladder::STAGES;

    use super::*;

    #[test]
    fn every_stage_has_three_to_five_questions_with_one_right_choice_each() {
        for stage in STAGES {
            let questions = questions(stage).unwrap();
            assert!((3..=5).contains(&questions.len()), "{}", stage.name);
            for question in &questions {
                let choices: std::collections::BTreeSet<&String> = question.choices.iter().collect();
                assert!(choices.len() == question.choices.len() && choices.len() >= 2, "{}", question.ask);
                assert!(question.right() < question.choices.len(), "{}", question.ask);
            }
        }
    }

    #[test]
    fn every_answer_that_a_run_can_show_is_what_the_run_shows() {
        let mut wrong = Vec::new();
        for stage in STAGES {
            for question in questions(stage).unwrap() {
                let Some(run) = &question.run else { continue };
                let shown = run.run(stage).unwrap();
                if shown != run.shows {
                    wrong.push(format!(
                        "{}: {}\n    shown: {shown}, said: {}",
                        stage.name, question.ask, run.shows
                    ));
                }
                // The choice says it in the same words, and no other choice does.
                for (number, choice) in question.choices.iter().enumerate() {
                    if has_word(choice, &run.shows) != (number == question.right()) {
                        wrong.push(format!("{}: {}\n    choice: {choice}", stage.name, question.ask));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Whether `text` has `word`, and not only as a part of a longer one.
    fn has_word(text: &str, word: &str) -> bool {
        let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        text.match_indices(word).any(|(start, _)| {
            let before = text[..start].chars().next_back();
            let after = text[start + word.len()..].chars().next();
            !is_part(before) && !is_part(after)
        })
    }

    #[test]
    fn most_answers_are_shown_by_a_run() {
        for stage in STAGES {
            let questions = questions(stage).unwrap();
            let shown = questions.iter().filter(|question| question.run.is_some()).count();
            assert!(shown * 2 > questions.len(), "{}", stage.name);
        }
    }

    #[test]
    fn an_answer_is_a_letter_and_the_end_of_the_input_ends_the_questions() {
        let read = |text: &str| said(3, &mut text.as_bytes()).unwrap();
        assert_eq!(read("b\n"), Some(1));
        assert_eq!(read("x\n\n7\nC\n"), Some(2));
        assert_eq!(read(""), None);
        let stage = logladder::stage("memory").unwrap();
        ask(stage, &questions(stage).unwrap(), &mut "a\n".as_bytes()).unwrap();
    }
}
