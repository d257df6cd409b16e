use tidemill_graph::*; use tidemill_ops::*; use tidemill_autodiff::gradients;
fn main() {
    let g = Graph::new(); let _d = g.as_default();
    let u = get_variable("u", [2], constant(vec![1.0_f64, 2.0]));
    let p = placeholder::<bool>([]);
    cond(p, || { let g = gradients([reduce_sum(square(u), ..)], [u])[0]; println!("by u, square(u): {g:?}"); u.read() }, || u.read());
    cond(p, || { let g = gradients([reduce_sum(square(u.read()), ..)], [u])[0]; println!("by u, square(u.read()): {g:?}"); u.read() }, || u.read());
    cond(p, || { let r = u.read(); let g = gradients([reduce_sum(square(r), ..)], [r])[0]; println!("by r: {g:?}"); u.read() }, || u.read());
}
