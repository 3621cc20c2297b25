//! Daily quotas: what an append counts towards, what a shard has counted, and whether there is room for more.
//!
//! Invariant: what is counted is what is stored. The counts of a shard are those of the appends in its log, and of
//! those that it had before their flush.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const DAY_MS: u64 = 86_400_000;

/// Whose quota it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// All of its services together.
    Tenant,
    Service(String),
}

/// What an append counts towards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    pub day: u32,
    pub charges: Vec<Charge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    pub of: Of,
    pub count: u32,
    pub limit: u64,
    /// That records were refused is noted with this, and told to whoever sent them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
}

/// What there is room for when there is not enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    pub of: Of,
    pub limit: u64,
    pub left: u64,
    /// This is the first that is refused on this day because of this quota.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first: bool,
}

/// Records of one request, by their index, that were over the same quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub from: u32,
    pub to: u32,
    pub of: Of,
    pub limit: u64,
}

/// What was counted of some days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u32, Of, u64, bool)>", into = "Vec<(u32, Of, u64, bool)>")]
pub struct Counts {
    days: BTreeMap<u32, BTreeMap<Of, Used>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Used {
    count: u64,
    told: bool,
}

/// The UTC day of this time, counted from 1970.
pub fn day_of(ms: u64) -> u32 {
    u32::try_from(ms / DAY_MS).unwrap_or(u32::MAX)
}

/// Whole seconds until the next UTC day, never none.
pub fn seconds_left(ms: u64) -> u64 {
    (DAY_MS - ms % DAY_MS).div_ceil(1_000)
}

impl Counts {
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// Records counted towards a quota on a day.
    pub fn of(&self, day: u32, of: &Of) -> u64 {
        self.used(day, of).count
    }

    fn used(&self, day: u32, of: &Of) -> Used {
        self.days.get(&day).and_then(|day| day.get(of)).copied().unwrap_or_default()
    }

    pub fn add(&mut self, quota: &Quota) {
        for charge in &quota.charges {
            self.count(quota.day, &charge.of, Used { count: charge.count.into(), told: charge.told });
        }
        self.forget_old();
    }

    pub fn merge(&mut self, other: &Self) {
        for (day, all) in &other.days {
            for (of, used) in all {
                self.count(*day, of, *used);
            }
        }
        self.forget_old();
    }

    fn count(&mut self, day: u32, of: &Of, used: Used) {
        let all = self.days.entry(day).or_default();
        match all.get_mut(of) {
            Some(one) => {
                one.count = one.count.saturating_add(used.count);
                one.told |= used.told;
            }
            None => drop(all.insert(of.clone(), used)),
        }
    }

    /// The clocks of isolates differ a little: the day before the last may still get some.
    fn forget_old(&mut self) {
        if let Some(last) = self.days.keys().next_back().copied() {
            self.days.retain(|day, _| day + 1 >= last);
        }
    }
}

/// What a commit adds to what is counted already.
#[derive(Debug)]
pub struct Admission<'a> {
    counted: &'a Counts,
    added: Counts,
}

impl<'a> Admission<'a> {
    pub fn new(counted: &'a Counts) -> Self {
        Self { counted, added: Counts::default() }
    }

    /// Counts an append if there is room for all of it; else says what there is room for. A quota that is over for
    /// the first time on its day is marked, for `marks`.
    pub fn admit(&mut self, quota: &Quota) -> Result<(), Vec<Left>> {
        let mut left = self.left(quota);
        if left.iter().zip(&quota.charges).all(|(left, charge)| u64::from(charge.count) <= left.left) {
            self.force(quota);
            return Ok(());
        }
        for (left, charge) in left.iter_mut().zip(&quota.charges) {
            if left.first {
                self.added.count(quota.day, &charge.of, Used { count: 0, told: true });
            }
        }
        Err(left)
    }

    /// Counts an append whatever there is room for: it was acknowledged before.
    pub fn force(&mut self, quota: &Quota) {
        self.added.add(quota);
    }

    fn left(&self, quota: &Quota) -> Vec<Left> {
        let left_of = |charge: &Charge| {
            let (counted, added) =
                (self.counted.used(quota.day, &charge.of), self.added.used(quota.day, &charge.of));
            let left = charge.limit.saturating_sub(counted.count.saturating_add(added.count));
            let first = u64::from(charge.count) > left && !counted.told && !added.told;
            Left { of: charge.of.clone(), limit: charge.limit, left, first }
        };
        quota.charges.iter().map(left_of).collect()
    }

    /// What there is room for, if that is not enough and everybody who must be told was told.
    pub fn is_refused_for_good(&self, quota: &Quota) -> Option<Vec<Left>> {
        let left = self.left(quota);
        let over = left.iter().zip(&quota.charges).any(|(left, charge)| u64::from(charge.count) > left.left);
        (over && !left.iter().any(|left| left.first)).then_some(left)
    }

    pub fn into_added(self) -> Counts {
        self.added
    }
}

/// The marks of refusals in these answers, to be kept with the appends.
pub fn marks<'a>(day: u32, left: impl IntoIterator<Item = &'a Left>) -> Option<Quota> {
    let mark = |left: &Left| Charge { of: left.of.clone(), count: 0, limit: left.limit, told: true };
    let charges: Vec<Charge> = left.into_iter().filter(|left| left.first).map(mark).collect();
    (!charges.is_empty()).then_some(Quota { day, charges })
}

/// Goes through records in their order and answers for each the quota that it is over, if it is over one. `service`
/// is the place of the record's service among `left`.
pub fn choose(services: &[Option<usize>], left: &[Left]) -> Vec<Option<usize>> {
    let mut room: Vec<u64> = left.iter().map(|one| one.left).collect();
    let tenant = left.iter().position(|one| one.of == Of::Tenant);
    services
        .iter()
        .map(|service| {
            let full = |of: &usize| room.get(*of).is_some_and(|room| *room == 0);
            let over = service.filter(full).or_else(|| tenant.filter(full));
            if over.is_none() {
                for of in [*service, tenant].into_iter().flatten() {
                    if let Some(room) = room.get_mut(of) {
                        *room -= 1;
                    }
                }
            }
            over
        })
        .collect()
}

type Entry = (u32, Of, u64, bool);

impl From<Vec<Entry>> for Counts {
    fn from(entries: Vec<Entry>) -> Self {
        let mut counts = Self::default();
        for (day, of, count, told) in entries {
            counts.count(day, &of, Used { count, told });
        }
        counts
    }
}

impl From<Counts> for Vec<Entry> {
    fn from(counts: Counts) -> Self {
        let of_day = |(day, all): (u32, BTreeMap<Of, Used>)| {
            all.into_iter().map(move |(of, used)| (day, of, used.count, used.told))
        };
        counts.days.into_iter().flat_map(of_day).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn service(name: &str) -> Of {
        Of::Service(name.to_owned())
    }

    fn charge(of: Of, count: u32, limit: u64) -> Charge {
        Charge { of, count, limit, told: false }
    }

    fn quota(day: u32, charges: Vec<Charge>) -> Quota {
        Quota { day, charges }
    }

    #[test]
    fn a_day_is_of_utc_and_its_end_is_never_now() {
        for (ms, day, left) in [
            (0, 0, 86_400),
            (1, 0, 86_400),
            (86_399_999, 0, 1),
            (86_400_000, 1, 86_400),
            (86_401_000, 1, 86_399),
        ] {
            assert_eq!((day_of(ms), seconds_left(ms)), (day, left), "{ms}");
        }
    }

    #[test]
    fn an_append_is_counted_whole_or_not_at_all() {
        let mut counts = Counts::default();
        counts.add(&quota(7, vec![charge(service("api"), 3, 5), charge(Of::Tenant, 4, 10)]));
        let mut admission = Admission::new(&counts);
        assert_eq!(admission.admit(&quota(7, vec![charge(Of::Tenant, 6, 10)])), Ok(()));
        let over = quota(7, vec![charge(service("api"), 2, 5), charge(Of::Tenant, 2, 10)]);
        let left = |first| {
            vec![
                Left { of: service("api"), limit: 5, left: 2, first: false },
                Left { of: Of::Tenant, limit: 10, left: 0, first },
            ]
        };
        assert_eq!(admission.is_refused_for_good(&over), None);
        assert_eq!(admission.admit(&over), Err(left(true)));
        // Told once.
        assert_eq!(admission.admit(&over), Err(left(false)));
        assert_eq!(admission.is_refused_for_good(&over), Some(left(false)));
        counts = admission.into_added();
        assert_eq!((counts.of(7, &Of::Tenant), counts.of(7, &service("api"))), (6, 0));
        // A day of its own.
        assert_eq!(Admission::new(&counts).admit(&quota(8, vec![charge(Of::Tenant, 10, 10)])), Ok(()));
    }

    #[test]
    fn marks_are_kept_like_charges() {
        let counts = Counts::default();
        let mut admission = Admission::new(&counts);
        let left = admission.admit(&quota(7, vec![charge(Of::Tenant, 2, 1)])).unwrap_err();
        let marks = marks(7, &left).unwrap();
        let mut again = Counts::default();
        again.add(&marks);
        assert_eq!(again, admission.into_added());
        let json = serde_json::to_string(&again).unwrap();
        assert_eq!(json, r#"[[7,"tenant",0,true]]"#);
        assert_eq!(serde_json::from_str::<Counts>(&json).unwrap(), again);
    }

    #[test]
    fn days_before_yesterday_are_forgotten() {
        let mut counts = Counts::default();
        for day in [5, 6, 7, 6] {
            counts.add(&quota(day, vec![charge(Of::Tenant, 1, 9)]));
        }
        assert_eq!([5, 6, 7].map(|day| counts.of(day, &Of::Tenant)), [0, 2, 1]);
    }

    #[test]
    fn who_comes_first_is_served_first() {
        let left = |of, left| Left { of, limit: 9, left, first: false };
        let (api, web) = (Some(0), Some(1));
        for (room, services, over) in [
            ([1, 9, 9], vec![api, api, web, None, api], vec![None, api, None, None, api]),
            ([9, 9, 2], vec![api, None, web, None], vec![None, None, Some(2), Some(2)]),
            ([0, 1, 2], vec![api, web, None, web, api], vec![api, None, None, web, api]),
            ([0, 0, 0], vec![api, None], vec![api, Some(2)]),
        ] {
            let room =
                [left(service("api"), room[0]), left(service("web"), room[1]), left(Of::Tenant, room[2])];
            assert_eq!(choose(&services, &room), over, "{room:?}");
        }
    }

    proptest! {
        /// Of what one asks for after he was told what is left, all is taken, and nothing more would be.
        #[test]
        fn what_is_chosen_is_admitted(
            used in prop::collection::vec(0_u32..8, 3),
            services in prop::collection::vec(prop::option::of(0_usize..2), 1..30),
        ) {
            let limits = [5_u64, 7, 9];
            let of = [service("a"), service("b"), Of::Tenant];
            let asked = |taken: &dyn Fn(usize) -> bool| {
                let count = |of: Option<usize>| {
                    let is_one = |(nth, service): &(usize, &Option<usize>)| {
                        taken(*nth) && (of.is_none() || **service == of)
                    };
                    u32::try_from(services.iter().enumerate().filter(is_one).count()).unwrap()
                };
                let counts = [count(Some(0)), count(Some(1)), count(None)];
                let charges = (0..3).map(|n| charge(of[n].clone(), counts[n], limits[n]));
                quota(1, charges.collect())
            };
            let mut counts = Counts::default();
            counts.add(&quota(1, (0..3).map(|n| charge(of[n].clone(), used[n], limits[n])).collect()));
            if let Err(left) = Admission::new(&counts).admit(&asked(&|_| true)) {
                let over = choose(&services, &left);
                prop_assert!(over.iter().any(Option::is_some));
                let chosen = asked(&|nth| over[nth].is_none());
                prop_assert_eq!(Admission::new(&counts).admit(&chosen), Ok(()));
                for one in (0..services.len()).filter(|nth| over[*nth].is_some()) {
                    let more = asked(&|nth| over[nth].is_none() || nth == one);
                    prop_assert!(Admission::new(&counts).admit(&more).is_err());
                }
            }
        }
    }
}
