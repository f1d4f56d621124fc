use alloc::vec::Vec;

use repute_base::{BoundedBytes, BoundedString, BoundedVec, Fixed, Wall, codec};
use repute_identity::NodeId;

use super::source::{OpinionOf, Said, Source};
use crate::{Context, RecordError, limits::SAID_PER_SOURCE_MAX};

/// The longest signed recommendation that is kept, as on the wire.
const SIGNED_MAX: usize = repute_protocol::limits::RECOMMENDATION_MAX;

/// What one says about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// About whom.
    pub subject: NodeId,
    /// As what it is judged.
    pub context: Context,
    /// From −100 (warn) to 100 (recommend).
    pub value: i8,
    /// The BLAKE3 hash of a receipt that it rests on, if any.
    pub receipt: Option<[u8; 32]>,
    /// When it was given, by its author's clock.
    pub issued: Wall,
    /// Until when it holds.
    pub expires: Wall,
}

/// What a recommender is worth, as others reckon it; logged with what it moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footing {
    /// Identity class: 0 free, 1 vouched or stamped, 2 burned or an anchor.
    pub class: u8,
    /// Global rank in averages: 1 is what a peer has that is ranked as the average.
    pub rank: Fixed,
    /// Identities of the same number above zero have the same funds or addresses, and count as
    /// one together. Zero stands alone.
    pub cluster: u64,
}

/// One line of the log of recommendations. Together they are all that moves a prior.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HearsayRecord {
    /// Place in the ledger, in one order with the other records; strictly growing.
    pub number: u64,
    /// Whose recommendations it is about.
    pub source: NodeId,
    /// Ledger time.
    pub wall: Wall,
    /// What happened.
    pub news: News,
}

/// What happened to a source of recommendations.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// It recommended.
    Said {
        /// What it said.
        opinion: Opinion,
        /// Whether experience is to judge it. Not if the subject was known well already.
        pending: bool,
        /// The operator's reason, if it is this node's own.
        reason: BoundedString<128>,
        /// The signed envelope, if it is this node's own.
        signed: BoundedBytes<SIGNED_MAX>,
    },
    /// Its footing changed.
    Stands(Footing),
    /// Experience judged what it said.
    Judged {
        /// About whom.
        subject: NodeId,
        /// As what.
        context: Context,
        /// Whether it was right.
        right: bool,
    },
    /// What it said was dropped to make room for a stronger source.
    Dropped {
        /// About whom.
        subject: NodeId,
        /// As what.
        context: Context,
    },
    /// The operator withdrew it: all it said is forgotten, and what comes is ignored.
    Withdrawn,
    /// All that older records came to. Written by the ledger alone.
    Carried(CarriedSource),
}

/// All that is known of a source, as a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedSource(pub(crate) Source);

const VERSION: u8 = 1;

const SAID: u8 = 0;
const STANDS: u8 = 1;
const JUDGED: u8 = 2;
const WITHDRAWN: u8 = 3;
const CARRIED: u8 = 4;
const DROPPED: u8 = 5;

/// Version, number, source, wall, kind.
type StoredHead = (u8, u64, [u8; 32], u64, u8);
/// Class, rank, cluster.
type StoredFooting = (u8, i64, u64);
/// Subject, context, value, receipt, issued, expires, pending, reason, signed.
type StoredSaid = (
    [u8; 32],
    u8,
    i8,
    Option<[u8; 32]>,
    u64,
    u64,
    bool,
    BoundedString<128>,
    BoundedBytes<SIGNED_MAX>,
);
/// Right and wrong evidence, its interval, counts of both, footing, what it said.
type StoredCarried = (
    (i64, i64, u64, u32, u32),
    StoredFooting,
    BoundedVec<StoredSaid, SAID_PER_SOURCE_MAX>,
);

impl HearsayRecord {
    /// The stored form, stable over versions of this crate.
    pub fn to_bytes(&self) -> Vec<u8> {
        let kind = match self.news {
            News::Said { .. } => SAID,
            News::Stands(_) => STANDS,
            News::Judged { .. } => JUDGED,
            News::Dropped { .. } => DROPPED,
            News::Withdrawn => WITHDRAWN,
            News::Carried(_) => CARRIED,
        };
        let head: StoredHead = (
            VERSION,
            self.number,
            *self.source.as_bytes(),
            self.wall.as_millis(),
            kind,
        );
        let mut bytes = codec::encode(&head);
        match &self.news {
            News::Said {
                opinion,
                pending,
                reason,
                signed,
            } => {
                let said = stored_said(opinion, *pending, reason.clone(), signed.clone());
                codec::encode_into(&said, &mut bytes);
            }
            News::Stands(footing) => {
                codec::encode_into(&stored_footing(footing), &mut bytes);
            }
            News::Judged {
                subject,
                context,
                right,
            } => {
                codec::encode_into(&(*subject.as_bytes(), context.code(), *right), &mut bytes);
            }
            News::Dropped { subject, context } => {
                codec::encode_into(&(*subject.as_bytes(), context.code()), &mut bytes);
            }
            News::Withdrawn => {}
            News::Carried(CarriedSource(source)) => {
                codec::encode_into(&stored_carried(source), &mut bytes);
            }
        }
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`RecordError`] when the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let (head, taken): (StoredHead, usize) = codec::decode_prefix(bytes)?;
        let (version, number, source, wall, kind) = head;
        if version != VERSION {
            let max = VERSION;
            return Err(RecordError::Version { version, max });
        }
        let rest = bytes.get(taken..).unwrap_or_default();
        let news = match kind {
            SAID => {
                let (opinion, pending, reason, signed) = said_of(codec::decode(rest)?)?;
                News::Said {
                    opinion,
                    pending,
                    reason,
                    signed,
                }
            }
            STANDS => News::Stands(footing_of(codec::decode(rest)?)),
            JUDGED => {
                let (subject, context, right): ([u8; 32], u8, bool) = codec::decode(rest)?;
                News::Judged {
                    subject: NodeId::from_bytes(subject),
                    context: context_of(context)?,
                    right,
                }
            }
            DROPPED => {
                let (subject, context): ([u8; 32], u8) = codec::decode(rest)?;
                News::Dropped {
                    subject: NodeId::from_bytes(subject),
                    context: context_of(context)?,
                }
            }
            WITHDRAWN if rest.is_empty() => News::Withdrawn,
            CARRIED => News::Carried(CarriedSource(source_of(codec::decode(rest)?, number)?)),
            _ => return Err(RecordError::Unknown { field: "news" }),
        };
        Ok(Self {
            number,
            source: NodeId::from_bytes(source),
            wall: Wall::from_millis(wall),
            news,
        })
    }
}

fn context_of(code: u8) -> Result<Context, RecordError> {
    Context::from_code(code).ok_or(RecordError::Unknown { field: "context" })
}

fn stored_footing(footing: &Footing) -> StoredFooting {
    (footing.class, footing.rank.raw(), footing.cluster)
}

fn footing_of((class, rank, cluster): StoredFooting) -> Footing {
    Footing {
        class,
        rank: Fixed::from_raw(rank),
        cluster,
    }
}

fn stored_said(
    opinion: &Opinion,
    pending: bool,
    reason: BoundedString<128>,
    signed: BoundedBytes<SIGNED_MAX>,
) -> StoredSaid {
    (
        *opinion.subject.as_bytes(),
        opinion.context.code(),
        opinion.value,
        opinion.receipt,
        opinion.issued.as_millis(),
        opinion.expires.as_millis(),
        pending,
        reason,
        signed,
    )
}

type ReadSaid = (Opinion, bool, BoundedString<128>, BoundedBytes<SIGNED_MAX>);

fn said_of(stored: StoredSaid) -> Result<ReadSaid, RecordError> {
    let (subject, context, value, receipt, issued, expires, pending, reason, signed) = stored;
    let opinion = Opinion {
        subject: NodeId::from_bytes(subject),
        context: context_of(context)?,
        value: value.clamp(-100, 100),
        receipt,
        issued: Wall::from_millis(issued),
        expires: Wall::from_millis(expires),
    };
    Ok((opinion, pending, reason, signed))
}

fn stored_carried(source: &Source) -> StoredCarried {
    let said = source.said.iter().map(|((subject, context), said)| {
        let OpinionOf { reason, signed } = said.own.as_deref().cloned().unwrap_or_default();
        let opinion = said.opinion(*subject, *context);
        stored_said(&opinion, said.pending, reason, signed)
    });
    (
        (
            source.score.useful.raw(),
            source.score.hard.raw(),
            source.score.interval,
            source.right,
            source.wrong,
        ),
        stored_footing(&source.footing),
        BoundedVec::truncated(said),
    )
}

fn source_of(stored: StoredCarried, number: u64) -> Result<Source, RecordError> {
    let ((useful, hard, interval, right, wrong), footing, said) = stored;
    if useful < 0 || hard < 0 {
        return Err(RecordError::Unknown {
            field: "carried evidence below zero",
        });
    }
    let mut source = Source {
        footing: footing_of(footing),
        right,
        wrong,
        number,
        rows: 1,
        ..Source::default()
    };
    source.score.useful = Fixed::from_raw(useful);
    source.score.hard = Fixed::from_raw(hard);
    source.score.interval = interval;
    for stored in said {
        let (opinion, pending, reason, signed) = said_of(stored)?;
        let said = Said::new(&opinion, pending, reason, signed);
        source.said.insert((opinion.subject, opinion.context), said);
    }
    Ok(source)
}
