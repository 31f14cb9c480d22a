//! The same work for each of many things, on several threads.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many things a thread takes at a time: enough that taking costs nothing, and few enough that
/// all threads are done at about the same time.
const AT_A_TIME: usize = 8;

/// Who does the work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crew {
    threads: usize,
    /// Whether others go first where they want the same core.
    gives_way: bool,
}

impl Crew {
    /// As many threads as can work at once.
    pub(super) fn whole() -> Self {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { threads: cores, gives_way: false }
    }

    /// Beside threads that must not wait: one core is left to them, if there are several, and the others
    /// between two pieces of work. They would wait otherwise until the system takes a core away, which
    /// are milliseconds.
    pub(super) fn beside_others() -> Self {
        Self { threads: Self::whole().threads - 1, gives_way: true }
    }

    /// So many threads.
    #[cfg(test)]
    pub(super) fn of(threads: usize) -> Self {
        Self { threads, gives_way: threads.is_multiple_of(2) }
    }
}

/// What `work` makes of each of `things`, in their order, on this thread and others. Where the system
/// has no thread to give, this one does the work.
pub(super) fn map<T: Sync, R: Send>(
    things: &[T],
    crew: Crew,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(taken) = things.chunks(AT_A_TIME).nth(place) else { return done };
            done.push((place, taken.iter().map(&work).collect::<Vec<_>>()));
            if crew.gives_way {
                thread::yield_now();
            }
        }
    };
    let others = crew.threads.min(things.len().div_ceil(AT_A_TIME)).saturating_sub(1);
    let mut done = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().name("reading".to_owned()).spawn_scoped(scope, take);
        let others: Vec<_> = (0..others).map_while(|number| spawn(number).ok()).collect();
        let mut done = take();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().flat_map(|(_, results)| results).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_things() {
        for count in [0, 1, AT_A_TIME, 20 * AT_A_TIME + 1] {
            let things: Vec<usize> = (0..count).collect();
            for threads in [0, 1, 2, 7] {
                let results = map(&things, Crew::of(threads), |thing| {
                    // The first ones are the last to be done.
                    thread::sleep(std::time::Duration::from_micros((count - thing) as u64));
                    thing * 2
                });
                assert_eq!(results, things.iter().map(|thing| thing * 2).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn the_work_is_shared() {
        let things = [(); 2 * AT_A_TIME];
        // Nobody goes on before both are there.
        let both = std::sync::Barrier::new(2);
        let mut by = map(&things, Crew::of(2), |()| {
            both.wait();
            thread::current().id()
        });
        by.dedup();
        assert_eq!(by.len(), 2);
    }

    #[test]
    #[should_panic(expected = "the work failed")]
    fn a_panic_is_passed_on() {
        map(&[(); 100], Crew::of(4), |()| panic!("the work failed"));
    }
}
