use tidemill_autodiff::gradients;
use tidemill_graph::*;
use tidemill_ops::*;
use tidemill_runtime::*;
fn main() {
    let g = Graph::new();
    let _d = g.as_default();
    let x = placeholder_with_default(constant(3.0_f64), []);
    let z = square(x);
    let p = constant(true);
    let none = |t: Option<Tensor>, x: Tensor| {
        t.unwrap_or_else(|| {
            println!("None");
            zeros_like(x)
        })
    };
    let a = cond(p, || none(gradients([z], [x])[0], x), || zeros_like(x));
    let b = cond(p, || none(gradients([z * 1.0], [x])[0], x), || zeros_like(x));
    let c = cond(p, || none(gradients([z * x], [x])[0], x), || zeros_like(x));
    let d = cond(
        p,
        || {
            let w = z * x;
            cond(p, || none(gradients([w], [x])[0], x), || zeros_like(x))
        },
        || zeros_like(x),
    );
    let e = while_loop(
        (constant(0), x),
        |(i, _)| less(i, 1),
        |(i, s)| (i + 1, none(gradients([z * s], [x])[0], x)),
    )
    .1;
    let s = Session::new();
    for t in [a, b, c, d, e] {
        println!("{:?}", s.run(t));
    }
}
