//! Draws the figures of a simulation over its seeds: one panel a figure, one dot a seed.

use std::fmt::Write as _;

use repute_tests::{Bar, Figure};

/// One figure of every seed.
pub(crate) struct Panel {
    what: String,
    unit: String,
    values: Vec<f64>,
    bar: Bar,
}

impl Panel {
    /// The same figure of several seeds; nothing if there is none.
    pub(crate) fn of(figures: &[Figure]) -> Option<Self> {
        let first = figures.first()?;
        // A bar on the sum or mean says nothing about the dots.
        let each = Figure::merge(std::slice::from_ref(first))
            .is_some_and(|one| one.bar != Bar::None)
            && !matches!(
                first.over,
                repute_tests::Over::Mean | repute_tests::Over::Total
            );
        Some(Self {
            what: first.what.into(),
            unit: first.unit.into(),
            values: figures.iter().map(|figure| figure.value).collect(),
            bar: if each { first.bar } else { Bar::None },
        })
    }

    fn bars(&self) -> Vec<(f64, &'static str)> {
        match self.bar {
            Bar::None => Vec::new(),
            Bar::AtMost(bar) => vec![(bar, "at most")],
            Bar::Below(bar) => vec![(bar, "below")],
            Bar::AtLeast(bar) => vec![(bar, "at least")],
            Bar::Exactly(bar) => vec![(bar, "must be")],
            Bar::Within(low, high) => vec![(low, "at least"), (high, "at most")],
        }
    }
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 40.0;
const RIGHT: f64 = 40.0;
const PANEL: f64 = 108.0;
/// Of the strip with the dots, within its panel.
const STRIP: f64 = 52.0;
const INK: &str = "#1f2933";
const FAINT: &str = "#7b8794";
const DOTS: &str = "#2f6fb3";
const LIMIT: &str = "#c2410c";

/// A whole drawing: for each simulation a title and its panels.
pub(crate) fn draw(sections: &[(String, Vec<Panel>)]) -> String {
    let mut body = String::new();
    let mut y = 20.0;
    for (title, panels) in sections.iter().filter(|(_, panels)| !panels.is_empty()) {
        y += 20.0;
        text(&mut body, (LEFT, y), "start", 17, INK, "600", title);
        y += 14.0;
        for panel in panels {
            draw_panel(&mut body, panel, y);
            y += PANEL;
        }
        y += 10.0;
    }
    let legend = "one dot for each seed; box: middle half and median; dashed: the bar of each seed";
    text(
        &mut body,
        (LEFT, y + 10.0),
        "start",
        12,
        FAINT,
        "400",
        legend,
    );
    let height = y + 30.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"system-ui, sans-serif\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

fn draw_panel(svg: &mut String, panel: &Panel, top: f64) {
    let heading = format!("{} [{}]", panel.what, panel.unit);
    text(svg, (LEFT, top + 20.0), "start", 13, INK, "500", &heading);
    let mut sorted: Vec<f64> = panel
        .values
        .iter()
        .copied()
        .filter(|v| v.is_finite())
        .collect();
    sorted.sort_by(f64::total_cmp);
    let summary = format!(
        "median {}, {} to {}",
        number(quantile(&sorted, 0.5)),
        number(quantile(&sorted, 0.0)),
        number(quantile(&sorted, 1.0))
    );
    text(
        svg,
        (WIDTH - RIGHT, top + 20.0),
        "end",
        12,
        FAINT,
        "400",
        &summary,
    );
    let bars = panel.bars();
    let axis = Axis::over(
        sorted
            .iter()
            .copied()
            .chain(bars.iter().map(|(bar, _)| *bar)),
    );
    let (strip, base) = (top + 28.0, top + 28.0 + STRIP);
    for tick in axis.ticks() {
        let x = axis.x(tick);
        line(svg, (x, strip), (x, base), "#e4e7eb", "");
        text(
            svg,
            (x, base + 15.0),
            "middle",
            11,
            FAINT,
            "400",
            &number(tick),
        );
    }
    line(svg, (LEFT, base), (WIDTH - RIGHT, base), FAINT, "");
    boxed(svg, &axis, &sorted, strip + STRIP / 2.0);
    for (nth, value) in panel
        .values
        .iter()
        .enumerate()
        .filter(|(_, v)| v.is_finite())
    {
        // Spread over the height, so that equal values stay apart.
        let y = strip + 8.0 + (nth as f64 * 0.618_034).fract() * (STRIP - 16.0);
        let x = axis.x(*value);
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{DOTS}\" fill-opacity=\"0.6\"/>"
        );
    }
    for (bar, words) in bars {
        let x = axis.x(bar);
        line(
            svg,
            (x, strip - 4.0),
            (x, base),
            LIMIT,
            "stroke-dasharray=\"4 3\" stroke-width=\"1.5\"",
        );
        let label = format!("{words} {}", number(bar));
        let (anchor, x) = if x > WIDTH / 2.0 {
            ("end", x - 5.0)
        } else {
            ("start", x + 5.0)
        };
        text(svg, (x, strip + 6.0), anchor, 11, LIMIT, "400", &label);
    }
}

/// The middle half of the values and their median.
fn boxed(svg: &mut String, axis: &Axis, sorted: &[f64], middle: f64) {
    if sorted.len() < 4 {
        return;
    }
    let [low, median, high] = [0.25, 0.5, 0.75].map(|q| axis.x(quantile(sorted, q)));
    let _ = writeln!(
        svg,
        "<rect x=\"{low:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"24\" fill=\"{DOTS}\" \
         fill-opacity=\"0.12\" stroke=\"{DOTS}\" stroke-opacity=\"0.5\"/>",
        middle - 12.0,
        (high - low).max(1.0)
    );
    line(
        svg,
        (median, middle - 12.0),
        (median, middle + 12.0),
        DOTS,
        "stroke-width=\"2\"",
    );
}

/// Values from left to right.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    /// From zero where that costs little room, and in round steps.
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if low > 0.0 && low < high * 0.7 || low == high {
            low = low.min(0.0);
        }
        if low == high {
            high = low + 1.0;
        }
        let rough = (high - low) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power);
        let step = step
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        Self {
            low: (low / step).floor() * step,
            high: (high / step).ceil() * step,
            step,
        }
    }

    fn x(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        LEFT + 8.0 + share * (WIDTH - LEFT - RIGHT - 16.0)
    }

    fn ticks(&self) -> Vec<f64> {
        let count = ((self.high - self.low) / self.step).round() as u32;
        (0..=count)
            .map(|n| self.low + f64::from(n) * self.step)
            .collect()
    }
}

/// A quantile of sorted values, between two where it falls between.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let at = |place: f64| sorted.get(place as usize).copied();
    let (Some(low), Some(high)) = (at(place.floor()), at(place.ceil())) else {
        return f64::NAN;
    };
    low + (high - low) * place.fract()
}

/// Short, with thousands apart.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let digits = if value.abs() >= 100.0 || value.fract() == 0.0 {
        0
    } else {
        3
    };
    let mut text = format!("{value:.digits$}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    let whole = text.find('.').unwrap_or(text.len());
    let first = usize::from(text.starts_with('-'));
    let mut at = whole;
    while at > first + 3 {
        at -= 3;
        text.insert(at, ',');
    }
    text
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, style: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" {style}/>"
    );
}

fn text(
    svg: &mut String,
    at: (f64, f64),
    anchor: &str,
    size: u32,
    colour: &str,
    weight: &str,
    words: &str,
) {
    let (x, y) = at;
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" \
         font-weight=\"{weight}\" fill=\"{colour}\">{words}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_round_and_holds_every_value() {
        for values in [
            vec![3.0, 97.0],
            vec![0.0],
            vec![5.0, 5.0],
            vec![1_000.0, 1_010.0],
            vec![],
        ] {
            let axis = Axis::over(values.iter().copied());
            assert!((2..=12).contains(&axis.ticks().len()), "{values:?}");
            for value in values {
                assert!((LEFT..=WIDTH - RIGHT).contains(&axis.x(value)), "{value}");
            }
        }
    }

    #[test]
    fn quantiles_lie_between_the_values() {
        let sorted = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(quantile(&sorted, 0.0), 1.0);
        assert_eq!(quantile(&sorted, 0.5), 2.5);
        assert_eq!(quantile(&sorted, 1.0), 4.0);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn numbers_are_short_and_have_their_thousands_apart() {
        let texts = [0.0, 1.5, 1_234_567.0, -1_000.0, 0.125, 999.0].map(number);
        assert_eq!(texts, ["0", "1.5", "1,234,567", "-1,000", "0.125", "999"]);
    }

    #[test]
    fn a_drawing_shows_each_figure_with_its_unit_its_dots_and_its_bar() {
        let figures: Vec<_> = (0..9)
            .map(|n| Figure::max("time <until> all", f64::from(n), "s").bar(Bar::AtMost(60.0)))
            .collect();
        let svg = draw(&[("swarm".into(), Panel::of(&figures).into_iter().collect())]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<circle").count(), 9);
        assert!(svg.contains("time &lt;until> all [s]") && svg.contains("at most 60"));
    }
}
