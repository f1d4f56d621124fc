use alloc::vec::Vec;

use repute_base::{BoundedBytes, Fixed, Machine, Mono, Timestamp, Wall};
use repute_identity::NodeId;
use repute_protocol::limits::RECOMMENDATION_MAX;
use repute_trust::{
    Ban, Explanation, Footing, HearsayRecord, Input, Ledger, NotHeard, Opinion, Output, Record,
    SourceView, Standing,
};

/// A signed recommendation, as it goes over the wire.
pub type SignedRecommendation = BoundedBytes<RECOMMENDATION_MAX>;

/// What the core asks of a trust model: the face of [`Ledger`], so that an application can put
/// its own in its place, most simply by wrapping one.
pub trait TrustModel: Send {
    /// Folds a stored record, oldest first, before the node starts.
    fn restore(&mut self, record: &Record);
    /// Folds a stored record of what was heard, oldest first, before the node starts.
    fn restore_hearsay(&mut self, _record: &HearsayRecord) {}
    /// Takes a stored ban over, before the node starts.
    fn restore_ban(&mut self, ban: &Ban);
    /// Applies one input.
    fn handle(&mut self, now: Timestamp, input: Input);
    /// The next output, oldest first.
    fn poll_output(&mut self) -> Option<Output>;
    /// When it wants [`Input::Tick`].
    fn next_deadline(&self) -> Option<Mono>;
    /// The model's own time for a reader whose clock shows `now`; the ends of bans are in this time.
    /// `now` itself, unless the model guards against clocks that jump.
    fn time(&self, now: Wall) -> Wall {
        now
    }
    /// What is thought of `subject`. Reading never changes anything.
    fn standing(&self, subject: NodeId, now: Wall) -> Standing;
    /// Whether a recommendation would be taken, and why not; without a footing it is the node's
    /// own. A model that listens to nobody leaves it as it is.
    ///
    /// # Errors
    /// [`NotHeard`], with the reason.
    fn would_hear(
        &self,
        _source: NodeId,
        _opinion: &Opinion,
        _footing: Option<Footing>,
        _now: Wall,
    ) -> Result<(), NotHeard> {
        Err(NotHeard::NotListened)
    }
    /// The node's own recommendations that hold, signed, the newest first.
    fn own_recommendations(&self, _now: Wall) -> Vec<(Opinion, SignedRecommendation)> {
        Vec::new()
    }
    /// Who moves whom, and by how much.
    fn sources(&self, _now: Wall) -> Vec<SourceView> {
        Vec::new()
    }
    /// The prior of `subject`, folded afresh from all that was stored about sources; nothing if the
    /// model has none.
    fn recomputed_prior(
        &self,
        _heard: &[HearsayRecord],
        _subject: NodeId,
        _now: Wall,
    ) -> Option<Fixed> {
        None
    }
    /// Whose recommendations are kept.
    fn source_ids(&self) -> Vec<NodeId> {
        Vec::new()
    }
    /// Everybody about whom there is evidence.
    fn subjects(&self) -> Vec<NodeId>;
    /// The bans in force.
    fn bans(&self, now: Wall) -> Vec<Ban>;
    /// The ban of `subject`, if one is in force.
    fn ban(&self, subject: NodeId, now: Wall) -> Option<Ban> {
        self.bans(now)
            .into_iter()
            .find(|ban| ban.subject == subject)
    }
    /// Recomputes the score of `subject` from its stored records and says why it is what it is.
    fn explain(&self, subject: NodeId, records: &[Record], now: Wall) -> Explanation;
}

impl TrustModel for Ledger {
    fn restore(&mut self, record: &Record) {
        Ledger::restore(self, record);
    }

    fn restore_hearsay(&mut self, record: &HearsayRecord) {
        Ledger::restore_hearsay(self, record);
    }

    fn would_hear(
        &self,
        source: NodeId,
        opinion: &Opinion,
        footing: Option<Footing>,
        now: Wall,
    ) -> Result<(), NotHeard> {
        Ledger::would_hear(self, source, opinion, footing, now)
    }

    fn own_recommendations(&self, now: Wall) -> Vec<(Opinion, SignedRecommendation)> {
        Ledger::own_recommendations(self, now)
    }

    fn recomputed_prior(
        &self,
        heard: &[HearsayRecord],
        subject: NodeId,
        now: Wall,
    ) -> Option<Fixed> {
        Some(Ledger::recomputed_prior(self, heard, subject, now))
    }

    fn source_ids(&self) -> Vec<NodeId> {
        Ledger::source_ids(self).collect()
    }

    fn sources(&self, now: Wall) -> Vec<SourceView> {
        Ledger::sources(self, now)
    }

    fn restore_ban(&mut self, ban: &Ban) {
        Ledger::restore_ban(self, ban);
    }

    fn handle(&mut self, now: Timestamp, input: Input) {
        Machine::handle(self, now, input);
    }

    fn poll_output(&mut self) -> Option<Output> {
        Machine::poll_output(self)
    }

    fn next_deadline(&self) -> Option<Mono> {
        Machine::next_deadline(self)
    }

    fn time(&self, now: Wall) -> Wall {
        Ledger::time(self, now)
    }

    fn standing(&self, subject: NodeId, now: Wall) -> Standing {
        Ledger::standing(self, subject, now)
    }

    fn subjects(&self) -> Vec<NodeId> {
        Ledger::subjects(self).collect()
    }

    fn bans(&self, now: Wall) -> Vec<Ban> {
        Ledger::bans(self, now).cloned().collect()
    }

    fn ban(&self, subject: NodeId, now: Wall) -> Option<Ban> {
        Ledger::ban_of(self, &subject, now).cloned()
    }

    fn explain(&self, subject: NodeId, records: &[Record], now: Wall) -> Explanation {
        Ledger::explain(self, subject, records, now)
    }
}
