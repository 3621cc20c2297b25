use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// What happens next; isolates and messages are numbers that are wrapped.
#[derive(Clone, Debug)]
enum Event {
    Pass(u64),
    Request {
        isolate: usize,
        units: u32,
    },
    /// Many requests, each answered at once.
    Burst {
        isolate: usize,
        units: u32,
        times: u32,
        pause_ms: u64,
    },
    /// A message reaches the limiter.
    Arrive(usize),
    /// An answer reaches its isolate.
    Answer(usize),
    Lose(usize),
    Die(usize),
    /// What the limiter has written is all it knows.
    Restart,
}

struct Message {
    isolate: usize,
    asked_ms: u64,
    wish: Wish,
    lease: Option<Lease>,
}

struct Model {
    policy: Policy,
    now_ms: u64,
    limiter: Window,
    limiter_ahead_ms: u64,
    isolates: Vec<(Held, u64)>,
    under_way: VecDeque<Message>,
    /// When units were spent, and whose.
    spent: Vec<(u64, u32)>,
    refused: u32,
}

impl Model {
    fn new(policy: Policy, limiter_ahead_ms: u64, ahead_ms: &[u64]) -> Self {
        Self {
            policy,
            now_ms: 1_000_000,
            limiter: Window::default(),
            limiter_ahead_ms,
            isolates: ahead_ms.iter().map(|ahead| (Held::default(), *ahead)).collect(),
            under_way: VecDeque::new(),
            spent: Vec::new(),
            refused: 0,
        }
    }

    fn request(&mut self, isolate: usize, units: u32) {
        let (held, ahead) = &mut self.isolates[isolate];
        let now = self.now_ms + *ahead;
        held.came(units);
        match held.look(self.policy, now, units) {
            Look::Held => {
                held.spend(self.policy, now, units).unwrap();
                self.spent.push((self.now_ms, units));
            }
            Look::Blocked { .. } => self.refused += 1,
            Look::Asking => {}
            Look::Short => {
                let wish = held.ask(self.policy, now, units);
                self.under_way.push_back(Message { isolate, asked_ms: now, wish, lease: None });
            }
        }
    }

    fn arrive(&mut self, message: usize) {
        let now = self.now_ms + self.limiter_ahead_ms;
        let message = &mut self.under_way[message];
        if message.lease.is_some() {
            return;
        }
        let wish = &message.wish;
        self.limiter.settle(self.policy, now, wish.back.as_ref());
        let lease = self.limiter.grant(self.policy, now, wish);
        if lease.is_some() {
            self.spent.push((self.now_ms, wish.need));
        }
        message.lease = Some(lease.unwrap_or_else(|| self.limiter.refuse(self.policy, now, wish.need)));
    }

    fn answer(&mut self, message: usize) {
        if let Some(Message { isolate, asked_ms, wish, lease: Some(lease) }) = self.under_way.remove(message)
        {
            let (held, ahead) = &mut self.isolates[isolate];
            held.granted(asked_ms, self.now_ms + *ahead, wish.need, &lease);
            self.refused += u32::from(lease.granted == 0);
        }
    }

    /// A request, its ask answered at once.
    fn exchange(&mut self, isolate: usize, units: u32) {
        let under_way = self.under_way.len();
        self.request(isolate, units);
        if self.under_way.len() > under_way {
            self.arrive(under_way);
            self.answer(under_way);
        }
    }

    fn run(&mut self, event: &Event) {
        let isolates = self.isolates.len();
        let nth = |n: usize| Some(n).zip(self.under_way.len().checked_sub(1)).map(|(n, last)| n % (last + 1));
        match event {
            Event::Pass(ms) => self.now_ms += ms,
            Event::Request { isolate, units } => self.request(isolate % isolates, *units),
            Event::Burst { isolate, units, times, pause_ms } => {
                for _ in 0..*times {
                    self.now_ms += pause_ms;
                    self.exchange(isolate % isolates, *units);
                }
            }
            Event::Arrive(n) => nth(*n).into_iter().for_each(|n| self.arrive(n)),
            Event::Answer(n) => nth(*n).into_iter().for_each(|n| self.answer(n)),
            Event::Lose(n) => drop(nth(*n).and_then(|n| self.under_way.remove(n))),
            Event::Die(isolate) => self.isolates[isolate % isolates].0 = Held::default(),
            Event::Restart => {
                let text = serde_json::to_string(&self.limiter).unwrap();
                self.limiter = serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// The most that was spent in any window.
    fn most(&self) -> u64 {
        most(&self.spent, self.policy.window_ms)
    }
}

fn most(spent: &[(u64, u32)], window_ms: u64) -> u64 {
    let within = |at: u64| spent.iter().filter(move |(other, _)| (at..at + window_ms).contains(other));
    spent.iter().map(|(at, _)| within(*at).map(|(_, units)| u64::from(*units)).sum()).max().unwrap_or(0)
}

fn event(window_ms: u64, most_units: u32) -> impl Strategy<Value = Event> {
    let request = (0_usize..4, 1..=most_units).prop_map(|(isolate, units)| Event::Request { isolate, units });
    let burst = (0_usize..4, most_units / 2 + 1..=most_units, 1_u32..200, 0..=window_ms / 5_000);
    let burst =
        burst.prop_map(|(isolate, units, times, pause_ms)| Event::Burst { isolate, units, times, pause_ms });
    prop_oneof![
        4 => (0..=window_ms / 9).prop_map(Event::Pass),
        2 => (window_ms - window_ms / 9..=window_ms).prop_map(Event::Pass),
        6 => burst,
        8 => request,
        3 => (0_usize..4).prop_map(Event::Arrive),
        3 => (0_usize..4).prop_map(Event::Answer),
        1 => (0_usize..4).prop_map(Event::Lose),
        1 => (0_usize..4).prop_map(Event::Die),
        1 => Just(Event::Restart),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let limit = prop_oneof![1_u32..200, 1_u32..1_000_000_000];
    let window_ms = prop_oneof![1_u64..300, 1_000_u64..100_000];
    (limit, window_ms).prop_map(|(limit, window_ms)| Policy { limit, window_ms })
}

fn schedule() -> impl Strategy<Value = (Policy, Vec<Event>)> {
    (policy(), prop_oneof![1_u32..30, 30_u32..150]).prop_flat_map(|(policy, share)| {
        let units = (policy.limit / share).max(1);
        (Just(policy), prop::collection::vec(event(policy.window_ms, units), 0..60))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn in_no_window_is_more_spent_than_the_limit(
        (policy, events) in schedule(),
        limiter_ahead in 0_u64..200_000,
        ahead in prop::collection::vec(0_u64..200_000, 1..4),
    ) {
        let mut model = Model::new(policy, limiter_ahead, &ahead);
        for event in &events {
            model.run(event);
        }
        prop_assert!(model.most() <= u64::from(policy.limit), "{} of {}", model.most(), policy.limit);
    }

    #[test]
    fn a_lone_caller_that_stays_below_the_limit_is_never_refused(
        policy in policy(),
        limiter_ahead in 0_u64..200_000,
        requests in prop::collection::vec((0_u64..1_000, 1_u32..1_000), 0..300),
        pace in 1_u64..200,
        share in 1_u32..100,
    ) {
        let mut model = Model::new(policy, limiter_ahead, &[7_777]);
        let mut sent: Vec<(u64, u32)> = Vec::new();
        for (pause, part) in requests {
            model.now_ms += policy.window_ms * pause / 1_000 / pace;
            let units = (policy.limit / share).max(1).min(part.max(policy.limit / 1_000 * part));
            // Times are kept in grains: what is closer to the limit than those may be refused.
            sent.push((model.now_ms, units));
            if most(&sent, policy.window_ms + 2 * policy.grain_ms()) > u64::from(policy.limit) {
                sent.pop();
                continue;
            }
            model.exchange(0, units);
            prop_assert_eq!(model.refused, 0);
        }
        prop_assert_eq!(model.spent, sent);
    }
}

#[test]
fn the_limit_is_reached_by_callers_that_go_on_asking() {
    let policy = Policy { limit: 100, window_ms: 60_000 };
    let mut model = Model::new(policy, 0, &[0, 5_000, 90_000]);
    let mut messages = 0;
    for n in 0..3_000 {
        model.now_ms += 20;
        let asked = model.isolates[n % 3].0.look(policy, model.now_ms + model.isolates[n % 3].1, 1);
        messages += u32::from(asked == Look::Short);
        model.exchange(n % 3, 1);
    }
    assert_eq!(model.spent.iter().map(|(_, units)| *units).sum::<u32>(), 100);
    assert!(messages < 50, "{messages}");
}
