//! Questions to the other nodes, for admins: a node asks, and collects the answers for at most a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::RawJson;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::BusMember;
use super::event::BusEvent;
use super::member::Member;

/// How long a node waits for answers.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum number of bytes of all answers to a question. What exceeds it is left out.
const MAX_BYTES: usize = 16 << 20;

/// The maximum number of questions that wait for answers at a time.
const MAX_OPEN: usize = 16;

/// The room for everything in a message but the items of an answer.
const ENVELOPE_BYTES: usize = 512;

/// What a node asks the others for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Subject {
    /// The sessions of the node.
    Sessions,
    /// The methods with the statistics of the node.
    Methods,
    /// What the node has done in the last minutes, and what is wrong with it.
    Overview,
}

/// A question, for the node that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Question {
    /// The epoch of the node that asks.
    asker: String,
    number: u64,
    /// What it asks for.
    pub(crate) subject: Subject,
}

/// A part of an answer: as much as a message takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    asker: String,
    number: u64,
    items: Vec<RawJson>,
    is_last: bool,
}

/// What the other nodes have answered.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The nodes that have answered in time, with what they have.
    pub(crate) by_node: Vec<(String, Vec<RawJson>)>,
    /// The nodes that have not.
    pub(crate) silent: Vec<String>,
}

#[derive(Default)]
pub(super) struct Questions {
    asked: u64,
    open: HashMap<u64, Open>,
}

struct Open {
    /// The items of each node, and whether they are complete.
    answers: HashMap<String, (Vec<RawJson>, bool)>,
    bytes: usize,
    complete: Arc<Notify>,
}

impl BusMember {
    /// Asks the other nodes that this one hears. Within a process they do not tell that they are there, and are not asked.
    pub(crate) async fn ask(&self, subject: Subject) -> Answers {
        let member = self.member();
        if member.is_lossless() {
            return Answers::default();
        }
        let nodes = member.nodes();
        let Some((number, complete)) = member.questions.lock().open(&nodes) else {
            return Answers { by_node: Vec::new(), silent: nodes };
        };
        // Closes the question also if the caller has stopped waiting.
        let closing = Closing { questions: &member.questions, number };
        member.publish(&BusEvent::Asked(Question { asker: member.epoch().to_owned(), number, subject }));
        let _late = timeout(TIMEOUT, complete.notified()).await;
        closing.close()
    }

    /// Answers a question of another node, in as many messages as it takes.
    pub(crate) fn answer(&self, question: &Question, items: Vec<RawJson>) {
        let room = self.member().max_bytes().saturating_sub(ENVELOPE_BYTES);
        let (mut part, mut bytes) = (Vec::new(), 0);
        // An item that no message takes is left out.
        for item in items.into_iter().filter(|item| item.get().len() < room) {
            if bytes + item.get().len() >= room {
                self.send_answer(question, std::mem::take(&mut part), false);
                bytes = 0;
            }
            bytes += item.get().len() + 1;
            part.push(item);
        }
        self.send_answer(question, part, true);
    }

    fn send_answer(&self, question: &Question, items: Vec<RawJson>, is_last: bool) {
        let Question { asker, number, .. } = question.clone();
        self.publish(&BusEvent::Answered(Answer { asker, number, items, is_last }));
    }
}

impl Member {
    /// Hears an answer, which may be to the question of another node.
    pub(super) fn hear_answer(&self, node: &str, answer: Answer) {
        if answer.asker == self.epoch() {
            self.questions.lock().add(node, answer);
        }
    }
}

impl Questions {
    fn open(&mut self, nodes: &[String]) -> Option<(u64, Arc<Notify>)> {
        if self.open.len() >= MAX_OPEN || nodes.is_empty() {
            return None;
        }
        self.asked += 1;
        let complete = Arc::new(Notify::new());
        let answers = nodes.iter().map(|node| (node.clone(), (Vec::new(), false))).collect();
        self.open.insert(self.asked, Open { answers, bytes: 0, complete: Arc::clone(&complete) });
        Some((self.asked, complete))
    }

    /// Adds a part of an answer. One of a node that was not asked, or that has answered, is ignored.
    fn add(&mut self, node: &str, answer: Answer) {
        let Some(open) = self.open.get_mut(&answer.number) else { return };
        let Some((items, is_complete)) = open.answers.get_mut(node).filter(|(_, is_complete)| !is_complete) else {
            return;
        };
        for item in answer.items {
            open.bytes += item.get().len();
            if open.bytes <= MAX_BYTES {
                items.push(item);
            }
        }
        *is_complete = answer.is_last;
        if open.answers.values().all(|(_, is_complete)| *is_complete) {
            open.complete.notify_one();
        }
    }
}

struct Closing<'member> {
    questions: &'member Mutex<Questions>,
    number: u64,
}

impl Closing<'_> {
    fn close(self) -> Answers {
        let Some(open) = self.questions.lock().open.remove(&self.number) else { return Answers::default() };
        let mut answers = Answers::default();
        for (node, (items, is_complete)) in open.answers {
            if is_complete {
                answers.by_node.push((node, items));
            } else {
                answers.silent.push(node);
            }
        }
        answers.silent.sort_unstable();
        answers
    }
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.questions.lock().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u64, item: &str, is_last: bool) -> Answer {
        Answer { asker: "e".to_owned(), number, items: vec![RawJson::parse(item).unwrap()], is_last }
    }

    #[test]
    fn an_answer_is_complete_with_its_last_part_and_counts_once() {
        let questions = Mutex::new(Questions::default());
        let (number, _) = questions.lock().open(&["a".to_owned(), "b".to_owned()]).unwrap();
        for (node, answer) in [
            ("a", part(number, "1", false)),
            ("stranger", part(number, "666", true)),
            ("b", part(number, "7", false)),
            ("a", part(number + 1, "666", true)),
            ("a", part(number, "2", true)),
            ("a", part(number, "666", true)),
        ] {
            questions.lock().add(node, answer);
        }
        let answers = Closing { questions: &questions, number }.close();
        let [(node, items)] = answers.by_node.as_slice() else { panic!("{answers:?}") };
        assert_eq!((node.as_str(), items.iter().map(RawJson::get).collect::<Vec<_>>()), ("a", vec!["1", "2"]));
        assert_eq!(answers.silent, ["b"]);
        assert!(questions.lock().open.is_empty());
    }

    #[test]
    fn answers_and_open_questions_are_bounded() {
        let mut questions = Questions::default();
        let (number, _) = questions.open(&["a".to_owned()]).unwrap();
        let large = format!("\"{}\"", "x".repeat(1 << 20));
        for _ in 0..100 {
            questions.add("a", part(number, &large, false));
        }
        assert_eq!(questions.open[&number].answers["a"].0.len(), 15);
        for _ in 1..MAX_OPEN {
            assert!(questions.open(&["a".to_owned()]).is_some());
        }
        assert!(questions.open(&["a".to_owned()]).is_none());
    }
}
