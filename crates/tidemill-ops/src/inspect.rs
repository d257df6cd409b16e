use tidemill_graph::{
    Graph, GraphReader, Item, NodeId, OperationRef, Referent, TensorId, TensorRef,
};

use crate::variables::{GLOBAL_VARIABLES, TRAINABLE_VARIABLES, variables_among};
use crate::{Operation, Tensor, Variable};

/// Why nothing was found under a name.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No operation has the name.
    #[error("there is no operation `{name}`{}", hint(near))]
    NoOperation {
        /// The name.
        name: String,
        /// The name most like it that an operation has.
        near: Option<String>,
    },
    /// The operation has fewer outputs.
    #[error("`{name}` has no output {index}: it has {outputs}")]
    NoOutput {
        /// The name of the operation.
        name: String,
        /// The output asked for.
        index: u32,
        /// The number of outputs it has.
        outputs: usize,
    },
    /// The operation is not a variable.
    #[error("`{name}` is not a variable, but of type {op}")]
    NotAVariable {
        /// The name.
        name: String,
        /// The type of the operation.
        op: &'static str,
    },
}

fn hint(near: &Option<String>) -> String {
    near.as_ref().map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Looks into a graph: what it consists of, in the order in which it was made, and what has a
/// name.
pub trait Inspect {
    /// Every operation.
    fn operations(&self) -> Vec<Operation>;

    /// The operation of that name.
    ///
    /// # Errors
    /// [`LookupError::NoOperation`], with the nearest name.
    fn operation(&self, name: &str) -> Result<Operation, LookupError>;

    /// The tensor of that name, such as `add:0`; `add` is its first output.
    ///
    /// # Errors
    /// [`LookupError::NoOperation`] or [`LookupError::NoOutput`].
    fn tensor(&self, name: &str) -> Result<Tensor, LookupError>;

    /// The variable of that name.
    ///
    /// # Errors
    /// [`LookupError::NoOperation`] or [`LookupError::NotAVariable`].
    fn variable(&self, name: &str) -> Result<Variable, LookupError>;

    /// Every variable.
    fn variables(&self) -> Vec<Variable>;

    /// The variables that optimizers change.
    fn trainable_variables(&self) -> Vec<Variable>;

    /// The variables in a collection.
    fn variables_in(&self, collection: &str) -> Vec<Variable>;

    /// The tensors in a collection.
    fn tensors_in(&self, collection: &str) -> Vec<Tensor>;
}

impl Inspect for Graph {
    fn operations(&self) -> Vec<Operation> {
        let key = self.key();
        let operation = |(id, _)| OperationRef::new(key, Referent::Node(id)).into();
        self.read().nodes().map(operation).collect()
    }

    fn operation(&self, name: &str) -> Result<Operation, LookupError> {
        let node = find(&self.read(), name)?;
        Ok(OperationRef::new(self.key(), Referent::Node(node)).into())
    }

    fn tensor(&self, name: &str) -> Result<Tensor, LookupError> {
        let (operation, index) = split_name(name);
        let reader = self.read();
        let node = find(&reader, operation)?;
        let outputs = reader.node(node).outputs.len();
        if index as usize >= outputs {
            return Err(LookupError::NoOutput { name: operation.to_owned(), index, outputs });
        }
        Ok(TensorRef::new(self.key(), TensorId::new(node, index)).into())
    }

    fn variable(&self, name: &str) -> Result<Variable, LookupError> {
        let (operation, _) = split_name(name);
        let reader = self.read();
        let node = find(&reader, operation)?;
        match reader.variable(node) {
            Some(record) => Ok(Variable::of_node(self.key(), record.node)),
            None => Err(LookupError::NotAVariable {
                name: operation.to_owned(),
                op: reader.node(node).op.name,
            }),
        }
    }

    fn variables(&self) -> Vec<Variable> {
        self.variables_in(GLOBAL_VARIABLES)
    }

    fn trainable_variables(&self) -> Vec<Variable> {
        self.variables_in(TRAINABLE_VARIABLES)
    }

    fn variables_in(&self, collection: &str) -> Vec<Variable> {
        variables_among(self, &self.collection(collection))
    }

    fn tensors_in(&self, collection: &str) -> Vec<Tensor> {
        let tensor = |item: Item| match item {
            Item::Tensor(id) => Some(TensorRef::new(self.key(), id).into()),
            Item::Operation(_) => None,
        };
        self.collection(collection).into_iter().filter_map(tensor).collect()
    }
}

/// The operation and the output that a tensor's name speaks of.
fn split_name(name: &str) -> (&str, u32) {
    name.rsplit_once(':')
        .and_then(|(operation, index)| Some((operation, index.parse().ok()?)))
        .unwrap_or((name, 0))
}

fn find(reader: &GraphReader<'_>, name: &str) -> Result<NodeId, LookupError> {
    reader.find(name).ok_or_else(|| LookupError::NoOperation {
        name: name.to_owned(),
        near: reader.near(name).map(str::to_owned),
    })
}
