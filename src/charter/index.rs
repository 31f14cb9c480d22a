//! From hashes of names to places in a list, at a cost that does not grow with the list.
//!
//! A charter is compiled once and asked for every cookie of every response, so this is a table that
//! only answers. Whoever asks compares the bytes: two names of one hash cost time and nothing else,
//! and the names in it are the operator's, not an outsider's.

use crate::cookie::word;

/// Places, by the hashes of what stands there.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// A power of two of them, at least half of them empty.
    slots: Box<[Option<Slot>]>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u64,
    place: usize,
}

impl Index {
    /// The index of these places, by their hashes.
    pub(super) fn of(hashes: impl ExactSizeIterator<Item = (usize, u64)>) -> Self {
        let size = (2 * hashes.len()).next_power_of_two();
        let mut index = Self { slots: vec![None; size].into() };
        for (place, hash) in hashes {
            let vacant = index.walk(hash).find(|at| index.slots[*at].is_none());
            index.slots[vacant.unwrap_or_default()] = Some(Slot { hash, place });
        }
        index
    }

    /// The places of `hash`.
    pub(super) fn places(&self, hash: u64) -> impl Iterator<Item = usize> {
        let slots = self.walk(hash).map_while(|at| self.slots.get(at).copied().flatten());
        slots.filter(move |slot| slot.hash == hash).map(|slot| slot.place)
    }

    /// The slots from the one of `hash` on, round and round.
    #[allow(clippy::cast_possible_truncation)]
    fn walk(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len().wrapping_sub(1);
        (0..).map(move |step: usize| (hash as usize).wrapping_add(step) & mask)
    }
}

/// The hash of a name, or of what two ends of it have in common with others.
#[inline]
pub(super) fn hash(head: &[u8], tail: &[u8]) -> u64 {
    let hash = add(0, head);
    if tail.is_empty() { hash } else { add(hash, tail) }
}

/// Nearly every name is two words, which may overlap, and takes one multiplication.
#[inline]
fn add(hash: u64, bytes: &[u8]) -> u64 {
    let hash = hash ^ bytes.len() as u64;
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => {
            let words = bytes.as_chunks::<8>().0;
            let inner = if bytes.len() > 16 { &words[1..] } else { &[] };
            let hash = inner.iter().fold(hash, |hash, word| mix(hash, u64::from_le_bytes(*word)));
            mix(hash ^ u64::from_le_bytes(*first), u64::from_le_bytes(*last))
        }
        // Fewer bytes than a word has are others for others of the same number.
        _ => mix(hash, word(bytes)),
    }
}

/// The high half of the product reaches the low bits as well.
#[inline]
#[allow(clippy::cast_possible_truncation)]
fn mix(one: u64, other: u64) -> u64 {
    // Digits of pi. No word of a name is one of them, which would make a factor zero.
    let product =
        u128::from(one ^ 0x243f_6a88_85a3_08d3) * u128::from(other ^ 0x1319_8a2e_0370_7344);
    (product ^ product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_among_those_of_its_hash() {
        for count in [0, 1, 2, 3, 1000] {
            let hashes: Vec<u64> = (0..count).map(|i| i / 3 * 8).collect();
            let index = Index::of(hashes.iter().copied().enumerate());
            for (place, hash) in hashes.iter().enumerate() {
                let places: Vec<_> = index.places(*hash).collect();
                let same: Vec<_> = (0..hashes.len()).filter(|i| hashes[*i] == *hash).collect();
                assert!(places == same && places.contains(&place));
            }
            assert_eq!(index.places(5).count() + Index::default().places(5).count(), 0);
        }
    }

    #[test]
    fn names_that_are_alike_have_hashes_of_their_own() {
        let names = (0..10_000).flat_map(|i| {
            ["padding_{}", "{}", "a{}bcdefgh", "abcdefgh{}a-rather-long-name-that-ends-alike"]
                .map(|name| name.replace("{}", &i.to_string()))
        });
        let mut hashes: Vec<_> = names.map(|name| hash(name.as_bytes(), b"")).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 40_000);
        let mut low: Vec<_> = hashes.iter().map(|hash| hash & 0xffff).collect();
        low.sort_unstable();
        low.dedup();
        // Of 65,536 slots, as many as chance would fill.
        assert!((29_000..31_500).contains(&low.len()), "{}", low.len());
        assert_ne!(hash(b"ab", b"c"), hash(b"a", b"bc"));
    }
}
