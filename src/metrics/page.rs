//! [`Page`]: the text in which metrics are told, after the specification of `OpenMetrics` 1.0.

use std::fmt::{Display, Write as _};

use crate::figures::DurationsSnapshot;

/// The type and version of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The bounds of histograms, as powers of two of microseconds: 128 µs to 67 s.
const DOUBLINGS: std::ops::RangeInclusive<u32> = 7..=26;

/// The labels of a sample, each with its value.
pub(super) type Labels<'label> = &'label [(&'static str, &'label str)];

/// The text, as far as it is written.
#[derive(Default)]
pub(super) struct Page(String);

/// A metric, of which samples follow. It is there also without samples, so that its name can be found.
pub(super) struct Family<'page> {
    page: &'page mut Page,
    name: &'static str,
    suffix: &'static str,
}

/// Durations of something. A sample of it is a histogram.
pub(super) struct Histogram<'page>(Family<'page>);

impl Page {
    /// Begins a metric that only grows. The names of its samples end with `_total`.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", "_total", help)
    }

    /// Begins a metric that rises and falls.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", "", help)
    }

    /// Begins a metric whose labels are what it tells.
    pub(super) fn info(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "info", "_info", help)
    }

    /// Begins a histogram of durations. Its name ends with `_seconds`.
    pub(super) fn histogram(&mut self, name: &'static str, help: &str) -> Histogram<'_> {
        Histogram(self.family(name, "histogram", "", help))
    }

    /// Ends the text.
    pub(super) fn finish(mut self) -> String {
        self.0.push_str("# EOF\n");
        self.0
    }

    fn family(&mut self, name: &'static str, kind: &str, suffix: &'static str, help: &str) -> Family<'_> {
        self.line(format_args!("# TYPE {name} {kind}"));
        if let Some(unit) = ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(unit)) {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
        self.line(format_args!("# HELP {name} {}", escaped(help)));
        Family { page: self, name, suffix }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing into a `String` never fails.
        let _written = writeln!(self.0, "{line}");
    }
}

impl Family<'_> {
    /// Adds a sample.
    pub(super) fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        let Self { name, suffix, .. } = self;
        self.page.line(format_args!("{name}{suffix}{} {value}", Braces(labels, None)));
    }
}

impl Histogram<'_> {
    /// Adds the durations of one thing.
    pub(super) fn sample(&mut self, labels: Labels<'_>, durations: &DurationsSnapshot) {
        let Family { page, name, .. } = &mut self.0;
        for doubling in DOUBLINGS {
            let bound = f64::from(1_u32 << doubling) / 1e6;
            let below = durations.below_doubling(doubling);
            page.line(format_args!("{name}_bucket{} {below}", Braces(labels, Some(&bound))));
        }
        let count = durations.count();
        page.line(format_args!("{name}_bucket{} {count}", Braces(labels, Some(&"+Inf"))));
        page.line(format_args!("{name}_count{} {count}", Braces(labels, None)));
        page.line(format_args!("{name}_sum{} {}", Braces(labels, None), durations.total().as_secs_f64()));
    }
}

/// The labels of a sample in braces, and the bound of a histogram.
struct Braces<'label>(Labels<'label>, Option<&'label dyn Display>);

impl Display for Braces<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(labels, bound) = self;
        if labels.is_empty() && bound.is_none() {
            return Ok(());
        }
        formatter.write_char('{')?;
        for (place, (name, value)) in labels.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(formatter, "{comma}{name}=\"{}\"", escaped(value))?;
        }
        if let Some(bound) = bound {
            let comma = if labels.is_empty() { "" } else { "," };
            write!(formatter, "{comma}le=\"{bound}\"")?;
        }
        formatter.write_char('}')
    }
}

fn escaped(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains(['\\', '"', '\n']) {
        return text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n").into();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::figures::Durations;

    #[test]
    fn names_and_values_are_written_as_the_specification_says() {
        let mut page = Page::default();
        let mut bytes = page.counter("a_bytes", "All \"of\" them.");
        bytes.sample(&[], 3);
        bytes.sample(&[("b", "c\\d\"e\nf"), ("g", "")], 0.5);
        page.info("build", "The build.").sample(&[("version", "1")], 1);
        assert_eq!(
            page.finish(),
            "# TYPE a_bytes counter\n# UNIT a_bytes bytes\n# HELP a_bytes All \\\"of\\\" them.\na_bytes_total 3\n\
             a_bytes_total{b=\"c\\\\d\\\"e\\nf\",g=\"\"} 0.5\n# TYPE build info\n# HELP build The build.\n\
             build_info{version=\"1\"} 1\n# EOF\n"
        );
    }

    #[test]
    fn the_buckets_of_a_histogram_grow_to_the_count() {
        let durations = Durations::default();
        for microseconds in [1, 200, 900_000, 200_000_000] {
            durations.count(Duration::from_micros(microseconds));
        }
        let mut page = Page::default();
        page.histogram("took_seconds", "Durations.").sample(&[("a", "b")], &durations.snapshot());
        let text = page.finish();
        for line in [
            "took_seconds_bucket{a=\"b\",le=\"0.000128\"} 1",
            "took_seconds_bucket{a=\"b\",le=\"0.000256\"} 2",
            "took_seconds_bucket{a=\"b\",le=\"1.048576\"} 3",
            "took_seconds_bucket{a=\"b\",le=\"67.108864\"} 3",
            "took_seconds_bucket{a=\"b\",le=\"+Inf\"} 4",
            "took_seconds_count{a=\"b\"} 4",
            "took_seconds_sum{a=\"b\"} 200.900201",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}\n{text}");
        }
    }
}
