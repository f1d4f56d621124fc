use std::collections::VecDeque;

/// What travels on a link, in order.
#[derive(Clone, Debug)]
pub(crate) enum Cargo<P> {
    /// The answer to a dial.
    Accept,
    Packet(P),
    /// The last word of a side that closed.
    Fin,
    /// The answer of a node that knows nothing of the link.
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Dialled, and the answer is under way.
    Opening,
    Up,
    Down,
}

/// One end of a link, with what is coming towards it.
#[derive(Clone, Debug)]
pub(crate) struct End<P> {
    pub(crate) side: Side,
    /// When the last packet that kept its order arrives.
    pub(crate) in_order_ms: u64,
    /// When the last packet of all arrives.
    pub(crate) last_ms: u64,
    /// Arrived, but behind a cut or before the link was open here.
    pub(crate) held: VecDeque<Cargo<P>>,
}

impl<P> End<P> {
    const fn new(side: Side) -> Self {
        Self {
            side,
            in_order_ms: 0,
            last_ms: 0,
            held: VecDeque::new(),
        }
    }
}

/// A link between two nodes, the lower index first.
#[derive(Clone, Debug)]
pub(crate) struct Link<P> {
    /// Tells this link from earlier ones between the same two.
    pub(crate) serial: u64,
    /// The dial that it answers.
    pub(crate) dial: u64,
    low: End<P>,
    high: End<P>,
    /// Counts the stalls; the timer of an earlier one means nothing any more.
    pub(crate) stalls: u64,
    pub(crate) stalled: bool,
}

impl<P> Link<P> {
    /// A link that `dialler` asked for and `listener` has accepted.
    pub(crate) const fn new(serial: u64, dial: u64, dialler: usize, listener: usize) -> Self {
        let (low, high) = if dialler < listener {
            (Side::Opening, Side::Up)
        } else {
            (Side::Up, Side::Opening)
        };
        Self {
            serial,
            dial,
            low: End::new(low),
            high: End::new(high),
            stalls: 0,
            stalled: false,
        }
    }

    /// The end at `node`, whose other end is at `other`.
    pub(crate) const fn end(&mut self, node: usize, other: usize) -> &mut End<P> {
        if node < other {
            &mut self.low
        } else {
            &mut self.high
        }
    }

    pub(crate) const fn side(&self, node: usize, other: usize) -> Side {
        if node < other {
            self.low.side
        } else {
            self.high.side
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.low.side == Side::Down && self.high.side == Side::Down
    }
}

/// The key of the link between two nodes.
pub(crate) const fn pair(a: usize, b: usize) -> (usize, usize) {
    if a < b { (a, b) } else { (b, a) }
}
