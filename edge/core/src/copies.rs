//! Copies of values on their way to readers, for a host that keeps such: which is good enough, when to ask for another one, and
//! what is given while nothing better is to be had.
//!
//! A [`Source`] is what one place knows of one value, such as a region's relay; [`Copies`] are all that stand in one place, such as an
//! isolate. They say whether to ask ([`Look`]) and are told what came of it; nobody waits for an answer without a bound.
//!
//! ```
//! use railbird_core::time::UtcMs;
//! use railbird_edge::copies::{Copy, Look, Source};
//!
//! let (mut source, now) = (Source::default(), UtcMs(1_795_171_920_040));
//! assert_eq!(source.look(now, 1_000), Look::Ask);
//! source.hear(Copy { value: None, version: 1, taken: now });
//! assert!(matches!(source.look(now.plus_ms(999), 1_000), Look::Copy(_)));
//! ```

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use railbird_core::time::UtcMs;

/// How long a relay waits for whoever has the value, in milliseconds.
pub const ASK_MS_MAX: u64 = 1_000;

/// How long whoever asks a relay waits for it, in milliseconds: longer than it waits itself.
pub const RELAY_MS_MAX: u64 = 3_000;

/// After a failure, one asks again once in so many milliseconds, and the others don't wait for it.
pub const FAILED_MS: u64 = 1_000;

/// How old a copy may be that is given while nothing better is to be had, in milliseconds.
pub const STALE_MS_MAX: u64 = 60_000;

/// How long one of those who wait for a newer copy waits for all of them, in milliseconds.
pub const HOLD_MS: u64 = 1_000;

/// For how long nobody else does, in milliseconds: it may end without a word, when its viewer goes away.
const TURN_MS: u64 = HOLD_MS + 500;

/// How old a copy may be that is asked for, for readers who take this age, in milliseconds: one that is nearly too old is of no use.
pub fn ask_age_ms(age_ms_max: u64) -> u64 {
    age_ms_max / 2
}

/// A value as it was at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// `None` where there was none.
    pub value: Option<Rc<Vec<u8>>>,
    /// Goes up with each write of the value.
    pub version: u64,
    /// When whoever has the value gave it, however many places it went through since.
    pub taken: UtcMs,
}

impl Copy {
    /// Whether it is not too old for a reader who takes this age, in milliseconds.
    pub fn is_fresh(&self, now: UtcMs, age_ms_max: u64) -> bool {
        now.ms_since(self.taken) < age_ms_max
    }

    fn len(&self) -> usize {
        self.value.as_ref().map_or(0, |value| value.len())
    }
}

/// What to do for a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// This copy is good.
    Copy(Copy),
    /// Ask for another one, and say what came of it.
    Ask,
    /// Whoever would be asked failed a moment ago: there is [`Source::last`], or nothing.
    Rest,
}

/// What is known of one value.
#[derive(Clone, Debug, Default)]
pub struct Source {
    copy: Option<Copy>,
    /// When whoever has newer ones failed, or was asked again since.
    failed: Option<UtcMs>,
    /// When one asked ahead of time for what takes this copy's place.
    ahead: Option<UtcMs>,
}

impl Source {
    /// What to do for a reader who takes a copy of this age, in milliseconds.
    pub fn look(&mut self, now: UtcMs, age_ms_max: u64) -> Look {
        if let Some(copy) = self.copy.as_ref().filter(|copy| copy.is_fresh(now, age_ms_max)) {
            return Look::Copy(copy.clone());
        }
        match &mut self.failed {
            None => Look::Ask,
            Some(at) if now.ms_since(*at) < FAILED_MS => Look::Rest,
            Some(at) => {
                *at = now;
                Look::Ask
            }
        }
    }

    /// The same in a place where readers can't wait for each other's answer: when most of a copy's time is over, one of them asks
    /// for another one ([`ask_age_ms`]), and the others still have this one. Else all would ask until the answer is there,
    /// which takes the longer the more of them do.
    pub fn look_ahead(&mut self, now: UtcMs, age_ms_max: u64) -> Look {
        match self.look(now, age_ms_max) {
            Look::Copy(copy)
                if !copy.is_fresh(now, age_ms_max - age_ms_max / 4)
                    && self.ahead.is_none_or(|at| now.ms_since(at) >= FAILED_MS) =>
            {
                self.ahead = Some(now);
                Look::Ask
            }
            look => look,
        }
    }

    /// Takes a copy, unless there is a newer one. Says whether it is news to those who wait for a newer version.
    pub fn hear(&mut self, copy: Copy) -> bool {
        self.failed = None;
        let known = self.copy.as_ref().map(|copy| (copy.version, copy.taken));
        let news = known.is_none_or(|(version, _)| version < copy.version);
        if news || known.is_some_and(|(version, taken)| version == copy.version && taken < copy.taken) {
            self.copy = Some(copy);
            self.ahead = None;
        }
        news
    }

    /// Notes that there was no good answer.
    pub fn fail(&mut self, now: UtcMs) {
        self.failed = Some(now);
    }

    /// Whether there was no good answer to the last question.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// The newest copy, however old.
    pub fn copy(&self) -> Option<&Copy> {
        self.copy.as_ref()
    }

    /// What is given while nothing better is to be had.
    pub fn last(&self, now: UtcMs) -> Option<&Copy> {
        self.copy.as_ref().filter(|copy| copy.is_fresh(now, STALE_MS_MAX))
    }

    fn len(&self) -> usize {
        self.copy.as_ref().map_or(0, Copy::len)
    }
}

/// What one place knows of values, by name, within a bound.
#[derive(Debug)]
pub struct Copies {
    sources: BTreeMap<String, Source>,
    len: usize,
    len_max: usize,
}

impl Copies {
    /// At most so many bytes of names and values.
    pub const fn new(len_max: usize) -> Copies {
        Copies { sources: BTreeMap::new(), len: 0, len_max }
    }

    /// [`Source::look_ahead`] at a value.
    pub fn look(&mut self, name: &str, now: UtcMs, age_ms_max: u64) -> Look {
        self.sources.get_mut(name).map_or(Look::Ask, |source| source.look_ahead(now, age_ms_max))
    }

    /// [`Source::hear`] of a value.
    pub fn hear(&mut self, name: &str, copy: Copy) -> bool {
        self.change(name, |source| source.hear(copy))
    }

    /// [`Source::fail`] of a value.
    pub fn fail(&mut self, name: &str, now: UtcMs) {
        self.change(name, |source| source.fail(now));
    }

    /// [`Source::copy`] of a value.
    pub fn copy(&self, name: &str) -> Option<&Copy> {
        self.sources.get(name)?.copy()
    }

    /// [`Source::last`] of a value.
    pub fn last(&self, name: &str, now: UtcMs) -> Option<&Copy> {
        self.sources.get(name)?.last(now)
    }

    /// Drops what is older than this version: it was written.
    pub fn forget(&mut self, name: &str, version: u64) {
        if self.copy(name).is_some_and(|copy| copy.version < version)
            && let Some(source) = self.sources.remove(name)
        {
            self.len -= source.len() + name.len();
        }
    }

    fn change<T>(&mut self, name: &str, change: impl FnOnce(&mut Source) -> T) -> T {
        let known = self.sources.remove(name);
        self.len -= known.as_ref().map_or(0, |source| source.len() + name.len());
        let mut source = known.unwrap_or_default();
        let changed = change(&mut source);
        let len = source.len() + name.len();
        if self.len + len > self.len_max {
            // Whatever is asked for often is back in a moment.
            self.sources.clear();
            self.len = 0;
        }
        self.len += len;
        self.sources.insert(name.to_owned(), source);
        changed
    }
}

/// Who waits for newer copies: of all in one place who wait for the same value, one waits where it comes from.
#[derive(Debug, Default)]
pub struct Waits(BTreeMap<String, UtcMs>);

impl Waits {
    /// Nobody waits.
    pub const fn new() -> Waits {
        Waits(BTreeMap::new())
    }

    /// Until when it is this one's turn; `None` while it is another one's.
    pub fn take(&mut self, name: &str, now: UtcMs) -> Option<UtcMs> {
        self.0.retain(|_, until| *until > now);
        if self.0.contains_key(name) {
            return None;
        }
        let until = now.plus_ms(TURN_MS);
        self.0.insert(name.to_owned(), until);
        Some(until)
    }

    /// Ends the turn that lasts until then; one that is over already is another one's by now.
    pub fn give_back(&mut self, name: &str, until: UtcMs) {
        if self.0.get(name) == Some(&until) {
            self.0.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMs = UtcMs(1_795_171_920_040);
    const AGE: u64 = 1_000;

    fn copy(text: &str, version: u64, taken: UtcMs) -> Copy {
        Copy { value: Some(Rc::new(text.as_bytes().to_vec())), version, taken }
    }

    fn after(ms: u64) -> UtcMs {
        NOW.plus_ms(ms)
    }

    #[test]
    fn a_copy_is_given_while_it_is_young_and_asked_for_when_it_is_not() {
        let mut source = Source::default();
        assert_eq!(source.look(NOW, AGE), Look::Ask);
        assert!(source.hear(copy("a", 1, NOW)));
        assert_eq!(source.look(after(999), AGE), Look::Copy(copy("a", 1, NOW)));
        assert_eq!(source.look(after(1_000), AGE), Look::Ask);
        assert_eq!(source.look(after(1_000), AGE), Look::Ask, "nothing has failed");
        assert!(!source.hear(copy("a", 1, after(1_000))), "it has not changed");
        assert_eq!(source.look(after(1_999), AGE), Look::Copy(copy("a", 1, after(1_000))));
        assert_eq!(source.look(after(2_500), 2_000), Look::Copy(copy("a", 1, after(1_000))));
    }

    #[test]
    fn when_most_of_a_copys_time_is_over_one_asks_ahead_and_the_others_have_the_copy() {
        let mut source = Source::default();
        source.hear(copy("a", 1, NOW));
        let asks = |source: &mut Source, ms| match source.look_ahead(after(ms), AGE) {
            Look::Ask => true,
            Look::Copy(_) => false,
            Look::Rest => panic!("nothing has failed"),
        };
        let asked: Vec<bool> = [749, 750, 750, 999, 1_000, 1_000].map(|ms| asks(&mut source, ms)).into();
        assert_eq!(asked, [false, true, false, false, true, true], "nobody answered");
        source.hear(copy("a", 1, NOW));
        assert!(!asks(&mut source, 990), "that was no better one");
        source.hear(copy("a", 1, after(750)));
        let asked: Vec<bool> = [1_499, 1_500, 1_500].map(|ms| asks(&mut source, ms)).into();
        assert_eq!(asked, [false, true, false]);
        source.fail(after(1_600));
        assert!(!asks(&mut source, 1_700), "the copy is good all the same");
        assert_eq!(source.look_ahead(after(1_750), AGE), Look::Rest);
    }

    #[test]
    fn what_is_older_never_takes_the_place_of_what_is_newer() {
        let mut source = Source::default();
        assert!(source.hear(copy("b", 2, NOW)));
        assert!(!source.hear(copy("a", 1, after(500))));
        assert!(!source.hear(copy("b", 2, UtcMs(NOW.0 - 500))));
        assert_eq!(source.copy(), Some(&copy("b", 2, NOW)));
        assert!(source.hear(copy("c", 3, UtcMs(NOW.0 - 500))), "news is news, whenever it was taken");
    }

    #[test]
    fn while_answers_fail_one_asks_a_second_and_all_get_the_last_copy_for_a_minute() {
        let mut source = Source::default();
        source.hear(copy("a", 1, NOW));
        assert_eq!(source.look(after(1_000), AGE), Look::Ask);
        let mut asked = 0;
        for ms in 2_000..62_000 {
            if ms == 2_000 {
                source.fail(after(ms));
            }
            match source.look(after(ms), AGE) {
                // It does not answer in time.
                Look::Ask => asked += 1,
                Look::Rest => assert_eq!(source.last(after(ms)).is_some(), ms < STALE_MS_MAX, "{ms}"),
                Look::Copy(copy) => panic!("{copy:?} is not young"),
            }
        }
        assert_eq!(asked, 59);
        source.hear(copy("b", 2, after(62_000)));
        assert_eq!(source.look(after(62_500), AGE), Look::Copy(copy("b", 2, after(62_000))));
        assert_eq!(source.look(after(63_000), AGE), Look::Ask);
        assert_eq!(source.look(after(63_000), AGE), Look::Ask, "an answer ends it");
    }

    #[test]
    fn where_there_never_was_a_copy_a_failure_leaves_nothing() {
        let mut copies = Copies::new(1_000);
        assert_eq!(copies.look("a", NOW, AGE), Look::Ask);
        copies.fail("a", NOW);
        assert_eq!((copies.look("a", after(999), AGE), copies.last("a", after(999))), (Look::Rest, None));
        assert_eq!(copies.look("b", NOW, AGE), Look::Ask, "another value is another matter");
        assert_eq!(copies.look("a", after(1_000), AGE), Look::Ask);
        assert_eq!(copies.look("a", after(1_000), AGE), Look::Rest, "one of them asks");
    }

    #[test]
    fn what_was_written_is_forgotten_and_what_came_of_it_is_not() {
        let mut copies = Copies::new(1_000);
        copies.hear("a", copy("old", 1, NOW));
        copies.forget("a", 2);
        assert_eq!(copies.copy("a"), None);
        copies.hear("a", copy("new", 2, NOW));
        copies.forget("a", 2);
        copies.forget("b", 2);
        assert_eq!(copies.copy("a"), Some(&copy("new", 2, NOW)));
    }

    proptest::proptest! {
        #[test]
        fn copies_keep_to_their_bound_and_count_themselves(
            steps in proptest::collection::vec((0..6_u8, 0..4_u8, 0..40_usize, 0..9_u64), 0..200),
        ) {
            let mut copies = Copies::new(100);
            for (name, what, len, version) in steps {
                let name = alloc::format!("{name}");
                match what {
                    0 => copies.fail(&name, NOW),
                    1 => copies.forget(&name, version),
                    _ => drop(copies.hear(&name, copy(&"x".repeat(len), version, NOW))),
                }
                let counted: usize = copies.sources.iter().map(|(name, source)| name.len() + source.len()).sum();
                proptest::prop_assert!(copies.len == counted && counted <= 100, "{} of {counted}", copies.len);
            }
        }
    }

    #[test]
    fn one_waits_for_all_until_it_gives_its_turn_back_or_is_gone() {
        let mut waits = Waits::new();
        let until = waits.take("a", NOW).unwrap();
        assert_eq!(waits.take("a", after(HOLD_MS)), None, "it still waits");
        assert!(waits.take("b", NOW).is_some());
        waits.give_back("a", until);
        let second = waits.take("a", after(10)).unwrap();
        waits.give_back("a", until);
        assert_eq!(waits.take("a", after(20)), None, "whose turn is over can't end another one's");
        assert!(waits.take("a", second).is_some(), "the other one never came back");
    }
}
