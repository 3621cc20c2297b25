//! The loop that all programs here share: change a seed, try it, stop at the first failure.

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    process::exit,
    time::{Duration, Instant},
};

use peak_alloc::PeakAlloc;

pub mod protobuf;
pub mod segments;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MAX_MEMORY_MB: f32 = 1_024.0;
const MAX_TIME: Duration = Duration::from_secs(5);
const MAX_INPUT: usize = 1 << 20;

/// Numbers that are random enough, and the same for the same seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Changes bytes in one to eight places.
pub fn mutate(input: &mut Vec<u8>, dice: &mut Dice, words: &[&[u8]], others: &[Vec<u8>]) {
    for _ in 0..1 << dice.below(4) {
        let at = dice.below(input.len() + 1);
        let most = dice.below(8);
        let to = (at + 1 + dice.below(1 << most)).min(input.len());
        match dice.below(10) {
            0 | 1 if at < input.len() => input[at] ^= 1_u8 << dice.below(8),
            2 if at < input.len() => {
                input[at] = *dice.pick(&[0, 1, 0x7f, 0x80, 0xff, b'"', b'\\', b'0', b'9', b' '])
            }
            3 if at < input.len() => input[at] = dice.next() as u8,
            4 => drop(input.drain(at.min(to)..to)),
            5 => {
                let copy = input[at.min(to)..to].to_vec();
                let at = dice.below(input.len() + 1);
                input.splice(at..at, copy);
            }
            6 | 7 if !words.is_empty() => {
                let word = dice.pick(words).to_vec();
                let to = if dice.below(2) == 0 { at } else { (at + word.len()).min(input.len()) };
                input.splice(at..to.max(at), word);
            }
            8 if !others.is_empty() => {
                let other = dice.pick(others);
                let from = dice.below(other.len() + 1);
                let until = (from + dice.below(40)).min(other.len());
                input.splice(at..at, other[from..until].iter().copied());
            }
            _ => {
                let number = match dice.below(4) {
                    0 => u64::MAX >> dice.below(64) & dice.next(),
                    1 => 1 << dice.below(64),
                    2 => (1 << dice.below(64)) - 1,
                    _ => dice.next() % 20,
                };
                let digits = input[at..].iter().take_while(|b| b.is_ascii_digit()).count();
                input.splice(at..at + digits, number.to_string().into_bytes());
            }
        }
    }
    input.truncate(MAX_INPUT);
}

/// Tries changed seeds until the time is over or one fails.
pub fn run(name: &str, seeds: &[Vec<u8>], words: &[&[u8]], attempt: impl Fn(&[u8])) {
    let args: Vec<String> = env::args().collect();
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    if let Some(path) = value("--input") {
        attempt(&fs::read(path).expect("the input cannot be read"));
        println!("{name}: the input does no harm");
        return;
    }
    let number = |name, default| value(name).map_or(default, |n| n.parse().expect("a number is wanted"));
    let (seconds, seed) = (number("--seconds", 60), number("--seed", 1));
    let mut dice = Dice::new(seed);
    let started = Instant::now();
    let mut executions = 0_u64;
    // The seeds themselves first.
    let mut rest = seeds.iter();
    while started.elapsed().as_secs() < seconds {
        let input = match rest.next() {
            Some(seed) => seed.clone(),
            None => {
                let mut input = dice.pick(seeds).clone();
                mutate(&mut input, &mut dice, words, seeds);
                input
            }
        };
        MEMORY.reset_peak_usage();
        let begun = Instant::now();
        let sound = catch_unwind(AssertUnwindSafe(|| attempt(&input))).is_ok();
        let (memory, time) = (MEMORY.peak_usage_as_mb(), begun.elapsed());
        executions += 1;
        if !sound || memory > MAX_MEMORY_MB || time > MAX_TIME {
            let path = format!("failed-{name}-{seed}-{executions}");
            fs::write(&path, &input).expect("the failing input cannot be written");
            println!("{name}: execution {executions} failed after {time:?} with {memory} MB: {path}");
            exit(1);
        }
    }
    println!("{name}: {executions} executions from seed {seed} in {seconds} s, no failure");
}
