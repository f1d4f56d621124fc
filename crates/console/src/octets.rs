//! Bytes in JSON: as text where they are text, else in hex.

use crate::ControlError;

/// Bytes as hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As text if it is UTF-8, else as hex: one of the two.
pub(crate) fn text_or_hex(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.into()), None),
        Err(_) => (None, Some(hex(bytes))),
    }
}

/// Bytes that were given as text or as hex; none if as neither.
pub(crate) fn from_text_or_hex(
    text: Option<String>,
    hex: Option<String>,
) -> Result<Vec<u8>, ControlError> {
    match (text, hex) {
        (Some(_), Some(_)) => Err(ControlError::BadRequest(
            "text and hex are two forms of the same: give one of them".into(),
        )),
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(hex)) => from_hex(&hex),
        (None, None) => Ok(Vec::new()),
    }
}

/// Bytes from hex.
pub(crate) fn from_hex(hex: &str) -> Result<Vec<u8>, ControlError> {
    let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
    let bytes = digits.filter(|digits| digits.len().is_multiple_of(2));
    let bytes = bytes.map(|digits| {
        let pairs = digits.chunks_exact(2);
        let byte = |pair: &[u32]| pair.iter().fold(0, |byte, digit| byte * 16 + digit);
        // Two digits of four bits.
        pairs.map(|pair| byte(pair) as u8).collect()
    });
    bytes.ok_or_else(|| {
        let problem = "not hex: an even number of the digits 0-9 and a-f is expected";
        ControlError::BadRequest(problem.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_where_they_can_be() {
        assert_eq!(text_or_hex(b"a\n"), (Some("a\n".into()), None));
        assert_eq!(text_or_hex(&[0xff, 0x0a]), (None, Some("ff0a".into())));
        assert_eq!(from_hex("Ff0a").unwrap(), [0xff, 0x0a]);
        assert!(from_text_or_hex(None, None).unwrap().is_empty());
        for bad in ["f", "0x0a", "gg", "é0"] {
            assert!(from_hex(bad).is_err(), "{bad}");
        }
        assert!(from_text_or_hex(Some("a".into()), Some("61".into())).is_err());
    }
}
