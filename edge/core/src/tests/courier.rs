//! What every host's courier has in common: a deadline, bounds, and what the operator is told.

use super::*;
use core::future::pending;

const URL: &str = "https://hook.test/a?secret=b";
const BOUNDS: FetchBounds = FetchBounds { len_max: 4, within_ms: 700 };

/// Answers with what it has, or never does.
#[derive(Default)]
struct Sender {
    answer: Option<Result<Fetched, FetchError>>,
    asked: RefCell<Vec<(bool, usize)>>,
    paused: RefCell<Vec<u64>>,
    logged: RefCell<Vec<String>>,
}

impl Courier for Sender {
    async fn send(&self, errand: Errand<'_>) -> Result<Fetched, FetchError> {
        assert_eq!(errand.url, URL);
        self.asked.borrow_mut().push((errand.body.is_some(), errand.len_max));
        match &self.answer {
            Some(answer) => answer.clone(),
            None => pending().await,
        }
    }

    async fn pause(&self, ms: u64) {
        self.paused.borrow_mut().push(ms);
    }

    fn log(&self, text: &str) {
        self.logged.borrow_mut().push(text.to_string());
    }
}

fn sender(status: u16) -> Sender {
    Sender { answer: Some(Ok(Fetched { status, ..Fetched::default() })), ..Sender::default() }
}

#[test]
fn who_does_not_answer_in_time_is_given_up_and_the_operator_is_told() {
    let slow = Sender::default();
    let late = ready(slow.fetch(URL, &[], BOUNDS));
    assert_eq!(late, Err(FetchError::NoAnswer("there is no answer in time".into())));
    ready(slow.post(URL, &[], b"a letter", 900));
    assert_eq!(*slow.paused.borrow(), [700, 900]);
    assert_eq!(*slow.asked.borrow(), [(false, 4), (true, 0)]);
    let expected = [
        format!("courier: {URL}: there is no answer in time"),
        "courier: the webhook: there is no answer in time".to_string(),
    ];
    assert_eq!(*slow.logged.borrow(), expected, "of the webhook no address: it may have a secret in it");
}

#[test]
fn the_operator_learns_what_a_webhook_says_and_what_a_host_forbids() {
    for (status, told) in [(200, None), (204, None), (302, Some("answers 302")), (500, Some("answers 500"))] {
        let sender = sender(status);
        ready(sender.post(URL, &[], b"", 900));
        let logged = sender.logged.borrow();
        assert_eq!(logged.len(), usize::from(told.is_some()), "{status}");
        assert!(told.is_none_or(|told| logged[0].contains(told)), "{logged:?}");
        assert_eq!(ready(sender.fetch(URL, &[], BOUNDS)).unwrap().status, status);
        assert!(sender.paused.borrow().is_empty());
    }
    let forbidden = Sender { answer: Some(Err(FetchError::NotAllowed)), ..Sender::default() };
    assert_eq!(ready(forbidden.fetch(URL, &[], BOUNDS)), Err(FetchError::NotAllowed));
    ready(forbidden.post(URL, &[], b"", 900));
    assert!(forbidden.logged.borrow().iter().all(|text| text.ends_with("does not let the edge ask there")));
    assert_eq!(forbidden.logged.borrow().len(), 2);
}

#[test]
fn of_a_body_as_much_is_taken_as_there_is_room_for() {
    for (pieces, body, is_cut) in [
        (&["ab", "cd"][..], "abcd", false),
        (&["abcd", ""], "abcd", false),
        (&["abcde"], "abcd", true),
        (&["abc", "de", "f"], "abcd", true),
        (&[], "", false),
    ] {
        let mut fetched = Fetched::default();
        let wanted = pieces.iter().take_while(|piece| fetched.take(piece.as_bytes(), 4)).count();
        assert_eq!((&*fetched.body, fetched.is_cut), (body.as_bytes(), is_cut), "{pieces:?}");
        assert!(wanted <= pieces.len());
    }
}
