//! The parts of define-then-run that confuse people, one after the other: what a graph is, what a
//! session is, and what a run does. Each line of output says what to look at.

use std::error::Error;

use tidemill::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    graphs()?;
    sessions()?;
    placeholders()?;
    paths()?;
    variables()?;
    initializers()?;
    optimizers()?;
    printing()?;
    mistakes();
    Ok(())
}

fn title(text: &str) {
    println!("\n── {text}");
}

/// Starts with an empty default graph, like a fresh program.
fn fresh_graph() -> Graph {
    reset_default_graph();
    default_graph()
}

fn graphs() -> Result<(), Box<dyn Error>> {
    title("A graph records operations; nothing is computed");
    let graph = fresh_graph();
    println!("a fresh graph has {} nodes", graph.len());
    let two = constant(2);
    println!("a handle is a pointer to a node, not a number: {two}");
    let another = constant(2);
    println!("equal constants are two nodes: {} and {}", two.name(), another.name());
    let copy = two;
    println!(
        "copying a handle adds none: {} is {}, {} nodes",
        copy.name(),
        two.name(),
        graph.len()
    );
    let sum = two + constant(3);
    println!("an addition is a node too, and there is no 5 anywhere: {sum}");
    print!("{graph}");
    Ok(())
}

fn sessions() -> Result<(), Box<dyn Error>> {
    title("A session runs the graph");
    fresh_graph();
    let session = Session::new();
    let (two, three) = (constant(2), constant(3));
    let sum = two + three;
    println!("nodes made after the session are fine: {}", session.run(sum)?);
    println!("fetch as much as you like in one run: {:?}", session.run([two, sum])?);
    let (total, [first, second]) = session.run((sum, [two, three]))?;
    println!("results have the form of what you ask for: {total}, [{first}, {second}]");
    Ok(())
}

fn placeholders() -> Result<(), Box<dyn Error>> {
    title("A placeholder has no value unless a run feeds it");
    fresh_graph();
    let session = Session::new();
    let x = placeholder::<i32>([]);
    println!("fed 2: {}", session.run_with(x, feeds![x => 2])?);
    if let Err(error) = session.run(x) {
        println!("not fed:\n{error}");
    }
    Ok(())
}

fn paths() -> Result<(), Box<dyn Error>> {
    title("A run computes the path to what is fetched, and nothing else");
    fresh_graph();
    let session = Session::new();
    let x = placeholder::<i32>([]).named("x");
    let three = constant(3).named("three");
    let sum = (x + three).named("sum");
    println!("three does not need x: {}", session.run(three)?);
    println!("sum needs it:");
    print!("{}", session.explain(sum, &[x])?);
    if let Err(error) = session.run(sum) {
        println!("{error}");
    }
    Ok(())
}

fn variables() -> Result<(), Box<dyn Error>> {
    title("A variable is a node; its value lives in a session");
    fresh_graph();
    let session = Session::new();
    let count = variable("count", []).get();
    if let Err(error) = session.run(count) {
        println!("it starts without a value:\n{error}");
    }
    let set = assign(count, 0.0);
    println!("an assignment is a node; running it gives the value: {}", session.run(set)?);
    println!("and leaves it behind: {}", session.run(count)?);
    let other = Session::new();
    let elsewhere = other.run(count).is_err();
    println!("another session has its own variables: no value there yet: {elsewhere}");
    Ok(())
}

fn initializers() -> Result<(), Box<dyn Error>> {
    title("An initializer is a node like any other: it has to be run");
    fresh_graph();
    let session = Session::new();
    let early = get_variable("early", [], ones());
    let init = global_variables_initializer();
    let late = get_variable("late", [], ones());
    println!("making one runs nothing: {}", session.run(early).is_err());
    session.run(init)?;
    println!("now it has run: {}", session.run(early)?);
    if let Err(error) = session.run(late) {
        println!("it knows the variables that were there when it was made:\n{error}");
    }
    session.init_missing()?;
    println!("init_missing gives values to those without: {}", session.run(late)?);
    Ok(())
}

fn optimizers() -> Result<(), Box<dyn Error>> {
    title("An optimizer adds nodes to the graph; running them trains");
    let graph = fresh_graph();
    let session = Session::new();
    let m = get_variable("m", [], zeros());
    let (x, y) = (placeholder::<f32>([]), placeholder::<f32>([]));
    let loss = square(y - m * x);
    session.run(global_variables_initializer())?;
    let before = graph.len();
    let optimizer = GradientDescent::new(0.1);
    println!("the optimizer itself adds {} nodes", graph.len() - before);
    let train = optimizer.minimize(loss);
    println!("minimize adds {}: gradients and updates", graph.len() - before);
    for _ in 0..3 {
        let (loss, ()) = session.run_with((loss, train), feeds![x => 1.0, y => 2.0])?;
        println!("the loss of a run is the one before its update: {loss}");
    }
    println!("m is on its way to 2: {}", session.run(m)?);
    Ok(())
}

fn printing() -> Result<(), Box<dyn Error>> {
    title("A print is a node: it prints when it is on the path");
    let graph = fresh_graph();
    let options = SessionOptions { print_to: Sink::Stdout, ..SessionOptions::default() };
    let session = Session::with_options(&graph, options);
    let (two, three) = (constant(2), constant(3));
    let sum = two + three;
    let next = print(sum, [two, three]) + 1;
    println!("fetching the sum prints nothing: {}", session.run(sum)?);
    println!("fetching something that uses what print returns does:");
    println!("{}", session.run(next)?);
    print(two, [sum]);
    println!("lint finds the one that nothing uses:");
    for lint in graph.lint() {
        println!("{lint}");
    }
    Ok(())
}

fn mistakes() {
    title("A mistake is found when it is made, and told where it matters");
    let graph = fresh_graph();
    let images = placeholder::<f32>(shape![?, 784]).named("images");
    let weights = get_variable("weights", [10, 784], zeros());
    let logits = matmul(images, weights);
    let loss = reduce_mean(logits, ..);
    println!("building goes on, but the handle knows: {loss}");
    if let Err(errors) = graph.check() {
        println!("the graph lists what is wrong:\n{errors}");
    }
    if let Err(error) = Session::new().run(loss) {
        println!("and so does a run that needs it:\n{error}");
    }
}
