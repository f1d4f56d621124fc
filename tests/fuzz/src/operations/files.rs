//! What an operator's files may hold: whatever it is, it is read or refused with words.

use std::{fs, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use repute_identity::{Identity, keystore as store};
use repute_node::settings::{Layers, Settings};

const MAGIC: &[u8] = b"repute keystore\n";
const CHECKSUM_CONTEXT: &str = "repute 2026-11 keystore checksum v1";

/// A file of the owner's alone, gone with this value.
struct File(PathBuf);

impl File {
    fn with(name: &str, bytes: &[u8]) -> Self {
        use std::io::Write as _;
        let thread = std::thread::current().id();
        let name = format!("repute-fuzz-{}-{thread:?}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(true).write(true).mode(0o600);
        options.open(&path).unwrap().write_all(bytes).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A keystore file. The checksum is put right when the first byte is odd: no fuzzer finds one.
pub fn keystore(bytes: &[u8]) {
    let Some((how, rest)) = bytes.split_first() else {
        return;
    };
    let mut contents = Vec::new();
    match how % 4 {
        0 => contents.extend_from_slice(rest),
        1 => {
            contents.extend_from_slice(MAGIC);
            contents.extend_from_slice(rest);
            let sum = blake3::derive_key(CHECKSUM_CONTEXT, &contents);
            contents.extend_from_slice(&sum);
        }
        how => {
            // A sound file with some bytes changed, the checksum put right or not.
            contents = sound();
            let body = contents.len() - 32;
            for change in rest.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([change[0], change[1]]));
                contents[at % body] ^= change[2];
            }
            if how == 3 {
                let sum = blake3::derive_key(CHECKSUM_CONTEXT, &contents[..body]);
                contents[body..].copy_from_slice(&sum);
            }
        }
    }
    let file = File::with("keystore", &contents);
    let (record, protected) = (store::inception(&file.0), store::is_encrypted(&file.0));
    match store::load(&file.0, None) {
        Ok(identity) => {
            assert_eq!(record.unwrap(), *identity.inception());
            assert!(!protected.unwrap());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Err(error) = store::load_recovery(&file.0) {
        assert!(!error.to_string().is_empty());
    }
}

/// An unprotected identity, as it lies on the disk.
fn sound() -> Vec<u8> {
    let file = File::with("sound", &[]);
    fs::remove_file(&file.0).unwrap();
    store::create(&file.0, &Identity::from_seed(1), None).unwrap();
    fs::read(&file.0).unwrap()
}

/// A configuration file, then lines of `name=value` for the environment and the command line.
pub fn settings(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0');
    let file = File::with("settings.toml", parts.next().unwrap_or("").as_bytes());
    let pairs = |part: Option<&str>| -> Vec<(String, String)> {
        let lines = part.unwrap_or("").lines().take(16);
        let pairs = lines.filter_map(|line| line.split_once('='));
        pairs
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    };
    let layers = Layers {
        file: Some(&file.0),
        environment: pairs(parts.next()),
        flags: pairs(parts.next()),
    };
    match Settings::resolve(&layers) {
        // Every key has a value whatever the layers say.
        Ok(settings) => assert_eq!(settings.iter().count(), Settings::default().iter().count()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
