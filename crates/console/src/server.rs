use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use crate::{Control, router};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// Why the control socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Another node answers there.
    #[error(
        "another node is running on {}: stop it, or choose another --data-dir", path.display()
    )]
    InUse {
        /// Where.
        path: PathBuf,
    },
    /// Something that is no socket is in the way.
    #[error("{} exists and is no socket: move it away", path.display())]
    Occupied {
        /// Where.
        path: PathBuf,
    },
    /// The system refused.
    #[error(
        "cannot open the control socket {}: {source} (a socket's path has at most 107 bytes: a \
         shorter --data-dir may help)",
        path.display()
    )]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The control socket of a node, readable and writable by its owner only.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Opens the socket at `path`. One that a killed node left behind is replaced.
    ///
    /// # Errors
    /// [`ServerError`]; nothing was changed.
    pub async fn bind(path: &Path) -> Result<Self, ServerError> {
        if let Ok(found) = fs::symlink_metadata(path) {
            use std::os::unix::fs::FileTypeExt;
            if !found.file_type().is_socket() {
                return Err(ServerError::Occupied { path: path.into() });
            }
            match UnixStream::connect(path).await {
                // Nobody listens: a killed node left it behind.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                // Gone since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // A crowded backlog is somebody, too.
                Ok(_) | Err(_) => return Err(ServerError::InUse { path: path.into() }),
            }
        }
        let listener = open(path).map_err(|source| ServerError::Io {
            path: path.into(),
            source,
        })?;
        Ok(Self {
            listener,
            path: path.into(),
        })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves until the task is dropped.
    ///
    /// # Errors
    /// When the system takes the socket away.
    pub async fn serve<C: Control>(self, control: C) -> io::Result<()> {
        let served = axum::serve(self.listener, router(control)).await;
        // Gone already is just as well.
        let _removed = fs::remove_file(&self.path);
        served
    }
}

/// Between bind and listen nobody can connect: the mode is set there.
fn open(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let address = SockAddr::unix(path)?;
    if path.exists() {
        fs::remove_file(path)?;
    }
    socket.bind(&address)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into())
}
