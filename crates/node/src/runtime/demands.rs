//! What somebody who offers a service must be worth, beyond what it says.

use std::collections::BTreeMap;

use repute_base::{Fixed, Wall};
use repute_identity::NodeId;
use repute_trust::{IdentityClass, Models, Stakes, Standing};

use super::{Node, error::NodeError};
use crate::Core;

/// What an author must be worth to this node, beside its trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// The least score by each of these models, by name.
    pub scores: BTreeMap<String, Fixed>,
    /// The least class of its identity.
    pub class: IdentityClass,
}

/// What an author is worth to this node.
pub(super) struct Worth {
    pub(super) standing: Standing,
    pub(super) class: IdentityClass,
    /// By the models that were asked for.
    pub(super) scores: Vec<(&'static str, Fixed)>,
}

impl Demands {
    /// Whether nobody is left out.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty() && self.class == IdentityClass::Free
    }

    /// What `author` is worth if that is enough. What costs least is asked first.
    pub(super) fn judge(
        &self,
        core: &Core,
        models: &Models,
        (author, trust_min): (NodeId, Option<Fixed>),
        wall: Wall,
    ) -> Option<Worth> {
        let standing = core.trust().standing(author, wall);
        if trust_min.is_some_and(|least| standing.trust < least) {
            return None;
        }
        let class = core.identity_class(author, wall);
        if class < self.class {
            return None;
        }
        let mut worth = Worth {
            standing,
            class,
            scores: Vec::new(),
        };
        if !self.scores.is_empty() {
            let dossier = core.dossier(author, wall);
            for (name, least) in &self.scores {
                let model = models.of(name)?;
                let score = model.assess(&dossier, Stakes::Ordinary).score;
                if score < *least {
                    return None;
                }
                worth.scores.push((model.name(), score));
            }
        }
        Some(worth)
    }
}

impl Node {
    /// The highest score of a model.
    ///
    /// # Errors
    /// [`NodeError::NoModel`] names those there are.
    pub fn score_max(&self, model: &str) -> Result<Fixed, NodeError> {
        Ok(self.model(model)?.score_max())
    }
}
