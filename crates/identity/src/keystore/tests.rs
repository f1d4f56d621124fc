use alloc::{format, string::ToString, vec, vec::Vec};
use std::{fs, path::PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity.key");
    (dir, path)
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

/// Writes `bytes` with mode 0600 and, if told so, a checksum that fits.
fn put(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

fn with_checksum(mut body: Vec<u8>) -> Vec<u8> {
    let sum = blake3::derive_key("repute 2026-11 keystore checksum v1", &body);
    body.extend_from_slice(&sum);
    body
}

#[test]
fn an_identity_survives_its_file_and_nothing_else_is_left_behind() {
    let (dir, path) = place();
    let (identity, recovery) = generate().unwrap();
    create(&path, &identity, None).unwrap();
    let loaded = load(&path, None).unwrap();
    assert_eq!(loaded.id(), identity.id());
    assert_eq!(loaded.sign(b"x"), identity.sign(b"x"));
    assert_eq!(inception(&path).unwrap(), *identity.inception());
    assert!(!is_encrypted(&path).unwrap());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    let offline = dir.path().join("recovery.key");
    save_recovery(&offline, &recovery).unwrap();
    assert_eq!(load_recovery(&offline).unwrap().expose(), recovery.expose());
    assert!(matches!(
        load(&offline, None),
        Err(KeystoreError::WrongKind { .. })
    ));
    assert!(matches!(
        load_recovery(&path),
        Err(KeystoreError::WrongKind { .. })
    ));
}

#[test]
fn a_discovery_key_is_made_once_and_changes_only_when_told_to() {
    let (dir, path) = place();
    let first = discovery(&path).unwrap();
    assert_eq!(discovery(&path).unwrap().expose(), first.expose());
    let second = rotate_discovery(&path).unwrap();
    assert_ne!(second.expose(), first.expose());
    assert_eq!(discovery(&path).unwrap().expose(), second.expose());
    // Nothing is left of the former one.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    // Neither is taken for the other, nor overwritten by it.
    assert!(matches!(
        load(&path, None),
        Err(KeystoreError::WrongKind { .. })
    ));
    let identity = dir.path().join("other.key");
    create(&identity, &Identity::from_seed(1), None).unwrap();
    for refused in [discovery(&identity), rotate_discovery(&identity)] {
        assert!(matches!(refused, Err(KeystoreError::WrongKind { .. })));
    }
    assert_eq!(
        load(&identity, None).unwrap().id(),
        Identity::from_seed(1).id()
    );
}

#[test]
fn two_generated_identities_differ() {
    assert_ne!(generate().unwrap().0.id(), generate().unwrap().0.id());
}

#[cfg(unix)]
#[test]
fn the_file_is_private_and_exposed_files_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, path) = place();
    create(&path, &Identity::from_seed(1), None).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    for mode in [0o640, 0o604, 0o660, 0o700, 0o666, 0o601, 0o4600] {
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let refused = load(&path, None).unwrap_err();
        assert!(matches!(refused, KeystoreError::LooseMode { mode: m, .. } if m == mode));
        let words = refused.to_string();
        assert!(
            words.contains(&format!("{mode:04o}")) && words.contains("chmod 600"),
            "{words}"
        );
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        assert!(load(&path, None).is_ok());
    }
}

#[cfg(unix)]
#[test]
fn the_file_of_another_user_is_refused() {
    let (_dir, path) = place();
    create(&path, &Identity::from_seed(1), None).unwrap();
    // Only root can give files away; for others there is nothing to see here.
    if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
        let refused = load(&path, None);
        assert!(matches!(
            refused,
            Err(KeystoreError::WrongOwner { owner: 12_345, .. })
        ));
    }
}

#[test]
fn what_exists_is_never_overwritten() {
    let (dir, path) = place();
    fs::write(&path, b"precious").unwrap();
    let refused = create(&path, &Identity::from_seed(1), None);
    assert!(matches!(refused, Err(KeystoreError::Exists { .. })));
    // Nor when the name appears only after the first look.
    let refused = file::create(&path, b"late");
    assert!(matches!(refused, Err(KeystoreError::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "no temporary file stays"
    );
}

#[test]
fn of_many_creators_exactly_one_wins() {
    let (dir, path) = place();
    let won: Vec<u64> = std::thread::scope(|scope| {
        let path = &path;
        let tries: Vec<_> = (0..8u64)
            .map(|seed| {
                let made = move || create(path, &Identity::from_seed(seed), None).is_ok();
                (seed, scope.spawn(made))
            })
            .collect();
        tries
            .into_iter()
            .filter_map(|(s, t)| t.join().unwrap().then_some(s))
            .collect()
    });
    assert_eq!(won.len(), 1);
    assert_eq!(
        load(&path, None).unwrap().id(),
        Identity::from_seed(won[0]).id()
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_read() {
    let (dir, path) = place();
    create(&path, &Identity::from_seed(1), None).unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(
        load(&link, None),
        Err(KeystoreError::NotRegular { .. })
    ));
    assert!(matches!(
        load(dir.path(), None),
        Err(KeystoreError::NotRegular { .. })
    ));
    assert!(matches!(
        load(Path::new("/dev/null"), None),
        Err(KeystoreError::NotRegular { .. })
    ));
    let dangling = dir.path().join("dangling");
    std::os::unix::fs::symlink(dir.path().join("nowhere"), &dangling).unwrap();
    let refused = create(&dangling, &Identity::from_seed(1), None);
    assert!(matches!(refused, Err(KeystoreError::Exists { .. })));
}

#[test]
fn missing_foreign_and_oversized_files_are_told_apart() {
    let (_dir, path) = place();
    assert!(matches!(
        load(&path, None),
        Err(KeystoreError::Missing { .. })
    ));
    put(&path, b"");
    assert!(matches!(
        load(&path, None),
        Err(KeystoreError::NotAKeystore { .. })
    ));
    put(&path, b"-----BEGIN OPENSSH PRIVATE KEY-----");
    assert!(matches!(
        load(&path, None),
        Err(KeystoreError::NotAKeystore { .. })
    ));
    put(&path, &vec![b'r'; 1 << 20]);
    assert!(matches!(
        load(&path, None),
        Err(KeystoreError::TooLarge { len: 1_048_576, .. })
    ));
    let (_dir, nowhere) = place();
    let refused = create(&nowhere.join("no/such"), &Identity::from_seed(1), None);
    assert!(matches!(refused, Err(KeystoreError::Io { .. })));
}

#[test]
fn every_altered_or_missing_byte_is_noticed() {
    let (_dir, path) = place();
    create(&path, &Identity::from_seed(1), None).unwrap();
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), 16 + 3 + 65 + 32 + 32);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        put(&path, &bytes);
        assert!(load(&path, None).is_err(), "byte {at} altered");
        put(&path, &whole[..at]);
        assert!(load(&path, None).is_err(), "cut to {at}");
    }
}

#[test]
fn newer_versions_and_strange_layouts_with_a_fitting_checksum_are_refused() {
    let (_dir, path) = place();
    create(&path, &Identity::from_seed(1), None).unwrap();
    let whole = fs::read(&path).unwrap();
    let body = &whole[..whole.len() - 32];
    let altered = |at: usize, to: u8| {
        let mut bytes = body.to_vec();
        bytes[at] = to;
        put(&path, &with_checksum(bytes));
        load(&path, None).unwrap_err()
    };
    assert!(matches!(
        altered(16, 2),
        KeystoreError::Version {
            version: 2,
            known: 1,
            ..
        }
    ));
    assert!(matches!(altered(17, 9), KeystoreError::WrongKind { .. }));
    assert!(matches!(altered(18, 7), KeystoreError::Damaged { .. }));
    assert!(
        matches!(altered(19, 2), KeystoreError::Damaged { .. }),
        "record version"
    );
    assert!(
        matches!(altered(90, body[90] ^ 1), KeystoreError::Mismatch { .. }),
        "secret"
    );
    put(&path, &with_checksum([body, b"more"].concat()));
    assert!(matches!(
        load(&path, None),
        Err(KeystoreError::Damaged { .. })
    ));
}

#[test]
fn an_encrypted_identity_opens_only_with_its_passphrase() {
    let (_dir, path) = place();
    let identity = Identity::from_seed(1);
    create(&path, &identity, Some(&passphrase("correct horse"))).unwrap();
    assert!(is_encrypted(&path).unwrap());
    assert_eq!(inception(&path).unwrap(), *identity.inception());
    assert_eq!(
        load(&path, Some(&passphrase("correct horse")))
            .unwrap()
            .id(),
        identity.id()
    );
    assert!(matches!(
        load(&path, None),
        Err(KeystoreError::PassphraseNeeded { .. })
    ));
    let wrong = load(&path, Some(&passphrase("correct hors")));
    assert!(matches!(wrong, Err(KeystoreError::WrongPassphrase { .. })));
    let bytes = fs::read(&path).unwrap();
    let secret = identity.secret().expose();
    assert!(
        !bytes.windows(32).any(|window| window == secret),
        "the secret is not in the file"
    );

    // The record is bound to the secret: another identity's record does not pass.
    let mut swapped = bytes[..bytes.len() - 32].to_vec();
    swapped[19..84].copy_from_slice(&codec::encode(Identity::from_seed(2).inception()));
    put(&path, &with_checksum(swapped));
    let refused = load(&path, Some(&passphrase("correct horse")));
    assert!(matches!(
        refused,
        Err(KeystoreError::WrongPassphrase { .. })
    ));
}

#[test]
fn a_hostile_file_cannot_demand_memory_or_time() {
    let (_dir, path) = place();
    create(&path, &Identity::from_seed(1), Some(&passphrase("p"))).unwrap();
    let whole = fs::read(&path).unwrap();
    let body = &whole[..whole.len() - 32];
    for (at, value) in [
        (84, 64 * 1024 * 1024),
        (84, u32::MAX),
        (84, 256 * 1024 + 1),
        (88, 13),
        (88, u32::MAX),
        (92, 17),
    ] {
        let mut bytes = body.to_vec();
        bytes[at..at + 4].copy_from_slice(&u32::to_be_bytes(value));
        put(&path, &with_checksum(bytes));
        let mut refused = None;
        let memory = allocation_counter::measure(|| {
            refused = Some(load(&path, Some(&passphrase("p"))).unwrap_err());
        });
        assert!(
            matches!(refused, Some(KeystoreError::CostTooHigh { .. })),
            "{at} {value}"
        );
        assert!(memory.bytes_max < 64 * 1024, "{}", memory.bytes_max);
    }
    for (at, value) in [(84, 0u32), (84, 7), (88, 0), (92, 0)] {
        let mut bytes = body.to_vec();
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        put(&path, &with_checksum(bytes));
        let refused = load(&path, Some(&passphrase("p")));
        assert!(
            matches!(refused, Err(KeystoreError::Damaged { .. })),
            "{at} {value}"
        );
    }
}

#[test]
fn a_passphrase_is_neither_ignored_nor_empty_nor_shown() {
    let (_dir, path) = place();
    create(&path, &Identity::from_seed(1), None).unwrap();
    let refused = load(&path, Some(&passphrase("p")));
    assert!(matches!(refused, Err(KeystoreError::NotEncrypted { .. })));
    let long = "x".repeat(1025);
    assert!(matches!(
        Passphrase::new(""),
        Err(KeystoreError::PassphraseLength { len: 0, .. })
    ));
    assert!(matches!(
        Passphrase::new(long),
        Err(KeystoreError::PassphraseLength { .. })
    ));
    assert_eq!(format!("{:?}", passphrase("hunter2")), "Passphrase(..)");
}

proptest! {
    #[test]
    fn any_content_is_answered_without_panic(
        body in prop::collection::vec(any::<u8>(), 0..300),
        magic: bool,
        tags in [0u8..3, 0u8..4, 0u8..3],
    ) {
        let bytes = match magic {
            true => with_checksum([b"repute keystore\n", &tags[..], &body].concat()),
            false => body,
        };
        // A passphrase is withheld, so that no derivation runs.
        let path = Path::new("x");
        for kind in [Kind::Identity, Kind::Recovery] {
            if let Ok(contents) = Contents::parse(path, &bytes, kind) {
                let _ = (contents.inception(path), contents.secret(path, None));
            }
        }
    }
}
