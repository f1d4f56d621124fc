/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No name, or a part without one; so a path that begins or ends with a slash.
    #[error("a part of it is empty, or it is absolute")]
    Empty,
    /// `.` or `..`.
    #[error("it leads elsewhere")]
    Dots,
    /// Longer than file systems take.
    #[error(
        "a part is longer than {} bytes or all of it than {}",
        PART_MAX,
        NAME_MAX
    )]
    TooLong,
    /// More folders within each other than anybody needs.
    #[error("more than {} folders within each other", DEPTH_MAX)]
    TooDeep,
    /// A control character, a backslash, or a character that hides the order of others.
    #[error("it has a character that no file name may have")]
    Character,
    /// A device's name, on some system.
    #[error("it is the name of a device")]
    Device,
    /// Not on this system.
    #[error("this system does not allow it")]
    System,
}

/// Bytes of a part: what nearly all file systems take.
const PART_MAX: usize = 255;
/// Bytes of a whole name.
const NAME_MAX: usize = 1_024;
/// Parts of a name.
const DEPTH_MAX: usize = 32;

const DEVICES: [&str; 8] = [
    "con", "prn", "aux", "nul", "conin$", "conout$", "clock$", "$mft",
];

/// Says whether a name in a collection, its parts separated by `/`, is one that a file may get
/// below a folder, on any system. `place` says whether a file is to be made here under that name:
/// then also what only this system refuses is refused.
///
/// # Errors
/// [`NameError`].
pub fn sanitise(name: &str, place: bool) -> Result<(), NameError> {
    sanitise_for(name, place && cfg!(windows))
}

fn sanitise_for(name: &str, windows: bool) -> Result<(), NameError> {
    if name.len() > NAME_MAX {
        return Err(NameError::TooLong);
    }
    if name.split('/').count() > DEPTH_MAX {
        return Err(NameError::TooDeep);
    }
    name.split('/')
        .try_for_each(|part| sanitise_part(part, windows))
}

fn sanitise_part(part: &str, windows: bool) -> Result<(), NameError> {
    if part.is_empty() {
        return Err(NameError::Empty);
    }
    if part == "." || part == ".." {
        return Err(NameError::Dots);
    }
    if part.len() > PART_MAX {
        return Err(NameError::TooLong);
    }
    let hides = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if part
        .chars()
        .any(|c| c.is_control() || c == '\\' || hides(c))
    {
        return Err(NameError::Character);
    }
    if is_device(part) {
        return Err(NameError::Device);
    }
    if windows && (part.ends_with(['.', ' ']) || part.contains(['<', '>', ':', '"', '|', '?', '*']))
    {
        return Err(NameError::System);
    }
    Ok(())
}

/// Whether Windows takes it for a device, whatever stands behind a dot.
fn is_device(part: &str) -> bool {
    let stem = part.split(['.', ':']).next().unwrap_or_default();
    let stem = stem.trim_end_matches(' ').to_lowercase();
    let numbered = |prefix| {
        stem.strip_prefix(prefix).is_some_and(|number: &str| {
            let mut digits = number.chars();
            let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '¹' | '²' | '³');
            digits.next().is_some_and(is_digit) && digits.next().is_none()
        })
    };
    DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::{NameError, sanitise_for};

    #[test]
    fn names_that_lead_out_or_hide_something_are_refused() {
        let long = "x".repeat(256);
        let longer = "abc/".repeat(257) + "d";
        let deep = "a/".repeat(32) + "b";
        let hostile = [
            ("", NameError::Empty),
            ("/etc/passwd", NameError::Empty),
            ("//host/share", NameError::Empty),
            ("a//b", NameError::Empty),
            ("a/", NameError::Empty),
            (".", NameError::Dots),
            ("..", NameError::Dots),
            ("../a", NameError::Dots),
            ("a/../../b", NameError::Dots),
            ("a/./b", NameError::Dots),
            ("..\\a", NameError::Character),
            ("C:\\Windows\\system.ini", NameError::Character),
            ("a\0b", NameError::Character),
            ("a\nb", NameError::Character),
            ("a\u{1b}[2Jb", NameError::Character),
            ("cod\u{202e}txt.exe", NameError::Character),
            ("CON", NameError::Device),
            ("a/nul.txt", NameError::Device),
            ("Com1.tar.gz", NameError::Device),
            ("LPT³", NameError::Device),
            ("aux .c", NameError::Device),
            ("con:stream", NameError::Device),
            (long.as_str(), NameError::TooLong),
            (longer.as_str(), NameError::TooLong),
            (deep.as_str(), NameError::TooDeep),
        ];
        for (name, reason) in hostile {
            assert_eq!(sanitise_for(name, false), Err(reason), "{name:?}");
            assert!(sanitise_for(name, true).is_err(), "{name:?}");
        }
    }

    #[test]
    fn honest_names_are_taken() {
        for name in [
            "a",
            "a/b.txt",
            ".profile",
            "..a",
            "a..",
            "console.log",
            "com10",
            "Füße – 靴.pdf",
            "a b/c d",
        ] {
            assert_eq!(sanitise_for(name, false), Ok(()), "{name:?}");
        }
        for name in ["12:30.txt", "a.", "a ", "what?", "C:evil"] {
            assert_eq!(sanitise_for(name, false), Ok(()), "{name:?}");
            assert_eq!(sanitise_for(name, true), Err(NameError::System), "{name:?}");
        }
    }
}
