//! Appends that wait for their commit: which of them quotas let in, and what each is answered.

use bytes::Bytes;
use futures::channel::oneshot;
use uuid::Uuid;

use crate::{
    engine::shard::{
        Header,
        quota::{self, Admission, Counts, Left},
    },
    ports::{PortError, shards::Appended},
};

type Sender = oneshot::Sender<Result<Appended, PortError>>;

/// An append that is not durable yet.
pub(super) struct Waiting {
    pub(super) message: Bytes,
    pub(super) header: Header,
    pub(super) answer: Sender,
    /// Requests with the same key that came while this one waited.
    pub(super) retries: Vec<Sender>,
}

impl Waiting {
    /// Answers all that wait for this.
    pub(super) fn settle(self, verdict: &Result<Verdict, PortError>) {
        let answer = |duplicate| {
            verdict.clone().map(|refused| match refused {
                None => stored(&self.header, duplicate),
                // One is told of the first refusal.
                Some(left) if duplicate => Appended::OverQuota {
                    left: left.into_iter().map(|left| Left { first: false, ..left }).collect(),
                },
                Some(left) => Appended::OverQuota { left },
            })
        };
        // A receiver that is gone is a caller that has hung up.
        let _ = self.answer.send(answer(false));
        for retry in self.retries {
            let _ = retry.send(answer(true));
        }
    }
}

pub(super) enum Enqueued {
    Answered(Appended),
    Waits(oneshot::Receiver<Result<Appended, PortError>>),
}

/// What the quotas of an append have room for, when they refuse it.
pub(super) type Verdict = Option<Vec<Left>>;

/// Who of those that wait is stored, in the order they came, and what that adds to the counts.
pub(super) fn admit(counts: &Counts, waiting: &[Waiting]) -> (Vec<Verdict>, Counts) {
    let mut admission = Admission::new(counts);
    let verdicts = waiting.iter().map(|one| match (&one.header.quota, &one.header.spool) {
        (None, _) => None,
        // It was acknowledged when it was spooled.
        (Some(quota), Some(_)) => {
            admission.force(quota);
            None
        }
        (Some(quota), None) => admission.admit(quota).err(),
    });
    (verdicts.collect(), admission.into_added())
}

/// Appends without records that keep which quotas were over for the first time on their day.
pub(super) fn marks(waiting: &[Waiting], verdicts: &[Verdict], now: u64) -> Vec<Header> {
    let mark = |(one, verdict): (&Waiting, &Verdict)| {
        let quota = quota::marks(one.header.quota.as_ref()?.day, verdict.as_ref()?)?;
        Some(Header { quota: Some(quota), ..Header::new(Uuid::from_u128(u128::from(now) << 80), 0, None) })
    };
    waiting.iter().zip(verdicts).filter_map(mark).collect()
}

pub(super) fn stored(header: &Header, duplicate: bool) -> Appended {
    let refused = if duplicate { header.refused.clone() } else { Vec::new() };
    Appended::Stored { first_id: header.first_id, count: header.count, duplicate, refused }
}
