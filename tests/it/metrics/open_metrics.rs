//! A strict reader of `OpenMetrics` text, written after the specification and not after the server.

use std::collections::{BTreeMap, BTreeSet};

/// The labels of a sample by their names.
pub(crate) type Labels = BTreeMap<String, String>;

/// The metrics of one text.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    pub(crate) families: BTreeMap<String, Family>,
}

#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) kind: String,
    unit: Option<String>,
    help: Option<String>,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    value: f64,
    /// The value as it is written.
    text: String,
}

impl Exposition {
    /// Reads a text.
    ///
    /// # Errors
    /// Returns the first line that breaks a rule, with the rule.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let body = text.strip_suffix("# EOF\n").ok_or("it must end with `# EOF`")?;
        let mut exposition = Self::default();
        let mut current: Option<String> = None;
        for line in body.split_terminator('\n') {
            let read = match line.strip_prefix("# ") {
                Some(descriptor) => exposition.describe(descriptor, &mut current),
                None => exposition.sample(line, current.as_deref()),
            };
            read.map_err(|rule| format!("{rule}: {line}"))?;
        }
        for (name, family) in &exposition.families {
            family.check(name).map_err(|rule| format!("{name}: {rule}"))?;
        }
        Ok(exposition)
    }

    /// Returns the value of the one sample with these labels.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.one(name, labels).value
    }

    /// Returns the value of the one sample with these labels, which is a whole number.
    #[track_caller]
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.one(name, labels).text.parse().expect("a whole number")
    }

    #[track_caller]
    fn one(&self, name: &str, labels: &[(&str, &str)]) -> &Sample {
        let family = self.families.values().find(|family| family.samples.iter().any(|sample| sample.name == name));
        let samples = family.into_iter().flat_map(|family| &family.samples).filter(|sample| sample.name == name);
        let has = |sample: &&Sample| {
            labels.iter().all(|(name, value)| sample.labels.get(*name).is_some_and(|own| own == value))
        };
        let found: Vec<_> = samples.filter(has).collect();
        assert!(found.len() == 1, "{} samples of {name} with {labels:?}", found.len());
        found[0]
    }

    /// Returns the names of all samples that there can be, those of families without samples included.
    pub(crate) fn sample_names(&self) -> BTreeSet<String> {
        let of_family = |(name, family): (&String, &Family)| {
            let suffixes = suffixes(&family.kind).iter();
            suffixes.map(|suffix| format!("{name}{suffix}")).collect::<Vec<_>>()
        };
        self.families.iter().flat_map(of_family).collect()
    }

    /// Returns every combination of a name and labels that the text has.
    pub(crate) fn series(&self) -> BTreeSet<String> {
        let samples = self.families.values().flat_map(|family| &family.samples);
        samples.map(|sample| format!("{} {:?}", sample.name, sample.labels)).collect()
    }

    fn describe(&mut self, descriptor: &str, current: &mut Option<String>) -> Result<(), String> {
        let mut words = descriptor.splitn(3, ' ');
        let (Some(what), Some(name), Some(rest)) = (words.next(), words.next(), words.next()) else {
            return Err("a descriptor has three parts".to_owned());
        };
        if !is_name(name) {
            return Err("it is no name of a metric".to_owned());
        }
        if current.as_deref() != Some(name) {
            if what != "TYPE" {
                return Err("here, the type comes first".to_owned());
            }
            if suffixes(rest).is_empty() {
                return Err("it is no type".to_owned());
            }
            let family = Family { kind: rest.to_owned(), unit: None, help: None, samples: Vec::new() };
            if self.families.insert(name.to_owned(), family).is_some() {
                return Err("a metric stands in one place".to_owned());
            }
            *current = Some(name.to_owned());
            return Ok(());
        }
        let family = self.families.get_mut(name).ok_or("it is unknown")?;
        if !family.samples.is_empty() {
            return Err("descriptors come before samples".to_owned());
        }
        let part = match what {
            "UNIT" => &mut family.unit,
            "HELP" => &mut family.help,
            _ => return Err("it is described twice, or by something else".to_owned()),
        };
        if part.replace(rest.to_owned()).is_some() {
            return Err("it is described twice".to_owned());
        }
        Ok(())
    }

    fn sample(&mut self, line: &str, current: Option<&str>) -> Result<(), String> {
        let name_ends = line.find(['{', ' ']).ok_or("a sample has a value")?;
        let (name, rest) = line.split_at(name_ends);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(inside) => labels(inside)?,
            None => (Labels::new(), rest),
        };
        let value = rest.strip_prefix(' ').ok_or("one space stands before the value")?;
        let text = value.to_owned();
        let value = value.parse::<f64>().map_err(|_| "it is no number, or more follows")?;
        let current = current.ok_or("a sample follows its type")?;
        let family = self.families.get_mut(current).ok_or("it is unknown")?;
        let suffix = name.strip_prefix(current).ok_or("it stands among samples of another metric")?;
        if !suffixes(&family.kind).contains(&suffix) {
            return Err(format!("a {} has no such sample", family.kind));
        }
        if family.samples.iter().any(|other| other.name == name && other.labels == labels) {
            return Err("it is there twice".to_owned());
        }
        family.samples.push(Sample { name: name.to_owned(), labels, value, text });
        Ok(())
    }
}

impl Family {
    fn check(&self, name: &str) -> Result<(), String> {
        if self.help.as_deref().is_none_or(|help| !help.ends_with('.')) {
            return Err("its help is a sentence".to_owned());
        }
        if self.kind == "counter" && name.ends_with("_total") {
            return Err("the suffix belongs to the samples".to_owned());
        }
        if let Some(unit) = &self.unit
            && !name.ends_with(&format!("_{unit}"))
        {
            return Err("the name ends with the unit".to_owned());
        }
        if self.unit.is_none() && ["_seconds", "_bytes"].iter().any(|unit| name.ends_with(unit)) {
            return Err("the unit is told".to_owned());
        }
        let only_grows = self.kind == "counter" || self.kind == "histogram";
        if only_grows && self.samples.iter().any(|sample| sample.value < 0.0 || sample.value.is_nan()) {
            return Err("it only grows".to_owned());
        }
        if self.kind == "info" && self.samples.iter().any(|sample| (sample.value - 1.0).abs() > f64::EPSILON) {
            return Err("the value of an info is 1".to_owned());
        }
        if self.kind == "histogram" { self.check_histogram(name) } else { Ok(()) }
    }

    fn check_histogram(&self, name: &str) -> Result<(), String> {
        let mut by_labels: BTreeMap<Labels, Vec<&Sample>> = BTreeMap::new();
        for sample in &self.samples {
            let mut labels = sample.labels.clone();
            let bound = labels.remove("le");
            if bound.is_some() != sample.name.ends_with("_bucket") {
                return Err("buckets have a bound, and nothing else has".to_owned());
            }
            by_labels.entry(labels).or_default().push(sample);
        }
        for samples in by_labels.values() {
            let last = |suffix: &str| samples.iter().rev().find(|sample| sample.name == format!("{name}{suffix}"));
            let buckets: Vec<(f64, f64)> = samples
                .iter()
                .filter_map(|sample| Some((sample.labels.get("le")?, sample.value)))
                .map(|(bound, value)| Ok((bound.parse::<f64>().map_err(|_| "a bound is a number")?, value)))
                .collect::<Result<_, String>>()?;
            if !buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1) {
                return Err("buckets are cumulative and in order".to_owned());
            }
            let (Some(count), Some(_sum)) = (last("_count"), last("_sum")) else {
                return Err("a histogram has a count and a sum".to_owned());
            };
            let whole = buckets.last().filter(|(bound, _)| bound.is_infinite()).map(|(_, value)| *value);
            if whole != Some(count.value) {
                return Err("the last bucket is infinite, and is the count".to_owned());
            }
        }
        Ok(())
    }
}

/// The endings of the names of the samples of a type. Empty if there is no such type.
fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "info" => &["_info"],
        "histogram" => &["_bucket", "_count", "_sum"],
        _ => &[],
    }
}

fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_letter) && !name.contains("__")
}

/// Reads labels up to the closing brace. Returns what follows it.
fn labels(text: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    let mut rest = text;
    loop {
        let (name, value) = rest.split_once("=\"").ok_or("a label has a value in quotes")?;
        if !is_name(name) {
            return Err(format!("`{name}` is no name of a label"));
        }
        let (value, after) = quoted(value)?;
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("the label `{name}` is there twice"));
        }
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok((labels, after.strip_prefix('}').ok_or("a brace ends the labels")?)),
        }
    }
}

/// Reads an escaped value up to its closing quote.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((place, c)) = characters.next() {
        match c {
            '"' => return Ok((value, &text[place + 1..])),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('\\' | '"'))) => value.push(c),
                _ => return Err("it is no escape".to_owned()),
            },
            c => value.push(c),
        }
    }
    Err("a quote is missing".to_owned())
}

#[test]
fn the_reader_refuses_what_the_specification_forbids() {
    let head = "# TYPE a counter\n# HELP a A.\n";
    let fine = format!("{head}a_total{{b=\"c\\\"d\"}} 1\n# EOF\n");
    assert!(Exposition::parse(&fine).is_ok());
    let histogram = "# TYPE h_seconds histogram\n# UNIT h_seconds seconds\n# HELP h_seconds A.\n";
    let buckets =
        "h_seconds_bucket{le=\"0.1\"} 2\nh_seconds_bucket{le=\"+Inf\"} 2\nh_seconds_count 2\nh_seconds_sum 0.1\n";
    assert!(Exposition::parse(&format!("{histogram}{buckets}# EOF\n")).is_ok());
    for broken in [
        head.to_owned(),
        format!("{head}a 1\n# EOF\n"),
        format!("{head}a_total 1 \n# EOF\n"),
        format!("{head}a_total one\n# EOF\n"),
        format!("{head}a_total -1\n# EOF\n"),
        format!("{head}a_total 1\na_total 1\n# EOF\n"),
        format!("{head}b_total 1\n# EOF\n"),
        format!("{head}a_total{{b=\"c}} 1\n# EOF\n"),
        format!("{head}a_total{{B-=\"c\"}} 1\n# EOF\n"),
        format!("{head}a_total 1\n{head}# EOF\n"),
        format!("{head}\n# EOF\n"),
        "# TYPE a_seconds gauge\n# HELP a_seconds A.\n# EOF\n".to_owned(),
        format!("{histogram}{}# EOF\n", buckets.replace("\"} 2\nh_seconds_bucket", "\"} 3\nh_seconds_bucket")),
        format!("{histogram}{}# EOF\n", buckets.replace("count 2", "count 3")),
        format!("{histogram}{}# EOF\n", buckets.replace("+Inf", "9")),
    ] {
        assert!(Exposition::parse(&broken).is_err(), "{broken}");
    }
}
