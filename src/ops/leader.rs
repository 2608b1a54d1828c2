//! Leader election on a Lease, by the algorithm of client-go's `leaderelection`.
//!
//! Clocks of two machines are never compared. A candidate that sees the holder's record unchanged for the lease duration, on
//! its own monotonic clock, takes the lease; the times inside the record are for people. A holder counts its lease from
//! when it *sent* the last renewal that succeeded, which is before anybody can have seen it. Unlike client-go it also steps
//! down at once when it reads another holder's name.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use sha2::{Digest, Sha256};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{base::error_text::explain, cluster::decode::Lenient, ops::clock::Clock};

/// Name of the Lease.
pub const LEASE_NAME: &str = "kubeheal";

/// With less than this left of the lease no action may begin: the answer could come when another leads.
pub const ACTION_MARGIN: Duration = Duration::from_secs(3);

/// Who we are and how patient.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Our name in it, different from every other candidate's.
    pub identity: String,
    /// Others wait this long after the last change they saw. Whole seconds; 15 s.
    pub lease: Duration,
    /// The holder steps down when it could not renew for this long; less than `lease`. 10 s.
    pub renew_deadline: Duration,
    /// Between two tries; less than `renew_deadline`. 2 s.
    pub retry: Duration,
}

impl Settings {
    /// The times client-go recommends.
    pub fn new(namespace: impl Into<String>, identity: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            identity: identity.into(),
            lease: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// Where we stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Somebody else leads, or nobody.
    Standby {
        /// Who leads, as far as we know.
        holder: Option<String>,
    },
    /// We lead, until then if no renewal succeeds.
    Leading {
        /// End of the lease.
        until: Instant,
    },
}

/// Asks whether we lead. Clones ask the same elector.
#[derive(Debug, Clone)]
pub struct Leadership {
    standing: watch::Receiver<Standing>,
}

impl Leadership {
    /// Whether we lead at this moment.
    pub fn is_leading(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// What is left of our lease; zero if we do not lead.
    pub fn remaining(&self) -> Duration {
        match *self.standing.borrow() {
            Standing::Leading { until } => until.saturating_duration_since(Instant::now()),
            Standing::Standby { .. } => Duration::ZERO,
        }
    }

    /// Whether an action may begin: we lead, and will for longer than [`ACTION_MARGIN`].
    pub fn may_act(&self) -> bool {
        self.remaining() > ACTION_MARGIN
    }

    /// Is told when leadership is won or lost, or another leads; not of renewals.
    pub fn subscribe(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }
}

/// One candidate.
#[derive(Debug)]
pub struct Elector {
    leases: Api<Lenient<Lease>>,
    clock: Clock,
    settings: Settings,
    observed: Option<Observed>,
    standing: watch::Sender<Standing>,
    tries: u64,
    trouble: Option<String>,
}

/// The Lease as last seen, and when on our clock its record last changed.
#[derive(Debug)]
struct Observed {
    lease: Lease,
    changed: Instant,
}

enum Ended {
    Stopped,
    Lost,
}

impl Elector {
    /// A candidate. `client` should not retry by itself: a late answer is worse than an error here.
    pub fn new(client: Client, clock: Clock, settings: Settings) -> (Self, Leadership) {
        let leases = Api::namespaced(client, &settings.namespace);
        let (standing, receiver) = watch::channel(Standing::Standby { holder: None });
        let elector = Self { leases, clock, settings, observed: None, standing, tries: 0, trouble: None };
        (elector, Leadership { standing: receiver })
    }

    /// Stands for election until `stop`, then gives the lease back. Whatever acts must have ended before that.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Some(sent) = self.acquire(&stop).await {
            tracing::info!(identity = self.settings.identity, "leading");
            match self.hold(sent, &stop).await {
                Ended::Stopped => {
                    self.release().await;
                    return;
                }
                Ended::Lost => tracing::warn!(identity = self.settings.identity, "no longer leading"),
            }
        }
    }

    /// Tries until the lease is ours. Returns when the request that won it was sent; `None` if it was stopped.
    async fn acquire(&mut self, stop: &CancellationToken) -> Option<Instant> {
        loop {
            let patience = self.settings.renew_deadline;
            let tried = tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                tried = timeout(patience, self.attempt()) => tried,
            };
            match tried {
                Ok(Ok(Some(sent))) => return Some(sent),
                Ok(Ok(None)) => {
                    self.trouble = None;
                    self.stand_by();
                }
                Ok(Err(error)) => self.complain(explain(&self.doing(), &error)),
                Err(_) => self.complain(format!("{}: no answer in {} s", self.doing(), patience.as_secs())),
            }
            let pause = self.pause();
            tokio::select! { biased; () = stop.cancelled() => return None, () = sleep(pause) => {} }
        }
    }

    /// Renews until stopped, or until the lease is lost.
    async fn hold(&mut self, mut sent: Instant, stop: &CancellationToken) -> Ended {
        self.lead(sent);
        loop {
            tokio::select! { biased; () = stop.cancelled() => return Ended::Stopped, () = sleep(self.settings.retry) => {} }
            let deadline = sent + self.settings.renew_deadline;
            let tried = tokio::select! {
                biased;
                () = stop.cancelled() => return Ended::Stopped,
                tried = timeout_at(deadline, self.attempt()) => tried,
            };
            match tried {
                Ok(Ok(Some(renewed))) => {
                    self.trouble = None;
                    sent = renewed;
                    self.lead(sent);
                }
                Ok(Ok(None)) if self.holder().is_some_and(|holder| holder != self.settings.identity) => {
                    self.stand_by();
                    return Ended::Lost;
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => self.complain(explain(&self.doing(), &error)),
                Err(_) => self.complain(format!("{}: not renewed in time", self.doing())),
            }
            if Instant::now() >= sent + self.settings.renew_deadline {
                self.stand_by();
                return Ended::Lost;
            }
        }
    }

    /// One try to take or renew the lease. `Some(when it was sent)` if it is ours now; `None` if it is another's, or
    /// somebody was faster.
    async fn attempt(&mut self) -> Result<Option<Instant>, kube::Error> {
        // What we hold and nobody has touched needs no reading.
        if let Some(lease) = self.held_unexpired()
            && let Ok(Some(sent)) = self.write(lease).await
        {
            return Ok(Some(sent));
        }
        let Some(Lenient(lease)) = self.leases.get_opt(LEASE_NAME).await? else {
            return self.write(Lease::default()).await;
        };
        self.observe(lease.clone());
        let foreign = self.holder().is_some_and(|holder| holder != self.settings.identity);
        if foreign && self.is_unexpired() {
            return Ok(None);
        }
        self.write(lease).await
    }

    /// Puts our name into `lease`, or creates it. Losing the race is no error.
    async fn write(&mut self, lease: Lease) -> Result<Option<Instant>, kube::Error> {
        let exists = lease.metadata.resource_version.is_some();
        let ours = Lenient(self.ours(lease));
        let sent = Instant::now();
        let answer = if exists {
            self.leases.replace(LEASE_NAME, &PostParams::default(), &ours).await
        } else {
            self.leases.create(&PostParams::default(), &ours).await
        };
        match answer {
            Ok(Lenient(stored)) => {
                self.observed = Some(Observed { lease: stored, changed: Instant::now() });
                Ok(Some(sent))
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the lease back, so that the next candidate need not wait for its end.
    async fn release(&mut self) {
        self.stand_by();
        match timeout(self.settings.renew_deadline, self.give_back()).await {
            Ok(Ok(true)) => tracing::info!(identity = self.settings.identity, "lease given back"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!("{}", explain("giving the lease back", &error)),
            Err(_) => tracing::warn!("giving the lease back: no answer; it ends by itself"),
        }
    }

    async fn give_back(&mut self) -> Result<bool, kube::Error> {
        // Read first: a renewal may have been cut off by the stop, its answer never seen.
        let Some(Lenient(mut lease)) = self.leases.get_opt(LEASE_NAME).await? else { return Ok(false) };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&self.settings.identity) {
            return Ok(false);
        }
        let now = MicroTime(self.clock.now());
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(now.clone());
        spec.acquire_time = Some(now);
        self.leases.replace(LEASE_NAME, &PostParams::default(), &Lenient(lease)).await?;
        Ok(true)
    }

    /// `lease` with our record in it. A change of holder counts as a transition.
    fn ours(&self, mut lease: Lease) -> Lease {
        let now: Timestamp = self.clock.now();
        if lease.metadata.name.is_none() {
            lease.metadata = ObjectMeta { name: Some(LEASE_NAME.to_owned()), ..ObjectMeta::default() };
        }
        let exists = lease.metadata.resource_version.is_some();
        let spec = lease.spec.get_or_insert_default();
        let renewing = spec.holder_identity.as_deref() == Some(&self.settings.identity);
        if !renewing {
            spec.acquire_time = Some(MicroTime(now));
            let transitions = spec.lease_transitions.unwrap_or_default();
            spec.lease_transitions = Some(if exists { transitions.saturating_add(1) } else { 0 });
        }
        spec.holder_identity = Some(self.settings.identity.clone());
        spec.lease_duration_seconds = Some(i32::try_from(self.settings.lease.as_secs()).unwrap_or(i32::MAX));
        spec.renew_time = Some(MicroTime(now));
        lease
    }

    /// Takes in what was read. Only a changed record is a sign of life; a changed label is not.
    fn observe(&mut self, lease: Lease) {
        let changed = match &self.observed {
            Some(known) if known.lease.spec == lease.spec => known.changed,
            Some(_) | None => Instant::now(),
        };
        self.observed = Some(Observed { lease, changed });
    }

    fn held_unexpired(&self) -> Option<Lease> {
        let ours = self.holder().is_some_and(|holder| holder == self.settings.identity);
        self.observed.as_ref().filter(|_| ours && self.is_unexpired()).map(|observed| observed.lease.clone())
    }

    /// Whether the record changed within the duration it states itself.
    fn is_unexpired(&self) -> bool {
        let Some(observed) = &self.observed else { return false };
        let seconds = self.spec().and_then(|spec| spec.lease_duration_seconds).and_then(|s| u64::try_from(s).ok());
        let duration = seconds.map_or(self.settings.lease, Duration::from_secs);
        observed.changed.elapsed() < duration
    }

    fn spec(&self) -> Option<&LeaseSpec> {
        self.observed.as_ref()?.lease.spec.as_ref()
    }

    /// Who holds the lease; an empty name was given back.
    fn holder(&self) -> Option<&str> {
        self.spec()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
    }

    /// Tells of leadership. A renewal only moves the end and wakes nobody.
    fn lead(&self, sent: Instant) {
        let until = sent + self.settings.lease;
        self.standing.send_if_modified(|standing| {
            let news = !matches!(standing, Standing::Leading { .. });
            *standing = Standing::Leading { until };
            news
        });
    }

    fn stand_by(&self) {
        let holder = self.holder().filter(|holder| *holder != self.settings.identity).map(str::to_owned);
        self.standing.send_if_modified(|standing| {
            let now = Standing::Standby { holder };
            let news = *standing != now;
            if news && let Standing::Standby { holder: Some(holder) } = &now {
                tracing::info!(holder, "standing by");
            }
            *standing = now;
            news
        });
    }

    fn doing(&self) -> String {
        format!("leader election on lease {}/{LEASE_NAME}", self.settings.namespace)
    }

    /// Says what is wrong, once.
    fn complain(&mut self, trouble: String) {
        if self.trouble.as_ref() != Some(&trouble) {
            tracing::warn!("{trouble}; trying again");
            self.trouble = Some(trouble);
        }
    }

    /// Between once and 2.2 times the retry period, so that candidates do not stay in step. The same for each run of the
    /// same identity.
    fn pause(&mut self) -> Duration {
        self.tries = self.tries.wrapping_add(1);
        let digest =
            Sha256::new().chain_update(&self.settings.identity).chain_update(self.tries.to_be_bytes()).finalize();
        let share = f64::from(digest[0]) / f64::from(u8::MAX);
        self.settings.retry.mul_f64(1.2_f64.mul_add(share, 1.0))
    }
}
