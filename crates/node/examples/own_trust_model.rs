//! A node that judges by the application's own trust model.
//!
//! A model has the ledger's face, so the simplest one wraps a ledger and changes what it must. This
//! one believes what the ledger says, but never thinks well of whoever is on a watch list.
//!
//! `cargo run -p repute-node --example own_trust_model`

use std::collections::BTreeSet;

use repute_base::{Fixed, Mono, Timestamp, Wall};
use repute_identity::NodeId;
use repute_node::{
    Node, NodeConfig, TrustModel,
    trust::{Ban, Config, Explanation, Input, Ledger, Level, Limits, Output, Record, Standing},
};

struct Watchful {
    ledger: Ledger,
    watched: BTreeSet<NodeId>,
}

impl Watchful {
    /// Halves what the ledger gives to the watched.
    fn judge(&self, subject: NodeId, mut standing: Standing) -> Standing {
        if self.watched.contains(&subject) {
            standing.trust = standing.trust.mul(Fixed::HALF);
            standing.level = standing.level.min(Level::Low);
        }
        standing
    }
}

impl TrustModel for Watchful {
    fn restore(&mut self, record: &Record) {
        self.ledger.restore(record);
    }
    fn restore_ban(&mut self, ban: &Ban) {
        self.ledger.restore_ban(ban);
    }
    fn handle(&mut self, now: Timestamp, input: Input) {
        self.ledger.handle(now, input);
    }
    fn poll_output(&mut self) -> Option<Output> {
        let mut output = self.ledger.poll_output()?;
        // What the other engines act on goes through here, too.
        if let Output::Standing { subject, standing } = &mut output {
            *standing = self.judge(*subject, *standing);
        }
        Some(output)
    }
    fn next_deadline(&self) -> Option<Mono> {
        self.ledger.next_deadline()
    }
    fn standing(&self, subject: NodeId, now: Wall) -> Standing {
        self.judge(subject, self.ledger.standing(subject, now))
    }
    fn subjects(&self) -> Vec<NodeId> {
        self.ledger.subjects().collect()
    }
    fn bans(&self, now: Wall) -> Vec<Ban> {
        TrustModel::bans(&self.ledger, now)
    }
    fn explain(&self, subject: NodeId, records: &[Record], now: Wall) -> Explanation {
        self.ledger.explain(subject, records, now)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let stranger = NodeId::from_bytes([1; 32]);
    let watched = NodeId::from_bytes([2; 32]);
    let model = Watchful {
        ledger: Ledger::new(Config::default(), Limits::default())?,
        watched: BTreeSet::from([watched]),
    };
    let config = NodeConfig::in_dir(dir.path())
        .listen(([127, 0, 0, 1], 0).into())
        .with_trust_model(Box::new(model));
    let node = Node::start(config).await?;
    for peer in [stranger, watched] {
        let standing = node.standing(peer).await?;
        println!("{}: trust {}", peer.short(), standing.trust);
    }
    node.shutdown().await;
    Ok(())
}
