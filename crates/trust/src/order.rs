//! The order of candidates where only the ledger is asked.

use repute_base::Fixed;

use crate::{
    Ledger, Standing,
    model::estimate::{COUNT_MAX, expected},
};

impl Ledger {
    /// The score to order candidates by: trust for the proven. All others have at most where low
    /// begins, so that a fresh identity is never better off than a mildly bad known one; and who
    /// failed more than it served has less than a stranger, as in [`select`](crate::select).
    pub fn rank(&self, standing: &Standing) -> Fixed {
        if standing.is_proven() {
            return standing.trust;
        }
        let half = self.config.initial.max(Fixed::ratio(1, 1_000));
        let part = self.shown(standing).div(half).min(Fixed::ONE);
        self.config.bands.low.mul(part).min(standing.trust)
    }

    /// What somebody showed who is not proven, by evidence alone: events at their weight now, and
    /// two at the prior before them. A timeout is a part of a fault, as it is to the score.
    fn shown(&self, standing: &Standing) -> Fixed {
        let events = |share: Fixed, weight: Fixed| match standing.uncertainty {
            none if none <= Fixed::ZERO => COUNT_MAX,
            unknown => share.div(unknown).mul(self.config.prior_weight).div(weight),
        };
        let disbelief = Fixed::ONE - standing.belief - standing.uncertainty;
        let ok = events(standing.belief, Fixed::ONE);
        let failed = events(disbelief, self.config.hard_weight.max(Fixed::ONE));
        let prior = standing.prior();
        let doubt = Fixed::ONE - prior;
        expected(ok, failed, prior + prior, doubt + doubt)
    }
}
