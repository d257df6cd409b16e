//! Operations that run bodies: `If`, `Case`, `While`, and their stateless kinds.

use crate::operations::operations;
use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrDefault, AttrKind, Body, Execution, Fact, Fallible, Inferred, NodeView,
    OpDef, OpError, Select, results_of_either,
};
use tidemill_value::DType;

operations! {
    ops: CASE, IF, STATELESS_CASE, STATELESS_IF, STATELESS_WHILE, WHILE;
}

const IF_ATTRS: &[AttrDef] = &[
    AttrDef::types("Tcond", DType::ALL),
    AttrDef::new("Tin", AttrKind::Types),
    AttrDef::new("Tout", AttrKind::Types),
    AttrDef::new("then_branch", AttrKind::Body),
    AttrDef::new("else_branch", AttrKind::Body),
    AttrDef::new("output_shapes", AttrKind::Shapes).default(AttrDefault::NoShapes),
];

const CASE_ATTRS: &[AttrDef] = &[
    AttrDef::new("Tin", AttrKind::Types),
    AttrDef::new("Tout", AttrKind::Types),
    AttrDef::new("branches", AttrKind::Bodies),
    AttrDef::new("output_shapes", AttrKind::Shapes).default(AttrDefault::NoShapes),
];

const WHILE_ATTRS: &[AttrDef] = &[
    AttrDef::new("T", AttrKind::Types),
    AttrDef::new("cond", AttrKind::Body),
    AttrDef::new("body", AttrKind::Body),
    AttrDef::new("output_shapes", AttrKind::Shapes).default(AttrDefault::NoShapes),
    AttrDef::int("parallel_iterations", 10),
];

const fn conditional(name: &'static str) -> OpDef {
    OpDef::new(name, "One of two bodies, selected by a value.")
        .inputs(const { &[Arg::of("cond", "Tcond"), Arg::mixed("input", "Tin")] })
        .outputs(const { &[Arg::mixed("output", "Tout")] })
        .attrs(IF_ATTRS)
        .execution(Execution::Branch(Select::Truth))
        .fallible(Fallible::Values)
        .infer(infer_branch)
}

const fn case(name: &'static str) -> OpDef {
    OpDef::new(name, "One of several bodies, selected by number.")
        .inputs(const { &[Arg::is("branch_index", DType::I32), Arg::mixed("input", "Tin")] })
        .outputs(const { &[Arg::mixed("output", "Tout")] })
        .attrs(CASE_ATTRS)
        .execution(Execution::Branch(Select::Index))
        .fallible(Fallible::Values)
        .infer(infer_branch)
}

const fn repetition(name: &'static str) -> OpDef {
    OpDef::new(name, "A body that is repeated as long as a condition holds.")
        .inputs(const { &[Arg::mixed("input", "T")] })
        .outputs(const { &[Arg::mixed("output", "T")] })
        .attrs(WHILE_ATTRS)
        .execution(Execution::Loop)
        .fallible(Fallible::Values)
        .infer(infer_loop)
}

/// One of two bodies, which may have effects.
pub static IF: OpDef = conditional("If");
/// One of two bodies without effects.
pub static STATELESS_IF: OpDef = conditional("StatelessIf");
/// One of several bodies, which may have effects.
pub static CASE: OpDef = case("Case");
/// One of several bodies without effects.
pub static STATELESS_CASE: OpDef = case("StatelessCase");
/// A loop whose bodies may have effects.
pub static WHILE: OpDef = repetition("While");
/// A loop whose bodies have no effects.
pub static STATELESS_WHILE: OpDef = repetition("StatelessWhile");

fn infer_branch(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let types = node.types_attr("Tout")?;
    let mut bodies = node.bodies();
    let Some(first) = bodies.next() else {
        return Err(OpError::body("there are no branches".to_owned()));
    };
    check_parameters(first, node, 1)?;
    for body in std::iter::once(first).chain(bodies) {
        let facts = body.result_facts();
        if facts.len() != types.len() {
            return Err(OpError::body(format!(
                "`{}` gives {} values, but {} are expected",
                body.name(),
                facts.len(),
                types.len()
            )));
        }
        for (i, (fact, &dtype)) in facts.iter().zip(types.iter()).enumerate() {
            check_type(body, i, fact, dtype)?;
        }
        check_parameters(body, node, 1)?;
    }
    Ok(results_of_either(node.bodies().map(AsRef::as_ref)))
}

fn infer_loop(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let bodies: SmallVec<[_; 2]> = node.bodies().collect();
    let [condition, body] = bodies.as_slice() else {
        return Err(OpError::body("a loop has a condition and a body".to_owned()));
    };
    check_parameters(condition, node, 0)?;
    check_parameters(body, node, 0)?;
    match condition.result_facts().as_slice() {
        [fact] if fact.dtype == DType::Bool && fact.shape.merge(&[].into()).is_ok() => {}
        [fact] => {
            return Err(OpError::body(format!(
                "the condition of a loop must be one bool, but is {fact}"
            )));
        }
        facts => {
            return Err(OpError::body(format!(
                "the condition of a loop must be one bool, but there are {} values",
                facts.len()
            )));
        }
    }
    if condition.parameters().iter().any(|parameter| parameter.written) {
        return Err(OpError::body(
            "the condition of a loop cannot write variables: write them in the body".to_owned(),
        ));
    }
    let (parameters, results) = (body.parameter_facts(), body.result_facts());
    if parameters.len() != results.len() {
        return Err(OpError::body(format!(
            "the body of a loop takes {} values, but gives {}",
            parameters.len(),
            results.len()
        )));
    }
    for (i, (parameter, result)) in parameters.iter().zip(&results).enumerate() {
        check_type(body, i, result, parameter.dtype)?;
        let is_variable = body.parameters()[i].kind.is_variable();
        if !is_variable && parameter.shape.relax(&result.shape) != parameter.shape {
            return Err(OpError::body(format!(
                "value {i} of the loop is {parameter} when an iteration begins, but {result} when it \
                 ends: give it a shape invariant that always holds"
            )));
        }
    }
    Ok(parameters
        .iter()
        .map(|fact| Inferred { elements: None, ..Inferred::same_as(fact) })
        .collect())
}

/// Checks that a body takes the inputs of a node after the first `before`.
fn check_parameters(body: &Body, node: &NodeView<'_>, before: usize) -> Result<(), OpError> {
    let inputs = node.inputs().get(before..).unwrap_or_default();
    let parameters = body.parameter_facts();
    if inputs.len() != parameters.len() {
        return Err(OpError::body(format!(
            "`{}` takes {} values, but {} are given",
            body.name(),
            parameters.len(),
            inputs.len()
        )));
    }
    for (i, (input, parameter)) in inputs.iter().zip(&parameters).enumerate() {
        if input.dtype != parameter.dtype || input.shape.merge(&parameter.shape).is_err() {
            return Err(OpError::body(format!(
                "`{}` takes {parameter} as its value {i}, but {input} is given",
                body.name(),
            )));
        }
    }
    Ok(())
}

fn check_type(body: &Body, i: usize, fact: &Fact, dtype: DType) -> Result<(), OpError> {
    if fact.dtype == dtype {
        return Ok(());
    }
    let (name, actual) = (body.name(), fact.dtype);
    Err(OpError::body(format!("`{name}` gives {actual} as its value {i}, not {dtype}")))
}
