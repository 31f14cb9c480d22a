//! What has been tried for one request, and whether there is another attempt.

use smallvec::SmallVec;

use super::Purpose;

/// The attempts at one exchange.
#[derive(Debug)]
pub struct Attempts {
    purpose: Purpose,
    left: usize,
    failed: SmallVec<[Failed; 4]>,
    /// Where a pooled connection was stale: the next attempt is a new connection to it.
    same: Option<usize>,
    has_been_stale: bool,
}

#[derive(Debug)]
struct Failed {
    endpoint: usize,
    is_unreachable: bool,
}

impl Attempts {
    /// An exchange that may be tried `retries` times more.
    pub fn new(purpose: Purpose, retries: usize) -> Self {
        Self { purpose, left: retries, failed: SmallVec::new(), same: None, has_been_stale: false }
    }

    /// What the connection is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Whether the request may be sent once more after this time; `is_reused` says whether it goes
    /// out on a connection that has served before.
    pub fn may_go_on(&self, is_reused: bool) -> bool {
        self.left > 0 || (is_reused && !self.has_been_stale)
    }

    /// Allows one more attempt after one that failed on a connection to `endpoint`, and says
    /// whether it counts as a retry; `None` where there is none. The first failure of a connection
    /// that has served before is in the nature of pools (RFC 9112 9.3.1), and costs none.
    pub fn next_after_failure(&mut self, endpoint: usize, is_reused: bool) -> Option<bool> {
        if is_reused && !self.has_been_stale {
            self.has_been_stale = true;
            self.same = Some(endpoint);
            return Some(false);
        }
        self.left = self.left.checked_sub(1)?;
        self.failed.push(Failed { endpoint, is_unreachable: false });
        Some(true)
    }

    /// Whether another of `all` addresses is to be tried after no connection could be made to this
    /// one.
    pub fn next_after_unreachable(&mut self, endpoint: usize, all: usize) -> bool {
        self.failed.push(Failed { endpoint, is_unreachable: true });
        let is_left = (0..all).any(|endpoint| !self.is_unreachable(endpoint));
        if self.left == 0 || !is_left {
            return false;
        }
        self.left -= 1;
        true
    }

    /// Where a new connection is to be made, whatever the balance says.
    pub fn take_same(&mut self) -> Option<usize> {
        self.same.take()
    }

    /// Whether an attempt there has failed.
    pub fn has_failed(&self, endpoint: usize) -> bool {
        self.failed.iter().any(|failed| failed.endpoint == endpoint)
    }

    /// Whether no connection could be made there.
    pub fn is_unreachable(&self, endpoint: usize) -> bool {
        self.failed.iter().any(|failed| failed.endpoint == endpoint && failed.is_unreachable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_counted_and_one_stale_connection_is_not() {
        let mut attempts = Attempts::new(Purpose::Exchange, 2);
        assert_eq!(attempts.next_after_failure(1, true), Some(false));
        assert_eq!((attempts.take_same(), attempts.take_same()), (Some(1), None));
        assert!(!attempts.has_failed(1));
        assert_eq!(attempts.next_after_failure(1, true), Some(true), "stale once only");
        assert!(attempts.has_failed(1) && !attempts.is_unreachable(1));
        assert!(attempts.may_go_on(false));
        assert_eq!(attempts.next_after_failure(0, false), Some(true));
        assert!(!attempts.may_go_on(true));
        assert_eq!(attempts.next_after_failure(0, false), None);
    }

    #[test]
    fn no_retry_is_left_for_nowhere() {
        let mut attempts = Attempts::new(Purpose::Exchange, 9);
        assert!(attempts.next_after_unreachable(0, 2));
        assert!(!attempts.next_after_unreachable(1, 2));
        let mut attempts = Attempts::new(Purpose::Exchange, 0);
        assert!(!attempts.next_after_unreachable(0, 2));
        assert!(attempts.may_go_on(true) && !attempts.may_go_on(false));
    }
}
