//! How the decoders' tables are checked.

use crate::consent::{Answer, Ids, Rules, State, Tool};
use crate::cookie::Pairs;

/// 2026-11-25.
pub(super) const NOW: i64 = 1_795_600_000;

/// A cookie-string, and what it amounts to: the state, the ids granted, and those denied.
pub(super) type Case<'c> = (&'c str, State, &'c [&'c str], &'c [&'c str]);

/// Rules for `ids` and nothing else.
pub(super) fn rules(tool: Tool, ids: &[&str]) -> Rules {
    let ids = ids.iter().map(|&id| id.into()).collect();
    Rules { ids, ..Rules::new(tool, tool.default_cookie()).expect("the tool's own name") }
}

/// Holds the cases to what `tool` makes of them on a site with `ids`.
#[track_caller]
pub(super) fn check(tool: Tool, ids: &[&str], cases: &[Case<'_>]) {
    check_with(&rules(tool, ids), cases);
}

/// The same for rules that say more.
#[track_caller]
pub(super) fn check_with(rules: &Rules, cases: &[Case<'_>]) {
    for (cookies, state, granted, denied) in cases {
        let consent = rules.read(Pairs::of(cookies.as_bytes()), NOW);
        let of = |answer| -> Vec<&str> {
            let ids = rules.ids.iter().enumerate();
            let ids = ids.filter(|(i, _)| consent.answer(Ids::one(*i)) == answer);
            ids.map(|(_, id)| &**id).collect()
        };
        assert_eq!(consent.state(), *state, "{cookies}");
        assert_eq!(of(Answer::Granted), *granted, "granted by {cookies}");
        assert_eq!(of(Answer::Denied), *denied, "denied by {cookies}");
    }
}
