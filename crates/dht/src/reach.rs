//! Whether this node can be reached, and so serves others.

use core::time::Duration;

use repute_base::{Address, Mono};

use crate::{Config, Serve, diversity::is_routable};

/// What is known about being reached from outside.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reach {
    listens: bool,
    /// Whether some address of ours is one of the internet.
    routable: bool,
    reached_near: bool,
    reached_far: bool,
    /// Since when this node has had links.
    linked_since: Option<Mono>,
}

impl Reach {
    pub(crate) fn listening(&mut self, addresses: &[Address]) {
        self.listens = !addresses.is_empty();
        self.routable = addresses.iter().any(is_routable);
    }

    /// A peer dialled us.
    pub(crate) fn came_from(&mut self, remote: &Address) {
        if is_routable(remote) {
            self.reached_far = true;
        } else {
            self.reached_near = true;
        }
    }

    /// A peer is linked.
    pub(crate) fn linked(&mut self, now: Mono) {
        self.linked_since.get_or_insert(now);
    }

    /// Whether to serve now. A node with an address of the internet must be reached from there;
    /// one on a private network alone, by anybody.
    pub(crate) fn serves(&self, config: &Config, now: Mono) -> bool {
        let reached = self.reached_far || (self.reached_near && !self.routable);
        self.listens
            && match config.serve {
                Serve::Always => true,
                Serve::Never => false,
                Serve::Auto => reached || now < self.gives_up(config.serve_patience),
            }
    }

    /// When to look again.
    pub(crate) fn next_due(&self, config: &Config, now: Mono) -> Option<Mono> {
        let at = self.gives_up(config.serve_patience);
        let due = matches!(config.serve, Serve::Auto) && self.listens && at > now;
        due.then_some(at).filter(|at| *at < Mono::MAX)
    }

    fn gives_up(&self, patience: Duration) -> Mono {
        self.linked_since
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
        reach.listening(&[at("9.8.7.6:1"), at("192.168.0.2:1")]);
        assert!(
            reach.serves(&config, late),
            "it has had no links to be reached by"
        );
        reach.linked(early);
        assert!(reach.serves(&config, early) && !reach.serves(&config, late));
        assert!(reach.next_due(&config, early).is_some());
        reach.came_from(&at("192.168.0.3:1"));
        assert!(!reach.serves(&config, late), "a neighbour proves nothing");
        reach.came_from(&at("8.8.8.8:1"));
        assert!(reach.serves(&config, late));
        assert!(!reach.serves(
            &Config {
                serve: Serve::Never,
                ..config.clone()
            },
            late
        ));
        reach.listening(&[]);
        assert!(!reach.serves(
            &Config {
                serve: Serve::Always,
                ..config
            },
            late
        ));
    }

    #[test]
    fn on_a_private_network_anybody_proves_that_it_is_reached() {
        let config = Config::default();
        let mut reach = Reach::default();
        reach.listening(&[at("192.168.0.2:1")]);
        reach.linked(Mono::ZERO);
        reach.came_from(&at("192.168.0.3:1"));
        assert!(reach.serves(&config, Mono::MAX));
    }
}
