//! [`Spread`]: how long one operation took the threads of a [`Crowd`](crate::Crowd).

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// What a thread of a crowd does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// `set` of a key that is not there.
    #[default]
    Put,
    /// `set` of a key that has a value.
    Rewrite,
    /// `get_into`: the value is copied.
    Get,
    /// `get_with`: the value is lent, and its first bytes are compared where they lie.
    GetInPlace,
    /// `delete`.
    Delete,
}

impl Deed {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Rewrite => "rewrite",
            Self::Get => "get",
            Self::GetInPlace => "get in place",
            Self::Delete => "delete",
        }
    }
}

/// How long one operation took the threads of a crowd, in nanoseconds, and how many they did together.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Spread {
    /// What was done.
    pub deed: Deed,
    /// How often, by all threads.
    pub operations: u64,
    /// How long that took, in seconds of the wall clock, making and comparing values included.
    pub seconds: f64,
    /// Operations a second of all threads: those two divided.
    pub per_second: f64,
    /// Bytes of values a second of all threads.
    pub bytes_per_second: f64,
    /// The fastest operation.
    pub min: u64,
    /// The average.
    pub average: f64,
    /// Half of the operations were as fast as this or faster.
    pub p50: u64,
    /// 75% were.
    pub p75: u64,
    /// 90% were.
    pub p90: u64,
    /// 99% were.
    pub p99: u64,
    /// 99.9% were.
    pub p999: u64,
    /// 99.99% were.
    pub p9999: u64,
    /// The slowest.
    pub max: u64,
    /// Whether the time was over before each key had its turn.
    pub cut_off: bool,
}

impl Spread {
    /// Takes the figures from the latencies.
    #[allow(clippy::cast_precision_loss)] // Four digits are shown.
    pub(crate) fn fill(&mut self, latencies: &Histogram<u64>, value_len: u64) {
        self.operations = latencies.len();
        if self.operations == 0 {
            return;
        }
        self.per_second = self.operations as f64 / self.seconds.max(1e-9);
        self.bytes_per_second = self.per_second * value_len as f64;
        (self.min, self.max, self.average) = (latencies.min(), latencies.max(), latencies.mean());
        let quantile = |quantile| latencies.value_at_quantile(quantile).min(latencies.max());
        [self.p50, self.p75, self.p90] = [0.5, 0.75, 0.9].map(quantile);
        [self.p99, self.p999, self.p9999] = [0.99, 0.999, 0.9999].map(quantile);
    }

    /// Operations a second of one thread: one divided by the average latency.
    #[must_use]
    pub fn per_second_of_a_thread(&self) -> f64 {
        if self.operations == 0 { 0.0 } else { 1e9 / self.average }
    }
}
