use tidemill_graph::{
    Body, Graph, GraphReader, Item, NodeId, OperationRef, Referent, TensorId, TensorRef,
};

use crate::variables::{GLOBAL_VARIABLES, TRAINABLE_VARIABLES, variables_among};
use crate::{Operation, Tensor, Variable};

/// The error of looking up a name.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No operation has the name.
    #[error("there is no operation `{name}`{}", hint(near))]
    NoOperation {
        /// The name.
        name: String,
        /// The most similar name of an operation.
        near: Option<String>,
    },
    /// The operation is inside a body, which runs any number of times.
    #[error(
        "`{name}` is inside `{outer}`, of type {op}, and has no single value; fetch an output of \
         `{outer}` instead: {}",
        outputs.join(", ")
    )]
    InBody {
        /// The name.
        name: String,
        /// The operation of the graph that runs the body.
        outer: String,
        /// The type of that operation.
        op: &'static str,
        /// The outputs of that operation.
        outputs: Vec<String>,
    },
    /// The operation has fewer outputs.
    #[error("`{name}` has no output {index}: it has {outputs}")]
    NoOutput {
        /// The name of the operation.
        name: String,
        /// The requested output.
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

tidemill_value::debug_as_report!(LookupError);

fn hint(near: &Option<String>) -> String {
    near.as_ref().map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Inspects a graph: lists its parts in creation order, and looks up names.
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

    /// The trainable variables.
    fn trainable_variables(&self) -> Vec<Variable>;

    /// The variables in a collection.
    fn variables_in(&self, collection: &str) -> Vec<Variable>;

    /// The tensors in a collection.
    fn tensors_in(&self, collection: &str) -> Vec<Tensor>;

    /// The operations in a collection. Variables are among them, as the nodes that name them.
    fn operations_in(&self, collection: &str) -> Vec<Operation>;
}

/// Anything with a name, which may be in a scope.
pub trait InScope {
    /// Whether the name is `scope`, or begins with `scope` and a slash: `generator/bias` is in the
    /// scope `generator`, and `generator_1/bias` is not. Every name is in the scope ``.
    fn is_in_scope(&self, scope: &str) -> bool;
}

macro_rules! in_scope {
    ($($handle:ty),*) => {$(
        impl InScope for $handle {
            fn is_in_scope(&self, scope: &str) -> bool {
                let name = Operation::from(OperationRef::from(*self)).name();
                let scope = scope.trim_end_matches('/');
                scope.is_empty()
                    || name.strip_prefix(scope).is_some_and(|rest| {
                        rest.is_empty() || rest.starts_with('/')
                    })
            }
        }
    )*};
}

in_scope!(Tensor, Operation, Variable);

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

    fn operations_in(&self, collection: &str) -> Vec<Operation> {
        let operation = |item: Item| match item {
            Item::Operation(id) => Some(OperationRef::new(self.key(), Referent::Node(id)).into()),
            Item::Tensor(_) => None,
        };
        self.collection(collection).into_iter().filter_map(operation).collect()
    }
}

/// The operation and the output that a tensor's name refers to.
fn split_name(name: &str) -> (&str, u32) {
    name.rsplit_once(':')
        .and_then(|(operation, index)| Some((operation, index.parse().ok()?)))
        .unwrap_or((name, 0))
}

fn find(reader: &GraphReader<'_>, name: &str) -> Result<NodeId, LookupError> {
    reader.find(name).ok_or_else(|| {
        in_a_body(reader, name).unwrap_or_else(|| LookupError::NoOperation {
            name: name.to_owned(),
            near: reader.near(name).map(str::to_owned),
        })
    })
}

/// The error of an operation that is in a body of one of a graph, if it is. Names in bodies lack
/// the scope that a graph was imported into.
fn in_a_body(reader: &GraphReader<'_>, name: &str) -> Option<LookupError> {
    let scopes = name.match_indices('/').map(|(end, _)| &name[end + 1..]);
    let names: Vec<&str> = std::iter::once(name).chain(scopes).collect();
    let (outer, node) = reader.nodes().find(|(id, node)| {
        let prefix = reader.name(*id);
        let in_scope = |inner: &&&str| {
            let scope = &name[..name.len() - inner.len()];
            prefix.starts_with(scope)
        };
        let names: Vec<&str> = names.iter().filter(in_scope).copied().collect();
        node.bodies().any(|body| has_one_of(body, &names))
    })?;
    let outputs = (0..node.outputs.len() as u32).map(|slot| TensorId::new(outer, slot));
    Some(LookupError::InBody {
        name: name.to_owned(),
        outer: reader.name(outer).to_owned(),
        op: node.op.name,
        outputs: outputs.map(|output| reader.tensor_name(output)).collect(),
    })
}

/// True if a body, or one inside it, has an operation of one of these names. The nesting of bodies
/// is limited.
fn has_one_of(body: &Body, names: &[&str]) -> bool {
    let reader = body.graph().read();
    names.iter().any(|name| reader.find(name).is_some())
        || reader.nodes().any(|(_, node)| node.bodies().any(|inner| has_one_of(inner, names)))
}
