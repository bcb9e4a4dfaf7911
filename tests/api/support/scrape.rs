//! Scrapes metrics, as little as HTTP asks for, and reads them strictly.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::server::TEST_TIMEOUT;

/// Asks for `path`: the status, the headers and the body.
pub fn http_get(address: SocketAddr, path: &str) -> (u16, String, String) {
    http_request(address, &format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"))
}

/// Sends `request` and reads to the end.
pub fn http_request(address: SocketAddr, request: &str) -> (u16, String, String) {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

/// What one scrape says.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// The type of each family.
    pub families: BTreeMap<String, String>,
    /// The value of each series, by its name and labels as they are written.
    pub series: BTreeMap<String, f64>,
}

impl Scrape {
    /// Scrapes now, and checks the text.
    pub fn fetch(address: SocketAddr) -> Self {
        let (status, head, body) = http_get(address, "/metrics");
        assert_eq!(status, 200, "{head}");
        assert!(head.contains("text/plain; version=0.0.4"), "{head}");
        Self::parse(&body)
    }

    /// Scrapes until `holds`.
    pub fn poll_until(address: SocketAddr, holds: impl Fn(&Self) -> bool) -> Self {
        let start = Instant::now();
        loop {
            let scrape = Self::fetch(address);
            if holds(&scrape) {
                return scrape;
            }
            assert!(start.elapsed() < TEST_TIMEOUT, "it never holds: {:#?}", scrape.series);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Reads text of the format 0.0.4: HELP, TYPE and samples of one family after the other, nothing twice.
    pub fn parse(text: &str) -> Self {
        let (mut families, mut helped) = (BTreeMap::new(), BTreeSet::new());
        let mut series = BTreeMap::new();
        let mut open: Option<(String, String)> = None;
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a help");
                assert!(!help.is_empty() && helped.insert(name.to_owned()), "{line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert!(helped.contains(name), "{name} has no help");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                let before = families.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} comes twice");
                open = Some((name.to_owned(), kind.to_owned()));
            } else {
                let (name, kind) = open.as_ref().expect("a family before its samples");
                let (id, value) = line.rsplit_once(' ').unwrap();
                let own = id.split('{').next().unwrap();
                let suffix = own.strip_prefix(name.as_str()).expect("a sample of its family");
                let suffixes: &[&str] = match kind.as_str() {
                    "histogram" => &["_bucket", "_sum", "_count"],
                    _ => &[""],
                };
                assert!(suffixes.contains(&suffix), "{line}");
                let value: f64 = value.parse().expect("a number");
                assert!(value.is_finite(), "{line}");
                assert_eq!(series.insert(id.to_owned(), value), None, "{id} comes twice");
            }
        }
        let scrape = Self { families, series };
        scrape.check_names();
        scrape.check_histograms();
        scrape
    }

    fn check_names(&self) {
        for (name, kind) in &self.families {
            let ours = name.starts_with("certimix_") || name.starts_with("process_");
            assert!(
                ours && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{name}"
            );
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            for scaled in ["_ms", "_us", "_milliseconds", "_microseconds", "_kilobytes", "_percent"] {
                assert!(!name.contains(scaled), "{name} is not in a base unit");
            }
        }
    }

    /// Buckets grow, and the last of them is the count.
    fn check_histograms(&self) {
        for (name, _) in self.families.iter().filter(|(_, kind)| *kind == "histogram") {
            let begin = format!("{name}_count");
            let counts = self
                .series
                .iter()
                .filter(|(id, _)| id.split('{').next() == Some(&begin));
            let mut found = 0;
            for (id, count) in counts {
                let labels = id[begin.len()..].trim_matches(['{', '}']);
                let bucket = |id: &&String| {
                    let own = id.strip_prefix(&format!("{name}_bucket{{"))?;
                    let (labels, bound) = own.strip_suffix("\"}")?.rsplit_once("le=\"")?;
                    Some((
                        labels.trim_end_matches(',').to_owned(),
                        bound.replace("+Inf", "inf").parse().ok()?,
                    ))
                };
                let mut buckets: Vec<(f64, f64)> = (self.series.iter())
                    .filter_map(|(id, value)| bucket(&id).map(|(labels, bound)| (labels, bound, *value)))
                    .filter(|(of, _, _)| of == labels)
                    .map(|(_, bound, value)| (bound, value))
                    .collect();
                buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
                assert!(buckets.len() > 5, "{id}");
                assert!(
                    buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1),
                    "{id} {buckets:?}"
                );
                assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)), "{id}");
                found += 1;
            }
            assert!(found > 0, "{name} has no samples");
        }
    }

    /// The value of one series.
    #[track_caller]
    pub fn value(&self, id: &str) -> f64 {
        *self
            .series
            .get(id)
            .unwrap_or_else(|| panic!("no {id} in {:#?}", self.series.keys()))
    }

    /// The sum of all series of `name` whose labels contain `part`.
    pub fn sum(&self, name: &str, part: &str) -> f64 {
        let of = |id: &str| id.split('{').next() == Some(name) && id.contains(part);
        self.series
            .iter()
            .filter(|(id, _)| of(id))
            .map(|(_, value)| value)
            .sum()
    }
}
