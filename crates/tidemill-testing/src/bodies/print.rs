use std::fmt;

use super::program::{Block, Id, Operation, Program, Source, Step};

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "// seed {}", self.seed)?;
        for input in &self.inputs {
            let (id, value) = (input.slot.id, input.value.to_string().replace('\n', ""));
            match &input.source {
                Source::Constant => writeln!(f, "x{id} = constant({value});")?,
                Source::Variable => writeln!(f, "x{id} = variable({value});")?,
                Source::ResourceVariable => writeln!(f, "x{id} = resource variable({value});")?,
                Source::Placeholder(shape) => {
                    writeln!(f, "x{id} = placeholder({shape}); // fed {value}")?;
                }
            }
        }
        steps(f, &self.main, 0)?;
        write!(
            f,
            "loss of {}, gradient with respect to {}",
            list(&self.main.results),
            list(&self.by)
        )?;
        if !self.stops.is_empty() {
            write!(f, ", stop_gradients: {}", list(&self.stops))?;
        }
        if self.twice {
            write!(f, ", and the gradient of that")?;
        }
        writeln!(f)
    }
}

fn list(ids: &[Id]) -> String {
    let names: Vec<String> = ids.iter().map(|id| format!("x{id}")).collect();
    match names.as_slice() {
        [name] => name.clone(),
        names => format!("({})", names.join(", ")),
    }
}

fn steps(f: &mut fmt::Formatter<'_>, block: &Block, depth: usize) -> fmt::Result {
    block.steps.iter().try_for_each(|step| self::step(f, step, depth))
}

fn step(f: &mut fmt::Formatter<'_>, step: &Step, depth: usize) -> fmt::Result {
    let outputs: Vec<Id> = step.outputs.iter().map(|slot| slot.id).collect();
    let indent = "    ".repeat(depth);
    write!(f, "{indent}{} = {}", list(&outputs), call(&step.operation, &step.operands))?;
    for body in &step.bodies {
        let parameters: Vec<Id> = body.parameters.iter().map(|slot| slot.id).collect();
        let parameters = if parameters.is_empty() { String::new() } else { list(&parameters) };
        writeln!(f, " |{parameters}| {{")?;
        steps(f, body, depth + 1)?;
        write!(f, "{indent}    {}\n{indent}}}", list(&body.results))?;
    }
    let shapes: Vec<String> =
        step.outputs.iter().filter_map(|slot| Some(format!("{:?}", slot.shape()?))).collect();
    writeln!(f, "; // {}", shapes.join(", "))
}

fn call(operation: &Operation, operands: &[Id]) -> String {
    let x = |i: usize| format!("x{}", operands[i]);
    match operation {
        Operation::Literal(value) => format!("constant({value})").replace('\n', ""),
        Operation::Unary(function) => format!("{function:?}({})", x(0)).to_lowercase(),
        Operation::Binary(function) => format!("{function:?}({}, {})", x(0), x(1)).to_lowercase(),
        Operation::Row { rows } => format!("gather({}, {} % {rows}, 0)", x(0), x(1)),
        Operation::Affine { factor, term, modulus } => {
            format!("({} * {factor} + {term}) % {modulus}", x(0))
        }
        Operation::SumInts { modulus } => format!("({} + {}) % {modulus}", x(0), x(1)),
        Operation::Less(limit) => format!("{} < {limit}", x(0)),
        Operation::Even => format!("{} % 2 == 0", x(0)),
        Operation::Positive => format!("reduce_sum({}) > 0", x(0)),
        Operation::Gradient => format!("gradients({}, {})", x(0), list(&operands[1..])),
        Operation::While(form) => format!("{form:?} from {}", list(operands)),
        Operation::Sequence { form, elems } => {
            let (elems, state) = operands.split_at(*elems);
            format!("{form:?} of {} from {}", list(elems), list(state))
        }
        other => format!("{other:?}({})", list(operands)),
    }
}
