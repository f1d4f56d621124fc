//! The seam to the file system: what the store asks of it, so that tests can put a disk there that
//! fills up, fails and loses power.

use std::{
    boxed::Box,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    path::Path,
    vec::Vec,
};

use crate::{ReadAt, WriteAt};

/// A file system.
pub(super) trait Disk: Send + Sync {
    /// Opens a file that exists, to read.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file to read and write, or makes it.
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Names and lengths of the files in a folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<(OsString, u64)>>;
    /// Makes a folder with those above it, unless it exists.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// Moves a file, over another if there is one.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; that there is none is no error.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes what was renamed, made and removed in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// An open file.
pub(super) trait DiskFile: ReadAt + Send + Sync {
    fn len(&self) -> io::Result<u64>;
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes bytes and length durable.
    fn sync(&self) -> io::Result<()>;
}

impl WriteAt for &dyn DiskFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        DiskFile::write_at(*self, offset, bytes)
    }
}

/// The system's own.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::open(path)?))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(options.open(path)?))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(OsString, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_file() {
                files.push((entry.file_name(), metadata.len()));
            }
        }
        Ok(files)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // Other systems order this themselves, and cannot open a folder.
        if cfg!(unix) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl DiskFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = self;
        WriteAt::write_at(&mut file, offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
