use std::fmt::{self, Write};

use tidemill_value::{DType, Dim, PartialShape, Shape, Value, match_dtype};

use super::cursor::{Cursor, is_number_char, is_word_char};
use super::literal::Literal;
use super::{TextError, TextErrorKind};
use crate::{Attr, AttrDef, AttrKind};

/// TensorFlow's limit on the number of axes.
const MAX_RANK: usize = 254;
/// The text of a function of the host program.
const HOST_FUNCTION: &str = "<host function>";

/// The kinds whose text is in brackets, which alone does not tell them apart.
const BRACKETED: [(&str, AttrKind); 5] = [
    ("shape", AttrKind::Shape),
    ("list(int)", AttrKind::Ints),
    ("list(string)", AttrKind::Strs),
    ("list(type)", AttrKind::Types),
    ("list(shape)", AttrKind::Shapes),
];

/// The part of a constant tensor that is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Constants {
    /// All of it, so that the text reads back.
    Whole,
    /// The first few of a large tensor.
    First(usize),
}

/// Writes an attribute that `def` describes, preceded by its kind if `def` leaves that open.
pub(super) fn write_attr(
    out: &mut dyn Write,
    attr: &Attr,
    def: Option<&AttrDef>,
    constants: Constants,
) -> fmt::Result {
    let bracketed = BRACKETED.iter().any(|(kind, _)| *kind == attr.kind());
    if bracketed && !def.is_some_and(|def| def.admits(attr)) {
        out.write_str(attr.kind())?;
    }
    match attr {
        Attr::Int(x) => x.write(out),
        Attr::Float(x) => x.write(out),
        Attr::Bool(x) => x.write(out),
        Attr::Str(x) => x.write(out),
        Attr::Type(x) => write!(out, "{x}"),
        Attr::Shape(x) => write_shape(out, x),
        Attr::Tensor(x) => write_tensor(out, x, constants),
        Attr::Ints(x) => write_list(out, x, |out, x| x.write(out)),
        Attr::Strs(x) => write_list(out, x, |out, x| x.write(out)),
        Attr::Types(x) => write_list(out, x, |out, x| write!(out, "{x}")),
        Attr::Shapes(x) => write_list(out, x, write_shape),
        Attr::Function(_) => out.write_str(HOST_FUNCTION),
        Attr::Body(x) => out.write_str(x.name()),
        Attr::Bodies(x) => write_list(out, x, |out, x| out.write_str(x.name())),
    }
}

fn write_list<T>(
    out: &mut dyn Write,
    items: &[T],
    write: impl Fn(&mut dyn Write, &T) -> fmt::Result,
) -> fmt::Result {
    out.write_str("[")?;
    for (i, item) in items.iter().enumerate() {
        out.write_str(if i > 0 { ", " } else { "" })?;
        write(out, item)?;
    }
    out.write_str("]")
}

fn write_shape(out: &mut dyn Write, shape: &PartialShape) -> fmt::Result {
    match shape.dims() {
        Some(_) => write!(out, "{shape}"),
        None => out.write_str("[..]"),
    }
}

fn write_tensor(out: &mut dyn Write, value: &Value, constants: Constants) -> fmt::Result {
    write!(out, "{}{}{{", value.dtype(), value.shape())?;
    let count = match constants {
        Constants::First(count) if value.elements() > count => count,
        _ => value.elements(),
    };
    match_dtype!(value.dtype(), all, T => {
        for (i, element) in value.as_slice::<T>().unwrap_or_default().iter().take(count).enumerate()
        {
            out.write_str(if i > 0 { ", " } else { "" })?;
            element.write(out)?;
        }
    }, else {});
    out.write_str(if count < value.elements() { ", ...}" } else { "}" })
}

/// Reads an attribute that `def` describes, or whose text names its kind.
pub(super) fn parse_attr(
    cursor: &mut Cursor<'_>,
    def: Option<&AttrDef>,
) -> Result<Attr, TextError> {
    if cursor.eat(HOST_FUNCTION) {
        return Err(cursor.error(TextErrorKind::HostFunction));
    }
    let stated = BRACKETED.iter().find(|(kind, _)| cursor.eat(kind)).map(|(_, kind)| *kind);
    match stated.or(def.map(|def| def.kind)) {
        Some(kind) => parse_attr_of(cursor, kind),
        None => parse_undescribed(cursor),
    }
}

fn parse_attr_of(cursor: &mut Cursor<'_>, kind: AttrKind) -> Result<Attr, TextError> {
    match kind {
        AttrKind::Int => i64::parse(cursor).map(Attr::Int),
        AttrKind::Float => f32::parse(cursor).map(Attr::Float),
        AttrKind::Bool => bool::parse(cursor).map(Attr::Bool),
        AttrKind::Str => cursor.string().map(Attr::Str),
        AttrKind::Type(_) => parse_dtype(cursor).map(Attr::Type),
        AttrKind::Shape => parse_shape(cursor).map(Attr::Shape),
        AttrKind::Tensor => {
            let dtype = parse_dtype(cursor)?;
            parse_tensor(cursor, dtype).map(Attr::Tensor)
        }
        AttrKind::Ints => parse_list(cursor, i64::parse).map(Attr::from),
        AttrKind::Strs => parse_list(cursor, |cursor| cursor.string()).map(Attr::from),
        AttrKind::Types => parse_list(cursor, parse_dtype).map(Attr::from),
        AttrKind::Shapes => parse_list(cursor, parse_shape).map(Attr::from),
        AttrKind::Function | AttrKind::Body | AttrKind::Bodies => {
            Err(cursor.error(TextErrorKind::HostFunction))
        }
    }
}

/// Reads an attribute that the operation does not know.
fn parse_undescribed(cursor: &mut Cursor<'_>) -> Result<Attr, TextError> {
    match cursor.peek() {
        Some('"') => return cursor.string().map(Attr::Str),
        Some('[') => return Err(cursor.unexpected("`shape` or `list(...)` before the bracket")),
        _ => {}
    }
    match cursor.lookahead(is_number_char) {
        "" => Err(cursor.unexpected("the value of an attribute")),
        "true" | "false" => bool::parse(cursor).map(Attr::Bool),
        "nan" | "inf" | "-inf" => f32::parse(cursor).map(Attr::Float),
        word if word.parse::<DType>().is_ok() => parse_type_or_tensor(cursor),
        word if word.contains(['.', 'e', 'E']) => f32::parse(cursor).map(Attr::Float),
        _ => i64::parse(cursor).map(Attr::Int),
    }
}

fn parse_type_or_tensor(cursor: &mut Cursor<'_>) -> Result<Attr, TextError> {
    let dtype = parse_dtype(cursor)?;
    match cursor.peek() {
        Some('[') => parse_tensor(cursor, dtype).map(Attr::Tensor),
        _ => Ok(Attr::Type(dtype)),
    }
}

fn parse_dtype(cursor: &mut Cursor<'_>) -> Result<DType, TextError> {
    let dtype = cursor.lookahead(is_word_char).parse();
    let Ok(dtype) = dtype else { return Err(cursor.unexpected("a data type, such as `float32`")) };
    cursor.word(is_word_char);
    Ok(dtype)
}

/// Reads items in brackets.
pub(super) fn parse_list<'t, T>(
    cursor: &mut Cursor<'t>,
    item: impl FnMut(&mut Cursor<'t>) -> Result<T, TextError>,
) -> Result<Vec<T>, TextError> {
    cursor.expect("[", "`[`")?;
    parse_items(cursor, "]", "`,` or `]`", item)
}

/// Reads items separated by commas, up to `close`.
pub(super) fn parse_items<'t, T>(
    cursor: &mut Cursor<'t>,
    close: &'static str,
    expected: &'static str,
    mut item: impl FnMut(&mut Cursor<'t>) -> Result<T, TextError>,
) -> Result<Vec<T>, TextError> {
    let mut items = Vec::new();
    if cursor.eat(close) {
        return Ok(items);
    }
    loop {
        items.push(item(cursor)?);
        if cursor.eat(close) {
            return Ok(items);
        }
        cursor.expect(",", expected)?;
    }
}

/// Reads a shape: `[?, 3]`, or `[..]` for one of unknown rank.
pub(super) fn parse_shape(cursor: &mut Cursor<'_>) -> Result<PartialShape, TextError> {
    cursor.expect("[", "a shape, such as `[?, 3]`")?;
    if cursor.eat("..") {
        cursor.expect("]", "`]`")?;
        return Ok(PartialShape::unknown());
    }
    let parse_dim = |cursor: &mut Cursor<'_>| match cursor.eat("?") {
        true => Ok(Dim::UNKNOWN),
        false => parse_extent(cursor).map(Dim::from),
    };
    let dims = parse_items(cursor, "]", "`,` or `]`", parse_dim)?;
    check_rank(cursor, dims.len())?;
    Ok(dims.into_iter().collect())
}

fn check_rank(cursor: &mut Cursor<'_>, rank: usize) -> Result<(), TextError> {
    if rank <= MAX_RANK {
        Ok(())
    } else {
        Err(cursor.error(TextErrorKind::Rank { limit: MAX_RANK }))
    }
}

/// Reads the extent of an axis: a nonnegative `int64`, as in TensorFlow.
fn parse_extent(cursor: &mut Cursor<'_>) -> Result<usize, TextError> {
    let extent = cursor.lookahead(is_number_char).parse::<i64>().ok();
    let Some(extent) = extent.and_then(|extent| usize::try_from(extent).ok()) else {
        return Err(cursor.unexpected("the extent of an axis"));
    };
    cursor.word(is_number_char);
    Ok(extent)
}

/// Reads the rest of a tensor after its data type: `[2]{1.0, 2.0}`.
///
/// Memory is allocated only for elements in the text, whatever the shape claims.
fn parse_tensor(cursor: &mut Cursor<'_>, dtype: DType) -> Result<Value, TextError> {
    let at = cursor.at();
    cursor.expect("[", "a shape, such as `[2, 3]`")?;
    let dims = parse_items(cursor, "]", "`,` or `]`", parse_extent)?;
    check_rank(cursor, dims.len())?;
    let shape = Shape::from(dims);
    cursor.expect("{", "the elements, such as `{1, 2}`")?;
    let value = match_dtype!(dtype, all, T => {
        let elements: Vec<T> = parse_items(cursor, "}", "`,` or `}`", T::parse)?;
        Value::from_vec(shape, elements)
    }, else return Err(cursor.line().error(at, TextErrorKind::Constant { dtype })));
    value.map_err(|error| cursor.line().error(at, TextErrorKind::Value(error)))
}
