use std::string::ToString;
use std::vec;

use proptest::prelude::*;

use super::*;
use crate::memory::MemoryStore;
use crate::passes::Coverage;
use crate::tests::ready;

const NOW: UtcMs = UtcMs(1_795_171_920_040);

fn pass() -> PassId {
    PassId::of_email("viewer@railbird.test").unwrap()
}

/// A session of an hour, told apart by its number.
fn session(n: u8, issued_s: u64) -> Claims {
    Claims { pass: pass(), channels: Coverage::All, issued_s, expires_s: issued_s + 3600, id: [n; 16] }
}

fn kept(store: &MemoryStore) -> Holder {
    ready(cells::holder(store, &pass())).unwrap().unwrap_or_default()
}

#[test]
fn a_session_that_was_ended_stays_so_until_it_would_have_expired() {
    let store = MemoryStore::default();
    let (ours, other) = (session(1, NOW.seconds()), session(2, NOW.seconds()));
    ready(end(&store, &ours, NOW)).unwrap();
    ready(end(&store, &ours, NOW.plus_ms(1))).unwrap();
    assert!(kept(&store).has_ended(&ours) && !kept(&store).has_ended(&other));
    assert_eq!(kept(&store).ended.len(), 1);
    store.expire(UtcMs(ours.expires_s * 1000 - 1));
    assert!(kept(&store).has_ended(&ours));
    store.expire(UtcMs(ours.expires_s * 1000));
    assert!(store.is_empty());
}

#[test]
fn all_sessions_of_before_end_and_one_of_right_after_lives() {
    let store = MemoryStore::default();
    let now_s = NOW.seconds();
    assert_eq!(ready(first_issue_s(&store, &pass(), NOW)), Ok(now_s));
    ready(revoke_before(&store, &pass(), now_s + 1, NOW)).unwrap();
    for issued_s in [0, now_s - 86_400, now_s] {
        assert!(kept(&store).has_ended(&session(1, issued_s)), "{issued_s}");
    }
    // A login of this very second.
    let first = ready(first_issue_s(&store, &pass(), NOW)).unwrap();
    assert_eq!(first, now_s + 1);
    assert!(!kept(&store).has_ended(&session(1, first)));
    // What is said of earlier sessions later takes nothing back.
    ready(revoke_before(&store, &pass(), now_s - 100, NOW)).unwrap();
    assert!(kept(&store).has_ended(&session(1, now_s)));
    // It is remembered for as long as the longest session lasts.
    let until = NOW.plus_ms(SESSION_TTL_S_MAX * 1000);
    store.expire(UtcMs(until.seconds() * 1000 - 1));
    assert!(!store.is_empty());
    store.expire(until);
    assert!(store.is_empty());
}

#[test]
fn whoever_ends_too_many_sessions_brings_none_back() {
    let store = MemoryStore::default();
    let sessions: Vec<Claims> = (0..=u8::MAX).map(|n| session(n, NOW.seconds() + u64::from(n))).collect();
    for ended in sessions.iter().rev() {
        ready(end(&store, ended, NOW)).unwrap();
    }
    let holder = kept(&store);
    assert!(sessions.iter().all(|session| holder.has_ended(session)));
    assert_eq!(holder.ended.len(), ENDED_MAX);
    assert!(!holder.has_ended(&session(7, NOW.seconds() + 1000)));
    let bytes = change::json(&holder).len();
    assert!(bytes < 10_000, "{bytes}");
}

#[test]
fn what_another_version_wrote_is_read_as_far_as_it_is_understood() {
    let until_s = NOW.seconds() + 100;
    let older = serde_json::json!({"revoked_before_s": 5, "revoked_until_s": until_s, "of_tomorrow": [1]});
    let said = change::json(&Said::Revoke { before_s: 3 });
    let applied = change(change::read(Some(older.to_string().as_bytes())), &said, NOW);
    let Keep::Value(value, _) = applied.keep else { panic!("{applied:?}") };
    let holder: Holder = change::read(Some(&value)).unwrap();
    assert_eq!(holder.revoked_before_s, 5);
    let applied = change(None, b"{\"Dance\":1}", NOW);
    assert_eq!(applied.keep, Keep::AsIs);
    assert_eq!(change::read(Some(&applied.answer)), Some(Answer::Err(screens::Refusal::Unreadable)));
}

proptest! {
    /// Whatever ends in whatever order: what has ended stays ended until it would have expired, and the cell stays small.
    #[test]
    fn nothing_that_ended_lives_again(
        steps in proptest::collection::vec((any::<u8>(), 0_u64..600, any::<bool>()), 1..200),
    ) {
        let store = MemoryStore::default();
        let (mut now, mut ended) = (NOW, vec![]);
        for (step, (n, passed_s, all)) in steps.into_iter().enumerate() {
            now = now.plus_ms(passed_s * 1000);
            store.expire(now);
            let made = session(step as u8, now.seconds() - u64::from(n));
            if all && n < 8 {
                ready(revoke_before(&store, &pass(), made.issued_s + 1, now)).unwrap();
            } else {
                ready(end(&store, &made, now)).unwrap();
            }
            ended.push(made);
            let mut holder = kept(&store);
            holder.prune(now);
            ended.retain(|session| session.expires_s > now.seconds());
            prop_assert!(ended.iter().all(|session| holder.has_ended(session)));
            prop_assert!(holder.ended.len() <= ENDED_MAX);
        }
    }
}
