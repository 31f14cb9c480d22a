//! Names to declarations, at a cost that does not grow with their number.

use std::collections::BTreeMap;

use super::index::{Index, hash};
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
    exact: Vec<Exact>,
    exact_index: Index,
    shapes: Vec<Shape>,
    patterns: Vec<Ranked>,
}

#[derive(Debug)]
struct Exact {
    name: Box<[u8]>,
    declaration: DeclarationId,
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
    /// The fixed bytes next to a wildcard, often the same separator, as a set by some of their bits:
    /// nearly every name is done with here, and costs no hash.
    edges: u64,
    /// From the hash of both affixes to places in [`Register::patterns`], in their order.
    index: Index,
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
        let mut exact = BTreeMap::new();
        for (declaration, pattern) in (0..).zip(names) {
            match pattern.exact() {
                None => register.patterns.push(Ranked { pattern: pattern.clone(), declaration }),
                Some(name) => {
                    if let Some(first) = exact.insert(name, declaration) {
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
        register.index_exact(exact);
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
        let places = self.exact_index.places(hash(name, b""));
        let mut found = places.map(|place| &self.exact[place]);
        found.find(|exact| *exact.name == *name).map(|exact| exact.declaration)
    }

    /// The declaration of the most specific pattern that matches `name`.
    #[must_use]
    pub fn find_pattern(&self, name: &[u8]) -> Option<DeclarationId> {
        // Not `min`, which moves the shapes' iterator once it has found one.
        let mut found = None;
        for place in self.shapes.iter().filter_map(|shape| self.find_in(shape, name)) {
            found = Some(found.map_or(place, |best: usize| best.min(place)));
        }
        found.map(|place| self.patterns[place].declaration)
    }

    /// The place of the most specific pattern of this shape that matches `name`.
    #[inline]
    fn find_in(&self, shape: &Shape, name: &[u8]) -> Option<usize> {
        let (head, tail) = shape.ends(name)?;
        if shape.edges & edge(head, tail) == 0 {
            return None;
        }
        let mut places = shape.index.places(hash(head, tail));
        places.find(|place| self.patterns[*place].pattern.matches(name))
    }

    fn index_exact(&mut self, exact: BTreeMap<Vec<u8>, DeclarationId>) {
        let entries = exact.into_iter();
        self.exact =
            entries.map(|(name, declaration)| Exact { name: name.into(), declaration }).collect();
        let hashes = self.exact.iter().map(|exact| hash(&exact.name, b""));
        self.exact_index = Index::of(hashes.enumerate());
    }

    fn index_patterns(&mut self) {
        let mut shapes = BTreeMap::<_, (u64, Vec<(usize, u64)>)>::new();
        for (place, ranked) in self.patterns.iter().enumerate() {
            let (prefix, suffix) = ranked.pattern.affixes();
            let (edges, hashes) = shapes.entry((prefix.len(), suffix.len())).or_default();
            *edges |= edge(&prefix, &suffix);
            hashes.push((place, hash(&prefix, &suffix)));
        }
        let shapes = shapes.into_iter();
        self.shapes = shapes
            .map(|((prefix, suffix), (edges, hashes))| {
                let index = Index::of(hashes.into_iter());
                Shape { prefix, suffix, edges, index }
            })
            .collect();
    }
}

impl Shape {
    /// What a pattern of this shape fixes at both ends of `name`, unless that is too short.
    fn ends<'n>(&self, name: &'n [u8]) -> Option<(&'n [u8], &'n [u8])> {
        let (rest, tail) = name.split_at_checked(name.len().checked_sub(self.suffix)?)?;
        Some((rest.get(..self.prefix)?, tail))
    }
}

/// A bit for the fixed byte next to a wildcard: full stop, hyphen and underscore have others than
/// letters and digits.
fn edge(head: &[u8], tail: &[u8]) -> u64 {
    let byte = head.last().or(tail.first());
    1 << byte.map_or(0, |byte| byte / 2 % 64)
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
        let mut exact = BTreeMap::new();
        for (declaration, pattern) in (0..).zip(&patterns) {
            match pattern.exact() {
                Some(name) => {
                    exact.insert(name, declaration);
                }
                None => {
                    register.patterns.push(Ranked { pattern: pattern.clone(), declaration });
                }
            }
        }
        register.patterns.sort_by_key(|r| std::cmp::Reverse(r.pattern.specificity()));
        register.index_exact(exact);
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
