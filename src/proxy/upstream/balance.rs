//! Which of several addresses is next. Pure: loads, weights and chance are handed in.

use std::sync::{Mutex, PoisonError};

use crate::config;

/// An address as the choice sees it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Its share, beside the others' weights.
    pub weight: u32,
    /// Exchanges that it has in hand.
    pub load: usize,
    /// Whether it is believed to work.
    pub is_up: bool,
    /// Whether this exchange has failed there.
    pub is_tried: bool,
}

/// The choice among a site's addresses, with what it remembers from one to the next.
#[derive(Debug)]
pub struct Balance {
    kind: config::Balance,
    /// For [`config::Balance::RoundRobin`]: how far each is ahead of its share.
    turns: Mutex<Vec<i64>>,
}

impl Balance {
    /// A choice of this kind among `addresses` addresses.
    pub fn new(kind: config::Balance, addresses: usize) -> Self {
        Self { kind, turns: Mutex::new(vec![0; addresses]) }
    }

    /// The place of the address to use, or `None` where each has been tried. `random` yields a
    /// number below its argument.
    ///
    /// Addresses that are not up are left out, unless none else is left: what says that they are
    /// down may be wrong or late, and trying costs less than an answer that is an error for sure.
    pub fn choose(
        &self,
        candidates: &[Candidate],
        random: impl FnMut(u32) -> u32,
    ) -> Option<usize> {
        let is_up = |c: &Candidate| c.is_up && !c.is_tried;
        if candidates.iter().any(is_up) {
            self.among(candidates, is_up, random)
        } else {
            self.among(candidates, |c| !c.is_tried, random)
        }
    }

    fn among(
        &self,
        candidates: &[Candidate],
        counts: impl Fn(&Candidate) -> bool,
        random: impl FnMut(u32) -> u32,
    ) -> Option<usize> {
        match self.kind {
            config::Balance::First => candidates.iter().position(counts),
            config::Balance::RoundRobin => {
                let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
                next_turn(&mut turns, candidates, counts)
            }
            config::Balance::LeastLoaded => less_loaded(candidates, counts, random),
        }
    }
}

/// Smooth weighted turns, as nginx takes them: each address earns its weight, the richest is next
/// and pays for all. With weights 2 and 1 that is A B A, and not A A B.
fn next_turn(
    turns: &mut [i64],
    candidates: &[Candidate],
    counts: impl Fn(&Candidate) -> bool,
) -> Option<usize> {
    let mut total = 0;
    let mut best: Option<usize> = None;
    for (index, candidate) in candidates.iter().enumerate().filter(|(_, c)| counts(c)) {
        let weight = i64::from(candidate.weight);
        turns[index] += weight;
        total += weight;
        if best.is_none_or(|best| turns[index] > turns[best]) {
            best = Some(index);
        }
    }
    turns[best?] -= total;
    best
}

/// Of two addresses drawn by weight, the one with less to do for its weight; the first drawn where
/// that is the same, so that an upstream with little to do is used by weight too.
fn less_loaded(
    candidates: &[Candidate],
    counts: impl Fn(&Candidate) -> bool,
    mut random: impl FnMut(u32) -> u32,
) -> Option<usize> {
    let first = draw(candidates, &counts, None, &mut random)?;
    let Some(second) = draw(candidates, &counts, Some(first), &mut random) else {
        return Some(first);
    };
    let (a, b) = (&candidates[first], &candidates[second]);
    // a.load / a.weight > b.load / b.weight, without the division.
    let second_has_less = a.load * b.weight as usize > b.load * a.weight as usize;
    Some(if second_has_less { second } else { first })
}

fn draw(
    candidates: &[Candidate],
    counts: impl Fn(&Candidate) -> bool,
    but: Option<usize>,
    random: &mut impl FnMut(u32) -> u32,
) -> Option<usize> {
    let eligible =
        || candidates.iter().enumerate().filter(|&(index, c)| counts(c) && Some(index) != but);
    let total: u32 = eligible().map(|(_, c)| c.weight).sum();
    if total == 0 {
        return None;
    }
    let mut left = random(total);
    for (index, candidate) in eligible() {
        match left.checked_sub(candidate.weight) {
            Some(rest) => left = rest,
            None => return Some(index),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Balance::{First, LeastLoaded, RoundRobin};

    /// Weight, load, and `u`p, `d`own, `t`ried, or `x` for both of these.
    type Row = (u32, usize, char);

    fn candidates(list: &[Row]) -> Vec<Candidate> {
        let candidate = |&(weight, load, state): &Row| Candidate {
            weight,
            load,
            is_up: matches!(state, 'u' | 't'),
            is_tried: matches!(state, 't' | 'x'),
        };
        list.iter().map(candidate).collect()
    }

    /// How often each is chosen in `rounds` rounds.
    fn spread(kind: config::Balance, rounds: u32, list: &[Row]) -> Vec<u32> {
        let candidates = candidates(list);
        let balance = Balance::new(kind, list.len());
        let mut source = fastrand::Rng::with_seed(7);
        let mut counts = vec![0; list.len()];
        for _ in 0..rounds {
            if let Some(index) = balance.choose(&candidates, |below| source.u32(..below)) {
                counts[index] += 1;
            }
        }
        counts
    }

    #[test]
    fn weights_are_kept() {
        assert_eq!(spread(RoundRobin, 60, &[(3, 0, 'u'), (2, 0, 'u'), (1, 0, 'u')]), [30, 20, 10]);
        let spread = spread(LeastLoaded, 6000, &[(3, 0, 'u'), (2, 0, 'u'), (1, 0, 'u')]);
        for (count, expected) in spread.into_iter().zip([3000, 2000, 1000]) {
            assert!(count.abs_diff(expected) < 200, "{count} for {expected}");
        }
    }

    #[test]
    fn turns_are_smooth() {
        let candidates = candidates(&[(500, 0, 'u'), (500, 0, 'u'), (1000, 0, 'u')]);
        let balance = Balance::new(RoundRobin, 3);
        let turns: Vec<_> = (0..4).map(|_| balance.choose(&candidates, |_| 0)).collect();
        assert_eq!(turns, [Some(2), Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn the_busy_one_is_spared() {
        assert_eq!(spread(LeastLoaded, 100, &[(1, 5, 'u'), (1, 4, 'u')]), [0, 100]);
        // Five in hand for a weight of two is less than three for one.
        assert_eq!(spread(LeastLoaded, 100, &[(2, 5, 'u'), (1, 3, 'u')]), [100, 0]);
    }

    #[test]
    fn what_is_down_or_tried_is_left_out() {
        for kind in [LeastLoaded, RoundRobin, First] {
            let cases: [(&str, &[Row], &[u32]); 5] = [
                ("one down", &[(9, 0, 'd'), (1, 9, 'u')], &[0, 10]),
                ("one tried", &[(9, 0, 't'), (1, 9, 'u')], &[0, 10]),
                ("the other is down", &[(9, 0, 't'), (1, 9, 'd')], &[0, 10]),
                ("alone and down", &[(1, 0, 'd')], &[10]),
                ("all tried", &[(1, 0, 't'), (1, 0, 'x')], &[0, 0]),
            ];
            for (case, list, expected) in cases {
                assert_eq!(spread(kind, 10, list), *expected, "{case}, {kind:?}");
            }
        }
    }

    #[test]
    fn all_down_is_as_if_all_were_up() {
        assert_eq!(spread(RoundRobin, 10, &[(1, 0, 'd'), (1, 0, 'd')]), [5, 5]);
        assert_eq!(spread(First, 10, &[(1, 0, 'd'), (1, 0, 'd')]), [10, 0]);
    }
}
