//! A bound on the log lines that outsiders can cause.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Lines in a second. More would tell a person no more, and fill a disk.
const LINES: u32 = 50;

/// Lines that are left for the second that is running.
#[derive(Debug, Default)]
pub struct LogBudget(Mutex<Spent>);

#[derive(Debug, Default)]
struct Spent {
    since: Option<Instant>,
    lines: u32,
}

impl LogBudget {
    /// Whether one more line may be written now. After a second in which there were too many, a line
    /// of its own tells how many were left out.
    pub fn allows_one(&self) -> bool {
        let (allowed, left_out) = self.spend(Instant::now());
        if left_out > 0 {
            tracing::warn!(left_out, "more connections and requests were refused than are logged");
        }
        allowed
    }

    fn spend(&self, now: Instant) -> (bool, u32) {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = spent.since.is_some_and(|since| now - since < Duration::from_secs(1));
        let mut left_out = 0;
        if !runs {
            left_out = spent.lines.saturating_sub(LINES);
            *spent = Spent { since: Some(now), lines: 0 };
        }
        spent.lines = spent.lines.saturating_add(1);
        (spent.lines <= LINES, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told() {
        let budget = LogBudget::default();
        let start = Instant::now();
        for _ in 0..LINES {
            assert_eq!(budget.spend(start), (true, 0));
        }
        assert_eq!(budget.spend(start), (false, 0));
        assert_eq!(budget.spend(start + Duration::from_millis(999)), (false, 0));
        assert_eq!(budget.spend(start + Duration::from_secs(1)), (true, 2));
        assert_eq!(budget.spend(start + Duration::from_secs(2)), (true, 0));
    }
}
