//! Edits to a set-cookie-string, made in place: what is not named stays byte for byte.

use super::{Attribute, SameSite, SetCookie};

/// What becomes of a valued attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueEdit<T> {
    /// As the line has it.
    #[default]
    Leave,
    /// Every occurrence goes.
    Remove,
    /// Exactly one occurrence, with this value.
    Set(T),
}

/// What becomes of `Max-Age` and `Expires` together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LifetimeEdit {
    /// As the line has it.
    #[default]
    Leave,
    /// Neither: the cookie ends with the session.
    Session,
    /// `Max-Age` with this many seconds, and no `Expires` that another reader could prefer.
    Seconds(u32),
}

/// What becomes of an attribute that is there or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// As the line has it.
    #[default]
    Leave,
    /// Added where it is missing.
    Present,
    /// Every occurrence goes.
    Absent,
}

impl Presence {
    fn after(self, before: bool) -> bool {
        match self {
            Self::Leave => before,
            Self::Present => true,
            Self::Absent => false,
        }
    }
}

/// A path in two pieces, so that mapping a prefix copies nothing before the line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinedPath<'c> {
    /// What takes the place of the upstream's prefix.
    pub prefix: &'c [u8],
    /// What followed it.
    pub rest: &'c [u8],
}

impl<'c> JoinedPath<'c> {
    /// The path, where it is in one piece.
    #[must_use]
    pub fn whole(&self) -> Option<&'c [u8]> {
        match (self.prefix, self.rest) {
            (whole, b"") | (b"", whole) => Some(whole),
            _ => None,
        }
    }
}

impl<'c> From<&'c [u8]> for JoinedPath<'c> {
    fn from(path: &'c [u8]) -> Self {
        Self { prefix: path, rest: b"" }
    }
}

/// A plan of edits to one set-cookie-string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edits<'c> {
    /// Whether the cookie-value is emptied.
    pub blank_value: bool,
    /// `Max-Age` and `Expires`.
    pub lifetime: LifetimeEdit,
    /// `Domain`.
    pub domain: ValueEdit<&'c [u8]>,
    /// `Path`.
    pub path: ValueEdit<JoinedPath<'c>>,
    /// `Secure`.
    pub secure: Presence,
    /// `HttpOnly`.
    pub http_only: Presence,
    /// `Partitioned`.
    pub partitioned: Presence,
    /// `SameSite`.
    pub same_site: Option<SameSite>,
}

impl<'c> Edits<'c> {
    /// Whether the plan leaves the line as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether `Secure`, `HttpOnly`, `Partitioned` or `SameSite` changes.
    #[must_use]
    pub fn changes_flags(&self) -> bool {
        let flags = [self.secure, self.http_only, self.partitioned];
        self.same_site.is_some() || flags.iter().any(|flag| *flag != Presence::Leave)
    }

    /// The effective attributes that `cookie` will have, for judging the line before it is written.
    /// `Max-Age`, `Expires` and the value are as they came.
    #[must_use]
    pub fn preview(&self, cookie: &SetCookie<'c>) -> SetCookie<'c> {
        SetCookie {
            secure: self.secure.after(cookie.secure),
            http_only: self.http_only.after(cookie.http_only),
            partitioned: self.partitioned.after(cookie.partitioned),
            same_site: self.same_site.unwrap_or(cookie.same_site),
            domain: match self.domain {
                ValueEdit::Leave => cookie.domain,
                ValueEdit::Remove => None,
                ValueEdit::Set(domain) => Some(domain),
            },
            path: match self.path {
                ValueEdit::Leave => cookie.path,
                ValueEdit::Remove => None,
                ValueEdit::Set(path) => path.whole(),
            },
            ..cookie.clone()
        }
    }

    /// `cookie`'s line with the edits made.
    ///
    /// A user agent takes the last occurrence of an attribute, others may take the first; so of an
    /// edited attribute one occurrence remains, at the place of the last.
    #[must_use]
    pub fn apply(&self, cookie: &SetCookie<'_>) -> Vec<u8> {
        let line = cookie.line();
        let mut out = Vec::with_capacity(line.len() + 32);
        let pair_end = cookie.attributes().next().map_or(line.len(), |first| first.span.start);
        let value = cookie.value_span();
        if self.blank_value {
            out.extend_from_slice(&line[..value.start]);
            out.extend_from_slice(&line[value.end..pair_end]);
        } else {
            out.extend_from_slice(&line[..pair_end]);
        }
        let mut replacements = self.replacements();
        for attribute in cookie.attributes() {
            if let Some(found) = replacement_of(&mut replacements, &attribute) {
                found.last = Some(attribute.span.start);
            }
        }
        for attribute in cookie.attributes() {
            let source = &line[attribute.span.clone()];
            match replacement_of(&mut replacements, &attribute) {
                None if self.removes(&attribute) => {}
                None => out.extend_from_slice(source),
                Some(found) if found.last == Some(attribute.span.start) => {
                    let blank = source[1..].iter().take_while(|b| matches!(b, b' ' | b'\t'));
                    out.extend_from_slice(&source[..=blank.count()]);
                    found.write(&mut out);
                }
                Some(_) => {}
            }
        }
        for missing in replacements.iter().flatten().filter(|found| found.last.is_none()) {
            out.extend_from_slice(b"; ");
            missing.write(&mut out);
        }
        out
    }

    fn removes(&self, attribute: &Attribute<'_>) -> bool {
        let lifetime = attribute.is(b"Max-Age") || attribute.is(b"Expires");
        (lifetime && self.lifetime != LifetimeEdit::Leave)
            || (self.domain == ValueEdit::Remove && attribute.is(b"Domain"))
            || (self.path == ValueEdit::Remove && attribute.is(b"Path"))
            || (self.secure == Presence::Absent && attribute.is(b"Secure"))
            || (self.http_only == Presence::Absent && attribute.is(b"HttpOnly"))
            || (self.partitioned == Presence::Absent && attribute.is(b"Partitioned"))
    }

    /// The attributes that the edited line must hold exactly once.
    fn replacements(&self) -> [Option<Replacement<'_>>; 7] {
        let flag = |presence, name| {
            (presence == Presence::Present).then_some(Replacement::new(name, Value::Flag))
        };
        [
            match self.lifetime {
                LifetimeEdit::Seconds(seconds) => {
                    Some(Replacement::new("Max-Age", Value::Seconds(seconds)))
                }
                _ => None,
            },
            match self.domain {
                ValueEdit::Set(domain) => {
                    Some(Replacement::new("Domain", Value::Bytes(domain, b"")))
                }
                _ => None,
            },
            match self.path {
                ValueEdit::Set(path) => {
                    Some(Replacement::new("Path", Value::Bytes(path.prefix, path.rest)))
                }
                _ => None,
            },
            flag(self.secure, "Secure"),
            flag(self.http_only, "HttpOnly"),
            self.same_site.map(|same_site| {
                Replacement::new("SameSite", Value::Bytes(same_site.as_str().as_bytes(), b""))
            }),
            flag(self.partitioned, "Partitioned"),
        ]
    }
}

/// The replacement that an attribute gives way to.
fn replacement_of<'r, 'c>(
    replacements: &'r mut [Option<Replacement<'c>>],
    attribute: &Attribute<'_>,
) -> Option<&'r mut Replacement<'c>> {
    replacements.iter_mut().flatten().find(|replacement| replacement.replaces(attribute))
}

struct Replacement<'c> {
    name: &'static str,
    value: Value<'c>,
    /// Where the last attribute that gives way to it begins.
    last: Option<usize>,
}

enum Value<'c> {
    Flag,
    Bytes(&'c [u8], &'c [u8]),
    Seconds(u32),
}

impl<'c> Replacement<'c> {
    fn new(name: &'static str, value: Value<'c>) -> Self {
        Self { name, value, last: None }
    }

    /// `Max-Age` takes the place of `Expires` as well.
    fn replaces(&self, attribute: &Attribute<'_>) -> bool {
        attribute.is(self.name.as_bytes())
            || (matches!(self.value, Value::Seconds(_)) && attribute.is(b"Expires"))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name.as_bytes());
        match self.value {
            Value::Flag => {}
            Value::Bytes(head, tail) => {
                out.push(b'=');
                out.extend_from_slice(head);
                out.extend_from_slice(tail);
            }
            Value::Seconds(seconds) => out.extend_from_slice(format!("={seconds}").as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn edited(line: &str, edits: Edits<'_>, expected: &str) {
        let cookie = SetCookie::parse(line.as_bytes()).expect("a readable line");
        let result = edits.apply(&cookie);
        assert_eq!(String::from_utf8_lossy(&result), expected);
        let again = SetCookie::parse(&result).expect("a readable result");
        assert_eq!(edits.apply(&again), result, "a second edit changed something");
    }

    #[test]
    fn lifetimes_are_cut_in_place() {
        let edits = Edits { lifetime: LifetimeEdit::Seconds(60), ..Edits::default() };
        edited("a=1; Max-Age=99;Path=/", edits, "a=1; Max-Age=60;Path=/");
        edited("a=1; Expires=x; Priority=High", edits, "a=1; Max-Age=60; Priority=High");
        edited("a=1; Max-Age=9; Expires=x; max-age=99; P", edits, "a=1; Max-Age=60; P");
        edited("a=1; Max-Age=9;  Expires=x", edits, "a=1;  Max-Age=60");
        edited("a=1", edits, "a=1; Max-Age=60");
        let session = Edits { lifetime: LifetimeEdit::Session, ..Edits::default() };
        edited("a=1; Max-Age=9; Expires=x; Secure", session, "a=1; Secure");
    }

    #[test]
    fn attributes_are_set_added_and_removed() {
        let lax = Edits { same_site: Some(SameSite::Lax), ..Edits::default() };
        edited("a=1; samesite=None; Path=/", lax, "a=1; SameSite=Lax; Path=/");
        edited("a=1; SameSite=None; SameSite=Strict", lax, "a=1; SameSite=Lax");
        edited("a=1", lax, "a=1; SameSite=Lax");
        let flags = Edits {
            secure: Presence::Present,
            http_only: Presence::Absent,
            partitioned: Presence::Present,
            ..Edits::default()
        };
        edited("a=1; HttpOnly; httponly", flags, "a=1; Secure; Partitioned");
        let host_only = Edits { domain: ValueEdit::Remove, ..Edits::default() };
        edited("a=1; Domain=x; Future=1; domain=y;", host_only, "a=1; Future=1;");
        let moved = Edits {
            domain: ValueEdit::Set(b"b.example"),
            path: ValueEdit::Set(JoinedPath { prefix: b"/", rest: b"x" }),
            ..Edits::default()
        };
        edited("a=1; Path=/w; Domain=a", moved, "a=1; Path=/x; Domain=b.example");
        edited("a=1", moved, "a=1; Domain=b.example; Path=/x");
    }

    #[test]
    fn values_are_blanked() {
        let blank = Edits { blank_value: true, ..Edits::default() };
        edited("a = secret ; Max-Age=0", blank, "a =  ; Max-Age=0");
        edited("a=secret", blank, "a=");
        edited("a=; Max-Age=0", blank, "a=; Max-Age=0");
    }
}
