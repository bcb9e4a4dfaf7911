//! The page of the metrics, encoded once for all scrapes that wait for it.
//!
//! A scrape gets a page that was encoded after it arrived, so that it misses no event before it.
//! Pages are encoded at a bounded rate on a thread of their own: a flood of scrapes costs little, and
//! delays no probe.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use tokio::sync::Mutex;

use super::routes::Routes;

/// The average time between two pages under a flood of scrapes.
const ENCODING_INTERVAL: Duration = Duration::from_millis(100);
/// The pages that may be encoded without a pause. No honest set of scrapers needs more.
const ENCODING_BURST: u32 = 20;

/// The page of the metrics.
pub(super) struct MetricsPage {
    routes: Arc<Routes>,
    evictions: Arc<AtomicU64>,
    last: Arc<Mutex<LastPage>>,
}

#[derive(Default)]
struct LastPage {
    /// When the encoding of `page` began; `None` before the first.
    began_at: Option<Instant>,
    page: Option<Bytes>,
    rate: EncodingRate,
}

/// The rate of encodings: a virtual clock advances by an interval at each of them, and may be a
/// burst of intervals ahead of the time.
#[derive(Debug, Default)]
struct EncodingRate {
    next: Option<Instant>,
}

impl EncodingRate {
    /// Records an encoding, and returns how long it has to wait at `now`.
    fn record(&mut self, now: Instant) -> Duration {
        let next = self.next.map_or(now, |next| next.max(now));
        self.next = Some(next + ENCODING_INTERVAL);
        next.saturating_duration_since(now)
            .saturating_sub(ENCODING_INTERVAL * (ENCODING_BURST - 1))
    }
}

impl MetricsPage {
    pub(super) fn new(routes: Arc<Routes>, evictions: Arc<AtomicU64>) -> Self {
        Self {
            routes,
            evictions,
            last: Arc::default(),
        }
    }

    pub(super) fn routes(&self) -> &Routes {
        &self.routes
    }

    /// A page whose encoding began at `arrived` or later; `None` if it cannot be encoded.
    pub(super) async fn encoded_after(&self, arrived: Instant) -> Option<Bytes> {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if last.began_at.is_some_and(|began_at| began_at >= arrived) {
            return last.page.clone();
        }
        tokio::time::sleep(last.rate.record(Instant::now())).await;
        let (routes, evictions) = (Arc::clone(&self.routes), Arc::clone(&self.evictions));
        // The task keeps the lock if the scrape ends early, so that no second encoding begins.
        let encoding = tokio::spawn(async move {
            last.began_at = Some(Instant::now());
            let encode = move || routes.metrics_page(evictions.load(Relaxed));
            last.page = tokio::task::spawn_blocking(encode).await.ok().flatten();
            last.page.clone()
        });
        encoding.await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_scrapes_encodes_ten_pages_a_second() {
        let (mut rate, start) = (EncodingRate::default(), Instant::now());
        let mut now = start;
        for _ in 0..ENCODING_BURST {
            assert_eq!(rate.record(now), Duration::ZERO);
        }
        for _ in 0..10 {
            now += rate.record(now);
        }
        assert_eq!(now - start, Duration::from_secs(1));
        // A pause gives the burst back.
        now += ENCODING_INTERVAL * (ENCODING_BURST + 1);
        assert_eq!(rate.record(now), Duration::ZERO);
    }
}
