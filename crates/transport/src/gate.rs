//! Who may come in: limits on connections that have proved nothing yet.

use core::net::{IpAddr, SocketAddr};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use repute_base::{Mono, Prefix, TokenBucket};
use tokio::sync::Notify;

use crate::Config;

/// Addresses whose rates are remembered; those that have rested are forgotten first.
/// Forgetting one gives it its burst again, no more.
const ADDRESSES_MAX: usize = 4_096;

/// Between two connections of one barred address that are let in to be told why, in ms.
const BARRED_PAUSE_MS: u64 = 60_000;

/// Where a connection comes from, as limits see it: one owner commands a whole /64 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    V4([u8; 4]),
    V6([u8; 8]),
    /// A neighbour on this machine, by port.
    Local(u16),
}

impl Origin {
    fn of(remote: SocketAddr, loopback_strict: bool) -> Self {
        let ip = remote.ip().to_canonical();
        if ip.is_loopback() && !loopback_strict {
            return Self::Local(remote.port());
        }
        match ip {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// Origins count apart by whether they proved their address, so that packets with a forged source
/// cannot use up what an honest owner of that address is allowed.
type Key = (Origin, bool);

/// What to do with a connection.
#[derive(Debug)]
pub(crate) enum Verdict {
    Enter(HalfOpen),
    /// Prove your address first.
    Retry,
    Refuse,
    /// Refused for where it comes from.
    Barred,
}

#[derive(Debug, Default)]
struct State {
    /// By age, the oldest first; who holds one is told when it is taken away.
    places: BTreeMap<u64, (Key, Arc<Notify>)>,
    entered: u64,
    by_origin: BTreeMap<Key, usize>,
    rates: BTreeMap<Key, TokenBucket>,
    barred: Vec<Prefix>,
    /// When each barred origin was last let in.
    told: BTreeMap<Origin, Mono>,
}

#[derive(Debug)]
pub(crate) struct Gate {
    half_open_max: usize,
    per_origin_max: usize,
    validate_above: usize,
    rate: u64,
    burst: u64,
    loopback_strict: bool,
    state: Mutex<State>,
}

impl Gate {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            half_open_max: config.half_open_max,
            // Half for those who proved their address, half for those who did not.
            per_origin_max: config.half_open_per_address_max.div_ceil(2),
            validate_above: config.validate_above,
            rate: config.accept_rate,
            burst: config.accept_burst,
            loopback_strict: config.loopback_strict,
            state: Mutex::default(),
        }
    }

    pub(crate) fn judge(self: &Arc<Self>, remote: SocketAddr, proved: bool, now: Mono) -> Verdict {
        let key = (Origin::of(remote, self.loopback_strict), proved);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_barred(remote) {
            // Who only pretends to be there uses up nothing of whoever is.
            if !proved {
                return Verdict::Retry;
            }
            if !state.may_be_told(Origin::of(remote, true), now) {
                return Verdict::Barred;
            }
        }
        if !proved && state.places.len() >= self.validate_above.min(self.half_open_max) {
            return Verdict::Retry;
        }
        let held = state.by_origin.get(&key).copied().unwrap_or(0);
        if held >= self.per_origin_max
            || self.half_open_max == 0
            || !self.within_rate(&mut state, key, now)
        {
            return if proved {
                Verdict::Refuse
            } else {
                Verdict::Retry
            };
        }
        // Whoever stood here longest goes: an honest peer needs a place for moments only, and a
        // crowd that fills them all cannot keep others out.
        while state.places.len() >= self.half_open_max {
            let Some((_, (oldest, put_out))) = state.places.pop_first() else {
                break;
            };
            state.leave(oldest);
            put_out.notify_one();
        }
        state.entered += 1;
        let (number, put_out) = (state.entered, Arc::new(Notify::new()));
        state.places.insert(number, (key, Arc::clone(&put_out)));
        *state.by_origin.entry(key).or_default() += 1;
        Verdict::Enter(HalfOpen {
            gate: Arc::clone(self),
            number,
            put_out,
        })
    }

    fn within_rate(&self, state: &mut State, key: Key, now: Mono) -> bool {
        if !state.rates.contains_key(&key) && state.rates.len() >= ADDRESSES_MAX {
            let burst = self.burst;
            state
                .rates
                .retain(|_, bucket| !bucket.wait(now, burst).is_zero());
            // Half at least must go, or the next ones would pay for this search again.
            if state.rates.len() > ADDRESSES_MAX / 2 {
                state.rates.clear();
            }
        }
        let fresh = || TokenBucket::new(self.rate, self.burst, now);
        state.rates.entry(key).or_insert_with(fresh).take(now, 1)
    }

    /// Replaces what is barred.
    pub(crate) fn bar(&self, prefixes: Vec<Prefix>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.barred = prefixes;
    }

    pub(crate) fn half_open(&self) -> usize {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .places
            .len()
    }
}

impl State {
    fn is_barred(&self, remote: SocketAddr) -> bool {
        let ip = remote.ip().to_canonical();
        self.barred.iter().any(|prefix| prefix.contains(ip))
    }

    fn may_be_told(&mut self, origin: Origin, now: Mono) -> bool {
        let lately = |at: &Mono| now.since(*at).as_millis() < u128::from(BARRED_PAUSE_MS);
        if self.told.get(&origin).is_some_and(lately) {
            return false;
        }
        if self.told.len() >= ADDRESSES_MAX {
            self.told.retain(|_, at| lately(at));
        }
        // So many at once are no neighbours who want to know why.
        let room = self.told.len() < ADDRESSES_MAX;
        if room {
            self.told.insert(origin, now);
        }
        room
    }

    fn leave(&mut self, key: Key) {
        if let Some(held) = self.by_origin.get_mut(&key) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.by_origin.remove(&key);
            }
        }
    }
}

/// A place among the connections that have proved nothing yet; given back when dropped.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    gate: Arc<Gate>,
    number: u64,
    put_out: Arc<Notify>,
}

impl HalfOpen {
    /// Waits until the place is taken away for somebody else.
    pub(crate) async fn put_out(&self) {
        self.put_out.notified().await;
    }
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        let mut state = self
            .gate
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((key, _)) = state.places.remove(&self.number) {
            state.leave(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(change: impl FnOnce(&mut Config)) -> Arc<Gate> {
        let mut config = Config::new("127.0.0.1:0".parse().unwrap());
        change(&mut config);
        Arc::new(Gate::new(&config))
    }

    fn host(n: u32) -> SocketAddr {
        SocketAddr::new(IpAddr::from((0x0a00_0000 + n).to_be_bytes()), 9)
    }

    fn enter(gate: &Arc<Gate>, from: SocketAddr, proved: bool) -> Option<HalfOpen> {
        match gate.judge(from, proved, Mono::ZERO) {
            Verdict::Enter(place) => Some(place),
            _ => None,
        }
    }

    #[test]
    fn one_address_gets_sixteen_places_and_gets_them_back() {
        let gate = gate(|_| {});
        let mut places: Vec<_> = (0..8)
            .map(|_| enter(&gate, host(1), true).unwrap())
            .collect();
        places.extend((0..8).map(|_| enter(&gate, host(1), false).unwrap()));
        assert!(matches!(
            gate.judge(host(1), true, Mono::ZERO),
            Verdict::Refuse
        ));
        assert!(matches!(
            gate.judge(host(1), false, Mono::ZERO),
            Verdict::Retry
        ));
        assert!(enter(&gate, host(2), false).is_some());
        drop(places);
        assert_eq!(gate.half_open(), 0);
        assert!(enter(&gate, host(1), true).is_some());
    }

    #[test]
    fn past_128_half_open_an_address_must_be_proved_and_past_1024_the_oldest_goes() {
        let gate = gate(|_| {});
        let mut places: Vec<_> = (0..128)
            .map(|n| enter(&gate, host(n), false).unwrap())
            .collect();
        assert!(matches!(
            gate.judge(host(500), false, Mono::ZERO),
            Verdict::Retry
        ));
        places.extend((128..1_024).map(|n| enter(&gate, host(n), true).unwrap()));
        assert_eq!(gate.half_open(), 1_024);
        let oldest = places.remove(0);
        let newcomer = enter(&gate, host(5_000), true).unwrap();
        assert_eq!(gate.half_open(), 1_024);
        let told = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        told.block_on(oldest.put_out());
        // It has nothing to give back any more; the others do.
        drop(oldest);
        assert_eq!(gate.half_open(), 1_024);
        drop((places, newcomer));
        assert_eq!(gate.half_open(), 0);
        assert!(gate.state.lock().unwrap().by_origin.is_empty());
    }

    #[test]
    fn a_forged_source_cannot_use_up_what_its_owner_is_allowed() {
        let gate = gate(|_| {});
        for _ in 0..1_000 {
            drop(gate.judge(host(7), false, Mono::ZERO));
        }
        assert!(matches!(
            gate.judge(host(7), false, Mono::ZERO),
            Verdict::Retry
        ));
        assert!(enter(&gate, host(7), true).is_some());
    }

    #[test]
    fn an_address_that_connects_too_often_waits() {
        let gate = gate(|config| (config.accept_rate, config.accept_burst) = (4, 32));
        let burst = (0..100)
            .filter(|_| enter(&gate, host(1), true).is_some())
            .count();
        assert_eq!(burst, 32);
        let later = Mono::from_millis(1_000);
        let more = (0..100)
            .filter(|_| matches!(gate.judge(host(1), true, later), Verdict::Enter(_)))
            .count();
        assert_eq!(more, 4);
    }

    #[test]
    fn a_barred_address_is_let_in_once_a_minute_and_never_unproved() {
        let gate = gate(|_| {});
        gate.bar(vec!["10.0.0.0/24".parse().unwrap()]);
        assert!(
            enter(&gate, host(256), false).is_some(),
            "its neighbour is not barred"
        );
        for _ in 0..100 {
            let unproved = gate.judge(host(1), false, Mono::ZERO);
            assert!(matches!(unproved, Verdict::Retry));
        }
        assert!(enter(&gate, host(1), true).is_some());
        let at = |ms| gate.judge(host(1), true, Mono::from_millis(ms));
        for ms in [0, 1, 59_999] {
            assert!(matches!(at(ms), Verdict::Barred), "{ms}");
        }
        // Another address of the same prefix has its own minute.
        assert!(enter(&gate, host(2), true).is_some());
        assert!(matches!(at(60_000), Verdict::Enter(_)));
        gate.bar(Vec::new());
        assert!(matches!(at(60_001), Verdict::Enter(_)));
    }

    #[test]
    fn a_crowd_of_barred_addresses_is_not_remembered_without_bound() {
        let gate = gate(|_| {});
        gate.bar(vec!["10.0.0.0/8".parse().unwrap()]);
        for n in 0..2 * ADDRESSES_MAX as u32 {
            drop(gate.judge(host(n), true, Mono::ZERO));
        }
        assert_eq!(gate.state.lock().unwrap().told.len(), ADDRESSES_MAX);
        let later = Mono::from_millis(BARRED_PAUSE_MS);
        assert!(matches!(
            gate.judge(host(9_999), true, later),
            Verdict::Enter(_)
        ));
        assert_eq!(gate.state.lock().unwrap().told.len(), 1);
    }

    #[test]
    fn remembered_rates_are_bounded() {
        let gate = gate(|_| {});
        for n in 0..3 * ADDRESSES_MAX as u32 {
            drop(gate.judge(host(n), true, Mono::ZERO));
        }
        assert!(gate.state.lock().unwrap().rates.len() <= ADDRESSES_MAX);
        assert!(gate.state.lock().unwrap().by_origin.is_empty());
    }

    #[test]
    fn a_v6_network_counts_as_one_and_loopback_by_port_unless_strict() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let same =
            |a: &str, b: &str, strict| Origin::of(at(a), strict) == Origin::of(at(b), strict);
        assert!(same("[2001:db8::1]:1", "[2001:db8::ffff]:2", false));
        assert!(!same("[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false));
        assert!(!same("127.0.0.1:1", "127.0.0.1:2", false));
        assert!(same("127.0.0.1:1", "127.0.0.1:2", true));
        assert!(same("[::ffff:10.0.0.1]:1", "10.0.0.1:2", false));
    }
}
