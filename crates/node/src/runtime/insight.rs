//! What was observed of peers, and what to make of it: metrics, models, selection, past, totals.

use std::sync::Arc;

use repute_base::{Fixed, Rng, Wall};
use repute_identity::NodeId;
use repute_trust::{
    Assessment, Candidate, Choice, Entry, Fault, History, Metrics, Sample, ScoringModel, Selection,
    Stakes, Summary,
};

use super::{Node, error::NodeError};
use crate::{Command, Core};

/// A score by a model, for people and programs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scored {
    /// The name of the model.
    pub model: &'static str,
    /// Its highest score.
    pub score_max: Fixed,
    /// The score and its parts.
    pub ordinary: Assessment,
    /// The same at the pessimistic end, for high stakes.
    pub cautious: Assessment,
}

impl Node {
    /// The metrics of all peers that anything was observed of, by id.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn metrics(&self) -> Result<Vec<(NodeId, Metrics)>, NodeError> {
        self.inspect(|view| {
            let time = view.core.trust().time(view.now.wall);
            view.core.chronicle().metrics_of_all(time).collect()
        })
        .await
    }

    /// The metrics of one peer; empty for a stranger.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn metrics_of(&self, subject: NodeId) -> Result<Metrics, NodeError> {
        self.inspect(move |view| {
            let time = view.core.trust().time(view.now.wall);
            view.core.chronicle().metrics(subject, time)
        })
        .await
    }

    /// The score of a peer by a model.
    ///
    /// # Errors
    /// [`NodeError::NoModel`], or [`NodeError::Stopped`].
    pub async fn score(&self, subject: NodeId, model: &str) -> Result<Scored, NodeError> {
        self.model(model)?;
        let (models, name) = (Arc::clone(&self.shared.models), model.to_owned());
        let scored = self.inspect(move |view| {
            let dossier = view.core.dossier(subject, view.now.wall);
            models.of(&name).map(|model| Scored {
                model: model.name(),
                score_max: model.score_max(),
                ordinary: model.assess(&dossier, Stakes::Ordinary),
                cautious: model.assess(&dossier, Stakes::High),
            })
        });
        scored.await?.ok_or(NodeError::Stopped)
    }

    /// Ranks `candidates`, or all known peers without any, by a model: gates first, then the
    /// known, then the unknown. Equal seeds choose alike.
    ///
    /// # Errors
    /// [`NodeError::TooFew`] when fewer pass the gates than are required, [`NodeError::NoModel`],
    /// or [`NodeError::Stopped`].
    pub async fn select(
        &self,
        model: &str,
        candidates: Vec<NodeId>,
        choice: Choice,
        seed: u64,
    ) -> Result<Selection, NodeError> {
        self.model(model)?;
        let gathered = self.inspect(move |view| {
            let core = view.core;
            let ids = match candidates.is_empty() {
                true => core.peers().iter().map(|peer| peer.id).collect(),
                false => candidates,
            };
            ids.into_iter()
                .map(|id| core.candidate(id, view.now.wall))
                .collect::<Vec<Candidate>>()
        });
        let candidates = gathered.await?;
        let mut rng = Rng::from_u64(seed);
        let model = self.model(model)?;
        Ok(repute_trust::select(model, &candidates, &choice, &mut rng)?)
    }

    /// The past of a peer: scores over time, interactions, changes of level.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn history(&self, subject: NodeId) -> Result<Option<History>, NodeError> {
        self.inspect(move |view| view.core.chronicle().history(subject))
            .await
    }

    /// Every peer that is known or judged, for filters and sorts.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn entries(&self) -> Result<Vec<Entry>, NodeError> {
        self.inspect(|view| entries(view.core, view.now.wall)).await
    }

    /// Totals, levels, mean, and the best `top` peers.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn summary(&self, top: usize) -> Result<Summary, NodeError> {
        let entries = self.entries().await?;
        Ok(Summary::of(&entries, top))
    }

    /// Tells what the application measured of a peer. Only a failure by its own fault counts
    /// against it.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn observe(
        &self,
        subject: NodeId,
        sample: Sample,
        fault: Fault,
    ) -> Result<(), NodeError> {
        self.command(Command::Sample {
            subject,
            sample,
            fault,
        })
        .await
    }

    pub(super) fn model(&self, name: &str) -> Result<&(dyn ScoringModel + Send + Sync), NodeError> {
        self.shared.models.of(name).ok_or_else(|| {
            let known: Vec<_> = self.shared.models.names().collect();
            NodeError::NoModel(known.join(", "))
        })
    }
}

fn entries(core: &Core, wall: Wall) -> Vec<Entry> {
    let mut ids = core.trust().subjects();
    ids.extend(core.peers().iter().map(|peer| peer.id));
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| entry(core, id, wall)).collect()
}

pub(super) fn entry(core: &Core, id: NodeId, wall: Wall) -> Entry {
    let metrics = core.chronicle().metrics(id, core.trust().time(wall));
    let standing = core.trust().standing(id, wall);
    let mut entry = Entry::new(id, standing, &metrics, core.encrypts(id));
    if let Some(peer) = core.peers().view(id) {
        entry.last_seen = entry.last_seen.max(peer.last_seen);
    }
    entry
}
