//! What peers signed about each other, for people and programs; and this node's own credentials.

use std::{fs, io, io::Write as _, path::Path};

use repute_base::BoundedVec;
use repute_identity::{NodeId, Stamp, Vouch};
use repute_protocol::{Credentials, limits::VOUCHES_MAX};
use repute_trust::{ClaimLine, FaultLine, IdentityClass, ReceiptEdge, ReceiptLine, ReceiptsInput};

use super::{DataDir, Node, error::NodeError};
use crate::{Command, Input};

/// The first line of a stamp's file.
const HEAD: &str = "repute stamp 1";

/// The receipts of a node, or those about one peer.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReceiptBook {
    /// The class of the peer asked about, or of this node.
    pub class: IdentityClass,
    /// Latest receipts.
    pub receipts: Vec<ReceiptLine>,
    /// Claims.
    pub claims: Vec<ClaimLine>,
    /// Proven faults.
    pub faults: Vec<FaultLine>,
    /// What the receipts are worth in the global graph.
    pub edges: Vec<ReceiptEdge>,
}

impl Node {
    /// Receipts, claims and faults: all, or those in which `about` has a part.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn receipts(&self, about: Option<NodeId>) -> Result<ReceiptBook, NodeError> {
        self.inspect(move |view| {
            let Some(receipts) = view.core.receipts() else {
                return ReceiptBook::default();
            };
            let has = |a: &NodeId, b: &NodeId| about.is_none_or(|id| *a == id || *b == id);
            let mut book = ReceiptBook {
                class: receipts
                    .classes()
                    .class(&about.unwrap_or(view.core.me()), view.now.wall),
                receipts: receipts.export(),
                claims: receipts.export_claims(),
                faults: receipts.export_faults(),
                edges: receipts.edges(view.now.wall).collect(),
            };
            book.receipts.retain(|one| has(&one.served, &one.by));
            book.claims.retain(|one| has(&one.claimant, &one.accused));
            book.faults.retain(|one| has(&one.offender, &one.offender));
            book.edges.retain(|one| has(&one.from, &one.to));
            book
        })
        .await
    }

    /// Tells the receipts of something: what a peer did for us or failed in, a session to open
    /// before value moves, whom to ask about whom.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn tell_receipts(&self, input: ReceiptsInput) -> Result<(), NodeError> {
        self.command(Command::Receipts(input)).await
    }

    /// Shows the stamp and the vouches that the data directory holds now to all neighbours, and
    /// to whoever links later: as the start does, but without one.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn show_credentials(&self) -> Result<(), NodeError> {
        match credentials(&self.shared.data_dir, self.shared.id) {
            Some(own) => self.tell_receipts(ReceiptsInput::Own(own)).await,
            None => Ok(()),
        }
    }
}

impl DataDir {
    /// The stamp that was found for the identity of this directory, if there is one.
    ///
    /// # Errors
    /// What the file system says, or [`io::ErrorKind::InvalidData`] when the file holds none.
    pub fn load_stamp(&self) -> io::Result<Option<Stamp>> {
        let text = match fs::read_to_string(self.stamp()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut lines = text.lines();
        let head = lines.next() == Some(HEAD);
        let nonce = lines.next().and_then(|nonce| nonce.parse().ok());
        match nonce.filter(|_| head && lines.next().is_none()) {
            Some(nonce) => Ok(Some(Stamp { nonce })),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{} holds no stamp; remove it, and make one with `repute id stamp`",
                    self.stamp().display()
                ),
            )),
        }
    }

    /// Keeps a stamp for the identity of this directory, whole or not at all.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save_stamp(&self, stamp: Stamp) -> io::Result<()> {
        let text = format!("{HEAD}\n{}\n", stamp.nonce);
        self.replace(&self.stamp(), &text)
    }
}

impl DataDir {
    /// The vouches that were given for the identity of this directory.
    ///
    /// # Errors
    /// What the file system says, or [`io::ErrorKind::InvalidData`] when a line is none.
    pub fn load_vouches(&self) -> io::Result<Vec<Vouch>> {
        let text = match fs::read_to_string(self.vouches()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let read = |line: &str| {
            line.parse().map_err(|error| {
                let said = format!("{}: {error}", self.vouches().display());
                io::Error::new(io::ErrorKind::InvalidData, said)
            })
        };
        text.lines().map(read).collect()
    }

    /// Keeps a vouch for the identity of this directory; the oldest goes when there are too many.
    ///
    /// # Errors
    /// As [`load_vouches`](Self::load_vouches).
    pub fn keep_vouch(&self, vouch: Vouch) -> io::Result<()> {
        let mut all = self.load_vouches()?;
        all.retain(|one| *one != vouch);
        all.push(vouch);
        let surplus = all.len().saturating_sub(VOUCHES_MAX);
        all.drain(..surplus);
        let text: String = all.iter().map(|one| format!("{one}\n")).collect();
        self.replace(&self.vouches(), &text)
    }

    /// Writes a small file whole or not at all.
    fn replace(&self, path: &Path, text: &str) -> io::Result<()> {
        self.create()?;
        let fresh = path.with_extension("new");
        let mut file = fs::File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    }
}

/// What this node shows of itself from its start on.
pub(super) fn own(dir: &DataDir, id: NodeId) -> Option<Input> {
    let own = credentials(dir, id)?;
    Some(Input::Command(Command::Receipts(ReceiptsInput::Own(own))))
}

/// A file that cannot be read is said so, and stops nothing.
fn credentials(dir: &DataDir, id: NodeId) -> Option<Credentials> {
    let warn = |error: io::Error| tracing::warn!(%error, "a credential was passed over");
    let stamp = dir.load_stamp().map_err(warn).ok().flatten();
    let vouches = dir.load_vouches().map_err(warn).unwrap_or_default();
    let vouches = vouches.into_iter().filter(|vouch| vouch.subject == id);
    let own = Credentials {
        subject: id,
        stamp: BoundedVec::truncated(stamp),
        vouches: BoundedVec::truncated(vouches),
    };
    let any = !own.stamp.is_empty() || !own.vouches.is_empty();
    any.then_some(own)
}
