//! The control socket: who may open it, and what is found in its place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

#[allow(dead_code, reason = "each file of tests uses its part")]
mod fake;

use std::{
    fs,
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
};

use fake::Fake;
use repute_console::{Client, ClientError, Server, ServerError};

#[tokio::test]
async fn only_the_owner_may_open_the_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let server = Server::bind(&path).await.unwrap();
    let mode = fs::metadata(server.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_socket_that_a_killed_node_left_behind_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    // Dropping a listener leaves its file, as a kill does.
    drop(UnixListener::bind(&path).unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(
        Client::connect(&path).status().await,
        Err(ClientError::NotRunning { .. })
    ));
    let server = Server::bind(&path).await.unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    tokio::spawn(server.serve(Fake::default()));
    assert!(Client::connect(&path).status().await.is_ok());
}

#[tokio::test]
async fn a_running_nodes_socket_is_not_taken_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let server = Server::bind(&path).await.unwrap();
    let refused = Server::bind(&path).await.unwrap_err();
    assert!(matches!(&refused, ServerError::InUse { path: at } if *at == path));
    let text = refused.to_string();
    assert!(text.contains("--data-dir"), "{text}");
    tokio::spawn(server.serve(Fake::default()));
    assert!(Client::connect(&path).status().await.is_ok());
}

#[tokio::test]
async fn a_node_too_busy_to_accept_keeps_its_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let _server = Server::bind(&path).await.unwrap();
    // Nobody accepts: the backlog fills until the system lets nobody in.
    let mut waiting = Vec::new();
    let full = loop {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&socket2::SockAddr::unix(&path).unwrap()) {
            Ok(()) => waiting.push(socket),
            Err(error) => break error,
        }
        assert!(waiting.len() < 10_000, "the backlog has no end");
    };
    assert_eq!(full.kind(), std::io::ErrorKind::WouldBlock);
    let refused = Server::bind(&path).await.unwrap_err();
    assert!(matches!(refused, ServerError::InUse { .. }));
    assert!(path.exists());
}

#[tokio::test]
async fn what_is_no_socket_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    fs::write(&path, "precious").unwrap();
    let refused = Server::bind(&path).await.unwrap_err();
    assert!(matches!(refused, ServerError::Occupied { .. }));
    assert!(refused.to_string().contains("move it away"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");

    // A link is no socket, wherever it leads: it is not followed.
    let real = dir.path().join("real.sock");
    drop(UnixListener::bind(&real).unwrap());
    let link = dir.path().join("link.sock");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let refused = Server::bind(&link).await.unwrap_err();
    assert!(matches!(refused, ServerError::Occupied { .. }));
    assert!(real.exists());
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_refused_with_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x".repeat(120));
    let refused = Server::bind(&path).await.unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, ServerError::Io { .. }));
    assert!(
        text.contains("107 bytes") && text.contains("shorter --data-dir"),
        "{text}"
    );
    let missing = dir.path().join("missing/control.sock");
    let refused = Server::bind(&missing).await.unwrap_err();
    assert!(matches!(refused, ServerError::Io { .. }));
}

#[tokio::test]
async fn strangers_that_speak_no_http_disturb_nobody() {
    use std::io::{Read, Write};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let server = Server::bind(&path).await.unwrap();
    tokio::spawn(server.serve(Fake::default()));
    for garbage in [
        &b"\x00\xff\x16\x03\x01"[..],
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\n",
    ] {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(garbage).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // Whether it answers or hangs up, it does not hang.
        let drained = tokio::task::spawn_blocking(move || stream.read_to_end(&mut Vec::new()));
        let _closed = drained.await.unwrap();
    }
    assert!(Client::connect(&path).status().await.is_ok());
}
