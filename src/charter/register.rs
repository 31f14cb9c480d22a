//! Names to declarations, at a cost that does not grow with their number.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

use super::{DeclarationId, Pattern};

/// Two declarations between which no cookie name can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The earlier in the file.
    pub first: DeclarationId,
    /// The later.
    pub second: DeclarationId,
    /// Whether both stand for the same names, so that the second can never match.
    pub identical: bool,
}

/// The index of a charter's names.
///
/// Exact names are one hash away. Patterns are sorted into shapes by the lengths of the literal
/// bytes before their first wildcard and after their last; a name is hashed once per shape, and a
/// charter has as many shapes as its patterns have distinct lengths, however many they are.
#[derive(Debug, Default)]
pub struct Register {
    exact: HashMap<Box<[u8]>, DeclarationId, FixedState>,
    shapes: Vec<Shape>,
    patterns: Vec<Ranked>,
}

#[derive(Debug)]
struct Ranked {
    pattern: Pattern,
    declaration: DeclarationId,
}

#[derive(Debug)]
struct Shape {
    prefix: usize,
    suffix: usize,
    /// From the hash of both affixes to places in [`Register::patterns`]; the pattern itself is
    /// matched afterwards, so a collision costs time and nothing else.
    buckets: HashMap<u64, Vec<u32>, FixedState>,
}

impl Register {
    /// Indexes `names` in the order of their declarations.
    ///
    /// # Errors
    ///
    /// Every [`Clash`] among them.
    pub fn new<'p>(names: impl IntoIterator<Item = &'p Pattern>) -> Result<Self, Vec<Clash>> {
        let mut register = Self::default();
        let mut clashes = Vec::new();
        for (declaration, pattern) in (0..).zip(names) {
            match pattern.exact() {
                None => register.patterns.push(Ranked { pattern: pattern.clone(), declaration }),
                Some(name) => {
                    if let Some(first) = register.exact.insert(name.into(), declaration) {
                        clashes.push(Clash { first, second: declaration, identical: true });
                    }
                }
            }
        }
        // The most specific pattern first, so that the lowest place wins.
        register.patterns.sort_by_key(|ranked| std::cmp::Reverse(ranked.pattern.specificity()));
        clashes.extend(ambiguities(&register.patterns));
        if !clashes.is_empty() {
            clashes.sort_by_key(|clash| clash.second);
            return Err(clashes);
        }
        register.index_patterns();
        Ok(register)
    }

    /// The declaration that covers `name`.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<DeclarationId> {
        self.find_exact(name).or_else(|| self.find_pattern(name))
    }

    /// The declaration of exactly `name`.
    #[must_use]
    pub fn find_exact(&self, name: &[u8]) -> Option<DeclarationId> {
        self.exact.get(name).copied()
    }

    fn find_pattern(&self, name: &[u8]) -> Option<DeclarationId> {
        self.shapes
            .iter()
            .filter(|shape| shape.prefix + shape.suffix <= name.len())
            .filter_map(|shape| shape.buckets.get(&shape.hash(name)))
            .flatten()
            .filter(|place| self.patterns[**place as usize].pattern.matches(name))
            .min()
            .map(|place| self.patterns[*place as usize].declaration)
    }

    fn index_patterns(&mut self) {
        for (place, ranked) in (0..).zip(&self.patterns) {
            let (prefix, suffix) = ranked.pattern.affixes();
            let (prefix_len, suffix_len) = (prefix.len(), suffix.len());
            let known = |shape: &Shape| (shape.prefix, shape.suffix) == (prefix_len, suffix_len);
            let at = self.shapes.iter().position(known).unwrap_or_else(|| {
                self.shapes.push(Shape {
                    prefix: prefix_len,
                    suffix: suffix_len,
                    buckets: HashMap::default(),
                });
                self.shapes.len() - 1
            });
            let shape = &mut self.shapes[at];
            let hash = shape.hash(&[prefix, suffix].concat());
            shape.buckets.entry(hash).or_default().push(place);
        }
    }
}

impl Shape {
    /// The hash of the first and last bytes of `name`, which is at least as long as both together.
    fn hash(&self, name: &[u8]) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        hasher.write(&name[..self.prefix]);
        hasher.write(&name[name.len() - self.suffix..]);
        hasher.finish()
    }
}

/// Pairs of equally specific patterns that share a name. `patterns` are sorted by specificity.
fn ambiguities(patterns: &[Ranked]) -> Vec<Clash> {
    let equal = |a: &Ranked, b: &Ranked| a.pattern.specificity() == b.pattern.specificity();
    let mut clashes = Vec::new();
    for group in patterns.chunk_by(equal) {
        // Patterns that share a name agree in the bytes that both fix at the front, so sorted by
        // prefix, each has to be held against its neighbours only.
        let mut sorted: Vec<(Vec<u8>, &Ranked)> =
            group.iter().map(|ranked| (ranked.pattern.affixes().0, ranked)).collect();
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (i, (prefix, one)) in sorted.iter().enumerate() {
            let neighbours =
                sorted[i + 1..].iter().take_while(|(other, _)| other.starts_with(prefix));
            for (_, other) in neighbours.filter(|(_, other)| one.pattern.overlaps(&other.pattern)) {
                clashes.push(Clash {
                    first: one.declaration.min(other.declaration),
                    second: one.declaration.max(other.declaration),
                    identical: one.pattern.is_same_as(&other.pattern),
                });
            }
        }
    }
    clashes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(names: &[&str]) -> Result<Register, Vec<Clash>> {
        let patterns: Vec<_> =
            names.iter().map(|name| Pattern::new(name).expect("a valid pattern")).collect();
        Register::new(&patterns)
    }

    #[test]
    fn the_most_specific_declaration_covers_a_name() {
        let names = ["_g*", "_ga", "_ga_*", "*_id", "_ga_*_id", "session?"];
        let register = register(&names).expect("no clash");
        let cases = [
            ("_ga", Some("_ga")),
            ("_gat", Some("_g*")),
            ("_ga_X", Some("_ga_*")),
            ("_ga_X_id", Some("_ga_*_id")),
            ("_g_id", Some("*_id")),
            ("user_id", Some("*_id")),
            ("_id", Some("*_id")),
            ("session1", Some("session?")),
            ("session", None),
            ("_GA", None),
            ("", None),
        ];
        for (name, expected) in cases {
            let found = register.find(name.as_bytes()).map(|id| names[id as usize]);
            assert_eq!(found, expected, "{name:?}");
        }
    }

    #[test]
    fn clashes() {
        let clash = |first, second, identical| Clash { first, second, identical };
        assert_eq!(register(&["a", "b", "a"]).err(), Some(vec![clash(0, 2, true)]));
        assert_eq!(register(&["a*", "a**"]).err(), Some(vec![clash(0, 1, true)]));
        assert_eq!(register(&["a*", "*a"]).err(), Some(vec![clash(0, 1, false)]));
        assert_eq!(register(&["x", "*b?", "*?b"]).err(), Some(vec![clash(1, 2, false)]));
        assert!(register(&["a*", "b*", "ab*", "*c"]).is_err(), "'a*' and '*c' share 'ac'");
        assert!(register(&["a*", "b*", "ab*", "*cd"]).is_err(), "'ab*' and '*cd' share 'abcd'");
        assert!(register(&["a*", "b*", "ab*", "*cde"]).is_ok());
    }

    #[test]
    fn agrees_with_a_linear_search() {
        let names: Vec<String> = (0..500)
            .map(|i| match i % 5 {
                0 => format!("n{i}"),
                1 => format!("p{i}_*"),
                2 => format!("*_s{i}"),
                3 => format!("q{i}_*_t{i}"),
                _ => format!("r{i}_?"),
            })
            .collect();
        let patterns: Vec<_> = names.iter().map(|n| Pattern::new(n).unwrap()).collect();
        let probes = names.iter().map(|n| n.replace('*', "xyz").replace('?', "z"));
        // The two-sided names of this test overlap; only the index is of interest here.
        let mut register = Register::default();
        for (declaration, pattern) in (0..).zip(&patterns) {
            match pattern.exact() {
                Some(name) => {
                    register.exact.insert(name.into(), declaration);
                }
                None => {
                    register.patterns.push(Ranked { pattern: pattern.clone(), declaration });
                }
            }
        }
        register.patterns.sort_by_key(|r| std::cmp::Reverse(r.pattern.specificity()));
        register.index_patterns();
        for probe in probes {
            let linear = (0..)
                .zip(&patterns)
                .filter(|(_, pattern)| pattern.matches(probe.as_bytes()))
                .max_by_key(|(_, pattern)| pattern.specificity())
                .map(|(id, _)| id);
            assert_eq!(register.find(probe.as_bytes()), linear, "{probe}");
        }
    }
}
