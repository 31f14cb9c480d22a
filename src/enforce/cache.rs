//! Cookies and shared caches: a response that carries a cookie is for one visitor.

use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::list;

/// What `Cache-Control` says of a response that carries a cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheRule {
    /// `private`: the visitor's own cache may store it.
    #[default]
    Private,
    /// `no-store`: nobody may.
    NoStore,
    /// What the upstream says.
    Keep,
}

/// Whether a field speaks to some shared caches alone, and overrides `Cache-Control` there: a targeted
/// one (RFC 9213 2.2), whose names end alike, or one that is older than they are.
fn is_targeted(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.ends_with("-cache-control")
        || matches!(name, "surrogate-control" | "edge-control" | "x-accel-expires")
}

/// Whether such a field keeps the response out of its caches by itself, which may heed no other.
fn forbids(headers: &HeaderMap, name: &HeaderName) -> bool {
    let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    lines.flat_map(|line| list::split(line, b',')).map(<[u8]>::trim_ascii).any(|directive| {
        is_forbidding(directive) || (name == "x-accel-expires" && directive == b"0")
    })
}

fn is_forbidding(directive: &[u8]) -> bool {
    directive.eq_ignore_ascii_case(b"private") || directive.eq_ignore_ascii_case(b"no-store")
}

/// Keeps a response that carries a cookie out of shared caches, which would hand one visitor's
/// cookie to the next (RFC 9111 7.3).
///
/// A response that no shared cache may store is not touched. Any other is taken for one that could
/// be stored, whatever its method and status: caches differ in what they store by heuristics.
pub fn keep_private(headers: &mut HeaderMap, rule: CacheRule) {
    if rule == CacheRule::Keep || !headers.contains_key(SET_COOKIE) {
        return;
    }
    // Most responses have none, so that there is nothing to put in here.
    let targeted: SmallVec<[HeaderName; 4]> = headers
        .keys()
        .filter(|name| is_targeted(name) && !forbids(headers, name))
        .cloned()
        .collect();
    for name in targeted {
        headers.remove(name);
    }
    if !is_private(headers) {
        let kept = directives(headers).filter(|directive| !is_overruled(directive, rule));
        let mut value = kept.fold(Vec::new(), |mut value, directive| {
            value.extend_from_slice(directive);
            value.extend_from_slice(b", ");
            value
        });
        value.extend_from_slice(match rule {
            CacheRule::NoStore => b"no-store",
            CacheRule::Private | CacheRule::Keep => b"private",
        });
        // Pieces of valid field values make a valid one.
        let value = HeaderValue::from_bytes(&value);
        headers.insert(CACHE_CONTROL, value.unwrap_or(HeaderValue::from_static("no-store")));
    }
}

/// Whether no shared cache may store the response as it is (RFC 9111 3). `private` with field names
/// speaks of these fields only.
fn is_private(headers: &HeaderMap) -> bool {
    directives(headers).any(is_forbidding)
}

/// Whether a directive would let shared caches store the response after all, or says nothing more.
fn is_overruled(directive: &[u8], rule: CacheRule) -> bool {
    let name = directive.split(|&b| b == b'=').next().unwrap_or_default().trim_ascii();
    let shared = ["public", "private", "s-maxage", "proxy-revalidate"];
    rule == CacheRule::NoStore || shared.iter().any(|s| name.eq_ignore_ascii_case(s.as_bytes()))
}

/// The directives of every `Cache-Control` line, without empty ones.
fn directives(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(CACHE_CONTROL).iter();
    let directives = lines.flat_map(|line| list::split(line.as_bytes(), b','));
    directives.map(<[u8]>::trim_ascii).filter(|directive| !directive.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[&'static str], rule: CacheRule) -> Vec<String> {
        let mut headers = HeaderMap::new();
        headers.insert(SET_COOKIE, HeaderValue::from_static("a=1"));
        headers.insert("surrogate-control", HeaderValue::from_static("max-age=60"));
        for line in lines {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(line));
        }
        keep_private(&mut headers, rule);
        assert_eq!(headers.contains_key("surrogate-control"), rule == CacheRule::Keep);
        let left = headers.get_all(CACHE_CONTROL).iter();
        left.map(|line| line.to_str().expect("ASCII").to_owned()).collect()
    }

    #[test]
    fn what_shared_caches_could_store_becomes_private() {
        let cases: &[(&[&str], &[&str])] = &[
            (&[], &["private"]),
            (&["public, max-age=600"], &["max-age=600, private"]),
            (
                &["max-age=600", "S-MaxAge=60, must-revalidate"],
                &["max-age=600, must-revalidate, private"],
            ),
            (&["no-cache"], &["no-cache, private"]),
            (&["no-cache=\"Set-Cookie, X\", public"], &["no-cache=\"Set-Cookie, X\", private"]),
            (&["private=\"x\""], &["private"]),
            (&["Private, max-age=1"], &["Private, max-age=1"]),
            (&["max-age=1", "no-store"], &["max-age=1", "no-store"]),
            (&["x=\"no-store"], &["x=\"no-store, private"]),
            (&["x=\"a\\\", private\""], &["x=\"a\\\", private\", private"]),
        ];
        for (lines, expected) in cases {
            assert_eq!(after(lines, CacheRule::Private), *expected, "{lines:?}");
        }
    }

    /// Each is read by some cache in place of `Cache-Control`.
    #[test]
    fn no_field_that_speaks_to_shared_caches_stays_beside_a_cookie() {
        let targeted = [
            "cdn-cache-control",
            "cloudflare-cdn-cache-control",
            "netlify-cdn-cache-control",
            "vercel-cdn-cache-control",
            "x-litespeed-cache-control",
            "surrogate-control",
            "edge-control",
            "x-accel-expires",
        ];
        let others = ["x-cache-control-policy", "x-edge-control", "cache-control", "expires"];
        for rule in [CacheRule::Private, CacheRule::NoStore, CacheRule::Keep] {
            let mut headers = HeaderMap::new();
            headers.insert(SET_COOKIE, HeaderValue::from_static("a=1"));
            for name in targeted.iter().chain(&others) {
                headers.append(*name, HeaderValue::from_static("x=\"private, no-store\""));
                headers.append(*name, HeaderValue::from_static("max-age=60"));
            }
            headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
            keep_private(&mut headers, rule);
            for name in targeted {
                assert_eq!(headers.contains_key(name), rule == CacheRule::Keep, "{name}");
            }
            assert!(others.iter().all(|name| headers.get_all(*name).iter().count() >= 2));
        }
    }

    /// Where a cache heeds its own field alone, taking it away would let the response in.
    #[test]
    fn a_field_that_keeps_a_response_out_of_its_cache_stays() {
        for (name, value, stays) in [
            ("cdn-cache-control", "max-age=0, no-store", true),
            ("edge-control", "No-Store", true),
            ("cloudflare-cdn-cache-control", "private", true),
            ("x-accel-expires", "0", true),
            ("x-accel-expires", "60", false),
            ("surrogate-control", "max-age=0", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(SET_COOKIE, HeaderValue::from_static("a=1"));
            headers.insert(name, HeaderValue::from_static(value));
            keep_private(&mut headers, CacheRule::Private);
            assert_eq!(headers.contains_key(name), stays, "{name}: {value}");
        }
    }

    #[test]
    fn as_the_site_configures() {
        assert_eq!(after(&["public, max-age=600"], CacheRule::NoStore), ["no-store"]);
        assert_eq!(after(&["public"], CacheRule::Keep), ["public"]);
    }

    #[test]
    fn without_a_cookie_nothing_changes() {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
        keep_private(&mut headers, CacheRule::NoStore);
        assert_eq!(headers[CACHE_CONTROL], "public");
    }
}
