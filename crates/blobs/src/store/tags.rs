//! Names that keep blobs: a log of what was said, and the sum of it in memory.

use std::{collections::BTreeMap, path::Path, string::String, vec::Vec};

use repute_protocol::BlobHash;

use super::{
    Store, StoreError,
    disk::Disk,
    files::DRAFTS,
    limits::{LOG_SPARE_RECORDS, TAG_NAME_MAX},
    log::Log,
};

/// What a name of the operator's keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The blob.
    pub hash: BlobHash,
    /// Whether it is a collection whose files are kept too.
    pub collection: bool,
}

const FILE: &str = "tags";
const DELETE: u8 = 0;
const BLOB: u8 = 1;
const COLLECTION: u8 = 2;

pub(super) struct Tags {
    pub(super) tags: BTreeMap<String, Tag>,
    log: Log,
    /// Grows with each change.
    pub(super) version: u64,
}

impl Tags {
    pub(super) fn open(disk: &dyn Disk, root: &Path, exists: bool) -> std::io::Result<Self> {
        let path = root.join(FILE);
        if !exists {
            let log = Log::create(
                disk,
                root,
                &root.join(DRAFTS).join(FILE),
                &path,
                [].into_iter(),
            )?;
            return Ok(Self {
                tags: BTreeMap::new(),
                log,
                version: 0,
            });
        }
        let (log, records) = Log::open(disk, &path)?;
        let mut tags = BTreeMap::new();
        for record in records {
            let Some((kind, rest)) = record.split_first() else {
                continue;
            };
            let Some((hash, name)) = rest.split_first_chunk::<32>() else {
                continue;
            };
            let Ok(name) = String::from_utf8(name.to_vec()) else {
                continue;
            };
            let hash = BlobHash::from_bytes(*hash);
            match *kind {
                DELETE => tags.remove(&name),
                kind => tags.insert(
                    name,
                    Tag {
                        hash,
                        collection: kind == COLLECTION,
                    },
                ),
            };
        }
        Ok(Self {
            tags,
            log,
            version: 0,
        })
    }

    fn append(&mut self, disk: &dyn Disk, root: &Path, record: &[u8]) -> std::io::Result<()> {
        if self.log.records() > 2 * self.tags.len() + LOG_SPARE_RECORDS {
            let records: Vec<_> = self
                .tags
                .iter()
                .map(|(name, tag)| record_of(tag.kind(), &tag.hash, name))
                .collect();
            let draft = root.join(DRAFTS).join(FILE);
            let records = records.iter().map(Vec::as_slice);
            self.log = Log::create(disk, root, &draft, &root.join(FILE), records)?;
        }
        self.log.append([record].into_iter())?;
        self.version += 1;
        Ok(())
    }
}

impl Tag {
    const fn kind(self) -> u8 {
        if self.collection { COLLECTION } else { BLOB }
    }
}

fn record_of(kind: u8, hash: &BlobHash, name: &str) -> Vec<u8> {
    let mut record = Vec::with_capacity(33 + name.len());
    record.push(kind);
    record.extend_from_slice(hash.as_bytes());
    record.extend_from_slice(name.as_bytes());
    record
}

impl Store {
    /// Gives a blob a name that keeps it, durably; in the place of what had the name before. The
    /// blob need not be there yet.
    ///
    /// # Errors
    /// [`StoreError::TooMany`], or what writing says.
    pub fn tag(&self, name: &str, tag: Tag) -> Result<(), StoreError> {
        if name.len() > TAG_NAME_MAX {
            return Err(StoreError::path(name, "the name of a tag is too long"));
        }
        let inner = self.inner();
        let mut index = inner.index();
        if index.tags.tags.get(name) == Some(&tag) {
            return Ok(());
        }
        let max = inner.limits.tags_max;
        if index.tags.tags.len() >= max && !index.tags.tags.contains_key(name) {
            return Err(StoreError::TooMany {
                what: "tags",
                max,
                remedy: "remove one",
            });
        }
        let record = record_of(tag.kind(), &tag.hash, name);
        index
            .tags
            .append(&*inner.disk, &inner.root, &record)
            .map_err(StoreError::io("writing a tag"))?;
        index.tags.tags.insert(name.into(), tag);
        Ok(())
    }

    /// Takes a name away, durably. Gives what it kept.
    ///
    /// # Errors
    /// What writing says.
    pub fn untag(&self, name: &str) -> Result<Option<Tag>, StoreError> {
        let inner = self.inner();
        let mut index = inner.index();
        let Some(tag) = index.tags.tags.get(name).copied() else {
            return Ok(None);
        };
        let record = record_of(DELETE, &tag.hash, name);
        index
            .tags
            .append(&*inner.disk, &inner.root, &record)
            .map_err(StoreError::io("removing a tag"))?;
        index.tags.tags.remove(name);
        Ok(Some(tag))
    }

    /// All names, in order.
    pub fn tags(&self) -> Vec<(String, Tag)> {
        let index = self.inner().index();
        let tags = index.tags.tags.iter();
        tags.map(|(name, tag)| (name.clone(), *tag)).collect()
    }
}
