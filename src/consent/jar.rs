//! The cookies that a consent tool names, out of all that a request carries.

/// The most cookies that one tool is read from, the firewall's own among them.
pub(super) const MAX_COOKIES: usize = 8;

/// One value for each of the names that [`super::Rules`] lists, in their order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Jar<'c>([Option<&'c [u8]>; MAX_COOKIES]);

impl<'c> Jar<'c> {
    /// The value of the tool's first cookie.
    pub(super) fn main(&self) -> Option<&'c [u8]> {
        self.get(0)
    }

    pub(super) fn get(&self, slot: usize) -> Option<&'c [u8]> {
        self.0.get(slot).copied().flatten()
    }

    pub(super) fn put(&mut self, slot: usize, value: &'c [u8]) {
        if let Some(place) = self.0.get_mut(slot) {
            *place = Some(value);
        }
    }

    /// This jar with another value in one of its slots.
    pub(super) fn with(mut self, slot: usize, value: &'c [u8]) -> Self {
        self.put(slot, value);
        self
    }

    /// This jar without what is in one of its slots.
    pub(super) fn without(mut self, slot: usize) -> Self {
        if let Some(place) = self.0.get_mut(slot) {
            *place = None;
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values().next().is_none()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &'c [u8]> {
        self.0.into_iter().flatten()
    }
}
