//! From hashes of names to places in a list, at a cost that does not grow with the list.
//!
//! A charter is compiled once and asked for every cookie of every response, so this is a table that
//! only answers. Whoever asks compares the bytes: two names of one hash cost time and nothing else,
//! and the names in it are the operator's, not an outsider's.

/// Places, by the hashes of what stands there.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// A power of two of them, at least half of them empty.
    slots: Box<[Option<Slot>]>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u64,
    place: u32,
}

impl Index {
    /// The index of these hashes, each of the place that it has among them.
    pub(super) fn of(hashes: impl ExactSizeIterator<Item = u64>) -> Self {
        let size = (2 * hashes.len()).next_power_of_two();
        let mut index = Self { slots: vec![None; size].into() };
        for (place, hash) in (0..).zip(hashes) {
            let vacant = index.walk(hash).find(|at| index.slots[*at].is_none());
            index.slots[vacant.unwrap_or_default()] = Some(Slot { hash, place });
        }
        index
    }

    /// The places of `hash`.
    pub(super) fn places(&self, hash: u64) -> impl Iterator<Item = usize> {
        let slots = self.walk(hash).map_while(|at| self.slots.get(at).copied().flatten());
        slots.filter(move |slot| slot.hash == hash).map(|slot| slot.place as usize)
    }

    /// The slots from the one of `hash` on, round and round.
    #[allow(clippy::cast_possible_truncation)]
    fn walk(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len().wrapping_sub(1);
        (0..).map(move |step: usize| (hash as usize).wrapping_add(step) & mask)
    }
}

/// The hash of a name, or of what two ends of it have in common with others.
pub(super) fn hash(head: &[u8], tail: &[u8]) -> u64 {
    add(add(0, head), tail)
}

fn add(hash: u64, bytes: &[u8]) -> u64 {
    let words = bytes.as_chunks::<8>().0;
    let inner = words.get(1..).unwrap_or_default().iter();
    let mixed = inner.fold(hash ^ bytes.len() as u64, mix);
    match (bytes.first_chunk(), bytes.last_chunk()) {
        // Some bytes twice, rather than the last ones one by one.
        (Some(first), Some(last)) => mix(mix(mixed, first), last),
        _ => mix(mixed, &few(bytes)),
    }
}

/// Fewer than eight bytes as eight, others for others of the same number.
fn few(bytes: &[u8]) -> [u8; 8] {
    match (bytes.first_chunk(), bytes.last_chunk(), bytes) {
        (Some([a, b, c, d]), Some([e, f, g, h]), _) => [*a, *b, *c, *d, *e, *f, *g, *h],
        (.., [a, b, c]) => [*a, *b, *c, 0, 0, 0, 0, 0],
        (.., [a, b]) => [*a, *b, 0, 0, 0, 0, 0, 0],
        (.., [a]) => [*a, 0, 0, 0, 0, 0, 0, 0],
        _ => [0; 8],
    }
}

#[allow(clippy::cast_possible_truncation)]
fn mix(hash: u64, word: &[u8; 8]) -> u64 {
    // 2^64 divided by the golden ratio; the high half of the product reaches the low bits as well.
    let product = u128::from(hash ^ u64::from_le_bytes(*word)) * 0x9e37_79b9_7f4a_7c15;
    (product ^ product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_among_those_of_its_hash() {
        for count in [0, 1, 2, 3, 1000] {
            let hashes: Vec<u64> = (0..count).map(|i| i / 3 * 8).collect();
            let index = Index::of(hashes.iter().copied());
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
