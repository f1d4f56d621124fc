use alloc::collections::BTreeMap;

/// One of the eight layers that everything inbound passes, in order: cheap before dear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The link: encryption, both ends authenticated, framing.
    Transport,
    /// Whether whoever sends it may speak at all. Nothing is decoded before.
    Standing,
    /// Size, form, network, kind and time.
    Content,
    /// What the sender's link may use up.
    LinkQuota,
    /// Whether it is signed by whom it names.
    Cryptography,
    /// What its author may use up; spent only by what the author signed.
    IdentityQuota,
    /// Whether the author is somebody whose word counts here.
    Identity,
    /// What the engines and the application make of it.
    Application,
}

impl Layer {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Transport,
        Self::Standing,
        Self::Content,
        Self::LinkQuota,
        Self::Cryptography,
        Self::IdentityQuota,
        Self::Identity,
        Self::Application,
    ];

    /// A stable name for JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Standing => "standing",
            Self::Content => "content",
            Self::LinkQuota => "link-quota",
            Self::Cryptography => "cryptography",
            Self::IdentityQuota => "identity-quota",
            Self::Identity => "identity",
            Self::Application => "application",
        }
    }

    /// What it looks at, for people.
    pub const fn looks_at(self) -> &'static str {
        match self {
            Self::Transport => "encrypted link, authenticated peer, framing",
            Self::Standing => "bans and closed gates, before any decoding",
            Self::Content => "size, form, network, kind, time",
            Self::LinkQuota => "what one link may use up",
            Self::Cryptography => "signatures",
            Self::IdentityQuota => "what one author may use up",
            Self::Identity => "whether the author's word counts",
            Self::Application => "what is made of it",
        }
    }
}

/// How much each layer let through and refused, and why.
///
/// Reasons are fixed texts of the program, never of a peer: so many as there are in the code, they
/// bound the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    passed: [u64; Layer::ALL.len()],
    refused: BTreeMap<(Layer, &'static str), u64>,
}

impl Layers {
    /// Nothing counted yet.
    pub const fn new() -> Self {
        Self {
            passed: [0; Layer::ALL.len()],
            refused: BTreeMap::new(),
        }
    }

    /// One thing was let through by a layer.
    pub fn pass(&mut self, layer: Layer) {
        self.pass_many(layer, 1);
    }

    /// So many were.
    pub fn pass_many(&mut self, layer: Layer, count: u64) {
        if let Some(passed) = self.passed.get_mut(layer as usize) {
            *passed = passed.saturating_add(count);
        }
    }

    /// One thing was refused by a layer.
    pub fn refuse(&mut self, layer: Layer, reason: &'static str) {
        self.refuse_many(layer, reason, 1);
    }

    /// So many were.
    pub fn refuse_many(&mut self, layer: Layer, reason: &'static str, count: u64) {
        if count > 0 {
            let refused = self.refused.entry((layer, reason)).or_default();
            *refused = refused.saturating_add(count);
        }
    }

    /// What a layer let through.
    pub fn passed(&self, layer: Layer) -> u64 {
        self.passed.get(layer as usize).copied().unwrap_or_default()
    }

    /// What a layer refused, for all reasons.
    pub fn refused(&self, layer: Layer) -> u64 {
        let counts = self.reasons(layer).map(|(_, count)| count);
        counts.fold(0, u64::saturating_add)
    }

    /// What a layer refused, for each reason that occurred.
    pub fn reasons(&self, layer: Layer) -> impl Iterator<Item = (&'static str, u64)> {
        self.refused
            .iter()
            .filter(move |((of, _), _)| *of == layer)
            .map(|((_, reason), count)| (*reason, *count))
    }

    /// Adds what another part of the node counted.
    pub fn add(&mut self, other: &Self) {
        for layer in Layer::ALL {
            self.pass_many(layer, other.passed(layer));
        }
        for ((layer, reason), count) in &other.refused {
            self.refuse_many(*layer, reason, *count);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn parts_add_up_layer_by_layer_and_reason_by_reason() {
        let (mut one, mut other) = (Layers::new(), Layers::new());
        one.pass(Layer::Content);
        one.refuse(Layer::Content, "malformed");
        one.refuse(Layer::Identity, "unknown");
        other.pass_many(Layer::Content, 2);
        other.refuse_many(Layer::Content, "malformed", 4);
        other.refuse_many(Layer::Content, "stale", 1);
        other.refuse_many(Layer::Standing, "banned", 0);
        one.add(&other);
        assert_eq!(
            (one.passed(Layer::Content), one.refused(Layer::Content)),
            (3, 6)
        );
        let reasons: Vec<_> = one.reasons(Layer::Content).collect();
        assert_eq!(reasons, [("malformed", 5), ("stale", 1)]);
        assert_eq!(one.refused(Layer::Identity), 1);
        assert_eq!(one.reasons(Layer::Standing).count(), 0);
    }

    #[test]
    fn counts_saturate() {
        let mut layers = Layers::new();
        layers.pass_many(Layer::Transport, u64::MAX);
        layers.pass(Layer::Transport);
        layers.refuse_many(Layer::Transport, "a", u64::MAX);
        layers.refuse(Layer::Transport, "b");
        assert_eq!(layers.passed(Layer::Transport), u64::MAX);
        assert_eq!(layers.refused(Layer::Transport), u64::MAX);
    }

    #[test]
    fn the_order_is_that_of_the_names() {
        let names = Layer::ALL.map(Layer::name);
        let order = "transport standing content link-quota cryptography identity-quota identity \
                     application";
        assert_eq!(names.join(" "), order);
        assert!(Layer::ALL.is_sorted());
        for (place, layer) in Layer::ALL.into_iter().enumerate() {
            assert_eq!(layer as usize, place);
        }
    }
}
