/// How a network treats the datagrams on its paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// The shortest path, in milliseconds. Each path has a length of its own.
    pub path_ms_min: u64,
    /// The longest path.
    pub path_ms_max: u64,
    /// What a datagram may take beyond it; the next one may take less and overtake.
    pub jitter_ms: u64,
    /// Datagrams lost, of a thousand.
    pub loss_permille: u64,
    /// Times of heavy loss on single paths.
    pub bursts: Option<Bursts>,
    /// Datagrams that arrive twice, of a thousand.
    pub duplicate_permille: u64,
}

/// Loss in bursts, after Gilbert and Elliott: each path has good times, with the loss of the
/// [`Weather`], and bad ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// How long a good time lasts in the mean, in milliseconds.
    pub good_ms: u64,
    /// How long a bad time lasts in the mean.
    pub bad_ms: u64,
    /// Datagrams lost in a bad time, of a thousand.
    pub loss_permille: u64,
}

impl Weather {
    /// Nothing is lost or overtaken; a path takes 10 to 30 ms.
    pub const fn calm() -> Self {
        Self {
            path_ms_min: 10,
            path_ms_max: 30,
            jitter_ms: 0,
            loss_permille: 0,
            bursts: None,
            duplicate_permille: 0,
        }
    }

    /// 30 % of all datagrams are lost and 5 % doubled; each takes 5 to 80 ms.
    pub const fn storm() -> Self {
        Self {
            path_ms_min: 5,
            path_ms_max: 5,
            jitter_ms: 75,
            loss_permille: 300,
            bursts: None,
            duplicate_permille: 50,
        }
    }

    /// As much loss as in a [`storm`](Self::storm), most of it in bursts: each path is bad three
    /// eighths of the time, and then loses three of four.
    pub const fn squalls() -> Self {
        Self {
            loss_permille: 30,
            bursts: Some(Bursts {
                good_ms: 500,
                bad_ms: 300,
                loss_permille: 750,
            }),
            ..Self::storm()
        }
    }
}
