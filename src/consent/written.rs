//! A choice, written down as a cookie that the tool itself would understand.

use std::fmt::Write as _;

use super::Ids;

/// How long a choice is kept: both consent and refusal six months (CNIL, recommendation of
/// 17 September 2020, article 2.4).
const MAX_AGE: i64 = 180 * 86_400;

/// What a visitor chose: of every id of the site, those granted; the others are refused.
#[derive(Debug)]
pub(super) struct Choice<'r> {
    /// The names of the tool's cookies.
    pub(super) names: &'r [Box<str>],
    pub(super) ids: &'r [Box<str>],
    /// The categories, by the ids that make each up.
    pub(super) categories: &'r [(Box<str>, Ids)],
    /// The ids that were asked for; no other is granted.
    pub(super) asked: Ids,
    pub(super) granted: Ids,
    /// The revision of the site's question, where it numbers them.
    pub(super) revision: Option<u64>,
    /// Unix seconds.
    pub(super) now: i64,
}

impl<'r> Choice<'r> {
    /// Every id, and whether it was granted.
    pub(super) fn ids(&self) -> impl Iterator<Item = (&'r str, bool)> {
        let granted = self.granted;
        let ids = self.ids.iter().enumerate();
        ids.map(move |(index, id)| (&**id, granted.contains(Ids::one(index))))
    }

    /// The same for tools that write ids as they are; see [`is_token`].
    pub(super) fn tokens(&self) -> impl Iterator<Item = (&'r str, bool)> {
        self.ids().filter(|(id, _)| is_token(id))
    }

    pub(super) fn granted(&self, id: &str) -> bool {
        self.ids().any(|(known, granted)| granted && known == id)
    }

    /// An object of booleans, one for each id, and further fields; in the characters that may stand
    /// in a field of HTTP, with those escaped that would end the cookie. A further field that is no
    /// boolean is not for an id of its name to take.
    pub(super) fn json(&self, further: &[(&str, serde_json::Value)]) -> String {
        let fields = further.iter().map(|(key, value)| (*key, value.clone()));
        let is_taken = |id| further.iter().any(|(key, value)| *key == id && !value.is_boolean());
        let ids = self.ids().filter(|(id, _)| !is_taken(*id));
        let ids = ids.map(|(id, granted)| (id, granted.into()));
        let object: serde_json::Map<String, serde_json::Value> =
            fields.chain(ids).map(|(key, value)| (key.to_owned(), value)).collect();
        let mut json = String::new();
        for unit in serde_json::Value::Object(object).to_string().encode_utf16() {
            match u8::try_from(unit) {
                Ok(byte @ b' '..=b'~') if byte != b';' => json.push(byte.into()),
                _ => {
                    let _ = write!(json, "\\u{unit:04x}");
                }
            }
        }
        json
    }

    /// The tool's cookie in `slot` of its names.
    pub(super) fn cookie(&self, slot: usize, value: String) -> Written {
        let name = self.names.get(slot).map_or_else(String::new, |name| name.to_string());
        Written { name, value, max_age: MAX_AGE, http_only: false }
    }
}

/// Whether an id can stand as it is: without a character that would end it or the cookie.
pub(super) fn is_token(id: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    !id.is_empty() && id.bytes().all(is_plain)
}

/// One cookie to set, or to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The cookie-name.
    pub name: String,
    /// The cookie-value.
    pub value: String,
    /// Seconds; 0 removes the cookie.
    pub max_age: i64,
    /// Whether the tool keeps it from scripts.
    pub http_only: bool,
}

impl Written {
    /// The line of a `Set-Cookie` field: for this host alone and all of its paths, and where
    /// `secure` over TLS alone.
    #[must_use]
    pub fn set_cookie(&self, secure: bool) -> String {
        let Self { name, value, max_age, http_only } = self;
        let mut line = format!("{name}={value}; Path=/; Max-Age={max_age}; SameSite=Lax");
        for (attribute, _) in [("Secure", secure), ("HttpOnly", *http_only)].iter().filter(|a| a.1)
        {
            let _ = write!(line, "; {attribute}");
        }
        line
    }
}
