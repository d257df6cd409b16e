use tidemill_kernels::NumericError;
use tidemill_kernels::softmax::*;
use tidemill_value::{DType, Memory, Value, ValueError};

use crate::support::*;

/// TensorFlow 2.21's results for these logits.
#[test]
fn softmax_agrees_with_tensorflow() {
    let logits = value([[1.0, 2.0, 3.0_f32], [1000.0, 0.0, -1000.0]]);
    let expected = [0.09003057, 0.24472848, 0.66524094, 1.0, 0.0, 0.0];
    assert_close(&softmax(&Memory::new(), logits.clone()).unwrap(), &expected, 1e-6);
    let expected = [-2.4076059, -1.4076059, -0.40760595, 0.0, -1000.0, -2000.0];
    assert_close(&log_softmax(&Memory::new(), logits).unwrap(), &expected, 1e-6);
}

#[test]
fn rows_without_a_finite_maximum_are_nan() {
    let rows = [[NAN, 1.0, 2.0], [INF, 1.0, 2.0], [-INF, -INF, -INF]];
    for f in [softmax, log_softmax] {
        assert_close(&f(&Memory::new(), value(rows)).unwrap(), &[f64::NAN; 9], 0.0);
    }
    let row = log_softmax(&Memory::new(), value([[-INF, 0.0, 1.0]])).unwrap();
    assert_close(&row, &[-f64::INFINITY, -1.3132616, -0.31326166], 1e-6);
}

#[test]
fn probabilities_of_many_classes_add_up_to_one() {
    let logits = filled(&[3, 2, 10_000], |i| (i * 7919 % 997) as f64 / 100.0);
    let probabilities = softmax(&Memory::new(), logits.clone()).unwrap();
    let total = tidemill_kernels::reduce::sum(&Memory::new(), &probabilities, &[2]).unwrap();
    assert_close(&total, &[1.0; 6], 1e-12);
    let logarithms = log_softmax(&Memory::new(), logits).unwrap();
    let elements = logarithms.as_slice::<f64>().unwrap();
    let expected: Vec<f64> = elements.iter().map(|x| x.exp()).collect();
    assert_close(&probabilities, &expected, 1e-12);
}

#[test]
fn an_unshared_value_is_overwritten_and_a_shared_one_is_not() {
    let logits = value([[1.0_f32, 2.0]]);
    let kept = logits.clone();
    let first = softmax(&Memory::new(), logits).unwrap();
    assert_eq!(kept, value([[1.0_f32, 2.0]]));
    let pointer = kept.as_slice::<f32>().unwrap().as_ptr();
    let second = softmax(&Memory::new(), kept).unwrap();
    assert_eq!(second.as_slice::<f32>().unwrap().as_ptr(), pointer);
    assert!(first.bits_eq(&second));
}

/// TensorFlow 2.21's results for these operands.
#[test]
fn cross_entropies_agree_with_tensorflow() {
    let logits = value([[1.0, 2.0, 3.0_f32], [0.0, -1.0, 4.0]]);
    let labels = value([[0.0, 0.0, 1.0_f32], [0.25, 0.25, 0.5]]);
    let dense = softmax_cross_entropy(&Memory::new(), logits.clone(), &labels).unwrap();
    assert_close(&dense.loss, &[0.40760595, 2.274745], 1e-6);
    let expected = [0.09003057, 0.24472848, -0.33475906, -0.23213202, -0.24342674, 0.4755587];
    assert_close(&dense.backprop, &expected, 1e-6);

    let sparse =
        sparse_softmax_cross_entropy(&Memory::new(), logits.clone(), &value([2, 0])).unwrap();
    assert_close(&sparse.loss, &[0.40760595, 4.024745], 1e-6);
    let expected = [0.09003057, 0.24472848, -0.33475906, -0.982132, 0.00657326, 0.9755587];
    assert_close(&sparse.backprop, &expected, 1e-6);
    assert_eq!(
        sparse_softmax_cross_entropy(&Memory::new(), logits, &value([2_i64, 0])),
        Ok(sparse)
    );
}

#[test]
fn an_impossible_class_spoils_the_dense_loss_alone() {
    let (logits, labels) = (value([[-INF, 0.0, 1.0]]), value([[0.0_f32, 0.0, 1.0]]));
    let found = softmax_cross_entropy(&Memory::new(), logits.clone(), &labels).unwrap();
    assert!(found.loss.to_scalar::<f32>().unwrap().is_nan());
    assert_close(&found.backprop, &[0.0, 0.26894143, -0.2689414], 1e-6);
    let found = sparse_softmax_cross_entropy(&Memory::new(), logits, &value([2])).unwrap();
    assert_close(&found.loss, &[0.31326166], 1e-6);
}

#[test]
fn a_label_that_is_no_class_is_an_error() {
    let logits = Value::zeros(DType::F64, [2, 3]).unwrap();
    let error = |index, position| Err(NumericError::IndexOutOfRange { index, position, extent: 3 });
    assert_eq!(
        sparse_softmax_cross_entropy(&Memory::new(), logits.clone(), &value([0, 5])),
        error(5, 1)
    );
    assert_eq!(
        sparse_softmax_cross_entropy(&Memory::new(), logits, &value([-1_i64, 2])),
        error(-1, 0)
    );
}

#[test]
fn without_classes_or_rows_there_is_no_loss() {
    let logits = Value::zeros(DType::F32, [2, 0]).unwrap();
    assert_eq!(softmax(&Memory::new(), logits.clone()), Ok(logits.clone()));
    let found = softmax_cross_entropy(&Memory::new(), logits.clone(), &logits).unwrap();
    assert_eq!((found.loss, found.backprop), (value([0.0_f32, 0.0]), logits));
    let logits = Value::zeros(DType::F32, [0, 3]).unwrap();
    let labels = Value::zeros(DType::I32, [0]).unwrap();
    let found = sparse_softmax_cross_entropy(&Memory::new(), logits, &labels).unwrap();
    assert_eq!(&found.loss.shape()[..], [0]);
}

#[test]
fn logits_and_labels_stretch_to_one_shape() {
    let (logits, labels) = (value([[1.0_f32, -2.0, 0.5]]), value([[0.5_f32], [0.25]]));
    let found = softmax_cross_entropy(&Memory::new(), logits, &labels).unwrap();
    let logits = value([[1.0_f32, -2.0, 0.5], [1.0, -2.0, 0.5]]);
    let labels = value([[0.5_f32, 0.5, 0.5], [0.25, 0.25, 0.25]]);
    assert_eq!(Ok(found), softmax_cross_entropy(&Memory::new(), logits, &labels));
}

#[test]
fn a_single_row_has_one_loss() {
    let found =
        sparse_softmax_cross_entropy(&Memory::new(), value([0.0_f64, 0.0]), &value(1)).unwrap();
    assert_close(&found.loss, &[std::f64::consts::LN_2], 1e-15);
    assert_eq!(found.loss.shape().rank(), 0);
}

#[test]
fn operands_that_do_not_fit_are_an_error() {
    let logits = Value::zeros(DType::F32, [2, 3]).unwrap();
    let flat = Value::zeros(DType::F32, [6]).unwrap();
    let error = softmax_cross_entropy(&Memory::new(), logits.clone(), &flat).unwrap_err();
    assert!(matches!(error, NumericError::Broadcast(_)), "{error}");
    let error = NumericError::Shape { expected: [2].into(), actual: [].into() };
    assert_eq!(sparse_softmax_cross_entropy(&Memory::new(), logits.clone(), &value(0)), Err(error));
    let doubles = Value::zeros(DType::F64, [2, 3]).unwrap();
    let error = ValueError::DType { expected: DType::F32, actual: DType::F64 };
    assert_eq!(softmax_cross_entropy(&Memory::new(), logits, &doubles), Err(error.into()));
    assert_eq!(
        softmax(&Memory::new(), value(1.0_f32)),
        Err(NumericError::Rank { expected: 1, actual: 0 })
    );
    let error = NumericError::UnsupportedDType { dtype: DType::I32 };
    assert_eq!(softmax(&Memory::new(), value([1, 2])), Err(error));
}
