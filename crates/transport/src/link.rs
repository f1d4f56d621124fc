//! A link to one peer, and the connections that carry it.
//!
//! Usually one connection carries a link. When both ends dialled at once there are two for a
//! moment: both ends pick the same one, write on it alone, and read the other to its end.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use repute_identity::NodeId;
use repute_protocol::{Disconnect, FrameHeader, FrameKind};
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::Instant,
};

use crate::{
    Event, LinkDown, Priority, SendError, inbox::Room, shared::Shared, stats::count, stream::Widths,
};

/// Bytes of one write: enough to fill many packets, few enough that control frames that come
/// meanwhile wait little.
const WRITE_BYTES: usize = 64 * 1024;
/// Frames of one write.
const WRITE_FRAMES: usize = 128;

/// Datagrams of one link that wait for the application; what comes beyond is dropped, as the
/// network might have done.
const DATAGRAMS_WAITING_MAX: usize = 32;

/// One connection of a link.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) connection: quinn::Connection,
    /// Whether this end dialled it.
    pub(crate) dialled: bool,
    /// Something changed for the writer.
    pub(crate) work: Notify,
    /// A goodbye waits to be written: from now on time is bounded.
    pub(crate) closing: Notify,
    /// Another connection carries the link: from now on time is bounded.
    pub(crate) retired: Notify,
    /// The writer has ended.
    pub(crate) written: Notify,
    /// Who wants its windows wide.
    pub(crate) widths: Widths,
}

impl Carrier {
    pub(crate) fn new(connection: quinn::Connection, dialled: bool) -> Arc<Self> {
        Arc::new(Self {
            connection,
            dialled,
            work: Notify::new(),
            closing: Notify::new(),
            retired: Notify::new(),
            written: Notify::new(),
            widths: Widths::default(),
        })
    }
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    /// Bytes of the frames, and of those being written.
    bytes: usize,
}

impl Queue {
    /// Queues a frame; how many bytes wait then.
    fn push(&mut self, frame: Bytes, max: usize) -> Result<usize, SendError> {
        let queued = self.bytes.saturating_add(frame.len());
        if queued > max && self.bytes > 0 {
            return Err(SendError::Full {
                queued: self.bytes,
                max,
            });
        }
        self.bytes = queued;
        self.frames.push_back(frame);
        Ok(queued)
    }

    /// Moves frames into `batch` until it is full; how many bytes.
    fn fill(&mut self, batch: &mut Vec<Bytes>, room: usize) -> usize {
        let mut taken = 0;
        while taken < room && batch.len() < WRITE_FRAMES {
            let Some(frame) = self.frames.pop_front() else {
                break;
            };
            taken += frame.len();
            batch.push(frame);
        }
        taken
    }
}

/// What a writer is to do next.
#[derive(Debug)]
pub(crate) enum Work {
    Write {
        frames: Vec<Bytes>,
        control: usize,
        broadcast: usize,
    },
    Goodbye(Disconnect),
    /// Another connection carries the link now, or the link is gone.
    Retire,
    Wait,
}

#[derive(Debug)]
struct State {
    up: bool,
    carrier: Arc<Carrier>,
    control: Queue,
    broadcast: Queue,
    goodbye: Option<Disconnect>,
    malformed: u32,
    /// Kept so that the last event always finds room.
    last_room: Option<Room>,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) peer: NodeId,
    pub(crate) since: Instant,
    /// Room for this link's events; closed when the link goes down.
    pub(crate) inbox: Arc<Semaphore>,
    pub(crate) inbox_bytes_max: u32,
    /// Places for events that datagrams bring: apart, so that nobody has to wait for one.
    datagrams: Arc<Semaphore>,
    queue_bytes_max: usize,
    /// Whether nothing of this peer is decoded but its goodbye.
    shut_out: AtomicBool,
    /// Whether the application wants nothing from this stream for now.
    held: watch::Sender<bool>,
    drained: AtomicUsize,
    drained_posted: AtomicBool,
    state: Mutex<State>,
}

impl Link {
    pub(crate) fn new(
        peer: NodeId,
        carrier: Arc<Carrier>,
        config: &crate::Config,
        last_room: Room,
        shut_out: bool,
    ) -> Arc<Self> {
        let state = State {
            up: true,
            carrier,
            control: Queue::default(),
            broadcast: Queue::default(),
            goodbye: None,
            malformed: 0,
            last_room: Some(last_room),
        };
        Arc::new(Self {
            peer,
            since: Instant::now(),
            inbox: Arc::new(Semaphore::new(config.inbox_link_bytes_max as usize)),
            inbox_bytes_max: config.inbox_link_bytes_max,
            datagrams: Arc::new(Semaphore::new(DATAGRAMS_WAITING_MAX)),
            queue_bytes_max: config.queue_bytes_max,
            shut_out: AtomicBool::new(shut_out),
            held: watch::Sender::new(false),
            drained: AtomicUsize::new(0),
            drained_posted: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a frame for the peer: at once as a datagram if that suits it, or into the queue.
    pub(crate) fn push(
        self: &Arc<Self>,
        shared: &Shared,
        frame: Bytes,
        priority: Priority,
    ) -> Result<(), SendError> {
        let mut state = self.state();
        if !state.up {
            return Err(SendError::NotConnected);
        }
        if priority == Priority::Control && is_heartbeat(&frame) {
            let len = frame.len();
            let connection = &state.carrier.connection;
            let fits = connection.max_datagram_size().is_some_and(|max| len <= max);
            if fits && connection.send_datagram(frame.clone()).is_ok() {
                count(&shared.counters.frames_out, 1);
                count(&shared.counters.datagrams_out, 1);
                count(&shared.counters.bytes_out, len);
                self.credit(&state, shared, len);
                return Ok(());
            }
        }
        let max = self.queue_bytes_max;
        let waiting = match priority {
            Priority::Control => state.control.push(frame, max)?,
            Priority::Broadcast => state.broadcast.push(frame, max)?,
        };
        let peak = &shared.counters.queue_peak;
        peak.fetch_max(waiting as u64, Ordering::Relaxed);
        state.carrier.work.notify_one();
        Ok(())
    }

    /// What the writer of `carrier` does next.
    pub(crate) fn next_work(&self, carrier: &Arc<Carrier>) -> Work {
        let mut state = self.state();
        if !Arc::ptr_eq(&state.carrier, carrier) || (!state.up && state.goodbye.is_none()) {
            return Work::Retire;
        }
        let mut frames = Vec::new();
        let control = state.control.fill(&mut frames, WRITE_BYTES);
        let broadcast = state
            .broadcast
            .fill(&mut frames, WRITE_BYTES.saturating_sub(control));
        if !frames.is_empty() {
            return Work::Write {
                frames,
                control,
                broadcast,
            };
        }
        state.goodbye.take().map_or(Work::Wait, Work::Goodbye)
    }

    /// Notes that a write is done.
    pub(crate) fn wrote(self: &Arc<Self>, shared: &Shared, control: usize, broadcast: usize) {
        let mut state = self.state();
        state.control.bytes = state.control.bytes.saturating_sub(control);
        state.broadcast.bytes = state.broadcast.bytes.saturating_sub(broadcast);
        self.credit(&state, shared, control + broadcast);
    }

    fn credit(self: &Arc<Self>, state: &State, shared: &Shared, bytes: usize) {
        self.drained.fetch_add(bytes, Ordering::AcqRel);
        if state.up && !self.drained_posted.swap(true, Ordering::AcqRel) {
            shared.inbox.post_drained(self);
        }
    }

    /// For good: what is passed over leaves a gap that later frames may build on.
    pub(crate) fn shut_out(&self) {
        self.shut_out.store(true, Ordering::Release);
    }

    pub(crate) fn is_shut_out(&self) -> bool {
        self.shut_out.load(Ordering::Acquire)
    }

    /// Whether the stream is read.
    pub(crate) fn hold(&self, held: bool) {
        self.held
            .send_if_modified(|now| core::mem::replace(now, held) != held);
    }

    /// Waits while the application wants nothing from this stream.
    pub(crate) async fn until_wanted(&self) {
        if *self.held.borrow() {
            // The sender is ours: it cannot be gone.
            let _ = self.held.subscribe().wait_for(|held| !held).await;
        }
    }

    /// A place for what a datagram brought; `None` when too many wait already.
    pub(crate) fn datagram_room(&self) -> Option<Room> {
        let place = Arc::clone(&self.datagrams).try_acquire_owned().ok()?;
        Some(Room::of_datagram(place))
    }

    pub(crate) fn take_drained(&self) -> usize {
        // First the flag: bytes that come between the two are posted again, never lost.
        self.drained_posted.store(false, Ordering::Release);
        self.drained.swap(0, Ordering::AcqRel)
    }

    /// Posts an event of this link, unless the link is down already.
    pub(crate) fn post(&self, shared: &Shared, event: Event, room: Room) {
        let state = self.state();
        if state.up {
            shared.inbox.post(event, room);
        }
    }

    /// Counts a malformed frame; whether there were too many.
    pub(crate) fn is_too_malformed(&self, shared: &Shared) -> bool {
        let mut state = self.state();
        state.malformed = state.malformed.saturating_add(1);
        state.malformed >= shared.config.malformed_max
    }

    pub(crate) fn carrier(&self) -> Arc<Carrier> {
        Arc::clone(&self.state().carrier)
    }

    pub(crate) fn is_carried_by(&self, carrier: &Arc<Carrier>) -> bool {
        let state = self.state();
        state.up && Arc::ptr_eq(&state.carrier, carrier)
    }

    /// From now on `carrier` carries the link; the writer of the former one retires.
    pub(crate) fn move_to(&self, carrier: Arc<Carrier>) {
        let mut state = self.state();
        let former = core::mem::replace(&mut state.carrier, carrier);
        drop(state);
        former.retired.notify_one();
        former.work.notify_one();
    }

    /// The last thing that happens to a link: posts [`Event::LinkDown`], once. With a goodbye, the
    /// writer sends it after what is queued.
    pub(crate) fn down(&self, shared: &Shared, cause: LinkDown, goodbye: Option<Disconnect>) {
        let mut state = self.state();
        if !state.up {
            return;
        }
        state.up = false;
        self.hold(false);
        self.inbox.close();
        let room = state.last_room.take().unwrap_or_default();
        shared.inbox.post(
            Event::LinkDown {
                peer: self.peer,
                cause,
            },
            room,
        );
        if goodbye.is_some() {
            state.goodbye = goodbye;
            state.carrier.closing.notify_one();
        }
        state.carrier.work.notify_one();
    }
}

/// Heartbeats travel as datagrams: a late one is worth nothing, and the loss of one is what the
/// failure detector reckons with.
fn is_heartbeat(frame: &[u8]) -> bool {
    frame.get(FrameHeader::LEN - 1) == Some(&FrameKind::Heartbeat.number())
}
