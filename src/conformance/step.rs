//! [`Step`]: one step of a case, with its connection and its timeout.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::http::{Exchange, HttpAnswer, HttpRequest};
use super::matching::check_expected;
use super::memory::check_sent;

/// A step of a case.
#[derive(Debug, Clone)]
pub struct Step {
    /// The name of the connection.
    pub on: String,
    /// The timeout for each message, or `None` for the timeout of the run.
    pub within: Option<Duration>,
    /// The action.
    pub action: Action,
}

/// The action of a step. `protocol/conformance/README.md` describes them.
#[derive(Debug, Clone)]
pub enum Action {
    /// Opens a connection and sends `connect`.
    Connect,
    /// Opens a connection without sending a message.
    Open(Opening),
    /// Sends messages.
    Send(Vec<Value>),
    /// Sends a text unchanged.
    SendText(String),
    /// Sends a binary frame.
    SendBinary(Binary),
    /// Calls a method and expects its result.
    Call(Call),
    /// Expects messages in this order.
    Expect(Vec<Value>),
    /// Expects a message that the server may leave out.
    ExpectOptional(Value),
    /// Expects the messages of several lists; those of one list must be in order.
    ExpectUnordered(Vec<Vec<Value>>),
    /// Expects a frame with exactly this text.
    ExpectText(String),
    /// Skips messages until one matches.
    SkipTo(Value),
    /// Expects no message for this time.
    ExpectNothing(Duration),
    /// Expects the connection to end without a further message.
    ExpectClose(CloseCode),
    /// Skips messages until the connection ends.
    SkipToClose(CloseCode),
    /// Sends a close frame with this code.
    Close(u16),
    /// Cuts the connection.
    Drop,
    /// Waits for this time.
    Wait(Duration),
    /// Sends an HTTP request and expects a response.
    Http(Box<Exchange>),
    /// Expects a mail.
    Mail(ExpectedMail),
    /// Runs steps several times.
    Repeat(u32, Vec<Step>),
}

/// The options for opening a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Another path of the server, with its query.
    pub path: Option<String>,
    /// Headers of the upgrade request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// The content of a binary frame.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Binary {
    /// The bytes of a text.
    Text(String),
    /// Other bytes.
    Bytes(Vec<u8>),
}

/// A method call and its expected result.
#[derive(Debug, Clone)]
pub struct Call {
    /// The name of the method.
    pub method: String,
    /// The parameters.
    pub params: Vec<Value>,
    /// The data messages that are expected before `updated`.
    pub data: Vec<Value>,
    /// The data messages that are expected before or after the answers. In a run of level `bolide`, they come before
    /// `updated`.
    pub around: Vec<Value>,
    /// The expected member of the `result` message, in addition to `msg` and `id`.
    pub answer: Option<(String, Value)>,
}

/// An expected mail.
#[derive(Debug, Clone)]
pub struct ExpectedMail {
    /// The address of its recipient.
    pub to: Value,
    /// The expected content.
    pub content: Value,
}

/// The expected end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// Any end.
    Any,
    /// With a close frame of this code.
    Exactly(u16),
}

impl Step {
    /// Reads the steps of a case. Errors name the step.
    pub(super) fn read_all(steps: Vec<Value>) -> Result<Vec<Self>, String> {
        (1..)
            .zip(steps)
            .map(|(number, step)| Self::read(step).map_err(|reason| format!("step {number}: {reason}")))
            .collect()
    }

    fn read(step: Value) -> Result<Self, String> {
        let mut written: WrittenStep = serde_json::from_value(step).map_err(|error| error.to_string())?;
        Ok(Self {
            on: written.on.take().unwrap_or_else(|| "a".to_owned()),
            within: written.within.take().map(Duration::from_millis),
            action: written.action()?,
        })
    }
}

// Each action is a key, and a step has exactly one of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenStep {
    on: Option<String>,
    within: Option<u64>,
    connect: Option<True>,
    open: Option<WrittenOpening>,
    send: Option<OneOrMany>,
    send_text: Option<String>,
    send_binary: Option<Binary>,
    call: Option<Vec<Value>>,
    data: Option<Vec<Value>>,
    around: Option<Vec<Value>>,
    // A `null` in the file is an expected null, not a missing key.
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    error: Option<Value>,
    expect: Option<OneOrMany>,
    expect_optional: Option<Value>,
    expect_unordered: Option<Vec<OneOrMany>>,
    expect_text: Option<String>,
    skip_to: Option<Value>,
    expect_nothing: Option<u64>,
    expect_close: Option<Value>,
    skip_to_close: Option<Value>,
    close: Option<u16>,
    drop: Option<True>,
    wait: Option<u64>,
    http: Option<HttpRequest>,
    answer: Option<HttpAnswer>,
    mail: Option<Map<String, Value>>,
    repeat: Option<u32>,
    steps: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Value>),
    One(Value),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum WrittenOpening {
    Plain(True),
    With(Opening),
}

/// The value `true`, where `false` has no meaning.
#[derive(Debug, Deserialize)]
#[serde(try_from = "bool")]
struct True;

impl TryFrom<bool> for True {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        if value { Ok(Self) } else { Err("true is the only allowed value") }
    }
}

impl OneOrMany {
    fn into_list(self) -> Vec<Value> {
        match self {
            Self::Many(values) => values,
            Self::One(value) => vec![value],
        }
    }
}

impl WrittenStep {
    fn action(mut self) -> Result<Action, String> {
        let call = self.take_call()?;
        let repeat = self.take_repeat()?;
        let exchange = self.take_exchange()?;
        let opening = self.open.map(|opening| match opening {
            WrittenOpening::Plain(True) => Opening::default(),
            WrittenOpening::With(opening) => opening,
        });
        let lanes = |lists: Vec<OneOrMany>| lists.into_iter().map(OneOrMany::into_list).collect();
        let actions = [
            self.connect.map(|True| Action::Connect),
            opening.map(Action::Open),
            self.send.map(|messages| Action::Send(messages.into_list())),
            self.send_text.map(Action::SendText),
            self.send_binary.map(Action::SendBinary),
            call.map(Action::Call),
            self.expect.map(|messages| Action::Expect(messages.into_list())),
            self.expect_optional.map(Action::ExpectOptional),
            self.expect_unordered.map(|lists| Action::ExpectUnordered(lanes(lists))),
            self.expect_text.map(Action::ExpectText),
            self.skip_to.map(Action::SkipTo),
            self.expect_nothing.map(Duration::from_millis).map(Action::ExpectNothing),
            self.expect_close.map(|code| close_code(&code)).transpose()?.map(Action::ExpectClose),
            self.skip_to_close.map(|code| close_code(&code)).transpose()?.map(Action::SkipToClose),
            self.close.map(Action::Close),
            self.drop.map(|True| Action::Drop),
            self.wait.map(Duration::from_millis).map(Action::Wait),
            exchange.map(Box::new).map(Action::Http),
            self.mail.map(expected_mail).transpose()?.map(Action::Mail),
            repeat.map(|(times, steps)| Action::Repeat(times, steps)),
        ];
        let mut given = actions.into_iter().flatten();
        let action = given.next().ok_or("the action is missing")?;
        if given.next().is_some() {
            return Err("there is more than one action".into());
        }
        check_placeholders(&action)?;
        Ok(action)
    }

    fn take_call(&mut self) -> Result<Option<Call>, String> {
        let (data, around) = (self.data.take(), self.around.take());
        let (result, error) = (self.result.take(), self.error.take());
        let Some(call) = self.call.take() else {
            if data.is_some() || around.is_some() || result.is_some() || error.is_some() {
                return Err("`data`, `around`, `result` and `error` belong to `call`".into());
            }
            return Ok(None);
        };
        let Some((Value::String(method), params)) = call.split_first() else {
            return Err("`call` must be a list of the method's name and its parameters".into());
        };
        if result.is_some() && error.is_some() {
            return Err("a call has a result or an error".into());
        }
        let answer = result
            .map(|result| ("result".to_owned(), result))
            .or_else(|| error.map(|error| ("error".to_owned(), error)));
        let (data, around) = (data.unwrap_or_default(), around.unwrap_or_default());
        Ok(Some(Call { method: method.clone(), params: params.to_vec(), data, around, answer }))
    }

    fn take_exchange(&mut self) -> Result<Option<Exchange>, String> {
        match (self.http.take(), self.answer.take()) {
            (None, None) => Ok(None),
            (Some(request), Some(answer)) => Ok(Some(Exchange { request, answer })),
            _ => Err("`http` and `answer` belong together".into()),
        }
    }

    fn take_repeat(&mut self) -> Result<Option<(u32, Vec<Step>)>, String> {
        match (self.repeat.take(), self.steps.take()) {
            (None, None) => Ok(None),
            (Some(times), Some(steps)) => Ok(Some((times, Step::read_all(steps)?))),
            _ => Err("`repeat` and `steps` belong together".into()),
        }
    }
}

fn close_code(code: &Value) -> Result<CloseCode, String> {
    if code == "<any>" {
        return Ok(CloseCode::Any);
    }
    code.as_u64()
        .and_then(|code| u16::try_from(code).ok())
        .map(CloseCode::Exactly)
        .ok_or_else(|| format!("{code} is not a close code"))
}

/// A mail may have further members.
fn expected_mail(mut content: Map<String, Value>) -> Result<ExpectedMail, String> {
    let to = content.remove("to").ok_or("`mail` needs the address `to`")?;
    content.insert("<more>".into(), true.into());
    Ok(ExpectedMail { to, content: content.into() })
}

fn check_placeholders(action: &Action) -> Result<(), String> {
    match action {
        Action::Send(messages) => messages.iter().try_for_each(check_sent),
        Action::Call(call) => {
            call.params.iter().try_for_each(check_sent)?;
            call.data.iter().chain(&call.around).try_for_each(check_expected)?;
            call.answer.iter().try_for_each(|(_, value)| check_expected(value))
        }
        Action::Expect(messages) => messages.iter().try_for_each(check_expected),
        Action::ExpectUnordered(lists) => lists.iter().flatten().try_for_each(check_expected),
        Action::SkipTo(message) | Action::ExpectOptional(message) => check_expected(message),
        Action::Http(exchange) => exchange.check(),
        Action::Mail(mail) => check_sent(&mail.to).and_then(|()| check_expected(&mail.content)),
        _ => Ok(()),
    }
}

fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}
