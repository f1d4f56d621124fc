//! The blacklist: what puts a peer on it by itself, what the operator does to it, and that a
//! restart comes to the same entries.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::time::Duration;

use repute_base::{BoundedString, Machine, Timestamp, Wall};
use repute_identity::NodeId;
use repute_protocol::Misbehaviour;
use repute_trust::{
    AddressBan, AddressBans, AddressInput, AddressOutput, Ban, BanReason, BlacklistConfig, By,
    Config, Context, Criterion, Evidence, Fault, Gate, Input, Ledger, Limits, Mode, Output, Record,
    Threshold, Write,
};

const HOUR: u64 = 3_600_000;
const START: u64 = 1_800_000_000_000;

struct Bench {
    ledger: Ledger,
    config: Config,
    ms: u64,
    records: Vec<Record>,
    bans: Vec<Ban>,
}

fn peer(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

impl Bench {
    fn new(change: impl FnOnce(&mut BlacklistConfig)) -> Self {
        let mut config = Config::default();
        change(&mut config.blacklist);
        // The ladder is tried elsewhere; here it stays out of the way.
        config.ladder.hard_ban = 1_000;
        config.ladder.soft_grey = 1_000;
        config.ladder.hard_below_min = false;
        Self {
            ledger: Ledger::new(config.clone(), Limits::default()).unwrap(),
            config,
            ms: 0,
            records: Vec::new(),
            bans: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.ms, START + self.ms)
    }

    fn handle(&mut self, input: Input) {
        self.ledger.handle(self.now(), input);
        while let Some(output) = self.ledger.poll_output() {
            match output {
                Output::Persist(Write::Record(record)) => self.records.push(record),
                Output::Persist(Write::Ban(ban)) => {
                    self.bans.retain(|known| known.subject != ban.subject);
                    self.bans.push(ban);
                }
                Output::Persist(Write::Unban(subject)) => {
                    self.bans.retain(|known| known.subject != subject);
                }
                _ => {}
            }
        }
    }

    fn see(&mut self, subject: NodeId, context: Context, evidence: Evidence) {
        self.handle(Input::Observe {
            subject,
            context,
            evidence,
            fault: Fault::Theirs,
        });
        self.ms += 2_000;
    }

    fn invalid(&mut self, kind: Misbehaviour) {
        self.see(peer(1), Context::Network, Evidence::Invalid(kind));
    }

    fn ban_of(&self, subject: NodeId) -> Option<Ban> {
        let mut bans = self.ledger.bans(self.now().wall);
        bans.find(|ban| ban.subject == subject).cloned()
    }

    /// The same node after a restart, with the stored bans or without them.
    fn restarted(&self, with_bans: bool) -> Ledger {
        let mut ledger = Ledger::new(self.config.clone(), Limits::default()).unwrap();
        self.records
            .iter()
            .for_each(|record| ledger.restore(record));
        if with_bans {
            self.bans.iter().for_each(|ban| ledger.restore_ban(ban));
        }
        ledger
    }
}

#[test]
fn each_criterion_bans_at_its_threshold_and_names_itself() {
    let cases: [(Criterion, Misbehaviour); 4] = [
        (Criterion::MalformedData, Misbehaviour::MalformedPayload),
        (Criterion::Violations, Misbehaviour::ForgedEnvelope),
        (Criterion::Attempts, Misbehaviour::ConnectionFlood),
        (Criterion::Betrayals, Misbehaviour::ForgedEnvelope),
    ];
    for (criterion, kind) in cases {
        let mut bench = Bench::new(|config| {
            let off = Threshold::new(0, 1);
            config.malformed_data = off;
            config.violations = off;
            config.attempts = off;
            config.betrayals = off;
            let three = Threshold::new(3, 24 * 365);
            match criterion {
                Criterion::MalformedData => config.malformed_data = three,
                Criterion::Violations => config.violations = three,
                Criterion::Attempts => config.attempts = three,
                _ => config.betrayals = three,
            }
        });
        for round in 1..=3 {
            if criterion == Criterion::Betrayals {
                // It earns trust between its faults.
                for _ in 0..24 * 5 {
                    for _ in 0..20 {
                        bench.see(peer(1), Context::Network, Evidence::Useful);
                    }
                    bench.ms += HOUR;
                }
            }
            assert_eq!(bench.ban_of(peer(1)), None, "{criterion} before {round}");
            bench.invalid(kind);
        }
        let ban = bench.ban_of(peer(1)).expect("banned");
        assert_eq!(
            ban.reason,
            BanReason::Criterion {
                criterion,
                count: 3
            }
        );
        assert_eq!(ban.by, By::Rule);
        assert_eq!(ban.until, Some(ban.since + Duration::from_secs(86_400)));
        assert_eq!(Ban::from_bytes(&ban.to_bytes()), Ok(ban));
    }
}

#[test]
fn what_is_not_the_peers_fault_or_too_long_ago_counts_nothing() {
    let mut bench = Bench::new(|config| config.violations = Threshold::new(3, 1));
    for _ in 0..50 {
        for fault in [Fault::Ours, Fault::Network] {
            bench.handle(Input::Observe {
                subject: peer(1),
                context: Context::Network,
                evidence: Evidence::Invalid(Misbehaviour::WrongNetwork),
                fault,
            });
        }
        // Silence of a neighbour closes no gate.
        bench.see(peer(1), Context::Network, Evidence::Timeout);
        bench.invalid(Misbehaviour::FromTheFuture);
        bench.ms += HOUR;
    }
    for _ in 0..20 {
        bench.invalid(Misbehaviour::WrongNetwork);
        bench.ms += HOUR / 2;
    }
    assert_eq!(bench.ban_of(peer(1)), None);
    bench.invalid(Misbehaviour::WrongNetwork);
    bench.invalid(Misbehaviour::WrongNetwork);
    assert!(bench.ban_of(peer(1)).is_some(), "the third within the hour");
}

#[test]
fn a_manual_blacklist_is_the_operators_alone() {
    let mut bench = Bench::new(|config| {
        config.mode = Mode::Manual;
        config.violations = Threshold::new(2, 24);
    });
    for _ in 0..100 {
        bench.invalid(Misbehaviour::WrongNetwork);
    }
    assert_eq!(bench.ban_of(peer(1)), None);
    bench.handle(Input::Ban {
        subject: peer(1),
        duration: None,
        reason: BoundedString::truncated("enough"),
    });
    assert_eq!(bench.ban_of(peer(1)).unwrap().by, By::Operator);
}

#[test]
fn a_restart_finds_the_entries_again_and_a_pardon_stays_one() {
    let mut bench = Bench::new(|config| config.violations = Threshold::new(3, 24));
    for _ in 0..3 {
        bench.invalid(Misbehaviour::WrongNetwork);
    }
    let ban = bench.ban_of(peer(1)).unwrap();
    for with_bans in [true, false] {
        let again = bench.restarted(with_bans);
        assert_eq!(
            again.bans(bench.now().wall).next(),
            Some(&ban),
            "{with_bans}"
        );
    }
    bench.handle(Input::Unban { subject: peer(1) });
    assert!(bench.bans.is_empty());
    for with_bans in [true, false] {
        let again = bench.restarted(with_bans);
        assert_eq!(again.bans(bench.now().wall).count(), 0, "{with_bans}");
    }
    // Counting began anew.
    bench.invalid(Misbehaviour::WrongNetwork);
    bench.invalid(Misbehaviour::WrongNetwork);
    assert_eq!(bench.ban_of(peer(1)), None);
    bench.invalid(Misbehaviour::WrongNetwork);
    assert!(bench.ban_of(peer(1)).is_some());
}

#[test]
fn an_entry_is_edited_in_place_and_is_the_operators_then() {
    let mut bench = Bench::new(|config| config.violations = Threshold::new(2, 24));
    bench.invalid(Misbehaviour::WrongNetwork);
    bench.invalid(Misbehaviour::WrongNetwork);
    let before = bench.ban_of(peer(1)).unwrap();
    bench.ms += HOUR;
    bench.handle(Input::EditBan {
        subject: peer(1),
        reason: None,
        duration: Some(None),
    });
    let edited = bench.ban_of(peer(1)).unwrap();
    assert_eq!(
        (edited.since, edited.until, edited.by),
        (before.since, None, By::Operator)
    );
    assert!(
        edited.reason.to_string().contains("violations"),
        "{}",
        edited.reason
    );
    assert_eq!(
        bench.ledger.standing(peer(1), bench.now().wall).gate,
        Gate::Banned { until: None }
    );
    bench.handle(Input::EditBan {
        subject: peer(1),
        reason: Some(BoundedString::truncated("talked to them")),
        duration: Some(Some(Duration::from_secs(60))),
    });
    let edited = bench.ban_of(peer(1)).unwrap();
    assert_eq!(
        edited.until,
        Some(bench.now().wall + Duration::from_secs(60))
    );
    assert_eq!(
        bench.restarted(true).bans(bench.now().wall).next(),
        Some(&edited)
    );
    // Nobody who is not there is edited into being.
    bench.handle(Input::EditBan {
        subject: peer(2),
        reason: None,
        duration: None,
    });
    assert_eq!(bench.ban_of(peer(2)), None);
}

fn put(text: &str, hours: Option<u64>) -> AddressInput {
    AddressInput::Put {
        prefix: text.parse().unwrap(),
        duration: hours.map(|hours| Duration::from_secs(hours * 3_600)),
        reason: BoundedString::truncated("spam"),
    }
}

fn drained(list: &mut AddressBans) -> (Option<Vec<AddressBan>>, Option<usize>) {
    let (mut stored, mut barred) = (None, None);
    while let Some(output) = list.poll_output() {
        match output {
            AddressOutput::Persist(all) => stored = Some(all),
            AddressOutput::Barred(prefixes) => barred = Some(prefixes.len()),
            AddressOutput::Full(_) => barred = None,
        }
    }
    (stored, barred)
}

#[test]
fn addresses_are_kept_edited_and_lapse_at_their_time() {
    let at = |ms| Timestamp::from_millis(ms, START + ms);
    let mut list = AddressBans::default();
    list.handle(at(0), put("192.0.2.0/24", Some(2)));
    list.handle(at(0), put("2001:db8::/32", None));
    let (stored, barred) = drained(&mut list);
    let stored = stored.unwrap();
    assert_eq!((stored.len(), barred), (2, Some(2)));
    let bytes = AddressBan::list_to_bytes(&stored);
    assert_eq!(AddressBan::list_from_bytes(&bytes), Ok(stored.clone()));
    let ip = "192.0.2.77".parse().unwrap();
    assert!(list.covering(ip, at(HOUR).wall).is_some());
    list.handle(
        at(HOUR),
        AddressInput::Edit {
            prefix: "192.0.2.0/24".parse().unwrap(),
            reason: Some(BoundedString::truncated("less")),
            duration: Some(Some(Duration::from_secs(600))),
        },
    );
    let due = list.next_deadline().unwrap();
    assert_eq!(due, at(HOUR + 600_000).mono);
    drained(&mut list);
    list.handle(at(HOUR + 600_000), AddressInput::Tick);
    assert_eq!(drained(&mut list).1, Some(1));
    assert!(list.covering(ip, at(HOUR + 600_000).wall).is_none());
    list.handle(
        at(HOUR + 600_000),
        AddressInput::Remove("2001:db8::/32".parse().unwrap()),
    );
    assert_eq!(drained(&mut list), (Some(Vec::new()), Some(0)));
    assert_eq!(list.next_deadline(), None);
    let mut again = AddressBans::default();
    again.restore(stored);
    assert_eq!(drained(&mut again).1, Some(2), "in force from the start");
}

#[test]
fn a_clock_that_jumps_by_years_frees_no_address() {
    let mut list = AddressBans::default();
    list.handle(Timestamp::from_millis(0, START), put("192.0.2.1", Some(2)));
    list.handle(
        Timestamp::from_millis(60_000, START + 3_650 * 24 * HOUR),
        AddressInput::Tick,
    );
    let ip = "192.0.2.1".parse().unwrap();
    assert!(
        list.covering(ip, Wall::from_millis(START + 3_650 * 24 * HOUR))
            .is_some()
    );
}

#[test]
fn the_list_of_addresses_is_bounded_and_those_for_good_stay() {
    let at = Timestamp::from_millis(0, START);
    let mut list = AddressBans::default();
    list.handle(at, put("198.51.100.1", Some(1)));
    for n in 0..AddressBan::COUNT_MAX as u32 {
        let text = format!("10.{}.{}.1", n / 256, n % 256);
        list.handle(at, put(&text, None));
        drained(&mut list);
    }
    assert_eq!(list.iter(at.wall).count(), AddressBan::COUNT_MAX);
    assert!(
        list.covering("198.51.100.1".parse().unwrap(), at.wall)
            .is_none()
    );
    list.handle(at, put("203.0.113.9", None));
    assert_eq!(
        list.poll_output(),
        Some(AddressOutput::Full("203.0.113.9".parse().unwrap()))
    );
    assert_eq!(list.poll_output(), None, "nothing was written");
    let all: Vec<AddressBan> = list.iter(at.wall).cloned().collect();
    let bytes = AddressBan::list_to_bytes(&all);
    assert_eq!(
        AddressBan::list_from_bytes(&bytes).unwrap().len(),
        all.len()
    );
}

proptest::proptest! {
    #[test]
    fn stored_lists_are_refused_or_canonical(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        if let Ok(list) = AddressBan::list_from_bytes(&bytes) {
            let again = AddressBan::list_from_bytes(&AddressBan::list_to_bytes(&list));
            proptest::prop_assert_eq!(again, Ok(list));
        }
        if let Ok(appeals) = repute_trust::Appeals::from_bytes(&bytes) {
            proptest::prop_assert_eq!(appeals.to_bytes(), bytes);
        }
    }
}
