use std::path::{Path, PathBuf};

use repute_node::blobs::sanitise;
use repute_protocol::BlobTicket;

use crate::{
    exit::{Exit, Failure},
    show::escaped,
};

/// Where it is put. Nothing may be there.
pub(super) fn choose(
    what: &str,
    ticket: Option<&BlobTicket>,
    output: Option<&Path>,
) -> Result<PathBuf, Failure> {
    let place = match output {
        None => PathBuf::from(name(what, ticket)),
        Some(folder) if folder.is_dir() => folder.join(name(what, ticket)),
        Some(path) => path.to_owned(),
    };
    let shown = escaped(&place.display().to_string());
    if place.symlink_metadata().is_ok() {
        let message = format!(
            "{shown} is there already and nothing is overwritten: move it away, or choose another \
             place with -o PATH"
        );
        return Err(Failure::new(Exit::Refused, message));
    }
    let folder = place.parent().filter(|folder| *folder != Path::new(""));
    if folder.is_some_and(|folder| !folder.is_dir()) {
        let message = format!("{shown}: there is no such folder: make it first");
        return Err(Failure::new(Exit::NotFound, message));
    }
    Ok(place)
}

/// The ticket's name if it is fit for a file, else the hash.
fn name(what: &str, ticket: Option<&BlobTicket>) -> String {
    let Some(ticket) = ticket else {
        return what.trim().to_ascii_lowercase();
    };
    let name = ticket.name.as_str();
    let fit = !name.contains('/') && !name.starts_with('.') && sanitise(name, true).is_ok();
    match fit {
        true => name.into(),
        false => ticket.hash.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use repute_base::{BoundedString, BoundedVec};
    use repute_protocol::BlobHash;

    use super::*;

    fn ticket(name: &str) -> BlobTicket {
        BlobTicket {
            hash: BlobHash::from_bytes([7; 32]),
            size: 1,
            name: BoundedString::new(name).unwrap(),
            peers: BoundedVec::default(),
        }
    }

    #[test]
    fn a_name_of_a_ticket_never_leads_elsewhere() {
        let hash = ticket("").hash.to_string();
        assert_eq!(name("", Some(&ticket("big.iso"))), "big.iso");
        for bad in [
            "",
            ".",
            "..",
            "../x",
            "/etc/passwd",
            "a/b",
            "a\\b",
            ".bashrc",
            "\u{202e}gpj",
            "nul",
            "a\nb",
        ] {
            assert_eq!(name("", Some(&ticket(bad))), hash, "{bad:?}");
        }
    }

    #[test]
    fn a_hash_is_its_own_name() {
        assert_eq!(name(" AAAA ", None), "aaaa");
    }

    #[test]
    fn nothing_is_overwritten_and_a_folder_means_inside() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("x");
        std::fs::write(&there, "mine").unwrap();
        let to = |path: &Path| choose("", Some(&ticket("x")), Some(path));
        assert_eq!(to(&there).unwrap_err().exit, Exit::Refused);
        assert_eq!(to(dir.path()).unwrap_err().exit, Exit::Refused);
        let free = choose("", Some(&ticket("y")), Some(dir.path())).unwrap();
        assert_eq!(free, dir.path().join("y"));
        let nowhere = to(&dir.path().join("no").join("x")).unwrap_err();
        assert_eq!(nowhere.exit, Exit::NotFound);
    }
}
