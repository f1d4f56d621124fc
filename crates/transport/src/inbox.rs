//! The way from the links to the application: in order, and bounded in bytes for each link and in
//! all. Who finds no room waits, so its peer's stream is not read and QUIC slows the peer down.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use crate::{Event, link::Link};

/// What an event without frames is reckoned to take.
pub(crate) const EVENT_BYTES: u32 = 512;

/// Room that an event takes until the application has it.
#[derive(Debug, Default)]
pub(crate) struct Room {
    _of_link: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// The room of a datagram's event: a place among the few of its link.
    pub(crate) fn of_datagram(place: OwnedSemaphorePermit) -> Self {
        Self {
            _of_link: Some(place),
            _of_all: None,
        }
    }
}

#[derive(Debug)]
enum Post {
    Event(Event),
    /// Bytes were drained; how many is counted when the application asks.
    Drained(Arc<Link>),
}

#[derive(Debug)]
struct Posted {
    post: Post,
    _room: Room,
}

#[derive(Debug)]
pub(crate) struct Inbox {
    /// `None` once the endpoint has shut down. The channel itself is unbounded: what goes in is
    /// bounded by the rooms, and by the number of links and dials.
    sender: Mutex<Option<UnboundedSender<Posted>>>,
    room: Arc<Semaphore>,
    bytes_max: u32,
}

impl Inbox {
    pub(crate) fn new(bytes_max: u32) -> (Self, Events) {
        let (sender, receiver) = unbounded_channel();
        let room = Arc::new(Semaphore::new(bytes_max as usize));
        (
            Self {
                sender: Mutex::new(Some(sender)),
                room,
                bytes_max,
            },
            Events { receiver },
        )
    }

    /// Waits for room; `None` when the link is gone.
    pub(crate) async fn room(&self, link: Option<&Link>, bytes: usize) -> Option<Room> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let of_link = match link {
            Some(link) => {
                let share = bytes.min(link.inbox_bytes_max);
                Some(
                    Arc::clone(&link.inbox)
                        .acquire_many_owned(share)
                        .await
                        .ok()?,
                )
            }
            None => None,
        };
        let share = bytes.min(self.bytes_max);
        let of_all = Some(
            Arc::clone(&self.room)
                .acquire_many_owned(share)
                .await
                .ok()?,
        );
        Some(Room {
            _of_link: of_link,
            _of_all: of_all,
        })
    }

    pub(crate) fn post(&self, event: Event, room: Room) {
        self.send(Posted {
            post: Post::Event(event),
            _room: room,
        });
    }

    pub(crate) fn post_drained(&self, link: &Arc<Link>) {
        self.send(Posted {
            post: Post::Drained(Arc::clone(link)),
            _room: Room::default(),
        });
    }

    fn send(&self, posted: Posted) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = sender.as_ref() {
            // The application may have dropped its end; then nobody wants to know.
            let _ = sender.send(posted);
        }
    }

    /// Nothing more will be posted.
    pub(crate) fn close(&self) {
        self.sender
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}

/// What happens on an endpoint. When it is not read, the links are not read either, and QUIC
/// slows the peers down.
#[derive(Debug)]
pub struct Events {
    receiver: UnboundedReceiver<Posted>,
}

impl Events {
    /// The next event; `None` once the endpoint has shut down. Safe to cancel.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let posted = self.receiver.recv().await?;
            if let Some(event) = posted.post.into_event() {
                return Some(event);
            }
        }
    }

    /// An event that is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        loop {
            let posted = self.receiver.try_recv().ok()?;
            if let Some(event) = posted.post.into_event() {
                return Some(event);
            }
        }
    }
}

impl Post {
    fn into_event(self) -> Option<Event> {
        match self {
            Self::Event(event) => Some(event),
            Self::Drained(link) => {
                let bytes = link.take_drained();
                (bytes > 0).then_some(Event::Drained {
                    peer: link.peer,
                    bytes,
                })
            }
        }
    }
}
