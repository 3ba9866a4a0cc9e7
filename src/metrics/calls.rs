//! The calls of methods and endpoints, and the decisions of the gate.

use crate::call::{AppCore, CallFigures, Method, MethodKind};

use super::page::Page;

pub(super) fn write(core: &AppCore, page: &mut Page) {
    let registry = core.methods.read();
    let mut methods: Vec<(&Method, CallFigures)> =
        registry.all().map(|method| (&**method, method.statistics.figures())).collect();
    methods.sort_unstable_by(|(one, _), (other, _)| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
    let help = "Calls of methods (DDP and method.call) and endpoints (the verb) that have ended, by outcome.";
    let mut calls = page.counter("bolide_calls", help);
    for (method, figures) in &methods {
        for (outcome, count) in figures.outcomes {
            calls.sample(&[("kind", kind(method)), ("method", &method.name), ("outcome", outcome)], count);
        }
    }
    let help = "The durations of calls, with the time for which they wait. A method is here once it was called.";
    let mut durations = page.histogram("bolide_call_duration_seconds", help);
    for (method, figures) in &methods {
        if figures.durations.count() > 0 {
            durations.sample(&[("kind", kind(method)), ("method", &method.name)], &figures.durations);
        }
    }
    page.counter("bolide_unknown_methods", "Calls of methods that are not registered.")
        .sample(&[], core.figures.unknown_methods.get());
    let help = "Decisions of the gate about calls and logins, by outcome and factor.";
    let mut gate = page.counter("bolide_gate_decisions", help);
    for decided in core.figures.gate.list() {
        gate.sample(&[("outcome", decided.outcome), ("factor", decided.factor)], decided.count);
    }
}

fn kind(method: &Method) -> &'static str {
    match method.kind {
        MethodKind::Method => "method",
        MethodKind::Get => "get",
        MethodKind::Post => "post",
        MethodKind::Put => "put",
        MethodKind::Patch => "patch",
        MethodKind::Delete => "delete",
    }
}
