//! What people see: colours and bars only on a terminal.

use std::io::IsTerminal;

/// Whether stderr takes colours.
pub(crate) fn colour_on_stderr() -> bool {
    std::io::stderr().is_terminal() && colours_wanted()
}

/// Whether stdout takes colours.
pub(crate) fn colour_on_stdout() -> bool {
    std::io::stdout().is_terminal() && colours_wanted()
}

/// <https://no-color.org>
fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The first characters of an id, for people.
pub(crate) fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

/// A bar of `width` places for a score from 0 to 1.
pub(crate) fn bar(score: f64, width: usize) -> String {
    let filled = (score.clamp(0.0, 1.0) * width as f64).round() as usize;
    let filled = filled.min(width);
    format!("{}{}", "█".repeat(filled), "░".repeat(width - filled))
}

/// A number of things: `1 request`, `2 requests`. The word takes an `s`.
pub(crate) fn count(number: impl Into<u64>, thing: &str) -> String {
    match number.into() {
        1 => format!("1 {thing}"),
        many => format!("{many} {thing}s"),
    }
}

/// A duration such as `2d 3h`, `4m 10s`, `350 ms`.
pub(crate) fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Bytes such as `1.5 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = UNITS[0];
    for next in UNITS.iter().skip(1) {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" {
        format!("{count} B")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// Text that a peer chose, safe for a terminal.
pub(crate) fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escape = c.is_control()
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c);
            if escape {
                c.escape_unicode().collect::<Vec<char>>()
            } else {
                vec![c]
            }
        })
        .collect()
}

/// A time such as `90s`, `15m`, `24h`, `30d` in seconds.
pub(crate) fn parse_span(text: &str) -> Result<u64, String> {
    let expected = || format!("`{text}` is no time: use a number and s, m, h or d, such as 24h");
    let at = text.len().checked_sub(1).ok_or_else(expected)?;
    let (number, unit) = text.split_at_checked(at).ok_or_else(expected)?;
    let number: u64 = number.parse().map_err(|_| expected())?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(expected()),
    };
    number
        .checked_mul(factor)
        .filter(|seconds| *seconds > 0)
        .ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        assert_eq!(parse_span("90m"), Ok(5_400));
        assert_eq!(parse_span("30d"), Ok(2_592_000));
        for bad in [
            "",
            "m",
            "12",
            "-1h",
            "1w",
            "0s",
            "99999999999999999999d",
            "1ħ",
        ] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_thing_is_not_many() {
        let shown = [0u32, 1, 2].map(|number| count(number, "answer"));
        assert_eq!(shown, ["0 answers", "1 answer", "2 answers"]);
    }

    #[test]
    fn a_peers_text_cannot_steer_the_terminal() {
        assert_eq!(escaped("a\x1b[31mb\u{202e}"), "a\\u{1b}[31mb\\u{202e}");
    }
}
