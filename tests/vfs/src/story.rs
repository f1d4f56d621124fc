//! What a store is told: batches that follow from a seed and a number, and what it should hold
//! after each of them.

use repute_base::{Rng, Wall};
use repute_identity::NodeId;
use repute_storage::{
    BanRow, EventRow, MemoryStore, PeerRow, Prune, SeenRow, Store, StoreError, Write,
};

/// The name under which each batch leaves its number.
const LAST: &str = "last";
const BLOBS: u64 = 4;
const SUBJECTS: u64 = 5;

/// Batches, and the state after each. Everything follows from the seed.
pub struct Story {
    seed: u64,
    model: MemoryStore,
    /// What is held before batch 0, before batch 1, …
    states: Vec<Held>,
}

/// All that a store holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    peers: Vec<PeerRow>,
    events: Vec<EventRow>,
    bans: Vec<BanRow>,
    seen: Vec<SeenRow>,
    states: Vec<Option<Vec<u8>>>,
}

impl Held {
    /// Reads everything there is.
    pub fn of(store: &dyn Store) -> Result<Self, StoreError> {
        let mut events = Vec::new();
        let report = store.events(&mut |row| events.push(row))?;
        let names = (0..BLOBS).map(|n| format!("blob{n}"));
        let states = names.chain([LAST.to_owned()]);
        let held = Self {
            peers: store.peers()?,
            events,
            bans: store.bans()?,
            seen: store.seen()?,
            states: states
                .map(|name| store.state(&name))
                .collect::<Result<_, _>>()?,
        };
        if report.damaged + store.health().damaged > 0 {
            return Err(StoreError::Misuse("a row failed its check"));
        }
        Ok(held)
    }

    /// How many batches this is the result of, if of any.
    pub fn batches(&self) -> Option<u64> {
        match self.states.last()? {
            None => Some(0),
            Some(bytes) => Some(1 + u64::from_le_bytes(bytes.as_slice().try_into().ok()?)),
        }
    }
}

fn node(n: u64) -> NodeId {
    let mut bytes = [0x5A; 32];
    bytes[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    NodeId::from_bytes(bytes)
}

fn body(rng: &mut Rng, len_max: u64) -> Vec<u8> {
    let mut bytes = vec![0; rng.below(len_max) as usize];
    rng.fill(&mut bytes);
    bytes
}

impl Story {
    pub fn new(seed: u64) -> Self {
        let model = MemoryStore::new();
        let empty = Held::of(&model).unwrap_or_default();
        Self {
            seed,
            model,
            states: vec![empty],
        }
    }

    /// The batch of this number.
    pub fn batch(&self, number: u64) -> Vec<Write> {
        let mut rng = Rng::from_u64(self.seed.wrapping_mul(1_000_003).wrapping_add(number));
        let event = |number: u64, rng: &mut Rng| EventRow {
            number,
            subject: node(rng.below(SUBJECTS)),
            wall: Wall::from_millis(number),
            kind: 1,
            fault: 2,
            context: 3,
            // Now and then more than a page holds.
            body: if rng.chance(1, 10) {
                body(rng, 9_000)
            } else {
                body(rng, 600)
            },
        };
        let mut batch = vec![Write::State {
            key: LAST.into(),
            value: number.to_le_bytes().to_vec(),
        }];
        if number % 13 == 12 {
            let row = event(2 * number, &mut rng);
            let (subject, up_to) = (row.subject, 2 * number - 1);
            batch.push(Write::Checkpoint {
                subject,
                up_to,
                row,
            });
        } else {
            batch.push(Write::Event(event(2 * number, &mut rng)));
        }
        batch.push(Write::Event(event(2 * number + 1, &mut rng)));
        if number.is_multiple_of(3) {
            batch.push(Write::Peer(PeerRow {
                id: node(100 + rng.below(24)),
                last_seen: Wall::from_millis(number),
                body: body(&mut rng, 400),
            }));
        }
        if number % 4 == 1 {
            let row = |author| SeenRow {
                author: node(200 + author % 16),
                start: u64::MAX - author % 16,
                highest: number,
                bitmap: vec![number as u8; 64],
                wall: Wall::from_millis(number),
            };
            batch.push(Write::Seen((number..number + 5).map(row).collect()));
        }
        if number % 5 == 2 {
            batch.push(Write::Ban(BanRow {
                subject: node(number),
                until: rng.chance(1, 2).then_some(Wall::from_millis(number)),
                body: body(&mut rng, 100),
            }));
        }
        match number % 29 {
            7 => batch.push(Write::Unban(node(number.saturating_sub(10) / 5 * 5 + 2))),
            11 => batch.push(Write::ForgetPeer(node(100 + rng.below(24)))),
            17 => batch.push(Write::ForgetEvents(node(rng.below(SUBJECTS)))),
            23 => batch.push(Write::Prune(Prune {
                seen_before: Some(Wall::from_millis(number.saturating_sub(20))),
                bans_before: Some(Wall::from_millis(number.saturating_sub(20))),
                ..Prune::default()
            })),
            _ => {}
        }
        if number % 7 == 6 {
            batch.push(Write::State {
                key: format!("blob{}", rng.below(BLOBS)),
                value: body(&mut rng, 20_000),
            });
        }
        batch
    }

    /// What is held after the first so many batches.
    pub fn after(&mut self, batches: u64) -> &Held {
        while (self.states.len() as u64) <= batches {
            let number = self.states.len() as u64 - 1;
            let refused = std::cell::Cell::new(None);
            let (told, answer) = std::sync::mpsc::channel();
            let done = Box::new(move |result| drop(told.send(result)));
            self.model.write(self.batch(number), done);
            if let Ok(Err(error)) = answer.recv() {
                refused.set(Some(error));
            }
            assert!(
                refused.take().is_none(),
                "the story has a batch that memory refuses"
            );
            self.states.push(Held::of(&self.model).unwrap_or_default());
        }
        &self.states[batches as usize]
    }
}

/// What a store holds after these batches of a story and no others.
pub fn after_only(story: &Story, batches: &[u64]) -> Held {
    let model = MemoryStore::new();
    for number in batches {
        model.write(story.batch(*number), Box::new(|_| ()));
    }
    Held::of(&model).unwrap_or_default()
}

/// Writes one batch and waits for its fate.
pub fn write(store: &dyn Store, batch: Vec<Write>) -> Result<(), StoreError> {
    let (told, answer) = std::sync::mpsc::channel();
    store.write(batch, Box::new(move |result| drop(told.send(result))));
    answer.recv().unwrap_or(Err(StoreError::Closed))
}
