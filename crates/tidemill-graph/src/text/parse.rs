use std::borrow::Cow;

use rustc_hash::FxHashSet;
use tidemill_value::DType;

use super::attr::{parse_attr, parse_items, parse_list, parse_shape};
use super::cursor::{Cursor, Line, Spanned, is_op_char, is_word_char};
use super::literal::Literal;
use super::{TextError, TextErrorKind};
use crate::{Arg, ArgType, Arity, Attr, Execution, Fact, OpDef, Role};

pub(super) type Name<'t> = Spanned<Cow<'t, str>>;

/// A name, and the number of the output, if the text gives it.
#[derive(Clone, Debug)]
pub(super) struct Reference<'t> {
    pub(super) name: Name<'t>,
    pub(super) slot: Option<u32>,
}

/// The text of one argument of an operation.
pub(super) enum Argument<'t> {
    Tensor(Reference<'t>),
    List(Vec<Reference<'t>>),
}

/// `name: outputs = op(arguments) attrs ^controls`
pub(super) struct NodeLine<'t> {
    pub(super) line: Line<'t>,
    pub(super) name: Name<'t>,
    /// The stated outputs, if any.
    pub(super) outputs: Option<Vec<Spanned<Fact>>>,
    pub(super) op: Spanned<&'static OpDef>,
    pub(super) arguments: Vec<Spanned<Argument<'t>>>,
    pub(super) attrs: Vec<(Cow<'static, str>, Attr)>,
    pub(super) controls: Vec<Name<'t>>,
}

/// A line that begins with `@`.
pub(super) struct DirectiveLine<'t> {
    pub(super) line: Line<'t>,
    pub(super) at: usize,
    pub(super) directive: Directive<'t>,
}

pub(super) enum Directive<'t> {
    Variable {
        name: Name<'t>,
        /// Its initial value, and the node that assigns it.
        start: Option<(Reference<'t>, Name<'t>)>,
        read: Reference<'t>,
        trainable: bool,
        self_starting: bool,
    },
    Collection {
        name: Name<'t>,
        items: Vec<Reference<'t>>,
    },
    Seed(i64),
    Feed(Vec<Name<'t>>),
    Fetch(Vec<Reference<'t>>),
    Commit {
        variable: Name<'t>,
        value: Reference<'t>,
    },
}

impl Directive<'_> {
    /// The word after `@`.
    pub(super) fn keyword(&self) -> &'static str {
        match self {
            Directive::Variable { .. } => "variable",
            Directive::Collection { .. } => "collection",
            Directive::Seed(_) => "seed",
            Directive::Feed(_) => "feed",
            Directive::Fetch(_) => "fetch",
            Directive::Commit { .. } => "commit",
        }
    }
}

/// The statement of one line.
pub(super) enum Statement<'t> {
    Nothing,
    Node(NodeLine<'t>),
    Directive(DirectiveLine<'t>),
}

/// The operation types that a text may name.
pub(super) type Ops<'a> = &'a dyn Fn(&str) -> Option<&'static OpDef>;

/// The lines of a text, each read as a statement.
pub(super) fn statements<'t>(
    text: &'t str,
    ops: Ops<'_>,
) -> impl Iterator<Item = Result<Statement<'t>, TextError>> {
    text.lines().enumerate().map(move |(i, text)| parse_line(Line { number: i + 1, text }, ops))
}

fn parse_line<'t>(line: Line<'t>, ops: Ops<'_>) -> Result<Statement<'t>, TextError> {
    let mut cursor = Cursor::new(line);
    let statement = match cursor.peek() {
        None => return Ok(Statement::Nothing),
        Some('@') => Statement::Directive(parse_directive_line(&mut cursor)?),
        Some(_) => Statement::Node(parse_node_line(&mut cursor, ops)?),
    };
    match cursor.peek() {
        None => Ok(statement),
        Some(_) => Err(cursor.unexpected("the end of the line")),
    }
}

fn parse_node_line<'t>(cursor: &mut Cursor<'t>, ops: Ops<'_>) -> Result<NodeLine<'t>, TextError> {
    let name = cursor.name("the name of a node")?;
    let outputs = if cursor.eat(":") { Some(parse_outputs(cursor)?) } else { None };
    cursor.expect("=", "`=`")?;
    let op = parse_op(cursor, ops)?;
    cursor.expect("(", "`(`")?;
    let arguments = parse_items(cursor, ")", "`,` or `)`", parse_argument)?;
    let (mut attrs, mut controls) = (Vec::new(), Vec::new());
    let mut given: FxHashSet<Cow<'static, str>> = FxHashSet::default();
    while let Some(next) = cursor.peek() {
        if next == '^' {
            cursor.eat("^");
            controls.push(cursor.name("the name of a node")?);
            continue;
        }
        let at = cursor.at();
        let (name, attr) = parse_named_attr(cursor, op.value)?;
        if !given.insert(name.clone()) {
            let name = name.into_owned();
            return Err(cursor.line().error(at, TextErrorKind::Twice { name }));
        }
        attrs.push((name, attr));
    }
    add_missing_types(op.value, outputs.as_deref().unwrap_or_default(), &mut attrs);
    Ok(NodeLine { line: cursor.line(), name, outputs, op, arguments, attrs, controls })
}

/// Adds the type attributes that the text omits because it states the outputs, or because the node
/// is a constant.
fn add_missing_types(
    op: &'static OpDef,
    stated: &[Spanned<Fact>],
    attrs: &mut Vec<(Cow<'static, str>, Attr)>,
) {
    let value = attrs.iter().find(|(name, _)| name == "value").map(|(_, value)| value);
    let constant = constant_type(op, value);
    let of_one = op.outputs.iter().take_while(|arg| arg.arity == Arity::One);
    let stated = of_one.zip(stated).filter_map(|(arg, stated)| match arg.dtype {
        ArgType::Attr(name) => Some((name, stated.value.dtype)),
        ArgType::Is(_) | ArgType::Any => None,
    });
    for (name, dtype) in constant.into_iter().chain(stated) {
        let bound = op.inputs.iter().any(|arg| arg.dtype == ArgType::Attr(name));
        let optional = op.attr(name).is_none_or(|def| def.default.is_some());
        if !bound && !optional && attrs.iter().all(|(given, _)| given != name) {
            attrs.push((name.into(), dtype.into()));
        }
    }
}

/// The type attribute of a constant, which is the type of its value.
pub(super) fn constant_type(op: &OpDef, value: Option<&Attr>) -> Option<(&'static str, DType)> {
    match (op.execution, op.outputs, value) {
        (
            Execution::Constant,
            [Arg { dtype: ArgType::Attr(name), .. }],
            Some(Attr::Tensor(value)),
        ) => Some((name, value.dtype())),
        _ => None,
    }
}

/// Reads stated outputs: `float32[?, 3], int32_ref[..]`.
fn parse_outputs(cursor: &mut Cursor<'_>) -> Result<Vec<Spanned<Fact>>, TextError> {
    let mut outputs = Vec::new();
    loop {
        let at = cursor.at();
        let word = cursor.lookahead(is_word_char);
        let named = [Role::Ref, Role::Handle]
            .into_iter()
            .find_map(|role| Some((word.strip_suffix(role.suffix())?, role)));
        let (dtype, role) = named.unwrap_or((word, Role::Value));
        let Ok(dtype) = dtype.parse() else {
            return Err(cursor.unexpected("a data type, such as `float32`"));
        };
        cursor.word(is_word_char);
        let value = Fact { role, ..Fact::new(dtype, parse_shape(cursor)?) };
        outputs.push(Spanned { value, at });
        if !cursor.eat(",") {
            return Ok(outputs);
        }
    }
}

fn parse_op(cursor: &mut Cursor<'_>, ops: Ops<'_>) -> Result<Spanned<&'static OpDef>, TextError> {
    let Spanned { value, at } = cursor.word(is_op_char);
    if value.is_empty() {
        return Err(cursor.unexpected("the type of an operation"));
    }
    let unknown = || cursor.line().error(at, TextErrorKind::UnknownOp { op: value.to_owned() });
    Ok(Spanned { value: ops(value).ok_or_else(unknown)?, at })
}

fn parse_argument<'t>(cursor: &mut Cursor<'t>) -> Result<Spanned<Argument<'t>>, TextError> {
    let at = cursor.at();
    let value = match cursor.peek() {
        Some('[') => Argument::List(parse_list(cursor, parse_reference)?),
        _ => Argument::Tensor(parse_reference(cursor)?),
    };
    Ok(Spanned { value, at })
}

/// Reads `name` or `name:1`.
fn parse_reference<'t>(cursor: &mut Cursor<'t>) -> Result<Reference<'t>, TextError> {
    let name = cursor.name("the name of a tensor")?;
    if !cursor.eat(":") {
        return Ok(Reference { name, slot: None });
    }
    let slot = cursor.lookahead(is_word_char).parse();
    let Ok(slot) = slot else { return Err(cursor.unexpected("the number of an output")) };
    cursor.word(is_word_char);
    Ok(Reference { name, slot: Some(slot) })
}

fn parse_named_attr(
    cursor: &mut Cursor<'_>,
    op: &'static OpDef,
) -> Result<(Cow<'static, str>, Attr), TextError> {
    let name = cursor.name("an attribute, or `^` and the name of a node")?.value;
    cursor.expect("=", "`=` and the value of the attribute")?;
    let def = op.attr(&name);
    let attr = parse_attr(cursor, def)?;
    let name = def.map_or_else(|| Cow::Owned(name.into_owned()), |def| Cow::Borrowed(def.name));
    Ok((name, attr))
}

fn parse_directive_line<'t>(cursor: &mut Cursor<'t>) -> Result<DirectiveLine<'t>, TextError> {
    let at = cursor.at();
    cursor.eat("@");
    let directive = match cursor.word(is_word_char).value {
        "variable" => parse_variable(cursor)?,
        "collection" => Directive::Collection {
            name: cursor.name("the name of a collection")?,
            items: parse_many(cursor, parse_reference)?,
        },
        "seed" => Directive::Seed(i64::parse(cursor)?),
        "feed" => Directive::Feed(parse_many(cursor, |cursor| cursor.name("a name"))?),
        "fetch" => Directive::Fetch(parse_many(cursor, parse_reference)?),
        "commit" => {
            let variable = cursor.name("the name of a variable")?;
            cursor.expect("=", "`=`")?;
            Directive::Commit { variable, value: parse_reference(cursor)? }
        }
        other => {
            let directive = other.to_owned();
            return Err(cursor.line().error(at, TextErrorKind::Directive { directive }));
        }
    };
    Ok(DirectiveLine { line: cursor.line(), at, directive })
}

/// Reads items up to the end of the line.
fn parse_many<'t, T>(
    cursor: &mut Cursor<'t>,
    item: impl Fn(&mut Cursor<'t>) -> Result<T, TextError>,
) -> Result<Vec<T>, TextError> {
    let mut items = Vec::new();
    while cursor.peek().is_some() {
        items.push(item(cursor)?);
    }
    Ok(items)
}

/// Reads `w initial=w/zeros initializer=w/Assign read=w/read trainable`.
fn parse_variable<'t>(cursor: &mut Cursor<'t>) -> Result<Directive<'t>, TextError> {
    const PARTS: &str = "`initial`, `initializer`, `read`, `trainable` or `self_starting`";
    let name = cursor.name("the name of a variable")?;
    let (mut initial, mut initializer, mut read) = (None, None, None);
    let (mut trainable, mut self_starting) = (false, false);
    while cursor.peek().is_some() {
        match cursor.lookahead(is_word_char) {
            "initial" => parse_part(cursor, &mut initial, parse_reference)?,
            "initializer" => parse_part(cursor, &mut initializer, |c| c.name("a name"))?,
            "read" => parse_part(cursor, &mut read, parse_reference)?,
            "trainable" => trainable = cursor.eat("trainable"),
            "self_starting" => self_starting = cursor.eat("self_starting"),
            _ => return Err(cursor.unexpected(PARTS)),
        }
    }
    let mut missing =
        |part| cursor.error(TextErrorKind::MissingPart { directive: "variable", part });
    let start = match (initial, initializer) {
        (None, None) => None,
        (initial, initializer) => Some((
            initial.ok_or_else(|| missing("initial"))?,
            initializer.ok_or_else(|| missing("initializer"))?,
        )),
    };
    let read = read.ok_or_else(|| missing("read"))?;
    Ok(Directive::Variable { name, start, read, trainable, self_starting })
}

/// Reads `part=value`, once.
fn parse_part<'t, T>(
    cursor: &mut Cursor<'t>,
    part: &mut Option<T>,
    parse: impl Fn(&mut Cursor<'t>) -> Result<T, TextError>,
) -> Result<(), TextError> {
    let Spanned { value: name, at } = cursor.word(is_word_char);
    cursor.expect("=", "`=`")?;
    match part.replace(parse(cursor)?) {
        None => Ok(()),
        Some(_) => Err(cursor.line().error(at, TextErrorKind::Twice { name: name.to_owned() })),
    }
}
