//! Whether a form comes from the page that it belongs to.

use http::header::{ORIGIN, REFERER};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

/// Fetch Metadata Request Headers, section 2.3.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a request to `authority` comes from a page of the same origin (RFC 6454 4): by
/// `Sec-Fetch-Site`, which no page can write; where the user agent sends none, by `Origin`; where it
/// sends that neither, by `Referer`. One that says nothing of where it comes from is not believed.
pub(super) fn is_same(headers: &HeaderMap, secure: bool, authority: &str) -> bool {
    if headers.contains_key(&SEC_FETCH_SITE) {
        return only(headers, &SEC_FETCH_SITE).is_some_and(|site| site == "same-origin");
    }
    let said = if headers.contains_key(ORIGIN) { ORIGIN } else { REFERER };
    let own = origin(&format!("{}://{authority}", if secure { "https" } else { "http" }));
    let said = only(headers, &said).and_then(origin);
    own.is_some() && said == own
}

/// The value of a field that comes once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::to_str)?.ok()?;
    values.next().is_none().then_some(value)
}

/// The scheme, host and port of an address.
fn origin(address: &str) -> Option<(String, String, u16)> {
    // A fragment is no part of a URI of http's.
    let address = address.split('#').next().unwrap_or_default();
    let uri: Uri = address.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    if authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host().to_ascii_lowercase();
    Some((scheme.to_owned(), host, authority.port_u16().unwrap_or(default)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_form_comes_from() {
        let (fetch, origin, referer) = ("sec-fetch-site", "origin", "referer");
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[], false),
            (&[(fetch, "same-origin")], true),
            (&[(fetch, "same-origin"), (origin, "null")], true),
            (&[(fetch, "same-site"), (origin, "https://a.fr")], false),
            (&[(fetch, "cross-site"), (origin, "https://a.fr")], false),
            (&[(fetch, "none")], false),
            (&[(fetch, "same-origin"), (fetch, "cross-site")], false),
            (&[(fetch, ""), (origin, "https://a.fr")], false),
            (&[(origin, "https://a.fr")], true),
            (&[(origin, "https://A.fr:443")], true),
            (&[(origin, "http://a.fr")], false),
            (&[(origin, "https://a.fr:8443")], false),
            (&[(origin, "https://b.a.fr")], false),
            (&[(origin, "https://a.fr.evil.example")], false),
            (&[(origin, "https://a.fr@evil.example")], false),
            (&[(origin, "https://evil@a.fr")], false),
            (&[(origin, "null"), (referer, "https://a.fr/")], false),
            (&[(origin, ""), (referer, "https://a.fr/")], false),
            (&[(origin, "https://a.fr"), (origin, "https://b.fr")], false),
            (&[(referer, "https://a.fr/x?y=https://evil.example")], true),
            (&[(referer, "https://a.fr/x#y")], true),
            (&[(referer, "https://evil.example/https://a.fr/")], false),
            (&[(referer, "a.fr")], false),
            (&[(referer, "/x")], false),
        ];
        for (fields, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in *fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_same(&headers, true, "a.fr"), *expected, "{fields:?}");
        }
    }
}
