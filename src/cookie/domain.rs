//! Hosts and the `Domain` attribute: who may set a cookie for whom (RFC 6265bis 5.1.3, 5.7).

use core::iter::successors;
use core::net::IpAddr;

/// What a user agent does with a cookie's domain-attribute, given the host it talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Stored for exactly the request's host.
    HostOnly,
    /// Stored for the domain and everything below it.
    Domain,
    /// The cookie is ignored: the domain does not cover the host, is a public suffix, or holds
    /// bytes outside US-ASCII.
    Refused,
}

/// Steps 7 to 10 of the storage model (RFC 6265bis 5.7).
///
/// `host` is the canonicalised (lower-case) request host without port; `domain` the attribute's
/// value, whose leading dot and case do not matter.
#[must_use]
pub fn scope(host: &str, domain: Option<&[u8]>) -> Scope {
    let domain = domain.unwrap_or_default();
    let domain = domain.strip_prefix(b".").unwrap_or(domain);
    if domain.is_empty() {
        return Scope::HostOnly;
    }
    // The host is in lower case, so the part of it that matches is the domain in lower case.
    let Some(domain) = domain_match(host, domain) else { return Scope::Refused };
    let identical = host.len() == domain.len();
    match (identical, is_public_suffix(domain)) {
        (_, false) => Scope::Domain,
        (true, true) => Scope::HostOnly,
        (false, true) => Scope::Refused,
    }
}

/// The values of `Domain` with which `host` may set a cookie, from the host itself up to the
/// registrable domain. None for an IP address, for what nobody may own, and for a host with
/// characters that would end the attribute.
pub fn cookie_domains(host: &str) -> impl Iterator<Item = &str> + Clone {
    let is_plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let first = Some(host).filter(|host| is_plain && !is_ip(host));
    let domains = successors(first, |domain| Some(domain.split_once('.')?.1));
    domains.take_while(move |domain| scope(host, Some(domain.as_bytes())) == Scope::Domain)
}

/// The part of `host` by which it domain-matches `domain` (RFC 6265bis 5.1.3). Bytes outside US-ASCII
/// match nothing.
fn domain_match<'h>(host: &'h str, domain: &[u8]) -> Option<&'h [u8]> {
    let (head, tail) = host.as_bytes().split_at(host.len().checked_sub(domain.len())?);
    let matches = tail.eq_ignore_ascii_case(domain)
        && (head.is_empty() || (head.ends_with(b".") && !is_ip(host)));
    (matches && tail.is_ascii()).then_some(tail)
}

/// Whether nobody may own `domain` itself, by the public suffix list and, for what it does not
/// list, its default rule that a single label is a suffix.
fn is_public_suffix(domain: &[u8]) -> bool {
    psl::suffix(domain).is_some_and(|suffix| suffix.as_bytes() == domain)
}

fn is_ip(host: &str) -> bool {
    // No name ends so, or holds a colon; nearly every host is done here.
    let last = host.as_bytes().last();
    let may_be = matches!(last, Some(b'0'..=b'9' | b']')) || host.as_bytes().contains(&b':');
    may_be && host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

/// The host of an authority, without its port.
///
/// IPv6 literals keep their brackets. A trailing dot (a fully qualified name) is dropped, since
/// both spellings name the same site. `None` where there is user information, which no `Host` has,
/// or a port that is not a number.
#[must_use]
pub fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.find(']') {
        Some(end) if authority.starts_with('[') => authority.split_at(end + 1),
        _ => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let valid = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    (valid && !host.contains('@')).then(|| host.strip_suffix('.').unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_follows_the_storage_model() {
        let cases: &[(&str, Option<&str>, Scope)] = &[
            ("data.osmontrouge.fr", None, Scope::HostOnly),
            ("data.osmontrouge.fr", Some(""), Scope::HostOnly),
            ("data.osmontrouge.fr", Some("."), Scope::HostOnly),
            ("data.osmontrouge.fr", Some("data.osmontrouge.fr"), Scope::Domain),
            ("data.osmontrouge.fr", Some(".OSMontRouge.fr"), Scope::Domain),
            ("data.osmontrouge.fr", Some("montrouge.fr"), Scope::Refused),
            ("data.osmontrouge.fr", Some("x.data.osmontrouge.fr"), Scope::Refused),
            ("data.osmontrouge.fr", Some("fr"), Scope::Refused),
            ("data.osmontrouge.fr", Some("evil.example"), Scope::Refused),
            ("data.osmontrouge.fr", Some("osmontrouge.fr."), Scope::Refused),
            ("data.osmontrouge.fr", Some("é.fr"), Scope::Refused),
            ("city.gouv.fr", Some("gouv.fr"), Scope::Refused),
            ("gouv.fr", Some("gouv.fr"), Scope::HostOnly),
            ("localhost", Some("localhost"), Scope::HostOnly),
            ("a.localhost", Some("localhost"), Scope::Refused),
            ("127.0.0.1", Some("127.0.0.1"), Scope::Domain),
            ("127.0.0.1", Some("0.0.1"), Scope::Refused),
            ("[::1]", Some("[::1]"), Scope::HostOnly),
        ];
        for (host, domain, expected) in cases {
            let found = scope(host, domain.map(str::as_bytes));
            assert_eq!(found, *expected, "{host} with Domain={domain:?}");
        }
    }

    #[test]
    fn domains_for_which_a_host_may_set_cookies() {
        let cases: &[(&str, &[&str])] = &[
            ("a.data.montrouge.fr", &["a.data.montrouge.fr", "data.montrouge.fr", "montrouge.fr"]),
            ("montrouge.fr", &["montrouge.fr"]),
            ("city.gouv.fr", &["city.gouv.fr"]),
            ("gouv.fr", &[]),
            ("user.github.io", &["user.github.io"]),
            ("a.x.co.uk", &["a.x.co.uk", "x.co.uk"]),
            ("www.ck", &["www.ck"]),
            ("localhost", &[]),
            ("127.0.0.1", &[]),
            ("[::1]", &[]),
            ("a;b.example.fr", &[]),
            ("", &[]),
        ];
        for (host, expected) in cases {
            assert_eq!(cookie_domains(host).collect::<Vec<_>>(), *expected, "{host}");
        }
    }

    #[test]
    fn host_of_an_authority() {
        let cases = [
            ("example.org", Some("example.org")),
            ("example.org:8080", Some("example.org")),
            ("example.org:", Some("example.org")),
            ("example.org.", Some("example.org")),
            ("example.org.:80", Some("example.org")),
            ("[::1]:80", Some("[::1]")),
            ("[::1]", Some("[::1]")),
            ("[::1]x", None),
            ("user@example.org:1", None),
            ("example.org:80\"x", None),
            ("example.org:a@b", None),
            ("", Some("")),
            (":80", Some("")),
            ("[", Some("[")),
        ];
        for (authority, host) in cases {
            assert_eq!(host_of(authority), host, "{authority:?}");
        }
    }
}
