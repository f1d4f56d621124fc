//! Streams beside the frames of a link.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support is no #[test] function, so clippy does not see it as a test"
)]

mod support;

use std::time::Duration;

use bytes::Bytes;
use repute_protocol::DisconnectReason;
use repute_transport::{Config, Priority, Stream, StreamError, Streams};
use support::{Node, PATIENCE, config, goodbye, link, node, node_with, nonce_of, numbered};
use tokio::time::timeout;

const MIB: usize = 1024 * 1024;

/// Two linked nodes; the streams are those that the first opens to the second.
async fn linked(config: Config) -> (Node, Node, Streams) {
    let (mut a, mut b) = (node(1).await, node_with(2, config).await);
    let streams = b.endpoint.streams().expect("nobody has taken them");
    link(&mut a, &mut b).await;
    (a, b, streams)
}

/// Opens a stream, says something, and takes it at the other end.
async fn open(a: &Node, b: &Node, streams: &mut Streams, word: &[u8]) -> (Stream, Stream) {
    let mut ours = a.endpoint.open_stream(b.id).await.unwrap();
    ours.writer
        .write(Bytes::copy_from_slice(word))
        .await
        .unwrap();
    let mut theirs = timeout(PATIENCE, streams.next()).await.unwrap().unwrap();
    assert_eq!((ours.peer, theirs.peer), (b.id, a.id));
    assert_eq!(theirs.reader.read(word.len()).await.unwrap().unwrap(), word);
    (ours, theirs)
}

#[tokio::test]
async fn what_is_written_is_read_to_its_end_in_both_directions() {
    let (a, b, mut streams) = linked(config()).await;
    let (mut ours, mut theirs) = open(&a, &b, &mut streams, b"give").await;
    ours.writer.finish().unwrap();
    assert_eq!(theirs.reader.read(1).await, Ok(None));
    let serve = async move {
        for nth in 0..64u8 {
            let mut pieces = [
                Bytes::from(vec![nth; MIB / 2]),
                Bytes::from(vec![nth; MIB / 2]),
            ];
            theirs.writer.write_all(&mut pieces).await.unwrap();
        }
        theirs.writer.finish().unwrap();
        theirs.writer.done().await.unwrap();
    };
    let fetch = async {
        let (mut at, mut pieces) = (0, vec![Bytes::new(); 32]);
        while let Some(filled) = ours.reader.read_pieces(&mut pieces).await.unwrap() {
            for piece in &pieces[..filled] {
                for byte in piece {
                    assert_eq!(usize::from(*byte), at / MIB, "at {at}");
                    at += 1;
                }
            }
        }
        at
    };
    let ((), bytes) = tokio::join!(serve, fetch);
    assert_eq!(bytes, 64 * MIB);
    let (sent, got) = (b.endpoint.stats(), a.endpoint.stats());
    assert_eq!(
        (sent.stream_bytes_out, got.stream_bytes_in),
        (64 << 20, 64 << 20)
    );
    assert_eq!((got.streams_opened, sent.streams_accepted), (1, 1));
}

#[tokio::test]
async fn a_stream_that_nobody_reads_holds_no_frame_up() {
    let (a, mut b, mut streams) = linked(config()).await;
    let (ours, mut theirs) = open(&a, &b, &mut streams, b"give").await;
    // As much as goes: the window is full, and the writer stands still.
    let mut written = 0;
    while let Ok(sent) = timeout(
        Duration::from_millis(200),
        theirs.writer.write(Bytes::from(vec![0; MIB])),
    )
    .await
    {
        sent.unwrap();
        written += MIB;
        assert!(written < 64 * MIB, "nothing bounds what is under way");
    }
    for nonce in 0..100 {
        let frame = numbered(nonce).encode();
        a.endpoint.send(b.id, frame, Priority::Broadcast).unwrap();
    }
    let frames = b.frames(100).await;
    assert_eq!(frames.iter().map(nonce_of).max(), Some(99));
    drop(ours);
}

#[tokio::test]
async fn frames_pass_a_stream_that_nobody_reads_in_its_own_direction() {
    let (mut a, b, mut streams) = linked(config()).await;
    let (_ours, mut theirs) = open(&a, &b, &mut streams, b"give").await;
    let _full = timeout(Duration::from_millis(500), async {
        loop {
            theirs
                .writer
                .write(Bytes::from(vec![0; MIB]))
                .await
                .unwrap();
        }
    })
    .await;
    for nonce in 0..100 {
        let frame = numbered(nonce).encode();
        b.endpoint.send(a.id, frame, Priority::Broadcast).unwrap();
    }
    assert_eq!(a.frames(100).await.len(), 100);
}

#[tokio::test]
async fn who_gives_up_is_not_taken_for_one_who_ended() {
    let (a, b, mut streams) = linked(config()).await;
    let (mut ours, theirs) = open(&a, &b, &mut streams, b"give").await;
    drop(theirs.writer);
    assert_eq!(ours.reader.read(1).await, Err(StreamError::GivenUp));
    drop(theirs.reader);
    let stopped = timeout(PATIENCE, ours.writer.done()).await.unwrap();
    assert_eq!(stopped, Err(StreamError::GivenUp));
    assert_eq!(
        ours.writer.write(Bytes::from_static(b"more")).await,
        Err(StreamError::GivenUp)
    );
}

#[tokio::test]
async fn no_more_streams_are_open_at_once_than_the_peer_allows() {
    let (mut node_config, mut opener) = (config(), config());
    node_config.streams_max = 2;
    opener.stream_open_time = Duration::from_millis(100);
    let (mut a, mut b) = (node_with(1, opener).await, node_with(2, node_config).await);
    let mut streams = b.endpoint.streams().unwrap();
    link(&mut a, &mut b).await;
    let first = open(&a, &b, &mut streams, b"1").await;
    let second = open(&a, &b, &mut streams, b"2").await;
    let third = a.endpoint.open_stream(b.id).await;
    assert_eq!(third.map(|_| ()), Err(StreamError::Busy));
    drop((first, second));
    let third = async {
        loop {
            if let Ok(stream) = a.endpoint.open_stream(b.id).await {
                return stream;
            }
        }
    };
    timeout(PATIENCE, third)
        .await
        .expect("a place is free again");
}

#[tokio::test]
async fn a_peer_that_takes_none_is_told_from_one_that_is_gone() {
    let (mut none, mut opener) = (config(), config());
    none.streams_max = 0;
    opener.stream_open_time = Duration::from_millis(100);
    let (mut a, mut b) = (node_with(1, opener).await, node_with(2, none).await);
    let unknown = a.endpoint.open_stream(b.id).await.map(|_| ());
    assert_eq!(unknown, Err(StreamError::NotConnected));
    link(&mut a, &mut b).await;
    let refused = a.endpoint.open_stream(b.id).await.map(|_| ());
    assert_eq!(refused, Err(StreamError::Busy));
}

#[tokio::test]
async fn streams_of_who_is_shut_out_are_refused() {
    let (a, b, _streams) = linked(config()).await;
    b.endpoint.shut_out(a.id, true);
    let mut ours = a.endpoint.open_stream(b.id).await.unwrap();
    let _first = ours.writer.write(Bytes::from_static(b"give")).await;
    let answer = timeout(PATIENCE, ours.reader.read(1)).await.unwrap();
    assert_eq!(answer, Err(StreamError::Refused));
    assert_eq!(b.endpoint.stats().streams_refused, 1);
}

#[tokio::test]
async fn a_stream_ends_with_its_link() {
    let (a, b, mut streams) = linked(config()).await;
    let (mut ours, _theirs) = open(&a, &b, &mut streams, b"give").await;
    b.endpoint.close(a.id, goodbye(DisconnectReason::Requested));
    let answer = timeout(PATIENCE, ours.reader.read(1)).await.unwrap();
    assert_eq!(answer, Err(StreamError::Lost));
    assert_eq!(
        timeout(PATIENCE, ours.writer.done()).await.unwrap(),
        Err(StreamError::Lost)
    );
}
