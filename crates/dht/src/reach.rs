//! Whether this node can be reached, and so serves others.

use core::time::Duration;

use repute_base::{Address, Mono};

use crate::{Config, Serve, diversity::is_routable};

/// What is known about being reached from outside.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reach {
    listens: bool,
    /// Whether somebody on the internet dialled us.
    reached: bool,
    /// Since when this node has had links over the internet.
    outside_since: Option<Mono>,
}

impl Reach {
    pub(crate) const fn listening(&mut self, addresses: &[Address]) {
        self.listens = !addresses.is_empty();
    }

    pub(crate) fn linked(&mut self, remote: &Address, inbound: bool, now: Mono) {
        if is_routable(remote) {
            self.reached |= inbound;
            self.outside_since.get_or_insert(now);
        }
    }

    /// Whether to serve now. Who has links over the internet must be reached from there; on a
    /// private network everybody can be.
    pub(crate) fn serves(&self, config: &Config, now: Mono) -> bool {
        self.listens
            && match config.serve {
                Serve::Always => true,
                Serve::Never => false,
                Serve::Auto => self.reached || now < self.gives_up(config.serve_patience),
            }
    }

    /// When to look again.
    pub(crate) fn next_due(&self, config: &Config, now: Mono) -> Option<Mono> {
        let at = self.gives_up(config.serve_patience);
        let waits = matches!(config.serve, Serve::Auto) && self.listens && !self.reached;
        (waits && at > now && at < Mono::MAX).then_some(at)
    }

    fn gives_up(&self, patience: Duration) -> Mono {
        self.outside_since
            .map_or(Mono::MAX, |since| since + patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn a_node_that_nobody_reaches_gives_up_serving_and_begins_again_when_reached() {
        let config = Config::default();
        let (early, late) = (Mono::from_millis(1_000), Mono::from_millis(10_000_000));
        let mut reach = Reach::default();
        assert!(!reach.serves(&config, early), "it listens nowhere");
        reach.listening(&[at("192.168.0.2:1")]);
        reach.linked(&at("192.168.0.3:1"), false, early);
        assert!(reach.serves(&config, late), "on a private network");
        reach.linked(&at("8.8.8.8:1"), false, early);
        assert!(reach.serves(&config, early) && !reach.serves(&config, late));
        assert!(reach.next_due(&config, early).is_some());
        reach.linked(&at("192.168.0.3:1"), true, early);
        assert!(!reach.serves(&config, late), "a neighbour proves nothing");
        reach.linked(&at("8.8.8.9:1"), true, late);
        assert!(reach.serves(&config, late) && reach.next_due(&config, early).is_none());
        let with = |serve| Config {
            serve,
            ..Config::default()
        };
        assert!(!reach.serves(&with(Serve::Never), late));
        reach.listening(&[]);
        assert!(!reach.serves(&with(Serve::Always), late));
    }
}
