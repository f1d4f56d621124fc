use alloc::{boxed::Box, vec, vec::Vec};
use core::fmt;

use super::{NetworkModel, PeerModel, RelayModel, ScoringModel, SigningModel, TransferModel};

/// The models a node knows by name: the five of this crate, and the application's own.
pub struct Models(Vec<Box<dyn ScoringModel + Send + Sync>>);

impl Default for Models {
    fn default() -> Self {
        Self(vec![
            Box::new(PeerModel),
            Box::new(TransferModel),
            Box::new(NetworkModel::default()),
            Box::new(SigningModel),
            Box::new(RelayModel),
        ])
    }
}

impl Models {
    /// Adds a model, or puts it in the place of the one of that name.
    pub fn add(&mut self, model: Box<dyn ScoringModel + Send + Sync>) {
        match self.0.iter_mut().find(|known| known.name() == model.name()) {
            Some(known) => *known = model,
            None => self.0.push(model),
        }
    }

    /// The model of this name.
    pub fn of(&self, name: &str) -> Option<&(dyn ScoringModel + Send + Sync)> {
        self.0
            .iter()
            .find(|model| model.name() == name)
            .map(AsRef::as_ref)
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.iter().map(|model| model.name())
    }
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
