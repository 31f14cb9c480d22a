//! What is logged: the configuration's level, and `RUST_LOG`, which is looked through before its own
//! parser sees it. That one would write to standard error in colours, and takes a mistyped level for
//! the name of a module, of which nothing is ever logged.

use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing_subscriber::filter::Directive;

use crate::config::Log;

/// The target of what the firewall itself says.
const OWN: &str = "cookie_firewall";

/// What is logged, and what is wrong with how it was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    /// In the syntax of `EnvFilter`, without a mistake.
    pub(super) directives: String,
    /// For people.
    pub(super) problems: Vec<String>,
}

/// The filter of `log`, over which `written` wins in what it says.
pub(super) fn filter(log: &Log, written: &str) -> Filter {
    filter_within(log, written, STATIC_MAX_LEVEL)
}

/// The same, where nothing beyond `most` is compiled in.
fn filter_within(log: &Log, written: &str, most: LevelFilter) -> Filter {
    let mut directives = Vec::new();
    let mut problems = Vec::new();
    let mut says_own = false;
    for part in written.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match directive(part, most) {
            Ok((directive, problem)) => {
                says_own |= is_about_own(part);
                directives.push(directive);
                problems.extend(problem);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !says_own {
        directives.insert(0, own(log));
    }
    Filter { directives: directives.join(","), problems }
}

/// The level for what the firewall itself says. What its libraries say of a connection is counted and
/// logged by the firewall, within bounds; clients could have them say it without any.
fn own(log: &Log) -> String {
    format!("error,{OWN}={}", log.level)
}

/// A directive that can be used, with what had to be changed; or what is wrong with it.
fn directive(part: &str, most: LevelFilter) -> Result<(String, Option<String>), String> {
    let remedy = "write LEVEL or TARGET=LEVEL, LEVEL being error, warn, info, debug or off";
    let is_word = !part.contains(['=', '[']);
    if is_word && !is_about_own(part) {
        return Err(format!("{part:?} is no level; {remedy}"));
    }
    let parsed: Directive = part.parse().map_err(|_| format!("{part:?} is ignored; {remedy}"))?;
    let text = parsed.to_string();
    match text.strip_suffix("trace") {
        Some(before) if most < LevelFilter::TRACE => {
            let problem = format!("{part:?} is taken for debug, the most that there is");
            Ok((format!("{before}debug"), (!is_word || is_level(part)).then_some(problem)))
        }
        _ => Ok((text, None)),
    }
}

/// Whether it says how much the firewall itself logs: a level for all, or for its own target.
fn is_about_own(part: &str) -> bool {
    let target = part.split(['=', '[', ':']).next().unwrap_or_default();
    target == OWN || is_level(part)
}

fn is_level(part: &str) -> bool {
    part.parse::<LevelFilter>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is_read(written: &str, directives: &str, problems: &[&str]) {
        let filter = filter_within(&Log::default(), written, LevelFilter::DEBUG);
        assert_eq!(filter.directives, directives, "{written}");
        assert_eq!(filter.problems.len(), problems.len(), "{written}: {:?}", filter.problems);
        for (problem, expected) in filter.problems.iter().zip(problems) {
            assert!(problem.contains(expected), "{written}: {problem}");
        }
    }

    #[test]
    fn rust_log_wins_in_what_it_says() {
        is_read("", "error,cookie_firewall=info", &[]);
        is_read("debug", "debug", &[]);
        is_read("OFF", "off", &[]);
        is_read("warn, cookie_firewall=debug", "warn,cookie_firewall=debug", &[]);
        is_read("cookie_firewall::server=debug", "cookie_firewall::server=debug", &[]);
        is_read("hyper=debug", "error,cookie_firewall=info,hyper=debug", &[]);
    }

    #[test]
    fn a_mistyped_rust_log_does_not_silence_the_log() {
        is_read("inof", "error,cookie_firewall=info", &["\"inof\" is no level"]);
        is_read("cookie_firewall=inof", "error,cookie_firewall=info", &["is ignored"]);
        is_read("cookie_firewal=debug", "error,cookie_firewall=info,cookie_firewal=debug", &[]);
        is_read("debgu,warn", "warn", &["\"debgu\" is no level"]);
    }

    #[test]
    fn a_level_that_is_not_compiled_in_is_told_in_the_log_alone() {
        is_read("trace", "debug", &["\"trace\" is taken for debug"]);
        is_read("x=TRACE", "error,cookie_firewall=info,x=debug", &["taken for debug"]);
        is_read("cookie_firewall", "cookie_firewall=debug", &[]);
    }
}
