//! Networks of addresses.

use std::net::IpAddr;

use ipnet::IpNet;

/// A few networks, in which an address is or is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Whether `address` is in one of them. An IPv4 address that is written as an IPv6 one (RFC 4291
    /// 2.5.5.2), as dual-stack sockets show them, counts as what it is.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

/// A network as people write it: `10.0.0.0/8`, or an address alone.
pub(super) fn parse(text: &str) -> Option<IpNet> {
    text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks() {
        let networks: Networks =
            ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"].into_iter().filter_map(parse).collect();
        let cases = [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.1.2.3", true),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
        ];
        for (address, expected) in cases {
            assert_eq!(
                networks.contain(address.parse().expect("an address")),
                expected,
                "{address}"
            );
        }
        assert_eq!(parse("10.0.0.0/33"), None);
        assert_eq!(parse("localhost"), None);
    }
}
