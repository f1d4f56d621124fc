//! An append-only file of checked records. What a crash tore is recognised, left out and written over.

use std::{boxed::Box, io, path::Path, vec::Vec};

use super::{
    disk::{Disk, DiskFile},
    limits::LOG_BYTES_MAX,
};

const CONTEXT: &str = "repute 2026-11 blob log v1";
const LEN_BYTES: usize = 2;
const CHECK_BYTES: usize = 8;
/// Read at once.
const READ_BYTES: usize = 1 << 16;

pub(super) struct Log {
    file: Box<dyn DiskFile>,
    /// Where the next record goes.
    len: u64,
    records: usize,
}

impl Log {
    /// Writes a log of these records and puts it at `path`, durable. `folder` is where it lies,
    /// `draft` a name in it for the time of writing.
    pub(super) fn create<'a>(
        disk: &dyn Disk,
        folder: &Path,
        draft: &Path,
        path: &Path,
        records: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<Self> {
        let file = disk.open_write(draft)?;
        file.set_len(0)?;
        let mut log = Self {
            file,
            len: 0,
            records: 0,
        };
        log.append(records)?;
        disk.rename(draft, path)?;
        disk.sync_folder(folder)?;
        Ok(log)
    }

    /// Opens a log and reads it up to the first record that is not whole.
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> io::Result<(Self, Vec<Vec<u8>>)> {
        let file = disk.open_write(path)?;
        let (len, records) = read(&*file)?;
        let count = records.len();
        let log = Self {
            file,
            len,
            records: count,
        };
        Ok((log, records))
    }

    /// The first record of a log.
    pub(super) fn first(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let file = disk.open(path)?;
        let mut bytes =
            std::vec![0; usize::try_from(file.len()?).map_or(4_096, |len| len.min(4_096))];
        file.read_at(0, &mut bytes)?;
        Ok(record_at(&bytes, 0).map(<[u8]>::to_vec))
    }

    /// How many records there are.
    pub(super) const fn records(&self) -> usize {
        self.records
    }

    /// Appends records and makes them durable: all, or after an error none that this log counts.
    pub(super) fn append<'a>(&mut self, records: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut count = 0;
        for record in records {
            let offset = self.len + bytes.len() as u64;
            let Ok(len) = u16::try_from(record.len()) else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend_from_slice(record);
            bytes.extend_from_slice(&check(offset, record));
            count += 1;
        }
        self.file.write_at(self.len, &bytes)?;
        self.file.sync()?;
        self.len += bytes.len() as u64;
        self.records += count;
        Ok(())
    }
}

/// Where the sound part ends, and its records.
fn read(file: &dyn DiskFile) -> io::Result<(u64, Vec<Vec<u8>>)> {
    let total = file.len()?.min(LOG_BYTES_MAX);
    let mut records = Vec::new();
    let mut bytes = Vec::new();
    let mut at = 0;
    let mut fetched = 0;
    loop {
        while let Some(record) = record_at(&bytes, at) {
            let taken = LEN_BYTES + record.len() + CHECK_BYTES;
            records.push(record.to_vec());
            bytes.drain(..taken);
            at += taken as u64;
        }
        let more = (total - fetched).min(READ_BYTES as u64) as usize;
        if more == 0 {
            return Ok((at, records));
        }
        let start = bytes.len();
        bytes.resize(start + more, 0);
        file.read_at(fetched, bytes.get_mut(start..).unwrap_or_default())?;
        fetched += more as u64;
    }
}

/// The record at the front of `bytes`, which lie at `offset`.
fn record_at(bytes: &[u8], offset: u64) -> Option<&[u8]> {
    let (len, rest) = bytes.split_first_chunk::<LEN_BYTES>()?;
    let (record, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
    let (found, _) = rest.split_first_chunk::<CHECK_BYTES>()?;
    (*found == check(offset, record)).then_some(record)
}

fn check(offset: u64, record: &[u8]) -> [u8; CHECK_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(&offset.to_le_bytes());
    hasher.update(record);
    let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
    [a, b, c, d, e, f, g, h]
}
