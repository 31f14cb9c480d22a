//! Where decoders put what they read.

use super::Ids;

/// Why a request's consent cookies hold no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// The tool has written its cookie, or part of it, and nobody has chosen yet.
    Unset,
    /// The answer was given to a request for consent that has been replaced since.
    Expired,
    /// Not in the tool's form.
    Malformed,
    /// Given at a time that has not come yet.
    Ahead,
    /// Two answers disagree, or one with itself.
    Conflict,
}

/// When the visitor answered (Unix seconds), where the tool writes it down.
pub(super) type Date = Option<i64>;

/// What the cookies answer, by the ids of the site; ids that it does not use fall away.
#[derive(Debug)]
pub(super) struct Answers<'r> {
    pub(super) ids: &'r [Box<str>],
    pub(super) granted: Ids,
    pub(super) denied: Ids,
}

impl<'r> Answers<'r> {
    pub(super) fn to(ids: &'r [Box<str>]) -> Self {
        Self { ids, granted: Ids::NONE, denied: Ids::NONE }
    }

    pub(super) fn index(&self, id: impl AsRef<[u8]>) -> Option<usize> {
        self.ids.iter().position(|known| known.as_bytes() == id.as_ref())
    }

    pub(super) fn put(&mut self, index: usize, granted: bool) {
        self.put_all(Ids::one(index), granted);
    }

    pub(super) fn put_all(&mut self, ids: Ids, granted: bool) {
        let set = if granted { &mut self.granted } else { &mut self.denied };
        *set = set.union(ids);
    }

    /// Answers for `id`, if the site uses it.
    pub(super) fn answer(&mut self, id: &str, granted: bool) {
        self.answer_of("", id, granted);
    }

    /// Answers for the id that is `prefix` and `id` in one.
    pub(super) fn answer_of(&mut self, prefix: &str, id: &str, granted: bool) {
        let mut ids = self.ids.iter();
        if let Some(index) = ids.position(|known| known.strip_prefix(prefix) == Some(id)) {
            self.put(index, granted);
        }
    }
}
