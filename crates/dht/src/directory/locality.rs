//! Which advertisements are limited together: those of one address prefix.

use repute_base::Address;

use crate::diversity::{Group, is_routable};

/// Where an author is, as far as that says anything; nothing if it does not. Loopback and private
/// addresses tell places apart only among nodes that are linked over such (`local`).
pub(super) fn group_of(address: Option<&Address>, local: bool, strict: bool) -> Option<Group> {
    let address = address.filter(|address| strict || local || is_routable(address))?;
    Some(Group::of(address, strict))
}

/// Whether an address means something only on this machine or in this private network.
pub(super) fn is_local(address: &Address) -> bool {
    !is_routable(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_ports_are_many_places_only_where_links_are_local() {
        let at = |text: &str| text.parse::<Address>().expect("an address");
        let group = |text: &str, local, strict| group_of(Some(&at(text)), local, strict);
        let (a, b) = ("203.0.113.1:1", "203.0.113.200:2");
        assert_eq!(group(a, true, false), group(b, true, false));
        assert_ne!(group(a, true, false), group("203.0.114.1:1", true, false));
        let (c, d) = ("127.0.0.1:1", "127.0.0.1:2");
        assert_ne!(group(c, true, false), group(d, true, false));
        assert_eq!(group(c, true, true), group(d, true, true));
        assert_eq!(group(c, false, false), None);
        assert_eq!(group_of(None, true, false), None);
    }
}
