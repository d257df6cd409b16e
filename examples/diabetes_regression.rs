//! Linear regression on real data: ten measures of 442 patients predict the progression of their
//! diabetes. Gradient descent goes on until it meets the closed form.

use std::error::Error;

use indicatif::ProgressBar;
use ndarray::{Array1, Array2, Axis, concatenate, s};
use tidemill::prelude::*;

const TOLERANCE: f64 = 1e-3;

fn main() -> Result<(), Box<dyn Error>> {
    let (features, progression) = read("examples/data/diabetes.csv")?;
    let (patients, measures) = features.dim();
    let expected = least_squares(&features, &progression);

    // Define.
    let x = placeholder::<f64>([patients, measures]).named("features");
    let y = placeholder::<f64>([patients, 1]).named("progression");
    let weights = variable("weights", [measures, 1]).dtype(DType::F64).initializer(zeros()).get();
    let bias = variable("bias", []).dtype(DType::F64).initializer(zeros()).get();
    let init = global_variables_initializer();

    let guess = matmul(x, weights) + bias;
    let loss = reduce_mean(square(y - guess), ..);
    let train = GradientDescent::new(0.2).minimize(loss);
    let spread = reduce_mean(square(y - reduce_mean(y, ..)), ..);
    let r_squared = 1.0 - loss / spread;

    // Run.
    let session = Session::new();
    session.run(init)?;
    let column = progression.insert_axis(Axis(1));
    let data = feeds![x => features, y => column];

    let bar = ProgressBar::new_spinner();
    let mut steps = 0;
    loop {
        for _ in 0..100 {
            session.run_with(train, data.clone())?;
        }
        steps += 100;
        let (weights, bias) = session.run((weights, bias))?;
        let found = concatenate![Axis(0), weights.view::<f64>()?.flatten(), [f64::try_from(bias)?]];
        let error = (&found - &expected).mapv(f64::abs).fold(0.0, |a: f64, &b| a.max(b));
        bar.set_message(format!("step {steps}: {error:.4} from the closed form"));
        bar.tick();
        if error < TOLERANCE {
            break;
        }
    }
    bar.finish_and_clear();

    let r_squared: f64 = session.run_with(r_squared, data)?.into_scalars()?;
    println!("Steps:         {steps}");
    println!("In-sample R²:  {r_squared:.3}");
    Ok(())
}

/// The measures, standardised, and the progression.
fn read(path: &str) -> Result<(Array2<f64>, Array1<f64>), Box<dyn Error>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path)?;
    let rows: Vec<Vec<f64>> = reader.deserialize().collect::<Result<_, _>>()?;
    let (count, width) = (rows.len(), rows.first().map_or(0, Vec::len));
    let table = Array2::from_shape_vec((count, width), rows.concat())?;
    let mut features = table.slice(s![.., ..width - 1]).to_owned();
    for mut measure in features.columns_mut() {
        let (mean, deviation) = (measure.mean().unwrap_or_default(), measure.std(0.0));
        measure.mapv_inplace(|value| (value - mean) / deviation);
    }
    Ok((features, table.column(width - 1).to_owned()))
}

/// The weights and, last, the bias that minimize the squares: the solution of the normal equations
/// `XᵀX w = Xᵀy`, found by elimination.
fn least_squares(features: &Array2<f64>, progression: &Array1<f64>) -> Array1<f64> {
    let ones = Array2::ones((features.nrows(), 1));
    let x = concatenate![Axis(1), *features, ones];
    let mut a = x.t().dot(&x);
    let mut w = x.t().dot(progression);
    for i in 0..w.len() {
        for j in (0..w.len()).filter(|&j| j != i) {
            let factor = a[[j, i]] / a[[i, i]];
            let row = a.row(i).to_owned();
            a.row_mut(j).scaled_add(-factor, &row);
            w[j] -= factor * w[i];
        }
    }
    w / a.diag()
}
