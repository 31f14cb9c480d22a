//! How many connections there are, in all and from each client.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

/// The connections that are open.
#[derive(Debug, Default)]
pub(super) struct Clients {
    all: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize, RandomState>>,
}

impl Clients {
    /// One more connection, unless `limit` are open.
    pub(super) fn open(self: &Arc<Self>, limit: usize) -> Option<Permit> {
        let permit = Permit(Arc::clone(self));
        (self.all.fetch_add(1, Ordering::Relaxed) < limit).then_some(permit)
    }

    /// One more connection from `address`, unless it has `limit` open.
    pub(super) fn open_from(
        self: &Arc<Self>,
        address: IpAddr,
        limit: usize,
    ) -> Option<ClientPermit> {
        let address = client(address);
        let mut open = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(ClientPermit { clients: Arc::clone(self), address })
    }
}

/// One client: an IPv4 address, or the /64 that an IPv6 client has to itself.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

/// One of all connections, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Clients>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.all.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One of a client's connections, until it is dropped.
#[derive(Debug)]
pub(super) struct ClientPermit {
    clients: Arc<Clients>,
    address: IpAddr,
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        let mut open = self.clients.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_given_back() {
        let clients = Arc::<Clients>::default();
        let one = clients.open(1).expect("the first");
        assert!(clients.open(1).is_none());
        drop(one);
        assert!(clients.open(1).is_some());
    }

    #[test]
    fn clients_are_told_apart() {
        let clients = Arc::<Clients>::default();
        let open = |address: &str| clients.open_from(address.parse().expect("an address"), 1);
        let first = open("192.0.2.7").expect("the first");
        assert!(open("::ffff:192.0.2.7").is_none());
        let _other = open("192.0.2.8").expect("another client");
        let _v6 = open("2001:db8::1").expect("a third");
        assert!(open("2001:db8::2").is_none(), "a /64 is one client");
        assert!(open("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(open("192.0.2.7").is_some());
        assert_eq!(clients.by_address.lock().expect("no panic").len(), 2);
    }
}
