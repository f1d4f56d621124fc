//! The operator's view of the blacklist, of who refuses this node, and of appeals.

use std::time::Duration;

use repute_base::{BoundedString, Wall};
use repute_identity::NodeId;
use repute_peers::Refusal;
use repute_trust::{AddressBan, Appeal, By, Mode, Target};

use super::{Node, NodeError, ask::DurableCommand};
use crate::{Change, Core, Event};

/// Changes that the core makes in one go; more are made in several, so that nobody waits.
const CHANGES_AT_ONCE: usize = 256;
/// How long an appeal may take to be handed over: a dial at its longest.
const APPEAL_TIME: Duration = Duration::from_secs(40);

/// The blacklist as it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Blacklist {
    /// Who may put entries on it.
    pub mode: Mode,
    /// Ledger time, which the entries are in.
    pub time: Wall,
    /// The entries in force, ids first.
    pub entries: Vec<BlacklistEntry>,
}

/// One entry of the blacklist.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlacklistEntry {
    /// Whom it names.
    pub target: Target,
    /// Since when.
    pub since: Wall,
    /// Until when; `None` for good.
    pub until: Option<Wall>,
    /// Who put it there.
    pub by: By,
    /// Why, in a word for machines: the kind of a fault, a criterion, or `operator`.
    pub code: &'static str,
    /// Why, in words; escape before showing.
    pub reason: String,
}

impl Blacklist {
    pub(super) fn of(core: &Core, mode: Mode, wall: Wall) -> Self {
        let time = core.trust().time(wall);
        let bans = core
            .trust()
            .bans(wall)
            .into_iter()
            .map(|ban| BlacklistEntry {
                target: Target::Peer(ban.subject),
                since: ban.since,
                until: ban.until,
                by: ban.by,
                code: ban.reason.code(),
                reason: match &ban.reason {
                    repute_trust::BanReason::Operator(text) => text.as_str().to_owned(),
                    rule => rule.to_string(),
                },
            });
        let addresses = core.address_bans().iter(wall).map(|ban| BlacklistEntry {
            target: Target::Addresses(ban.prefix),
            since: ban.since,
            until: ban.until,
            by: By::Operator,
            code: "operator",
            reason: ban.reason.as_str().to_owned(),
        });
        let entries = bans.chain(addresses).collect();
        Self {
            mode,
            time,
            entries,
        }
    }
}

impl Node {
    /// The blacklist: bans of identities, and of addresses.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn blacklist(&self) -> Result<Blacklist, NodeError> {
        let mode = self.shared.blacklist_mode;
        self.inspect(move |view| Blacklist::of(view.core, mode, view.now.wall))
            .await
    }

    /// Changes the blacklist; done once durable. A list that is too long for one go is taken in
    /// several, in order.
    ///
    /// # Errors
    /// [`NodeError`] when a change names this node, the blacklist takes nothing by hand, there is
    /// no room, the store refuses, or the node has stopped.
    pub async fn change_blacklist(&self, changes: Vec<Change>) -> Result<(), NodeError> {
        let mut addresses = 0;
        for change in &changes {
            if let Change::Put { target, .. } | Change::Edit { target, .. } = change {
                self.by_hand()?;
                if *target == Target::Peer(self.id()) {
                    return Err(NodeError::Refused("this is the node's own id"));
                }
            }
            if let Change::Put {
                target: Target::Addresses(_),
                ..
            } = change
            {
                addresses += 1;
            }
        }
        let known = self
            .inspect(|view| view.core.address_bans().iter(view.now.wall).count())
            .await?;
        if addresses > 0 && known + addresses > AddressBan::COUNT_MAX {
            let replaced = self.replaced(&changes).await?;
            if known + addresses - replaced > AddressBan::COUNT_MAX {
                return Err(NodeError::Refused(
                    "there is room for 4096 addresses and prefixes: remove some, or join \
                     neighbours into a shorter prefix",
                ));
            }
        }
        let mut changes = changes.into_iter();
        loop {
            let part: Vec<Change> = changes.by_ref().take(CHANGES_AT_ONCE).collect();
            if part.is_empty() {
                return Ok(());
            }
            self.durable(DurableCommand::Blacklist(part)).await?;
        }
    }

    /// How many of the addresses put are there already.
    async fn replaced(&self, changes: &[Change]) -> Result<usize, NodeError> {
        let put: Vec<_> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Put {
                    target: Target::Addresses(prefix),
                    ..
                } => Some(*prefix),
                _ => None,
            })
            .collect();
        self.inspect(move |view| {
            let known: std::collections::BTreeSet<_> = view
                .core
                .address_bans()
                .iter(view.now.wall)
                .map(|ban| ban.prefix)
                .collect();
            put.iter().filter(|prefix| known.contains(prefix)).count()
        })
        .await
    }

    /// Whether entries may be put on the blacklist by hand.
    pub(super) fn by_hand(&self) -> Result<(), NodeError> {
        match self.shared.blacklist_mode {
            Mode::Automatic => Err(NodeError::Refused(
                "the blacklist is automatic: set blacklist.mode to hybrid to add entries by hand",
            )),
            _ => Ok(()),
        }
    }

    /// The peers that turned this node away and have not taken it in since.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn refusals(&self) -> Result<Vec<Refusal>, NodeError> {
        self.inspect(|view| view.core.peers().refusals().cloned().collect())
            .await
    }

    /// What the operators of banned peers had to say, oldest first.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn appeals(&self) -> Result<Vec<Appeal>, NodeError> {
        self.inspect(|view| view.core.appeals().iter().cloned().collect())
            .await
    }

    /// Forgets what a banned peer had to say: done once durable. The ban stays as it is.
    ///
    /// # Errors
    /// [`NodeError`] when the store refuses or the node has stopped.
    pub async fn dismiss_appeal(&self, peer: NodeId) -> Result<(), NodeError> {
        self.durable(DurableCommand::Dismiss(peer)).await
    }

    /// Asks the operator of a peer that turns this node away to think again, in one sentence.
    /// Whether it was handed over; nobody knows whether it is read.
    ///
    /// # Errors
    /// [`NodeError`] when the text is empty or longer than 128 bytes, or the node has stopped.
    pub async fn appeal(&self, peer: NodeId, text: &str) -> Result<bool, NodeError> {
        if text.trim().is_empty() {
            return Err(NodeError::Refused("an appeal says something"));
        }
        let text = BoundedString::new(text)?;
        let mut events = self.events();
        self.command(crate::Command::Appeal { peer, text }).await?;
        let answer = async {
            while let Some(event) = events.next().await {
                if let Event::Appeal { peer: to, sent } = event
                    && to == peer
                {
                    return Ok(sent);
                }
            }
            Err(NodeError::Stopped)
        };
        let timed = tokio::time::timeout(APPEAL_TIME, answer).await;
        timed.unwrap_or(Ok(false))
    }
}
