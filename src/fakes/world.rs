//! Everything a test holds: the parts, their faults, the clock.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;

use super::{
    accounts::{FakeAccounts, FakeBackground, FakeCopies},
    analyses::FakeAnalyses,
    anomalies::FakeAnomalies,
    catalog::FakeCatalog,
    events::FakeEvents,
    limits::FakeLimits,
    model::FakeModel,
    objects::FakeObjects,
    outbound::FakeOutbound,
    patterns::FakePatterns,
    scanners::FakeScanners,
    shards::FakeShards,
};
use crate::{
    app::{App, Parts},
    engine::config::Settings,
    ports::{Clock, Counts, Journal, Meter, Model, PortError, Random},
};

/// A platform in memory. Cloning it gives another handle on the same one.
#[derive(Clone)]
pub struct World {
    inner: Arc<Inner>,
    pub objects: Arc<FakeObjects>,
    pub catalog: Arc<FakeCatalog>,
    pub shards: Arc<FakeShards>,
    pub scanners: Arc<FakeScanners>,
    pub accounts: Arc<FakeAccounts>,
    pub events: Arc<FakeEvents>,
    pub patterns: Arc<FakePatterns>,
    pub anomalies: Arc<FakeAnomalies>,
    pub analyses: Arc<FakeAnalyses>,
    pub copies: Arc<FakeCopies>,
    pub background: Arc<FakeBackground>,
    pub outbound: Arc<FakeOutbound>,
    pub model: Arc<FakeModel>,
    pub limits: Arc<FakeLimits>,
}

/// What every part shares.
pub(super) struct Inner {
    now_ms: AtomicU64,
    random: AtomicU64,
    faults: Mutex<Vec<Fault>>,
    calls: Mutex<BTreeMap<String, u64>>,
    errors: Mutex<Vec<String>>,
}

struct Fault {
    prefix: String,
    persisted: bool,
    /// Calls that are let through before it begins.
    skipped: u64,
    times: u64,
}

/// What a part does about a call.
pub(super) enum Turn {
    Work,
    FailBefore(PortError),
    FailAfter(PortError),
}

impl Inner {
    /// Counts a call and says whether it is to fail. `call` is `part.verb argument`.
    pub(super) fn turn(&self, part: &'static str, call: &str) -> Turn {
        let verb = call.split(' ').next().unwrap_or(call).to_owned();
        *lock(&self.calls).entry(verb).or_default() += 1;
        let mut faults = lock(&self.faults);
        let Some(at) = faults.iter().position(|fault| call.starts_with(&fault.prefix)) else {
            return Turn::Work;
        };
        let Some(fault) = faults.get_mut(at) else { return Turn::Work };
        let persisted = fault.persisted;
        if fault.skipped > 0 {
            fault.skipped -= 1;
            return Turn::Work;
        }
        fault.times -= 1;
        if fault.times == 0 {
            faults.remove(at);
        }
        let error = PortError { part, reason: format!("told to fail at {call}") };
        if persisted { Turn::FailAfter(error) } else { Turn::FailBefore(error) }
    }

    /// Runs a call under its fault, if it has one.
    pub(super) fn run<T>(
        &self,
        part: &'static str,
        call: &str,
        work: impl FnOnce() -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        match self.turn(part, call) {
            Turn::Work => work(),
            Turn::FailBefore(error) => Err(error),
            Turn::FailAfter(error) => work().and(Err(error)),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A world at this time, with nothing stored.
    pub fn at(now_ms: u64) -> Self {
        let inner = Arc::new(Inner {
            now_ms: now_ms.into(),
            random: 1.into(),
            faults: Mutex::default(),
            calls: Mutex::default(),
            errors: Mutex::default(),
        });
        let objects = Arc::new(FakeObjects::new(inner.clone()));
        let catalog = Arc::new(FakeCatalog::new(inner.clone()));
        let events = Arc::new(FakeEvents::new(inner.clone()));
        let patterns = Arc::new(FakePatterns::new(inner.clone()));
        let anomalies = Arc::new(FakeAnomalies::new(inner.clone()));
        let analyses = Arc::new(FakeAnalyses::new(inner.clone()));
        let notes = (patterns.clone(), events.clone());
        let shards = Arc::new(FakeShards::new(inner.clone(), catalog.clone(), objects.clone(), notes));
        let scanners = FakeScanners::new(inner.clone(), catalog.clone(), objects.clone(), shards.clone());
        let accounts = Arc::new(FakeAccounts::new(inner.clone()));
        let copies = Arc::new(FakeCopies::new(inner.clone()));
        let scanners = Arc::new(scanners);
        let outbound = Arc::new(FakeOutbound::new(inner.clone()));
        let model = Arc::new(FakeModel::new(inner.clone()));
        let limits = Arc::new(FakeLimits::new(inner.clone()));
        let background = Arc::default();
        Self {
            inner,
            objects,
            catalog,
            shards,
            scanners,
            accounts,
            events,
            patterns,
            anomalies,
            analyses,
            copies,
            background,
            outbound,
            model,
            limits,
        }
    }

    /// The service in this world, with the key `key` and variables as given. It has the model of this world where
    /// `AI_MODEL` is one of them.
    #[expect(clippy::missing_panics_doc, reason = "a wrong test must not run")]
    pub fn app(&self, vars: &[(&str, &str)]) -> App {
        let vars: HashMap<&str, &str> = [("LOG_SERVICE_API_KEY", "key"), ("DEFAULT_TTL_DAYS", "30")]
            .into_iter()
            .chain(vars.iter().copied())
            .collect();
        let settings = Settings::read(|name| vars.get(name).map(|value| (*value).to_owned()));
        let clock = Arc::new(FakeClock(self.inner.clone()));
        let parts = Parts {
            settings: Arc::new(settings.unwrap_or_else(|error| panic!("{error}"))),
            catalog: self.catalog.clone(),
            partitions: self.catalog.clone(),
            objects: self.objects.clone(),
            shards: self.shards.clone(),
            scanners: self.scanners.clone(),
            outbound: self.outbound.clone(),
            model: vars.contains_key("AI_MODEL").then(|| self.model.clone() as Arc<dyn Model>),
            limiter: self.limits.clone(),
            random: clock.clone(),
            meter: clock.clone(),
            journal: clock.clone(),
            clock,
            accounts: self.accounts.clone(),
            events: self.events.clone(),
            patterns: self.patterns.clone(),
            anomalies: self.anomalies.clone(),
            analyses: self.analyses.clone(),
            mined: Arc::default(),
            looked: Arc::default(),
            followed: Arc::default(),
            intake: Arc::default(),
            copies: self.copies.clone(),
            background: self.background.clone(),
            access: Arc::default(),
            audit: Arc::default(),
            configs: Arc::default(),
            health: Arc::default(),
            tokens: Arc::default(),
            limits: Arc::default(),
            segments: Arc::default(),
            indexes: Arc::default(),
            rollups: Arc::default(),
            facts: Arc::default(),
            watch: Arc::default(),
        };
        parts.into()
    }

    pub fn turn_clock(&self, ms: u64) {
        self.inner.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub fn now_ms(&self) -> u64 {
        self.inner.now_ms.load(Ordering::Relaxed)
    }

    /// Makes the next `times` calls that begin with `prefix` fail: after they took effect, or before.
    /// Calls are named `part.verb argument`, as in `objects.put logs/`.
    pub fn fail(&self, prefix: &str, persisted: bool, times: u64) {
        self.fail_behind(0, prefix, persisted, times);
    }

    /// The same after so many such calls have gone well.
    pub fn fail_behind(&self, skipped: u64, prefix: &str, persisted: bool, times: u64) {
        lock(&self.inner.faults).push(Fault { prefix: prefix.to_owned(), persisted, skipped, times });
    }

    pub fn mend(&self) {
        lock(&self.inner.faults).clear();
    }

    /// How often a verb was called so far: the bill.
    pub fn calls(&self, verb: &str) -> u64 {
        lock(&self.inner.calls).get(verb).copied().unwrap_or_default()
    }

    /// What the service wrote into its journal.
    pub fn errors(&self) -> Vec<String> {
        lock(&self.inner.errors).clone()
    }
}

/// What a real part does while it works: whoever else is ready goes on.
pub(super) async fn let_others_run() {
    for _ in 0..64 {
        let mut yielded = false;
        futures::future::poll_fn(|context| {
            if yielded {
                return std::task::Poll::Ready(());
            }
            yielded = true;
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }
}

pub(super) struct FakeClock(pub(super) Arc<Inner>);

#[async_trait]
impl Clock for FakeClock {
    fn now_ms(&self) -> u64 {
        self.0.now_ms.load(Ordering::Relaxed)
    }

    /// Lets the others run first, then the time has passed; for all who sleep at once.
    async fn sleep_ms(&self, ms: u64) {
        let until = self.now_ms() + ms;
        let_others_run().await;
        self.0.now_ms.fetch_max(until, Ordering::Relaxed);
    }
}

impl Random for FakeClock {
    /// Numbers that differ in every bit range; the same in each run.
    fn bits(&self) -> u128 {
        let n = u128::from(self.0.random.fetch_add(1, Ordering::Relaxed));
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    }
}

impl Meter for FakeClock {
    fn counts(&self) -> Counts {
        let calls = lock(&self.0.calls);
        let count = |verb: &str| calls.get(verb).copied().unwrap_or_default();
        Counts {
            r2_writes: count("objects.put"),
            r2_reads: count("objects.get") + count("objects.get_range"),
            r2_lists: count("objects.list"),
            r2_deletes: count("objects.delete"),
            shard_requests: count("shards.append")
                + count("shards.known")
                + count("shards.unflushed")
                + count("shards.flush")
                + count("shards.observe"),
            scanner_requests: count("scanners.scan"),
            limiter_requests: count("limits.ask"),
            limiter_failures: count("limits.failed"),
            limiter_rows_written: count("limit_log.write") + count("limit_log.remove"),
            ..Counts::default()
        }
    }

    fn limiter_failed(&self) {
        *lock(&self.0.calls).entry("limits.failed".to_owned()).or_default() += 1;
    }
}

impl Journal for FakeClock {
    fn error(&self, message: &str) {
        lock(&self.0.errors).push(message.to_owned());
    }
}
