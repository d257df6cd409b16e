use std::ops::Range;

use smallvec::SmallVec;

/// The inputs of a node, grouped as the arguments of its operation: one tensor, or a list.
pub(crate) struct Arguments<T> {
    pub(crate) inputs: SmallVec<[T; 2]>,
    /// The end of each argument among the inputs.
    ends: SmallVec<[u32; 4]>,
}

impl<T> Arguments<T> {
    pub(crate) const fn new() -> Self {
        Arguments { inputs: SmallVec::new_const(), ends: SmallVec::new_const() }
    }

    /// Adds the next argument, a single tensor.
    pub(crate) fn push_one(&mut self, input: T) {
        self.inputs.push(input);
        self.ends.push(self.inputs.len() as u32);
    }

    /// Adds the next argument.
    pub(crate) fn push(&mut self, argument: impl IntoIterator<Item = T>) {
        self.inputs.extend(argument);
        self.ends.push(self.inputs.len() as u32);
    }

    /// The number of arguments.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The range of inputs of each argument.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| start as usize..end as usize)
    }

    /// The inputs of each argument.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[T]> {
        self.ranges().map(|range| &self.inputs[range])
    }

    /// The same arguments with other inputs, one for each existing one.
    pub(crate) fn with_inputs<U>(&self, inputs: SmallVec<[U; 2]>) -> Arguments<U> {
        Arguments { inputs, ends: SmallVec::from_slice(&self.ends) }
    }
}

impl<T, A: IntoIterator<Item = T>> FromIterator<A> for Arguments<T> {
    fn from_iter<I: IntoIterator<Item = A>>(arguments: I) -> Self {
        let mut collected = Arguments::new();
        arguments.into_iter().for_each(|argument| collected.push(argument));
        collected
    }
}
