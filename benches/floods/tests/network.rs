use std::net::Ipv4Addr;

use crate::network::{ATTACKER, other_visitor};

#[test]
fn other_visitors_have_loopback_addresses_of_their_own() {
    assert_eq!(other_visitor(1), Ipv4Addr::new(127, 1, 0, 1));
    assert_eq!(other_visitor(258), Ipv4Addr::new(127, 1, 1, 2));
    assert!((0..70_000).map(other_visitor).all(|address| address.is_loopback() && address != ATTACKER));
}
