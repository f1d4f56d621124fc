use alloc::vec::Vec;

use repute_base::Fixed;
use repute_identity::NodeId;
use repute_protocol::{Advertisement, Criterion, ServiceName};

use super::{DirectoryError, Entry};

/// What is looked for. What is left open fits everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// A service (`signer:spend`), a family of them (`signer`), or `all`.
    pub kind: ServiceName,
    /// The least amount that is of use: fits whoever takes as much or more.
    pub amount_min: u64,
    /// The greatest amount that is of use: fits whoever takes as little or less.
    pub amount_max: u64,
    /// Conditions that the advertisement must have, word for word.
    pub criteria: Vec<Criterion>,
    /// The least trust in the author.
    pub trust_min: Option<Fixed>,
    /// Whether the caller leaves out authors for reasons that are not known here: then any number
    /// of those that are known may not be enough.
    pub picky: bool,
    /// Only this author's.
    pub author: Option<NodeId>,
    /// Not this author's.
    pub exclude: Option<NodeId>,
    /// How many are enough.
    pub max: usize,
}

impl Filter {
    /// How many are enough unless told otherwise.
    pub const MAX: usize = 64;

    /// Whoever offers a service, a family of services, or anything (`all`).
    ///
    /// # Errors
    /// [`DirectoryError::ServiceName`] when nothing can be offered under that name.
    pub fn of(kind: &str) -> Result<Self, DirectoryError> {
        let name = ServiceName::new(kind).map_err(|_| DirectoryError::ServiceName)?;
        if !Advertisement::is_name(kind) {
            return Err(DirectoryError::ServiceName);
        }
        Ok(Self {
            kind: name,
            amount_min: 0,
            amount_max: u64::MAX,
            criteria: Vec::new(),
            trust_min: None,
            picky: false,
            author: None,
            exclude: None,
            max: Self::MAX,
        })
    }

    /// Whether an advertisement fits, whatever its author is worth.
    pub fn matches(&self, entry: &Entry) -> bool {
        let offer = &entry.advertisement;
        self.author.is_none_or(|author| author == entry.author)
            && self.exclude != Some(entry.author)
            && offer.amount_min <= self.amount_max
            && self.amount_min <= offer.amount_max
            && self.names(offer)
            && self
                .criteria
                .iter()
                .all(|asked| offer.criteria.contains(asked))
    }

    fn names(&self, offer: &Advertisement) -> bool {
        let kind = self.kind.as_str();
        let is_of = |service: &str| {
            service == kind
                || service
                    .split_once(':')
                    .is_some_and(|(family, _)| family == kind)
        };
        kind == Advertisement::ALL || offer.services.iter().any(|name| is_of(name.as_str()))
    }
}
