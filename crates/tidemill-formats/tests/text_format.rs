//! The text format of messages: writing, reading, and rejecting.

use tidemill_formats::TextMessage;
use tidemill_formats::proto::{AnyValue, AttrValue, GraphDef, MetaGraphDef, NodeDef, SavedModel};

const NODE: &str = r#"node {
  name: "x"
  op: "Const"
  attr {
    key: "dtype"
    value {
      type: DT_FLOAT
    }
  }
  attr {
    key: "value"
    value {
      tensor {
        dtype: DT_FLOAT
        tensor_shape {
          dim {
            size: 2
          }
        }
        float_val: -inf
        float_val: 1.5e-5
      }
    }
  }
}
versions {
  producer: 2474
}
"#;

fn attr(text: &str) -> Result<AnyValue, String> {
    let text = format!("name: 'n' attr {{ key: 'a' value {{ {text} }} }}");
    let node = NodeDef::from_text(&text).map_err(|error| error.to_string())?;
    node.attr["a"].value.clone().ok_or_else(|| "no value".to_owned())
}

#[test]
fn what_is_written_reads_back_and_looks_as_tensorflow_writes_it() {
    let graph = GraphDef::from_text(NODE).unwrap();
    assert_eq!(graph.to_text(), NODE);
}

#[test]
fn separators_brackets_and_comments_are_free() {
    let plain = GraphDef::from_text(NODE).unwrap();
    let free = "# a graph\nnode: <name: \"x\"; op: 'Const' # the type\n,
        attr: [{key: 'dtype', value < type: 1 >}, {key: 'value' value {tensor {
            dtype: DT_FLOAT tensor_shape: {dim {size: 0x2}} float_val: [-inf, 15e-6f]}}}]>
        versions {producer: 2474}";
    assert_eq!(GraphDef::from_text(free).unwrap(), plain);
}

#[test]
fn strings_have_all_escapes() {
    let text = r#"s: "\a\b\f\n\r\t\v\\\'\"\?\0\101\x41\xff\u00e4\U0001F600" "-" 'quo"te'"#;
    let mut expected = b"\x07\x08\x0c\n\r\t\x0b\\'\"?\x00AA\xff".to_vec();
    expected.extend("ä😀-quo\"te".as_bytes());
    assert_eq!(attr(text), Ok(AnyValue::S(expected)));
}

#[test]
fn every_string_of_bytes_reads_back() {
    let bytes: Vec<u8> = (0..=255).collect();
    let value = Some(AnyValue::S(bytes));
    let attr = [("a\u{1F600}".to_owned(), AttrValue { value })].into();
    let node = NodeDef { name: "n".to_owned(), attr, ..NodeDef::default() };
    assert_eq!(NodeDef::from_text(&node.to_text()).unwrap(), node);
}

#[test]
fn numbers_have_all_forms() {
    for (text, number) in [("-0x10", -16), ("010", 8), ("-9223372036854775808", i64::MIN)] {
        assert_eq!(attr(&format!("i: {text}")), Ok(AnyValue::I(number)));
    }
    for (text, number) in
        [("1", 1.0), ("-1.5f", -1.5), (".5", 0.5), ("1e3", 1e3), ("-inf", -f32::INFINITY)]
    {
        assert_eq!(attr(&format!("f: {text}")), Ok(AnyValue::F(number)));
    }
    assert!(matches!(attr("f: nan"), Ok(AnyValue::F(x)) if x.is_nan()));
    // Rounded once, not by way of a double.
    assert_eq!(attr("f: 1.00000017881393432617187499"), Ok(AnyValue::F(1.000_000_1)));
    for text in ["true", "True", "t", "1"] {
        assert_eq!(attr(&format!("b: {text}")), Ok(AnyValue::B(true)));
    }
    assert_eq!(attr("type: DT_RESOURCE"), Ok(AnyValue::Type(20)));
    assert_eq!(attr("type: 77777"), Ok(AnyValue::Type(77777)));
}

#[test]
fn fields_that_only_tensorflow_uses_are_passed_over() {
    let text = "name: 'n' experimental_debug_info {original_node_names: 'm'} experimental_type \
                {type_id: TFT_TENSOR args {type_id: TFT_FLOAT}}";
    let node = NodeDef { name: "n".to_owned(), ..NodeDef::default() };
    assert_eq!(NodeDef::from_text(text).unwrap(), node);
}

#[test]
fn models_have_texts() {
    let text = "saved_model_schema_version: 1\nmeta_graphs {\n  meta_info_def {\n    tags: \
                \"serve\"\n  }\n  collection_def {\n    key: \"ops\"\n    value {\n      node_list \
                {\n        value: \"a\"\n        value: \"b\"\n      }\n    }\n  }\n}\n";
    assert_eq!(SavedModel::from_text(text).unwrap().to_text(), text);
}

#[test]
fn what_is_malformed_is_refused_with_its_place() {
    let cases = [
        ("node {", "line 1, column 7: expected the name of a field, but found the end"),
        ("node }", "line 1, column 6: expected `{`, but found `}`"),
        ("node {}}", "line 1, column 8: expected the name of a field, but found `}`"),
        ("node {>", "line 1, column 7: expected the name of a field, but found `>`"),
        (
            "nodes {}",
            "line 1, column 1: the message GraphDef has no field `nodes`; did you mean `node`?",
        ),
        (
            "node {\n  nam: 'x'\n}",
            "line 2, column 3: the message NodeDef has no field `nam`; did you mean `name`?",
        ),
        ("node {\n name 'x'}", "line 2, column 7: expected `:`, but found `'`"),
        ("node {name: x}", "line 1, column 13: expected a string, but found `x`"),
        ("node {name: 'x", "line 1, column 13: a string is not closed on its line"),
        ("node {name: 'x\n'}", "line 1, column 13: a string is not closed on its line"),
        ("node {name: 'ä\\q'}", "line 1, column 15: unknown escape `\\q`"),
        ("node {name: '\\400'}", "line 1, column 14: unknown escape `\\4`"),
        ("node {name: '\\xff'}", "line 1, column 13: the string is not UTF-8"),
        ("node {name: 'x' name: 'y'}", "line 1, column 17: the field `name` already has a value"),
        ("node {name: ['x']}", "line 1, column 13: the field `name` takes one value, not a list"),
        ("node [{} {}]", "line 1, column 10: expected `,` or `]`, but found `{`"),
        ("node [{},]", "line 1, column 10: expected `{`, but found `]`"),
        ("versions {producer: 3000000000}", "line 1, column 21: `3000000000` is not a valid int32"),
        ("versions {producer: 1.5}", "line 1, column 21: `1.5` is not a valid int32"),
        ("versions {producer: }", "line 1, column 21: expected a number or word, but found `}`"),
        (
            "node {attr {key: 'a' value {b: maybe}}}",
            "line 1, column 32: `maybe` is not a valid bool",
        ),
        ("node {attr {key: 'a' value {f: --1}}}", "line 1, column 32: `--1` is not a valid float"),
        (
            "node {attr {key: 'a' value {type: DT_NONE}}}",
            "line 1, column 35: `DT_NONE` is not a value of DataType",
        ),
        (
            "node {attr {name: 'a'}}",
            "line 1, column 13: the message of an entry has no field `name`",
        ),
        (
            "[type.googleapis.com/x] {}",
            "line 1, column 1: expected the name of a field, but found `[`",
        ),
        ("node \u{1F600}", "line 1, column 6: expected `{`, but found `\u{1F600}`"),
    ];
    for (text, expected) in cases {
        let error = GraphDef::from_text(text).unwrap_err().to_string();
        assert_eq!(error, expected, "{text}");
    }
}

#[test]
fn messages_that_nest_too_deep_are_refused() {
    let open =
        "node {attr {key: 'a' value {func {".repeat(3) + &"attr {value {func {".repeat(100_000);
    let error = GraphDef::from_text(&open).unwrap_err().to_string();
    assert!(error.contains("no field") || error.contains("nest deeper than"), "{error}");
    let deep = "node {attr {value {func {".to_owned() + &"attr {value {func {".repeat(100_000);
    let error = GraphDef::from_text(&deep).unwrap_err().to_string();
    assert!(error.ends_with("messages nest deeper than 100 levels"), "{error}");
}

#[test]
fn no_part_of_a_text_is_a_panic() {
    for end in (0..NODE.len()).filter(|&end| NODE.is_char_boundary(end)) {
        let _ = GraphDef::from_text(&NODE[..end]);
        let mut changed = NODE.as_bytes().to_vec();
        for byte in [b'{', b'}', b'"', b'\\', b'[', b'<', 0, b'9'] {
            changed[end] = byte;
            if let Ok(text) = std::str::from_utf8(&changed) {
                let _ = GraphDef::from_text(text);
                let _ = MetaGraphDef::from_text(text);
            }
        }
    }
}
