//! Runs the decoders over a file of consent cookies as they were found in the wild, each with what it
//! means: `cargo run --example consent_vectors -- FILE`.
//!
//! A site's ids are those that the vector speaks of, so that what else a cookie holds falls away. What
//! was answered must come out to the letter; what was not must grant and deny nothing.

// The result is what it is for.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::process::ExitCode;

use cookie_firewall::consent::{Answer, Ids, Rules, State, Tool};
use cookie_firewall::cookie::Pairs;
use serde::Deserialize;

/// Later than every date in the vectors; none of them is too old here.
const NOW: i64 = 1_900_000_000;

#[derive(Deserialize)]
struct Vector {
    cmp: String,
    cookie_name: String,
    raw_value: String,
    expected: Expected,
    #[serde(default)]
    other_cookies: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Expected {
    answered: bool,
    accepted: Vec<String>,
    refused: Vec<String>,
}

fn main() -> ExitCode {
    let Some(file) = std::env::args_os().nth(1) else {
        eprintln!("name the file with the vectors");
        return ExitCode::from(2);
    };
    let text = std::fs::read_to_string(&file).expect("the file can be read");
    let vectors: Vec<Vector> = serde_json::from_str(&text).expect("a list of vectors");
    let failed: Vec<_> = vectors.iter().filter_map(|vector| vector.run().err()).collect();
    failed.iter().for_each(|failure| println!("{failure}"));
    println!("{} of {} consent vectors hold", vectors.len() - failed.len(), vectors.len());
    if failed.is_empty() && !vectors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Vector {
    fn run(&self) -> Result<(), String> {
        let tool = self.tool().ok_or_else(|| format!("{}: no such tool", self.cmp))?;
        // A renamed cookie is the site's to name; a companion's name is the tool's.
        let rules = Rules::new(tool, tool.default_cookie()).filter(|rules| self.is_named_in(rules));
        let rules = rules.or_else(|| Rules::new(tool, &self.cookie_name));
        let rules = rules.ok_or_else(|| format!("{}: no name", self.cookie_name))?;
        let rules = Rules { ids: self.ids(tool), ..rules };
        let others = self.other_cookies.iter().map(|(name, value)| format!("; {name}={value}"));
        let cookies =
            format!("{}={}{}", self.cookie_name, self.raw_value, others.collect::<String>());
        let consent = rules.read(Pairs::of(cookies.as_bytes()), NOW);
        let of = |answer| -> Vec<&str> {
            let ids = rules.ids.iter().enumerate();
            let ids = ids.filter(|(index, _)| consent.answer(Ids::one(*index)) == answer);
            ids.map(|(_, id)| &**id).collect()
        };
        let (granted, denied) = (of(Answer::Granted), of(Answer::Denied));
        let Expected { answered, accepted, refused } = &self.expected;
        // Without an id that it speaks of, an answer is none that concerns a site.
        let speaks = !rules.ids.is_empty();
        let answers = [State::Granted, State::Partial, State::Denied].contains(&consent.state());
        if (granted == *accepted && denied == *refused) && answers == (*answered && speaks) {
            return Ok(());
        }
        Err(format!(
            "{} {}: {:?}, granted {granted:?} of {accepted:?}, denied {denied:?} of {refused:?}",
            self.cmp,
            self.cookie_name,
            consent.state()
        ))
    }

    /// The tool under the name that the vectors give it.
    fn tool(&self) -> Option<Tool> {
        let name = self.cmp.trim_start_matches("collision:");
        let name = match name {
            "orestbida-v2" | "orestbida-v3" => "cookieconsent",
            "iab-tcf" => "tcf",
            name => name,
        };
        Tool::ALL.into_iter().find(|tool| tool.as_str() == name)
    }

    fn is_named_in(&self, rules: &Rules) -> bool {
        rules.cookies.iter().any(|name| **name == *self.cookie_name)
    }

    /// The ids of an answer; where there is none, those that a site would have.
    fn ids(&self, tool: Tool) -> Box<[Box<str>]> {
        let Expected { answered, accepted, refused } = &self.expected;
        if *answered {
            return accepted.iter().chain(refused).map(|id| id.as_str().into()).collect();
        }
        tool.default_ids().iter().map(|(id, _)| (*id).into()).collect()
    }
}
