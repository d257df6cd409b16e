//! Formats values like TensorFlow's `Print` and `Assert`.

use tidemill_value::{DType, Element, Value, match_dtype};

/// The most elements of a tensor that are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limit(pub(crate) i64);

/// The elements of a value, `1 2 3...`, with rows in brackets.
pub(crate) fn summarize(value: &Value, Limit(limit): Limit) -> String {
    let count = value.elements();
    let limit = usize::try_from(limit).map_or(count, |limit| limit.min(count));
    let texts = match_dtype!(value.dtype(), all,
        T => value.as_slice::<T>().unwrap_or_default().iter().take(limit).map(text).collect(),
        else Vec::new());
    let mut out = String::new();
    match value.shape().split_last() {
        Some((&row, outer)) => write_rows(&mut out, outer, row, &texts),
        None => out.push_str(&texts.join(" ")),
    }
    if count > limit {
        out.push_str("...");
    }
    out
}

/// A value in the format of TensorFlow's `StringFormat`: `[[1 2] [3 4]]` with a line for each row,
/// and the first and last elements of each axis.
pub(crate) fn summarize_nested(value: &Value, Limit(limit): Limit) -> String {
    let at_ends = usize::try_from(limit).unwrap_or(usize::MAX);
    let quoted = |text: String| format!("\"{text}\"");
    let texts: Vec<String> = match_dtype!(value.dtype(), all,
        T => value.as_slice::<T>().unwrap_or_default().iter().map(text).collect(),
        else Vec::new());
    let texts = match value.dtype() {
        DType::String => texts.into_iter().map(quoted).collect(),
        _ => texts,
    };
    // From the innermost axis outwards, elements become rows.
    let (mut rows, rank) = (texts, value.shape().rank());
    for (axis, &extent) in value.shape().iter().enumerate().rev() {
        let between = match rank - axis - 1 {
            0 => " ".to_owned(),
            inner => "\n".repeat(inner) + &" ".repeat(axis + 1),
        };
        let row = |row: &[String]| format!("[{}]", ends(row, at_ends).join(&between));
        rows = match extent {
            0 => vec!["[]".to_owned(); value.shape()[..axis].iter().product()],
            _ => rows.chunks(extent).map(row).collect(),
        };
    }
    rows.concat()
}

/// The first and last elements of a row, with dots for those in between.
fn ends(row: &[String], count: usize) -> Vec<&str> {
    let all = row.iter().map(String::as_str);
    if row.len() <= count.saturating_mul(2) {
        return all.collect();
    }
    let last = all.clone().skip(row.len() - count);
    all.take(count).chain(["..."]).chain(last).collect()
}

/// Writes as many rows as there are elements; an incomplete one ends with dots.
fn write_rows(out: &mut String, outer: &[usize], row: usize, texts: &[String]) {
    if row == 0 {
        return;
    }
    let rows = texts.chunks(row);
    let last = rows.len().saturating_sub(1);
    for (i, elements) in rows.enumerate() {
        let opened = brackets(outer, i);
        out.extend(std::iter::repeat_n('[', opened));
        out.push_str(&elements.join(" "));
        if elements.len() < row && !outer.is_empty() {
            out.push_str("...");
        }
        let closed = if i == last { outer.len() } else { brackets(outer, i + 1) };
        out.extend(std::iter::repeat_n(']', closed));
    }
}

/// The number of outer axes that begin at row `i`.
fn brackets(outer: &[usize], i: usize) -> usize {
    let mut rows = 1usize;
    outer
        .iter()
        .rev()
        .take_while(|&&extent| {
            let begins = i.is_multiple_of(rows);
            rows = rows.saturating_mul(extent.max(1));
            begins
        })
        .count()
}

fn text<T: Element>(element: &T) -> String {
    match (T::DTYPE, element.clone().into_scalar()) {
        (_, Some(tidemill_value::Scalar::F32(x))) => {
            shortest(x.into(), [6, 9], |t| t.parse::<f32>().is_ok_and(|read| read == x))
        }
        (_, Some(tidemill_value::Scalar::F64(x))) => {
            shortest(x, [15, 17], |t| t.parse::<f64>().is_ok_and(|read| read == x))
        }
        (_, Some(tidemill_value::Scalar::F16(x))) => text(&x.to_f32()),
        (_, Some(tidemill_value::Scalar::BF16(x))) => text(&x.to_f32()),
        (DType::Bool, Some(tidemill_value::Scalar::Bool(x))) => u8::from(x).to_string(),
        (DType::String, _) => escape(&element.to_string()),
        _ => element.to_string(),
    }
}

/// The number with the fewest significant digits, of two counts, that reads back as itself.
fn shortest(x: f64, digits: [usize; 2], reads_back: impl Fn(&str) -> bool) -> String {
    let short = general(x, digits[0]);
    if reads_back(&short) { short } else { general(x, digits[1]) }
}

/// C's `%.{digits}g`.
fn general(x: f64, digits: usize) -> String {
    if !x.is_finite() {
        return if x.is_nan() { "nan".to_owned() } else { format!("{x}") };
    }
    let scientific = format!("{x:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs());
    }
    let decimals = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0);
    trimmed(&format!("{x:.decimals$}")).to_owned()
}

/// A decimal number without trailing zeros in its fraction.
fn trimmed(number: &str) -> &str {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    }
}

/// A string with C's escapes.
fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            '"' | '\'' | '\\' => format!("\\{c}"),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use tidemill_value::IntoValue;

    use super::*;

    fn summary(value: impl IntoValue, limit: i64) -> String {
        summarize(&value.into_value().unwrap(), Limit(limit))
    }

    #[test]
    fn values_are_written_as_tensorflow_writes_them() {
        let sevenths: Vec<f32> = (0..24).map(|i| i as f32 / 7.0).collect();
        let cube = Value::from_vec([2, 3, 4], sevenths).unwrap();
        assert_eq!(summary(&cube, 3), "[[0 0.142857149 0.285714298...]]...");
        assert_eq!(
            summary(&cube, 8),
            "[[0 0.142857149 0.285714298 0.428571433]\
             [0.571428597 0.714285731 0.857142866 1]]..."
        );
        assert_eq!(summary([1.5_f32, 2.0, 3.0, 4.0], 3), "1.5 2 3...");
        assert_eq!(summary(1e-7_f32, 3), "1e-07");
        assert_eq!(summary(1e20_f32, 3), "1e+20");
        assert_eq!(summary([true, false], 3), "1 0");
        assert_eq!(summary("hi", 3), "hi");
        assert_eq!(summary(["a", "b"], 3), "a b");
        assert_eq!(summary(Vec::<f32>::new(), 3), "");
        assert_eq!(summary([[1, 2], [3, 4]], 3), "[1 2][3...]...");
        assert_eq!(summary([[1, 2], [3, 4]], -1), "[1 2][3 4]");
    }
}
