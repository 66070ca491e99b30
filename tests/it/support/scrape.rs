//! One look at `/metrics`, read as Prometheus reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The series of a scrape with their values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scrape {
    /// By name and labels as they are written, such as `forecourt_findings_total{code="id_missing"}`.
    pub(crate) series: BTreeMap<String, f64>,
    /// The metrics that are declared, also those without a series.
    pub(crate) declared: BTreeSet<String>,
}

impl Scrape {
    /// Reads either form of text.
    pub(crate) fn parse(text: &str) -> Self {
        let declared = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_whitespace().next());
        let declared = declared.map(str::to_owned).collect();
        let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let read = samples.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("no value: {line}")))
        });
        let (mut series, mut twice) = (BTreeMap::new(), Vec::new());
        for (name, value) in read {
            if series.insert(name.clone(), value).is_some() {
                twice.push(name);
            }
        }
        assert!(twice.is_empty(), "twice: {twice:?}");
        Self { series, declared }
    }

    /// That of an admin listener.
    pub(crate) async fn of_address(address: SocketAddr) -> Self {
        Self::try_of(address).await.unwrap()
    }

    /// The same; none where nobody answers.
    pub(crate) async fn try_of(address: SocketAddr) -> Option<Self> {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        Some(Self::parse(body))
    }

    /// The value of a series, which must be there.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> f64 {
        *self.series.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.series.keys()))
    }

    /// The same of a counter or a gauge that holds whole numbers.
    #[track_caller]
    pub(crate) fn count(&self, series: &str) -> u64 {
        let value = self.value(series);
        assert!(value >= 0.0 && value.fract() == 0.0, "{series} is {value}");
        format!("{value}").parse().unwrap()
    }

    /// The series of a metric.
    pub(crate) fn of(&self, name: &str) -> BTreeMap<&str, f64> {
        let is_of =
            |series: &str| series.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
        self.series
            .iter()
            .filter(|(series, _)| is_of(series))
            .map(|(series, value)| (series.as_str(), *value))
            .collect()
    }

    /// By how much each counter or gauge is more than in an earlier scrape, where it is.
    pub(crate) fn since<'s>(&'s self, before: &Self, name: &str) -> BTreeMap<&'s str, f64> {
        let more = |(series, value): (&'s str, f64)| {
            let more = value - before.series.get(series).copied().unwrap_or(0.0);
            (more != 0.0).then_some((series, more))
        };
        self.of(name).into_iter().filter_map(more).collect()
    }
}
