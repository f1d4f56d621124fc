//! One engine, fed by hand.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects"
)]
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use repute_base::{Address, BoundedString, BoundedVec, Fixed, Machine, Rng, Timestamp};
use repute_identity::{Identity, NodeId};
use repute_peers::{Config, Input, Limits, LinkDown, LinkId, Output, Peers};
use repute_protocol::{
    Capability, Disconnect, DisconnectReason, Frame, FromPeer, Handshake, HandshakeAck, NetworkId,
    VERSION,
};

pub const WALL: u64 = 1_700_000_000_000;

pub fn id(n: u64) -> NodeId {
    Identity::from_seed(n).id()
}

pub fn at(text: &str) -> Address {
    text.parse().expect("address")
}

pub struct Bench {
    pub engine: Peers,
    pub now_ms: u64,
    pub links: u64,
}

impl Bench {
    pub fn new() -> Self {
        let engine = Peers::new(
            Config::default(),
            Limits::default(),
            id(0),
            Rng::from_u64(1),
        );
        let mut bench = Self {
            engine: engine.expect("config"),
            now_ms: 1_000,
            links: 0,
        };
        bench.give(Input::Start);
        bench
    }

    pub fn give(&mut self, input: Input) -> Vec<Output> {
        let now = Timestamp::from_millis(self.now_ms, WALL + self.now_ms);
        self.engine.handle(now, input);
        core::iter::from_fn(|| self.engine.poll_output()).collect()
    }

    pub fn pass(&mut self, ms: u64) -> Vec<Output> {
        let end = self.now_ms + ms;
        let mut all = Vec::new();
        while let Some(next) = self.engine.next_deadline()
            && next.as_millis() <= end
        {
            self.now_ms = self.now_ms.max(next.as_millis());
            all.extend(self.give(Input::Tick));
        }
        self.now_ms = end;
        all
    }

    pub fn up(&mut self, n: u64, remote: Address, inbound: bool, appeals: bool) -> Vec<Output> {
        self.links += 1;
        let handshake = Handshake {
            version_min: VERSION,
            version_max: VERSION,
            network: NetworkId::from_name("test"),
            inception: *Identity::from_seed(n).inception(),
            capabilities: BoundedVec::truncated(appeals.then_some(Capability::APPEAL)),
            listen: BoundedVec::new(),
            wall: 0,
            agent: BoundedString::default(),
        };
        self.give(Input::LinkUp {
            peer: id(n),
            link: LinkId(self.links),
            handshake,
            remote,
            inbound,
        })
    }

    pub fn admit(&mut self, n: u64, remote: Address) -> Vec<Output> {
        self.give(Input::Frame(FromPeer::authenticated(
            id(n),
            Frame::HandshakeAck(HandshakeAck {
                observed: remote,
                peers: BoundedVec::new(),
            }),
        )))
    }

    pub fn down(&mut self, n: u64, goodbye: Disconnect) -> Vec<Output> {
        self.give(Input::LinkDown {
            peer: id(n),
            link: LinkId(self.links),
            cause: LinkDown::Closed(goodbye),
        })
    }

    pub fn bar(&mut self, prefixes: &[&str]) -> Vec<Output> {
        let prefixes = prefixes.iter().map(|text| text.parse().expect("prefix"));
        self.give(Input::Barred {
            prefixes: prefixes.collect(),
        })
    }

    pub fn ban(&mut self, n: u64, banned: bool) -> Vec<Output> {
        self.give(Input::Standing {
            peer: id(n),
            trust: Fixed::HALF,
            gate_open: !banned,
            useful: false,
        })
    }
}

pub fn closed(outputs: &[Output], n: u64) -> Option<DisconnectReason> {
    outputs.iter().find_map(|output| match output {
        Output::Close {
            peer, disconnect, ..
        } if *peer == id(n) => Some(disconnect.reason),
        _ => None,
    })
}

pub fn dialled(outputs: &[Output], n: u64) -> Option<Vec<Address>> {
    outputs.iter().find_map(|output| match output {
        Output::Dial { peer, addresses } if *peer == id(n) => Some(addresses.clone()),
        _ => None,
    })
}
