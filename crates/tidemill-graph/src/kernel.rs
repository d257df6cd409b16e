use smallvec::SmallVec;
use tidemill_value::{DType, Element, Memory, Scalar, ScalarOp, Value};

use crate::KernelError;

/// An operation prepared for one node: its attributes are read and its algorithm is chosen. It only
/// computes; a run passes it everything it needs.
pub trait Kernel: Send + Sync {
    /// Computes the outputs from the inputs.
    ///
    /// # Errors
    /// [`KernelError`] if there is no result for the inputs.
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError>;

    /// For a write that is [`Fallible::Checked`](crate::Fallible::Checked): fails if
    /// [`Kernel::run`] would fail. It gets the inputs that `run` will get, except the variables,
    /// which have no value yet; the kernel knows their shapes.
    ///
    /// # Errors
    /// [`KernelError`] if the inputs do not allow the write.
    fn check(&self, _: &KernelCx<'_>) -> Result<(), KernelError> {
        Err(KernelError::Internal("a kernel cannot tell beforehand whether it fails"))
    }

    /// The bytes that the kernel keeps from one run to the next.
    fn kept_bytes(&self) -> usize {
        0
    }

    /// The kernel that also applies a function to its only output, of this data type, if it can do so
    /// while it computes: it is cheaper than a step of its own, and gives the same bits.
    fn then(&self, _: Then, _: DType) -> Option<Box<dyn Kernel>> {
        None
    }
}

/// A function of a kernel's output, for [`Kernel::then`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Then {
    /// The function.
    pub function: ScalarOp,
    /// The input that is the other operand of a function of two: a single element, a row, or as many
    /// elements as the output has. It comes after the inputs that the kernel takes without the function.
    pub other: Option<usize>,
    /// Whether the output is the second operand.
    pub is_second: bool,
}

impl<F> Kernel for F
where
    F: Fn(&mut KernelCx<'_>) -> Result<(), KernelError> + Send + Sync,
{
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        self(cx)
    }
}

/// Locates an input of a step: in a slot of the run or among the plan's constants. It also records
/// whether this is the last use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Operand(u32);

impl Operand {
    /// An input without a value.
    pub const NONE: Operand = Operand(Operand::INDEX);

    const CONSTANT: u32 = 1 << 31;
    const LAST_USE: u32 = 1 << 30;
    const INDEX: u32 = Operand::LAST_USE - 1;

    /// The value in slot `index`.
    pub const fn slot(index: u32) -> Self {
        Operand(index & Operand::INDEX)
    }

    /// Constant number `index`.
    pub const fn constant(index: u32) -> Self {
        Operand((index & Operand::INDEX) | Operand::CONSTANT)
    }

    /// The same operand, known not to be needed afterwards.
    pub const fn last_use(self) -> Self {
        Operand(self.0 | Operand::LAST_USE)
    }

    /// The same operand, with an unknown last use.
    pub const fn without_last_use(self) -> Self {
        Operand(self.0 & !Operand::LAST_USE)
    }

    /// The slot or constant number.
    #[inline]
    pub const fn index(self) -> usize {
        (self.0 & Operand::INDEX) as usize
    }

    /// Whether it is a constant.
    #[inline]
    pub const fn is_constant(self) -> bool {
        self.0 & Operand::CONSTANT != 0
    }

    /// Whether it is a slot that nothing needs afterwards.
    #[inline]
    pub const fn is_last_use(self) -> bool {
        self.0 & (Operand::CONSTANT | Operand::LAST_USE) == Operand::LAST_USE
    }
}

/// Determines the numbers that a random operation draws, along with the seeds in the node's
/// attributes.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// The seed of the session, for operations that have none.
    pub session_seed: u64,
    /// Distinguishes the node from other nodes in the session.
    pub key: u64,
    /// The number of earlier runs of the node in the session.
    pub count: u64,
}

/// The services that a session offers its kernels.
pub trait Host {
    /// Prints a line.
    fn print(&self, line: &str);

    /// The number of earlier calls with the same key, in this session.
    fn count(&self, key: u64) -> u64;
}

/// A host that discards prints, used to fold constants.
pub struct NoHost;

impl Host for NoHost {
    fn print(&self, _: &str) {}

    fn count(&self, _: u64) -> u64 {
        0
    }
}

/// The values of a run, as a kernel sees them.
pub struct KernelCx<'a> {
    /// The values of the run; `None` for a value that is not computed yet or a variable without
    /// one.
    pub slots: &'a mut [Option<Value>],
    /// The constants of the plan.
    pub constants: &'a [Value],
    /// The locations of the inputs.
    pub inputs: &'a [Operand],
    /// The slots that the outputs go to.
    pub outputs: &'a [u32],
    /// The memory for outputs and workspaces.
    pub memory: &'a Memory,
    /// Determines the random numbers to draw.
    pub draw: Draw,
    /// The session.
    pub host: &'a dyn Host,
}

impl KernelCx<'_> {
    /// Input `i`.
    ///
    /// # Errors
    /// [`KernelError::Internal`] if there is none.
    #[inline]
    pub fn input(&self, i: usize) -> Result<&Value, KernelError> {
        self.peek(i).ok_or(KernelError::Internal("an input has no value"))
    }

    /// Input `i`, which is `None` for a variable without a value.
    #[inline]
    pub fn peek(&self, i: usize) -> Option<&Value> {
        let operand = *self.inputs.get(i)?;
        if operand.is_constant() {
            self.constants.get(operand.index())
        } else {
            self.slots.get(operand.index())?.as_ref()
        }
    }

    /// The elements of input `i`.
    ///
    /// # Errors
    /// [`KernelError`] if there is none, or its elements have another type.
    #[inline]
    pub fn slice<T: Element>(&self, i: usize) -> Result<&[T], KernelError> {
        Ok(self.input(i)?.as_slice()?)
    }

    /// The number of inputs.
    pub fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// All inputs.
    ///
    /// # Errors
    /// [`KernelError::Internal`] if one is missing.
    pub fn all_inputs(&self) -> Result<SmallVec<[&Value; 4]>, KernelError> {
        (0..self.inputs.len()).map(|i| self.input(i)).collect()
    }

    /// Takes input `i` out of its slot if nothing needs it afterwards, or else clones it,
    /// which copies no elements.
    ///
    /// # Errors
    /// [`KernelError::Internal`] if there is none.
    #[inline]
    pub fn take(&mut self, i: usize) -> Result<Value, KernelError> {
        let operand = self.inputs.get(i).filter(|operand| operand.is_last_use());
        if let Some(operand) = operand
            && let Some(slot) = self.slots.get_mut(operand.index())
        {
            return slot.take().ok_or(KernelError::Internal("an input has no value"));
        }
        self.input(i).cloned()
    }

    /// As [`KernelCx::take`], to write to the value: if others share its elements, they are copied.
    ///
    /// # Errors
    /// [`KernelError::Internal`] if there is none.
    #[inline]
    pub fn take_unique(&mut self, i: usize) -> Result<Value, KernelError> {
        let mut value = self.take(i)?;
        self.memory.make_unique(&mut value);
        Ok(value)
    }

    /// Takes input `i` if its buffer may be overwritten: nothing needs it afterwards, and
    /// nothing shares it.
    #[inline]
    pub fn take_buffer(&mut self, i: usize) -> Option<Value> {
        let operand = self.inputs.get(i).filter(|operand| operand.is_last_use())?;
        let slot = self.slots.get_mut(operand.index())?;
        if slot.as_mut()?.is_unique() { slot.take() } else { None }
    }

    /// Sets output `i` to a single number, which is cheaper than moving a [`Value`] there.
    #[inline]
    pub fn set_scalar(&mut self, i: usize, scalar: impl Into<Scalar>) {
        let slot = self.outputs.get(i).and_then(|&slot| self.slots.get_mut(slot as usize));
        let Some(slot) = slot else { return };
        let scalar = scalar.into();
        if !slot.as_mut().is_some_and(|value| value.replace_scalar(scalar)) {
            *slot = Some(Value::from(scalar));
        }
    }

    /// Sets output `i`.
    #[inline]
    pub fn set(&mut self, i: usize, value: Value) {
        if let Some(slot) = self.outputs.get(i).and_then(|&slot| self.slots.get_mut(slot as usize))
            && let Some(old) = slot.replace(value)
        {
            // An input of a fused step that nothing needs after its first part.
            self.memory.recycle(old);
        }
    }
}
