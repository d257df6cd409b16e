//! Tensors from the command line and from files, and to files.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use tidemill_formats::FileKind;
use tidemill_value::{ByteString, DType, Element, Shape, Value, bf16, f16, match_dtype};

use crate::failure::Failure;
use crate::formats::TensorFormat;

/// `NAME=SOMETHING` on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) rest: String,
}

pub(crate) fn parse_pair(text: &str) -> Result<Pair, String> {
    match text.split_once('=') {
        Some((name, rest)) if !name.is_empty() && !rest.is_empty() => {
            Ok(Pair { name: name.to_owned(), rest: rest.to_owned() })
        }
        _ => Err("it must be of the form NAME=VALUE or NAME=@FILE".to_owned()),
    }
}

/// `NAME=@FILE` on the command line.
pub(crate) fn parse_file_pair(text: &str) -> Result<(String, PathBuf), String> {
    let pair = parse_pair(text)?;
    match pair.rest.strip_prefix('@') {
        Some(path) if !path.is_empty() => Ok((pair.name, path.into())),
        _ => Err("it must be of the form NAME=@FILE".to_owned()),
    }
}

/// The value of a feed: a file after `@`, otherwise a number, a text, or a list in JSON.
pub(crate) fn read_feed(text: &str, dtype: DType) -> Result<Value, Failure> {
    match text.strip_prefix('@') {
        Some(path) => read_file(path),
        None => Ok(parse_literal(text, dtype)?),
    }
}

/// The array of an `npy` file, or the tensor `NAME` of another kind of file after `FILE#`.
fn read_file(text: &str) -> Result<Value, Failure> {
    let (path, name) = match text.rsplit_once('#') {
        Some((path, name)) => (Path::new(path), Some(name)),
        None => (Path::new(text), None),
    };
    let kind = FileKind::of(path)?;
    match TensorFormat::of(kind).and_then(|format| format.read) {
        Some(read) => read(path, name),
        None => Err(format!("{}: a {kind} has no tensors to feed", path.display()).into()),
    }
}

/// A value of a type from text: a number, a truth value, a text, or a list of these in JSON.
fn parse_literal(text: &str, dtype: DType) -> Result<Value, String> {
    let json: Json = match serde_json::from_str(text) {
        Ok(json) => json,
        // Words that JSON does not have: `nan`, `inf`, and strings without quotes.
        Err(_) if !text.starts_with('[') => Json::String(text.to_owned()),
        Err(error) => return Err(format!("`{text}` is not a list: {error}")),
    };
    let mut shape = Vec::new();
    let mut first = &json;
    while let Json::Array(items) = first {
        shape.push(items.len());
        match items.first() {
            Some(item) => first = item,
            None => break,
        }
    }
    let mut items = Vec::new();
    flatten(&json, &shape, &mut items)
        .ok_or_else(|| format!("the lists in `{text}` differ in length"))?;
    let shape = Shape::from(shape);
    let wrong = |item: &Json| format!("`{item}` is not a valid {dtype}");
    match dtype {
        DType::String => {
            let string = |item: &&Json| {
                let text = item.as_str().map_or_else(|| item.to_string(), str::to_owned);
                ByteString::from(text)
            };
            build(shape, items.iter().map(string).collect())
        }
        DType::Bool => {
            let elements = items.iter().map(|item| item.as_bool().ok_or_else(|| wrong(item)));
            build(shape, elements.collect::<Result<Vec<bool>, _>>()?)
        }
        _ => match_dtype!(dtype, plain, T => {
            let element = |item: &&Json| T::parse(item).ok_or_else(|| wrong(item));
            build(shape, items.iter().map(element).collect::<Result<Vec<T>, _>>()?)
        }, else Err(format!("`{text}` is not a list of tensors"))),
    }
}

fn build<T: Element>(shape: Shape, elements: Vec<T>) -> Result<Value, String> {
    Value::from_vec(shape, elements).map_err(|error| error.to_string())
}

/// The items of nested lists, if all lists of the same depth have the extent given by the shape.
fn flatten<'a>(json: &'a Json, shape: &[usize], items: &mut Vec<&'a Json>) -> Option<()> {
    match (json, shape.split_first()) {
        (Json::Array(list), Some((extent, inner))) if list.len() == *extent => {
            list.iter().try_for_each(|item| flatten(item, inner, items))
        }
        (Json::Array(_), _) | (_, Some(_)) => None,
        (item, None) => {
            items.push(item);
            Some(())
        }
    }
}

/// An element that a JSON item can be read as.
trait Parse: Sized {
    fn parse(item: &Json) -> Option<Self>;
}

macro_rules! parse {
    ($($rust:ty, $item:ident => $parse:expr;)*) => {$(
        impl Parse for $rust {
            fn parse($item: &Json) -> Option<Self> {
                $parse
            }
        }
    )*};
    (integers: $($rust:ty),*) => {
        parse! {$($rust, item => match item.as_i64() {
            Some(number) => number.try_into().ok(),
            None => item.as_u64()?.try_into().ok(),
        };)*}
    };
}

parse! {
    f64, item => item.as_f64().or_else(|| item.as_str()?.parse().ok());
    f32, item => f64::parse(item).map(|x| x as f32);
    f16, item => f64::parse(item).map(f16::from_f64);
    bf16, item => f64::parse(item).map(bf16::from_f64);
    bool, item => item.as_bool();
}

parse!(integers: i8, i16, i32, i64, u8, u16, u32, u64);

#[cfg(test)]
mod tests {
    use tidemill_value::IntoValue;

    use super::*;

    #[test]
    fn literals_are_numbers_texts_and_lists() {
        let parsed = |text, dtype| parse_literal(text, dtype).unwrap();
        assert_eq!(parsed("3", DType::F32), Value::from(3.0_f32));
        assert_eq!(parsed("-inf", DType::F64), Value::from(f64::NEG_INFINITY));
        assert_eq!(parsed("[[1, 2]]", DType::I8), [[1_i8, 2]].into_value().unwrap());
        assert_eq!(parsed("[]", DType::I32), Value::zeros(DType::I32, [0]).unwrap());
        assert_eq!(parsed("a text", DType::String), Value::from("a text"));
        assert_eq!(parsed("18446744073709551615", DType::U64), Value::from(u64::MAX));
        assert_eq!(parsed("[true, false]", DType::Bool), Value::from([true, false]));
    }

    #[test]
    fn literals_of_another_type_are_refused() {
        let error = |text, dtype| parse_literal(text, dtype).unwrap_err();
        assert_eq!(error("1.5", DType::I32), "`1.5` is not a valid int32");
        assert_eq!(error("300", DType::U8), "`300` is not a valid uint8");
        assert_eq!(error("1", DType::Bool), "`1` is not a valid bool");
        assert_eq!(error("x", DType::F32), "`\"x\"` is not a valid float32");
        assert_eq!(error("[[1], 2]", DType::F32), "the lists in `[[1], 2]` differ in length");
        assert!(error("[1", DType::F32).starts_with("`[1` is not a list: "));
    }
}
