//! Cookie-name patterns: `*` for any run of bytes, `?` for one, `\` before a byte meant literally.
//!
//! No regular expressions: a charter is read by people who publish it, and a name is looked up for
//! every cookie of every response.

use std::cmp::Reverse;
use std::fmt;

/// Patterns longer than this are refused; the longest cookie names in the wild have some 100 bytes.
const MAX_PATTERN_BYTES: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// `?`
    One,
    /// `*`
    Any,
}

/// A compiled pattern, or an exact name. Names are compared byte for byte, case included.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    tokens: Box<[Token]>,
    /// What stands before and after the star, where that is the only wildcard, as in nearly all.
    around_star: Option<Around>,
}

#[derive(Clone, PartialEq, Eq)]
struct Around {
    prefix: Box<[u8]>,
    suffix: Box<[u8]>,
}

/// Why a pattern can match no cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// It is empty: nameless cookies are never declared.
    Empty,
    /// It is longer than 256 bytes.
    TooLong,
    /// It holds a byte that no cookie-name can hold, or white space at an end.
    Impossible(char),
    /// `[` or `{` as in shell globs, which are not known here.
    Unsupported(char),
    /// It ends in a lone backslash.
    OpenEscape,
    /// It begins with `$`: such names switch origins to another parser and are always removed.
    Dollar,
    /// It matches every name, so that nothing would be undeclared.
    MatchesAll,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a cookie needs a name"),
            Self::TooLong => write!(f, "a name has at most {MAX_PATTERN_BYTES} bytes"),
            Self::Impossible(c) => write!(f, "no cookie name can hold {c:?} here"),
            Self::Unsupported(c) => write!(f, "{c:?} is not a wildcard"),
            Self::OpenEscape => f.write_str("a backslash at the end escapes nothing"),
            Self::Dollar => f.write_str("names that begin with '$' never pass"),
            Self::MatchesAll => f.write_str("this matches every cookie"),
        }
    }
}

impl PatternError {
    /// What to write instead.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => "write the cookie's name as the portal sets it",
            Self::TooLong => "shorten it, with '*' for the part that varies",
            Self::Impossible(_) => {
                "remove it; a name holds no ';', '=', control character, or white space at its ends"
            }
            Self::Unsupported(_) => {
                "use '*' or '?', or put a backslash before it if the name really holds it"
            }
            Self::OpenEscape => "remove it, or double it if the name really ends in a backslash",
            Self::Dollar => {
                "remove the declaration; RFC 2109's '$Version' and its kin are attributes, not cookies"
            }
            Self::MatchesAll => {
                "declare the cookies that the charter names; to let everything pass use mode = \"report\""
            }
        }
    }
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    ///
    /// [`PatternError`], where no cookie name could match.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong);
        }
        let tokens = canonical(tokens_of(text)?);
        match tokens.first() {
            Some(Token::Byte(b'$')) => return Err(PatternError::Dollar),
            _ if !tokens.iter().any(|token| matches!(token, Token::Byte(_))) => {
                return Err(PatternError::MatchesAll);
            }
            _ => {}
        }
        for end in [tokens.first(), tokens.last()] {
            if let Some(Token::Byte(byte @ (b' ' | b'\t'))) = end {
                return Err(PatternError::Impossible((*byte).into()));
            }
        }
        Ok(Self::of(text, tokens))
    }

    fn of(text: &str, tokens: Vec<Token>) -> Self {
        let (prefix, suffix) = affixes(&tokens);
        let has_one_star = tokens.get(prefix.len()) == Some(&Token::Any)
            && prefix.len() + 1 + suffix.len() == tokens.len();
        let around_star =
            has_one_star.then(|| Around { prefix: prefix.into(), suffix: suffix.into() });
        Self { text: text.into(), tokens: tokens.into(), around_star }
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name, where the pattern matches exactly one.
    #[must_use]
    pub fn exact(&self) -> Option<Vec<u8>> {
        let is_exact = self.tokens.iter().all(|token| token.byte().is_some());
        is_exact.then(|| bytes(&self.tokens))
    }

    /// Whether `name` matches.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        let Some(Around { prefix, suffix }) = &self.around_star else {
            return self.matches_tokens(name);
        };
        // Nothing is not compared with nothing: a C library's memcmp takes seventy nanoseconds for it
        // where the address of what is empty, 1, is one that no page is mapped at.
        let ends = |rest: &[u8]| suffix.is_empty() || rest.ends_with(suffix);
        match &**prefix {
            [] => ends(name),
            prefix => name.strip_prefix(prefix).is_some_and(ends),
        }
    }

    fn matches_tokens(&self, name: &[u8]) -> bool {
        // On a mismatch the last star takes one byte more; stars before it need no second chance.
        let (mut token, mut byte) = (0, 0);
        let mut last_star = None;
        while byte < name.len() {
            match self.tokens.get(token) {
                Some(Token::Any) => {
                    last_star = Some((token, byte));
                    token += 1;
                }
                Some(found) if found.byte().is_none_or(|literal| literal == name[byte]) => {
                    token += 1;
                    byte += 1;
                }
                _ => match &mut last_star {
                    Some((star, from)) => {
                        *from += 1;
                        (token, byte) = (*star + 1, *from);
                    }
                    None => return false,
                },
            }
        }
        self.tokens[token..].iter().all(|rest| *rest == Token::Any)
    }

    /// Sorts patterns: exact names first, then those that fix more bytes, then those with fewer
    /// stars, then those that demand more bytes.
    #[must_use]
    pub fn specificity(&self) -> impl Ord + Copy + use<> {
        let count = |wanted: fn(&Token) -> bool| self.tokens.iter().filter(|t| wanted(t)).count();
        let stars = count(|token| *token == Token::Any);
        let ones = count(|token| *token == Token::One);
        let bytes = self.tokens.len() - stars - ones;
        (stars + ones == 0, bytes, Reverse(stars), ones)
    }

    /// Whether some name matches both patterns.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (&self.tokens, &other.tokens);
        // reachable[j]: the tokens of `a` so far and the first j of `b` can match a common string.
        let mut reachable = vec![false; b.len() + 1];
        reachable[0] = true;
        close(&mut reachable, b);
        for token in a {
            let mut next = vec![false; b.len() + 1];
            for j in 0..=b.len() {
                if !reachable[j] {
                    continue;
                }
                if *token == Token::Any {
                    // A star matches nothing, or whatever the rest of `b` matches.
                    next[j..].fill(true);
                    break;
                }
                match b.get(j) {
                    Some(Token::Any) => next[j] = true,
                    Some(other) if token.meets(*other) => next[j + 1] = true,
                    _ => {}
                }
            }
            close(&mut next, b);
            reachable = next;
        }
        reachable[b.len()]
    }

    /// Whether both patterns stand for the same names, however they are spelt.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.tokens == other.tokens
    }

    /// The bytes with which every matching name begins.
    #[must_use]
    pub fn literal_prefix(&self) -> Vec<u8> {
        self.affixes().0
    }

    /// The literal bytes before the first wildcard and after the last.
    pub(super) fn affixes(&self) -> (Vec<u8>, Vec<u8>) {
        affixes(&self.tokens)
    }
}

fn affixes(tokens: &[Token]) -> (Vec<u8>, Vec<u8>) {
    let is_wildcard = |token: &Token| token.byte().is_none();
    let first = tokens.iter().position(is_wildcard).unwrap_or(tokens.len());
    let last = tokens.iter().rposition(is_wildcard).map_or(tokens.len(), |last| last + 1);
    (bytes(&tokens[..first]), bytes(&tokens[last..]))
}

/// The bytes of literal tokens, in one allocation.
fn bytes(tokens: &[Token]) -> Vec<u8> {
    tokens.iter().map(|token| token.byte().unwrap_or_default()).collect()
}

/// Stars of `b` may match nothing.
fn close(reachable: &mut [bool], b: &[Token]) {
    for (j, token) in b.iter().enumerate() {
        if reachable[j] && *token == Token::Any {
            reachable[j + 1] = true;
        }
    }
}

impl Token {
    fn byte(self) -> Option<u8> {
        match self {
            Self::Byte(byte) => Some(byte),
            Self::One | Self::Any => None,
        }
    }

    /// Whether one byte can satisfy both; neither is a star.
    fn meets(self, other: Self) -> bool {
        match (self.byte(), other.byte()) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        }
    }
}

fn tokens_of(text: &str) -> Result<Vec<Token>, PatternError> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '*' => {
                tokens.push(Token::Any);
                continue;
            }
            '?' => {
                tokens.push(Token::One);
                continue;
            }
            '[' | '{' => return Err(PatternError::Unsupported(c)),
            '\\' => chars.next().ok_or(PatternError::OpenEscape)?,
            c => c,
        };
        if matches!(literal, ';' | '=' | '\x00'..='\x08' | '\x0a'..='\x1f' | '\x7f') {
            return Err(PatternError::Impossible(literal));
        }
        tokens.extend(literal.encode_utf8(&mut [0; 4]).bytes().map(Token::Byte));
    }
    Ok(tokens)
}

/// Runs of wildcards in one spelling: first the `?`, then at most one `*`.
fn canonical(tokens: Vec<Token>) -> Vec<Token> {
    if tokens.iter().all(|token| token.byte().is_some()) {
        return tokens;
    }
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        match (out.last(), token) {
            (Some(Token::Any), Token::Any) => {}
            (Some(Token::Any), Token::One) => {
                let star = out.len() - 1;
                out.insert(star, Token::One);
            }
            _ => out.push(token),
        }
    }
    out
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text).expect("a valid pattern")
    }

    #[test]
    fn matching() {
        let cases: &[(&str, &str, bool)] = &[
            ("sessionid", "sessionid", true),
            ("sessionid", "SessionID", false),
            ("sessionid", "sessionid2", false),
            ("_pk_id.*", "_pk_id.1.1fff", true),
            ("_pk_id.*", "_pk_id.", true),
            ("_pk_id.*", "_pk_id", false),
            ("*_session", "rails_session", true),
            ("*_session", "_sessions", false),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1c2b", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a**", "a", true),
            ("?*a", "a", false),
            ("?*a", "ba", true),
            ("x\\*", "x*", true),
            ("x\\*", "xy", false),
            ("x\\[0]", "x[0]", true),
            ("é?", "éa", true),
        ];
        for (text, name, expected) in cases {
            assert_eq!(pattern(text).matches(name.as_bytes()), *expected, "{text} {name}");
        }
    }

    proptest! {
        #[test]
        fn one_star_is_matched_by_what_stands_around_it(text in "[ab]{0,3}\\*[ab]{0,3}", name in "[ab]{0,8}") {
            let pattern = Pattern::of(&text, canonical(tokens_of(&text).expect("tokens")));
            prop_assert!(pattern.around_star.is_some());
            prop_assert_eq!(pattern.matches(name.as_bytes()), pattern.matches_tokens(name.as_bytes()));
        }
    }

    #[test]
    fn patterns_that_can_match_nothing() {
        let cases = [
            ("", PatternError::Empty),
            ("*", PatternError::MatchesAll),
            ("?*?", PatternError::MatchesAll),
            ("a=b", PatternError::Impossible('=')),
            ("a;b", PatternError::Impossible(';')),
            (" a", PatternError::Impossible(' ')),
            ("a\t", PatternError::Impossible('\t')),
            ("a\n", PatternError::Impossible('\n')),
            ("$Version", PatternError::Dollar),
            ("_ga_[0-9]", PatternError::Unsupported('[')),
            ("a\\", PatternError::OpenEscape),
        ];
        for (text, error) in cases {
            assert_eq!(Pattern::new(text), Err(error), "{text:?}");
        }
        assert_eq!(Pattern::new(&"a".repeat(257)), Err(PatternError::TooLong));
    }

    #[test]
    fn specificity_orders_patterns() {
        let order = ["_ga_x", "_ga_*", "_ga?*", "_ga*", "_g*", "*_g*"];
        for pair in order.windows(2) {
            assert!(
                pattern(pair[0]).specificity() > pattern(pair[1]).specificity(),
                "{} before {}",
                pair[0],
                pair[1]
            );
        }
    }

    #[test]
    fn overlaps() {
        let cases = [
            ("a*", "*a", true),
            ("a*", "b*", false),
            ("a?", "?b", true),
            ("a?", "a", false),
            ("a*c", "ab*", true),
            ("a*b", "a*c", false),
            ("*a*", "*b*", true),
            ("a", "a", true),
            ("??", "?*", true),
        ];
        for (one, other, expected) in cases {
            let tokens = |text| Pattern::of("", tokens_of(text).unwrap());
            assert_eq!(tokens(one).overlaps(&tokens(other)), expected, "{one} {other}");
            assert_eq!(tokens(other).overlaps(&tokens(one)), expected, "{other} {one}");
        }
    }

    #[test]
    fn one_spelling_of_wildcard_runs() {
        assert_eq!(pattern("a*?*").tokens, pattern("a?*").tokens);
        assert_eq!(pattern("a").exact(), Some(b"a".to_vec()));
        assert_eq!(pattern("a*").exact(), None);
        assert_eq!(pattern("ab*c?d").affixes(), (b"ab".to_vec(), b"d".to_vec()));
    }
}
