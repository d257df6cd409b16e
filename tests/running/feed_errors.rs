//! The errors of wrong feeds. Lines are counted from the line of `base`.

use crate::common::relative;
use tidemill::prelude::*;
use tidemill::{Code, Feeds};

fn report(fetch: impl Fetch, feeds: Feeds, base: u32) -> String {
    match Session::new().run_with(fetch, feeds) {
        Ok(_) => panic!("the run does not fail"),
        Err(error) => {
            assert_eq!(error.code(), Code::InvalidArgument);
            relative(error, file!(), base)
        }
    }
}

#[test]
fn a_value_of_another_type() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<f32>(shape![?]).named("x");
    insta::assert_snapshot!(report(x, feeds![x => [1, 2]], base), @"
    cannot feed `x:0`: a value of type int32 was fed, but the tensor is float32
      --> +1:13
      help: write its numbers as 1.0_f32
    ");
}

#[test]
fn a_number_of_another_kind() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<i32>([]).named("x");
    insta::assert_snapshot!(report(x, feeds![x => 2.5], base), @"
    cannot feed `x:0`: the number 2.5 does not fit int32
      --> +1:13
    ");
}

#[test]
fn a_number_out_of_range() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<u8>([]).named("x");
    insta::assert_snapshot!(report(x, feeds![x => 256], base), @"
    cannot feed `x:0`: the number 256 does not fit uint8
      --> +1:13
    ");
}

#[test]
fn a_value_of_another_shape() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<f32>(shape![?, 3]).named("x");
    insta::assert_snapshot!(report(x, feeds![x => [[1.0_f32, 2.0]]], base), @"
    cannot feed `x:0`: a value of shape [1, 2] was fed, but the tensor has shape [?, 3]
      --> +1:13
    ");
    insta::assert_snapshot!(report(x, feeds![x => 1.0], base), @"
    cannot feed `x:0`: a value of shape [] was fed, but the tensor has shape [?, 3]
      --> +1:13
    ");
}

#[test]
fn a_ragged_list() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<f32>(shape![?, ?]).named("x");
    let ragged = vec![vec![1.0_f32, 2.0], vec![3.0]];
    insta::assert_snapshot!(report(x, feeds![x => ragged], base), @"
    cannot feed `x:0`: the nested list is ragged: one part has shape [2], another has [1]
      --> +1:13
    ");
}

#[test]
fn a_tensor_that_is_fed_twice() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<f32>([]).named("x");
    insta::assert_snapshot!(report(x, feeds![x => 1.0, "x" => 2.0], base), @"
    cannot feed `x:0`: it is fed twice
      --> +1:13
    ");
}

#[test]
fn the_storage_of_a_variable() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let v = get_variable("v", [], zeros());
    let feeds = feeds![v.op().output(0) => 1.0];
    insta::assert_snapshot!(report(v, feeds, base), @"
    cannot feed `v:0`: a variable's storage cannot be fed; feed the variable itself, or assign to it
      --> +1:13
    ");
}

#[test]
fn a_constant_of_another_shape_or_type() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let two = constant(2).named("two");
    insta::assert_snapshot!(report(two, feeds![two => [1, 2]], base), @"
    cannot feed `two:0`: a value of shape [2] was fed, but the tensor has shape []
      --> +1:15
    ");
    insta::assert_snapshot!(report(two, feeds![two => 0.5], base), @"
    cannot feed `two:0`: the number 0.5 does not fit int32
      --> +1:15
    ");
}

#[test]
fn a_tensor_that_could_not_be_built() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let broken = constant([1, 2]) + constant([1, 2, 3]);
    insta::assert_snapshot!(report((), feeds![broken => 1], base), @"
    shapes [2] and [3] do not broadcast: counted from the last, axis -1 is 2 on the left and 3 on the right, and neither is 1
      --> +1:18 (in `add`)
      input `x`: `Const`, int32[2] (+1:18)
      input `y`: `Const_1`, int32[3] (+1:37)
    ");
}
