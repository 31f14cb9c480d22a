//! Which name of a site stands for a host.

/// What `find` has under `host`, in lower case, or else under the wildcard that stands for it, if there
/// are any: `*.` in place of its leftmost label.
pub fn by_host<T>(host: &str, has_wildcards: bool, find: impl Fn(&str) -> Option<T>) -> Option<T> {
    // A wildcard is no host of its own.
    if host.starts_with('*') {
        return None;
    }
    find(host).or_else(|| {
        let (label, parent) = host.split_once('.').filter(|_| has_wildcards)?;
        if label.is_empty() { None } else { find(&format!("*.{parent}")) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let find = |name: &str| {
            ["b.test", "*.b.test", "x.b.test"].into_iter().find(|known| *known == name)
        };
        let cases = [
            ("b.test", Some("b.test")),
            ("x.b.test", Some("x.b.test")),
            ("www.b.test", Some("*.b.test")),
            ("a.www.b.test", None),
            (".b.test", None),
            ("*.b.test", None),
            ("test", None),
            ("", None),
        ];
        for (host, expected) in cases {
            assert_eq!(by_host(host, true, find), expected, "{host}");
        }
        assert_eq!(by_host("www.b.test", false, find), None);
    }
}
