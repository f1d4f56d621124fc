//! A new adversary: a miser who hears everything and passes on only what he wrote himself.
//!
//! `cargo run --release -p repute-tests --example adversary`
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "an example says what it found, and stops where it cannot go on"
)]

use std::time::Duration;

use repute_identity::NodeId;
use repute_protocol::Frame;
use repute_sim::Faults;
use repute_tests::{
    Network, Setup,
    attack::{Adversary, Shell},
};

/// Sends no message of others, whoever asks. In all else its core goes on as an honest one.
struct Miser;

impl Adversary for Miser {
    fn says(&mut self, me: &mut Shell<'_>, _: NodeId, frame: &Frame) -> bool {
        let Frame::Broadcast(broadcast) = frame else {
            return true;
        };
        let own = broadcast.envelope.author() == me.identity.id();
        if !own {
            me.did("kept");
        }
        own
    }
}

/// A test of this package calls it too.
pub(crate) fn main() {
    let mut network = Network::new(7, Faults::none(), Setup::default());
    for n in 0..16 {
        if n % 4 == 3 {
            network.add_hostile(Box::new(Miser));
        } else {
            network.add();
        }
        network.world.run_for(Duration::from_millis(20));
    }
    network.world.run_for(Duration::from_secs(20));
    network.publish_some(40, Duration::from_millis(250));
    network.world.run_for(Duration::from_secs(40));

    let missed = network.missed(&network.published(), |_| true);
    let kept = network.deeds("kept");
    println!("4 misers of 16 kept {kept} messages; {missed} were missed in the end");
    let acted = network.hostile().filter(|(_, host)| host.deeds("kept") > 0);
    assert_eq!(acted.count(), 4, "the attack must have happened");
    assert_eq!(missed, 0);
    assert_eq!(network.breaches(), Vec::<String>::new());
}
