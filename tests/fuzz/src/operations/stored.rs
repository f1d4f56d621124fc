//! What comes back from the store: whatever is in it, it is read or refused.

use repute_base::{Machine, Timestamp, Wall};
use repute_node::peers::Stored;
use repute_node::trust::{Ban, Config, Input, Ledger, Limits, Record};

use super::reader::drain;

/// A ledger that holds what the store had works on, at any time.
fn work_on(mut ledger: Ledger, subject: repute_identity::NodeId) {
    drain(&mut ledger);
    for wall in [0, 1, 1_700_000_000_000, u64::MAX] {
        let standing = ledger.standing(subject, Wall::from_millis(wall));
        assert!(standing.trust.raw() >= 0);
        ledger.handle(Timestamp::from_millis(5, wall), Input::Tick);
        drain(&mut ledger);
        ledger.handle(Timestamp::from_millis(6, wall), Input::Unban { subject });
        drain(&mut ledger);
    }
}

fn ledger() -> Ledger {
    Ledger::new(Config::default(), Limits::default()).unwrap()
}

/// A record that is read is written as one that says the same, and a ledger bears it.
pub fn record(bytes: &[u8]) {
    let record = match Record::from_bytes(bytes) {
        Ok(record) => record,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    let mut ledger = ledger();
    ledger.restore(&record);
    let explained = ledger.explain(record.subject, &[record], record.wall);
    assert!(explained.matches, "{explained:?}");
    work_on(ledger, record.subject);
}

/// The same for a ban.
pub fn ban(bytes: &[u8]) {
    let ban = match Ban::from_bytes(bytes) {
        Ok(ban) => ban,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(Ban::from_bytes(&ban.to_bytes()), Ok(ban.clone()));
    assert!(!ban.reason.to_string().contains(char::is_control));
    let mut ledger = ledger();
    ledger.restore_ban(&ban);
    work_on(ledger, ban.subject);
}

/// The same for an entry of the address book.
pub fn peer(bytes: &[u8]) {
    let Ok(stored) = Stored::decode(bytes) else {
        return;
    };
    assert_eq!(stored.encode(), bytes, "encode(decode(x)) = x");
    let me = super::cast::id(super::cast::ME);
    let rng = repute_base::Rng::from_u64(1);
    let mut peers =
        repute_node::peers::Peers::new(Default::default(), Default::default(), me, rng).unwrap();
    let id = stored.id;
    peers.restore(stored);
    peers.restore_anchors(vec![id]);
    for wall in [0, 1_700_000_000_000, u64::MAX] {
        peers.handle(
            Timestamp::from_millis(5, wall),
            repute_node::peers::Input::Start,
        );
        drain(&mut peers);
        assert!(peers.iter().count() <= 1);
    }
}
