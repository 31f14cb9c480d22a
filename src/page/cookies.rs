//! The cookies by which a choice is kept, and the removal of those that would contradict it.

use crate::consent::{Ids, Rules, Written};
use crate::cookie::{domain, name};

/// The lines of `Set-Cookie` that store `granted` in a user agent on `host`, which sent cookies by
/// the names for which `came` is true.
///
/// A tool's script may have set its cookie for a parent domain. A second one beside it would leave
/// two answers, of which none counts, so copies are removed first, and with them the tool's cookies
/// that the choice is not written to.
#[must_use]
pub fn set_cookies(
    rules: &Rules,
    granted: Ids,
    now: i64,
    host: &str,
    secure: bool,
    came: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut written = rules.write(granted, now);
    if let Some(max_age) = rules.max_age {
        for cookie in &mut written {
            cookie.max_age = cookie.max_age.min(max_age);
        }
    }
    let is_written = |name: &str| written.iter().any(|cookie| cookie.name == name);
    let mut lines = Vec::new();
    for name in rules.cookies.iter().filter(|name| came(name)) {
        let removal = removal(name).set_cookie(secure);
        lines.extend(parents(name, host).map(|parent| format!("{removal}; Domain={parent}")));
        if !is_written(name) {
            lines.push(removal);
        }
    }
    lines.extend(written.iter().map(|cookie| cookie.set_cookie(secure)));
    lines
}

fn removal(name: &str) -> Written {
    Written { name: name.to_owned(), value: String::new(), max_age: 0, http_only: false }
}

/// The domains for which a cookie called `name` may be set on `host`; none where its prefix forbids it.
fn parents<'h>(name: &str, host: &'h str) -> impl Iterator<Item = &'h str> {
    let is_free = !name::demands(name.as_bytes()).host;
    domain::cookie_domains(host).take_while(move |_| is_free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::Tool;

    const NOW: i64 = 1_790_000_000;

    #[test]
    fn parents_up_to_the_registrable_domain() {
        let parents = |name, host| parents(name, host).collect::<Vec<_>>();
        assert_eq!(
            parents("c", "a.data.example.fr"),
            ["a.data.example.fr", "data.example.fr", "example.fr"]
        );
        assert_eq!(parents("c", "data.ville.gouv.fr"), ["data.ville.gouv.fr", "ville.gouv.fr"]);
        // Where user agents take such a `Domain`, it is the host that they store.
        assert!(parents("c", "127.0.0.1").is_empty() && parents("c", "localhost").is_empty());
        assert!(parents("__host-c", "data.example.fr").is_empty());
    }

    #[test]
    fn nothing_that_contradicts_stays() {
        let rules = |tool: Tool| Rules {
            ids: ["statistics".into()].into(),
            categories: [("statistics".into(), Ids::one(0))].into(),
            max_age: Some(60),
            ..Rules::new(tool, tool.default_cookie()).expect("the tool's own name")
        };
        let lines = |tool, came: &str| {
            set_cookies(&rules(tool), Ids::NONE, NOW, "example.fr", true, |name| name == came)
        };
        let klaro = lines(Tool::Klaro, "klaro");
        assert_eq!(klaro[0], "klaro=; Path=/; Max-Age=0; SameSite=Lax; Secure; Domain=example.fr");
        assert!(klaro[1].contains("; Path=/; Max-Age=60; SameSite=Lax; Secure"), "{klaro:?}");
        assert_eq!(lines(Tool::Klaro, "").len(), 1);
        let cookiebot = lines(Tool::Cookiebot, "CookieConsent");
        assert_eq!(cookiebot.len(), 3);
        assert_eq!(cookiebot[1], "CookieConsent=; Path=/; Max-Age=0; SameSite=Lax; Secure");
        assert!(cookiebot[2].starts_with("eu-consent=statistics=false&"), "{cookiebot:?}");
    }
}
