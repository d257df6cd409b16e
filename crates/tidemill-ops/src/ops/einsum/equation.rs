use std::fmt;
use std::str::FromStr;

use tidemill_graph::OpError;
use tidemill_kernels::einsum::Label;
use tidemill_value::{Dim, PartialShape};

/// An equation of Einstein's notation, such as `bij,bjk->bik`.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Equation {
    pub(super) inputs: Vec<Term>,
    pub(super) output: Term,
}

/// The labels of a tensor's axes: letters, and an ellipsis for any number of axes.
#[derive(Clone, PartialEq, Default, Debug)]
pub(super) struct Term {
    pub(super) before: String,
    pub(super) ellipsis: bool,
    /// The letters after the ellipsis; without one, there are none.
    pub(super) after: String,
}

/// The first label of the ellipsis, whose axes are counted from its last.
const ELLIPSIS: Label = 1 << 8;

impl FromStr for Equation {
    type Err = OpError;

    fn from_str(text: &str) -> Result<Self, OpError> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (inputs, output) = match text.split_once("->") {
            Some((inputs, output)) => (inputs, Some(output)),
            None => (&text[..], None),
        };
        let inputs: Vec<Term> = inputs.split(',').map(Term::from_str).collect::<Result<_, _>>()?;
        let output = match output {
            Some(output) => output.parse()?,
            None => implicit_output(&inputs),
        };
        let is_known = |letter: &char| inputs.iter().any(|term| term.has(*letter));
        let unknown = output.letters().find(|letter| !is_known(letter));
        match unknown {
            Some(letter) => Err(OpError::attr(
                "equation",
                format!(
                    "the output of the equation `{text}` has the label `{letter}`, but no input has"
                ),
            )),
            None => Ok(Equation { inputs, output }),
        }
    }
}

/// The labels that occur once, in alphabetical order.
fn implicit_output(inputs: &[Term]) -> Term {
    let mut letters: Vec<char> = inputs.iter().flat_map(Term::letters).collect();
    letters.sort_unstable();
    let is_single = |letter: &&char| letters.iter().filter(|other| other == letter).count() == 1;
    Term {
        before: String::new(),
        ellipsis: inputs.iter().any(|term| term.ellipsis),
        after: letters.iter().filter(is_single).collect(),
    }
    .normal()
}

impl FromStr for Term {
    type Err = OpError;

    fn from_str(text: &str) -> Result<Self, OpError> {
        let (before, after) = text.split_once("...").unwrap_or((text, ""));
        match before.chars().chain(after.chars()).find(|c| !c.is_ascii_alphabetic()) {
            Some(other) => {
                Err(OpError::attr("equation", format!("`{other}` in `{text}` is not a label")))
            }
            None => {
                let ellipsis = text.contains("...");
                Ok(Term { before: before.to_owned(), ellipsis, after: after.to_owned() })
            }
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ellipsis = if self.ellipsis { "..." } else { "" };
        write!(f, "{}{ellipsis}{}", self.before, self.after)
    }
}

impl Term {
    /// The same term; without an ellipsis, all its letters are before it.
    fn normal(mut self) -> Self {
        if !self.ellipsis {
            self.before.push_str(&std::mem::take(&mut self.after));
        }
        self
    }

    pub(super) fn letters(&self) -> impl Iterator<Item = char> {
        self.before.chars().chain(self.after.chars())
    }

    pub(super) fn has(&self, letter: char) -> bool {
        self.before.contains(letter) || self.after.contains(letter)
    }

    /// The term without some of its letters.
    pub(super) fn without(&self, is_dropped: impl Fn(char) -> bool) -> Term {
        let kept = |letters: &str| letters.chars().filter(|&letter| !is_dropped(letter)).collect();
        let (before, after) = (kept(&self.before), kept(&self.after));
        Term { before, ellipsis: self.ellipsis, after }
    }

    /// The number of axes after `before` that the ellipsis stands for.
    fn stretch(&self, rank: usize) -> Result<usize, OpError> {
        let letters = self.before.len() + self.after.len();
        let stretch = rank.checked_sub(letters).filter(|&axes| self.ellipsis || axes == 0);
        stretch.ok_or_else(|| {
            OpError::shape("inputs", format!("`{self}` does not label a tensor of {rank} axes"))
        })
    }

    fn labels_with(&self, stretch: usize) -> Vec<Label> {
        let letter = |letter: char| letter as Label;
        let between = (0..stretch).rev().map(|axis| ELLIPSIS + axis);
        let before = self.before.chars().map(letter);
        before.chain(between).chain(self.after.chars().map(letter)).collect()
    }
}

impl Equation {
    /// The shape of the output, as far as it follows from the shapes of the inputs.
    pub(super) fn infer(&self, shapes: &[&PartialShape]) -> Result<PartialShape, OpError> {
        if shapes.len() != self.inputs.len() || shapes.is_empty() || shapes.len() > 2 {
            return Err(OpError::shape(
                "inputs",
                format!(
                    "the equation has {} terms for {} inputs, but only one or two inputs are \
                     supported",
                    self.inputs.len(),
                    shapes.len()
                ),
            ));
        }
        let mut extents = [Dim::UNKNOWN; ELLIPSIS];
        let mut stretched = PartialShape::scalar();
        for (term, shape) in self.inputs.iter().zip(shapes) {
            let Some(dims) = shape.dims() else {
                if term.ellipsis {
                    stretched = PartialShape::unknown();
                }
                continue;
            };
            let end = term.before.len() + term.stretch(dims.len())?;
            stretched = stretched.broadcast(&dims[term.before.len()..end].into())?;
            let of_letters = dims[..term.before.len()].iter().chain(&dims[end..]);
            for (letter, &dim) in term.letters().zip(of_letters) {
                let extent = &mut extents[letter as usize];
                *extent = extent.merge(dim).map_err(|_| {
                    OpError::shape(
                        "inputs",
                        format!("the label `{letter}` stands for both {extent} and {dim}"),
                    )
                })?;
            }
        }
        if !self.output.ellipsis {
            stretched = PartialShape::scalar();
        }
        let Some(between) = stretched.dims() else { return Ok(PartialShape::unknown()) };
        let of = |letters: &str| -> Vec<Dim> {
            letters.chars().map(|letter| extents[letter as usize]).collect()
        };
        let dims = [of(&self.output.before), between.to_vec(), of(&self.output.after)].concat();
        Ok(dims.into_iter().collect())
    }

    /// The labels of the axes of inputs of these ranks, and of the output.
    pub(super) fn labels(&self, ranks: &[usize]) -> Result<(Vec<Vec<Label>>, Vec<Label>), OpError> {
        let mut longest = 0;
        let mut labels = Vec::new();
        for (term, &rank) in self.inputs.iter().zip(ranks) {
            let stretch = term.stretch(rank)?;
            longest = longest.max(stretch);
            labels.push(term.labels_with(stretch));
        }
        let stretch = if self.output.ellipsis { longest } else { 0 };
        Ok((labels, self.output.labels_with(stretch)))
    }
}

#[cfg(test)]
mod tests {
    use tidemill_value::shape;

    use super::*;

    fn infer(equation: &str, shapes: &[PartialShape]) -> Result<String, String> {
        let equation: Equation = equation.parse().map_err(|error: OpError| error.to_string())?;
        let shapes: Vec<&PartialShape> = shapes.iter().collect();
        equation.infer(&shapes).map(|shape| shape.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_output_has_the_extents_of_its_labels() {
        assert_eq!(infer("ij,jk->ik", &[shape![2, 3], shape![3, ?]]).unwrap(), "[2, ?]");
        assert_eq!(infer("ij,jk->ki", &[shape![..], shape![3, 4]]).unwrap(), "[4, ?]");
        assert_eq!(infer("ii->", &[shape![3, ?]]).unwrap(), "[]");
        assert_eq!(infer("i->ii", &[shape![3]]).unwrap(), "[3, 3]");
    }

    #[test]
    fn an_ellipsis_broadcasts() {
        let shapes = [shape![5, 1, 2, 3], shape![7, 4, 3]];
        assert_eq!(infer("...ij,...kj->i...k", &shapes).unwrap(), "[2, 5, 7, 4]");
        assert_eq!(infer("...i->i...", &[shape![..]]).unwrap(), "<unknown>");
        assert_eq!(infer("...i->i", &[shape![..]]).unwrap(), "[?]");
    }

    #[test]
    fn without_an_arrow_the_output_has_the_labels_that_are_there_once() {
        assert_eq!("kj,ji".parse::<Equation>().unwrap().output.to_string(), "ik");
        assert_eq!("b a ..., a".parse::<Equation>().unwrap().output.to_string(), "...b");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let error = |equation, shapes: &[PartialShape]| infer(equation, shapes).unwrap_err();
        assert!(error("ij->k", &[shape![2, 2]]).contains("no input has"));
        assert!(error("i1->i", &[shape![2, 2]]).contains("`1` in `i1` is not a label"));
        assert!(error("ij->i", &[shape![2]]).contains("does not label a tensor of 1 axes"));
        assert!(error("...ij->i", &[shape![2]]).contains("does not label"));
        assert!(error("ii->i", &[shape![2, 3]]).contains("`i` stands for both 2 and 3"));
        assert!(error("i,i,i->i", &[shape![2]]).contains("3 terms for 1 inputs"));
    }
}
